"""docs/finance.md tells the truth: every query runs, every answer is what it says.

The page goes stale with any change of the figures: then look at the difference and run
`python -m tests.exports.render_finance_page`. The second half of this file works some
of the answers out anew, from the exported files, the books and the raw events.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.finance import TABLES
from tests.exports import finance_page
from tests.exports.finance_page import Question, ask, cell_text, questions, table_text
from tests.support import minor, rows

QUESTIONS = questions()
AS_OF = datetime(2026, 11, 2)
SEPTEMBER_CLOSE = datetime(2026, 10, 2)


def exact(minor_amount: int, currency: str) -> Decimal:
    """Whole units of the sample company's currencies."""
    return Decimal(minor_amount).scaleb(0 if currency == "JPY" else -2)


@pytest.fixture(scope="module")
def finance(sample_workspace: Path) -> Path:
    return sample_workspace / "finance.duckdb"


@pytest.fixture(scope="module")
def other_order(finance: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same copy with the rows of every table in another order."""
    path = tmp_path_factory.mktemp("order") / "finance.duckdb"
    finance_page.shuffle(finance, path)
    return path


def test_the_page_asks_ten_questions_and_answers_each() -> None:
    assert len({question.title for question in QUESTIONS}) >= 10
    assert [question.title for question in QUESTIONS if not question.answer] == []


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=[f"{n}-{q.title[:30]}" for n, q in enumerate(QUESTIONS)]
)
def test_the_answer_is_what_the_query_says(finance: Path, question: Question) -> None:
    assert table_text(ask(finance, question.sql)) == question.answer


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=[f"{n}-{q.title[:30]}" for n, q in enumerate(QUESTIONS)]
)
def test_the_order_of_the_answer_is_no_accident(
    other_order: Path, question: Question
) -> None:
    assert table_text(ask(other_order, question.sql)) == question.answer


def test_the_table_list_is_the_copy(finance: Path) -> None:
    listed = dict(finance_page.documented_tables())
    assert set(listed) == {f"{s}.{table}" for s in TABLES for table in TABLES[s]}
    for table, grain in listed.items():
        columns = ", ".join(grain)
        twice = ask(
            finance, f"select 1 from {table} group by {columns} having count(*) > 1"
        )
        assert twice.rows == (), f"{table} has several rows of one {columns}"


def test_the_python_example_runs(
    sample_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = finance_page.PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    monkeypatch.chdir(sample_workspace)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/finance.md", "exec"), names)
    assert len(names["unpaid"]) == len(
        rows(
            sample_workspace,
            "select 1 from reconciliation.invoice_reconciliation where is_overdue",
        )
    )


def test_rendering_puts_every_answer_back(finance: Path, tmp_path: Path) -> None:
    text = finance_page.PAGE.read_text(encoding="utf-8")
    lines = text.splitlines()
    for question in reversed(QUESTIONS):
        lines[question.start : question.end] = ["| wrong |", "|---|"]
    first = QUESTIONS[0]
    # As a question stands on the page before it was ever answered.
    del lines[first.start - 1 : first.start + 2]
    page = tmp_path / "finance.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert {q.answer for q in questions(page)} == {"", "| wrong |\n|---|"}
    assert finance_page.rendered(finance, page) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (1234567, "1234567"),
        (Decimal("7265.690000000000"), "7265.69"),
        (Decimal("100.000000000000"), "100.00"),
        (Decimal("0.000000150000"), "0.00000015"),
        (Decimal("-36.2"), "-36.20"),
        (date(2026, 9, 1), "2026-09-01"),
        (datetime(2026, 9, 1), "2026-09-01 00:00"),
        (datetime(2026, 9, 1, 7, 0, 1), "2026-09-01 07:00:01"),
        ("region|model", "region\\|model"),
    ],
)
def test_cells(value: Any, text: str) -> None:
    assert cell_text(value) == text


def test_a_cell_is_never_binary_floating_point() -> None:
    with pytest.raises(TypeError, match="binary floating point"):
        cell_text(0.1)


# --- The same answers, worked out from elsewhere -------------------------------------


def answered(finance: Path, title: str, number: int = 0) -> list[dict[str, Any]]:
    """What the page's query below the heading says, NULL amounts as such."""
    found = [question for question in QUESTIONS if question.title == title]
    return ask(finance, found[number].sql).records()


@pytest.fixture(scope="module")
def exported(sample_workspace: Path) -> Callable[[str], list[dict[str, str]]]:
    """Rows of a file below exports/ or catalog/, as the text that stands in it."""

    def read(name: str) -> list[dict[str, str]]:
        with (sample_workspace / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return read


def test_invoiced_by_month_is_the_sum_of_the_file(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    expected: dict[tuple[str, str], list[Decimal]] = defaultdict(
        lambda: [Decimal(0)] * 4
    )
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for invoice in exported("exports/invoices.csv"):
        if invoice["status"] != "FINALIZED":
            continue
        key = (invoice["issued_at"][:7], invoice["currency"])
        counts[key] += 1
        charged, applied = (
            exact(int(invoice[name]), key[1])
            for name in ("usage_minor", "applied_minor")
        )
        is_usage = invoice["invoice_type"] == "USAGE"
        amounts = [charged, Decimal(0)] if is_usage else [Decimal(0), charged]
        expected[key] = [
            total + more
            for total, more in zip(
                expected[key],
                [*amounts, applied, Decimal(invoice["total"])],
                strict=True,
            )
        ]
    columns = ("usage", "commits", "credits", "invoiced")
    assert {
        (row["month"], row["currency"]): [row[name] or Decimal(0) for name in columns]
        for row in answered(finance, "What did we invoice, by month and currency?")
    } == expected
    assert sum(counts.values()) == sum(
        row["invoices"]
        for row in answered(finance, "What did we invoice, by month and currency?")
    )


def test_unpaid_is_what_the_files_leave(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    """In the sample company nothing is paid in part."""
    expected: dict[str, tuple[Decimal, int | None]] = {}
    for row in exported("exports/invoice_reconciliation.csv"):
        if row["external_status"] == "PAID" or row["stripe_total_minor"] == "0":
            continue
        due = row["due_at"] or row["finalized_at"]
        days = (AS_OF - datetime.fromisoformat(due)).days if due else None
        amount = exact(int(row["stripe_total_minor"]), row["currency"])
        expected[row["invoice_number"]] = (amount, days)
    title = "What is unpaid, and since when?"
    assert {
        row["invoice_number"]: (row["unpaid"], row["days"])
        for row in answered(finance, title)
    } == expected
    aged = answered(finance, title, 1)
    assert sum(row["unpaid"] for row in aged) == sum(a for a, _ in expected.values())
    for line in aged:
        total, parts = line["unpaid"], list(line.values())[2:]
        assert sum(part for part in parts if part is not None) == total


def test_a_past_balance_is_the_grant_less_the_draws_up_to_that_day(
    finance: Path,
    sample_workspace: Path,
    exported: Callable[[str], list[dict[str, str]]],
) -> None:
    """Grants from the price book, draws from the books."""
    day = date(2026, 8, 25)
    granted = {
        row[key]: Decimal(row["amount"])
        for name, key in (("commits", "commit_id"), ("credits", "credit_id"))
        for row in exported(f"catalog/{name}.csv")
        if row["customer_id"] == "customer-0003"
    }
    segments = {
        row["segment_id"]: row["grant_id"]
        for row in exported("exports/credit_ledger.csv")
        if row["grant_id"] in granted
    }
    draws = rows(
        sample_workspace,
        "select segment_id, slice_start, amount_minor from books.credit_drawdowns",
    )
    for draw in draws:
        if draw["segment_id"] in segments and draw["slice_start"].date() <= day:
            grant = segments[draw["segment_id"]]
            granted[grant] -= exact(draw["amount_minor"], "EUR")
    answers = answered(finance, "What was a customer's credit balance on a past date?")
    assert {row["grant_id"]: row["balance"] for row in answers} == granted
    assert {row["date"] for row in answers} == {day}


def test_grants_are_the_sums_of_their_ledger_entries(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    names = {
        row["customer_id"]: row["name"] for row in exported("catalog/customers.csv")
    }
    sums: dict[tuple[str, str], dict[str, Decimal]] = {}
    left: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    grants = {
        row["segment_id"]: (names[row["customer_id"]], row["grant_name"])
        for row in exported("exports/credit_balances.csv")
    }
    kinds = {
        "START": "granted",
        "BALANCE": "granted",
        "MANUAL": "by_hand",
        "DEDUCTION": "drawn",
        "EXPIRATION": "expired",
        "ROLLOVER": "rolled_over",
        "TRUEUP": "trued_up",
    }
    for entry in exported("exports/credit_ledger.csv"):
        grant = sums.setdefault(
            grants[entry["segment_id"]], dict.fromkeys(kinds.values(), Decimal(0))
        )
        kind = kinds[entry["entry_type"].rpartition("_")[2]]
        amount = Decimal(entry["amount"])
        grant[kind] += amount if kind in ("granted", "by_hand") else -amount
        left[grants[entry["segment_id"]]] += amount
    expected = {
        grant: {**amounts, "left": left[grant]}
        for grant, amounts in sums.items()
        if amounts["granted"] != amounts["drawn"]
    }
    assert {
        (row["customer_name"], row["grant_name"]): {
            kind: row[kind] for kind in (*kinds.values(), "left")
        }
        for row in answered(finance, "What became of each commit and credit?")
    } == expected


def test_a_wallet_ends_where_spending_day_by_day_ends(
    finance: Path,
    sample_workspace: Path,
    exported: Callable[[str], list[dict[str, str]]],
) -> None:
    """Grant after grant in the order of their ends, in fractions; draws from the books
    and the drafts, each once."""
    names = {
        row["customer_id"]: row["name"] for row in exported("catalog/customers.csv")
    }
    grants = [
        row
        for row in exported("exports/credit_balances.csv")
        if row["grant_type"] != "POSTPAID_COMMIT"
    ]
    wallets = {
        row["segment_id"]: (names[row["customer_id"]], row["currency"])
        for row in grants
    }
    draws = {
        row["drawdown_id"]: row
        for schema in ("credits", "books")
        for row in rows(sample_workspace, f"from {schema}.credit_drawdowns")
    }
    expected: dict[tuple[str, str], list[Any]] = {}
    for wallet in set(wallets.values()):
        segments = sorted(
            (row["ending_before"] or "9999", Decimal(row["balance"]))
            for row in grants
            if wallets[row["segment_id"]] == wallet
            and row["segment_status"] == "active"
        )
        if not segments:
            continue
        expected[wallet] = [sum(balance for _, balance in segments)]
        for days in (30, 7):
            burned = sum(
                exact(draw["amount_minor"], draw["currency"])
                for draw in draws.values()
                if wallets.get(draw["segment_id"]) == wallet
                and AS_OF - timedelta(days) <= draw["slice_start"] < AS_OF
            )
            seconds, is_lost = Fraction(0), False
            for end, balance in segments:
                spent = seconds + Fraction(balance) * days * 86400 / Fraction(burned)
                limit = (datetime.fromisoformat(end) - AS_OF).total_seconds()
                seconds, is_lost = min(spent, Fraction(limit)), is_lost or spent > limit
            expected[wallet] += [
                *([burned] if days == 30 else []),
                AS_OF + timedelta(seconds=int(seconds)),
                "expires" if is_lost else "runs_dry",
            ]
    answers = answered(finance, "When does a wallet run dry or expire?")
    columns = ["left", "burned_in_30_days"]
    columns += ["ends_at_30", "ends_by_30", "ends_at_7", "ends_by_7"]
    assert {
        (row["customer_name"], row["currency"]): [row[name] for name in columns]
        for row in answers
    } == expected


def completions(folder: Path) -> Iterator[dict[str, Any]]:
    """Successful and failed completions of customer-0001 in September that had landed
    when it was closed, each once: straight from the lake."""
    with duckdb.connect() as con:
        cursor = con.execute(
            f"""
            select * from read_parquet(
                '{folder}/lake/events/event_date=2026-09-*/*.parquet',
                union_by_name = true, hive_partitioning = false
            )
            where customer_ref in ('customer-0001', 'org-0001-prod', 'org-0001-dev')
            and event_type = 'llm.completion'
            order by landing_sequence, landing_row
            """
        )
        names = [column[0] for column in cursor.description or ()]
        seen: set[str] = set()
        for values in cursor.fetchall():
            event = dict(zip(names, values, strict=True))
            if event["transaction_id"] in seen:
                continue
            seen.add(event["transaction_id"])
            if event["landed_at"] <= SEPTEMBER_CLOSE:
                yield event


def test_the_line_costs_what_the_price_book_says_of_the_raw_events(
    finance: Path,
    sample_workspace: Path,
    exported: Callable[[str], list[dict[str, str]]],
) -> None:
    """Events from the lake times prices from the CSV files, in plain Python."""
    events = list(completions(sample_workspace))
    answers = answered(finance, "Why does this line cost what it costs?")
    expected = []
    billed = [
        event
        for event in events
        if event["property_status"] == "ok" and event["property_dry_run"] is None
    ]
    requests = Decimal(len(billed))
    for tier in exported("catalog/rate_tiers.csv"):
        if tier["rate_id"] == "list-usd-api_requests-1":
            low, high = Decimal(tier["tier_start"]), Decimal(tier["tier_end"] or "1e9")
            used = min(requests, high) - low
            expected.append(("API requests", used, Decimal(tier["unit_price"])))
    for product, name in (
        ("input_tokens", "Input tokens"),
        ("output_tokens", "Output tokens"),
    ):
        for rate in exported("catalog/rates.csv"):
            if not rate["rate_id"].startswith(
                f"list-usd-{product}-nw-large-us-standard-"
            ):
                continue
            start, end = (
                datetime.fromisoformat(rate[key] or "2027-01-01T00:00:00Z").replace(
                    tzinfo=None
                )
                for key in ("starting_at", "ending_before")
            )
            used = sum(
                (
                    Decimal(event[f"property_{product}"])
                    for event in events
                    if event["property_model"] == "nw-large"
                    and event["property_region"] == "us"
                    and event["property_service_tier"] == "standard"
                    and start <= event["event_at"] < end
                ),
                Decimal(0),
            )
            expected.append((name, used, Decimal(rate["unit_price"])))
    assert [
        (row["line"], row["quantity"], row["unit_price"], row["amount"])
        for row in answers
    ] == [(*parts, parts[1] * parts[2]) for parts in expected]
    for line in ("API requests", "Input tokens", "Output tokens"):
        parts_of_line = [row for row in answers if row["line"] == line]
        (total,) = {row["line_minor"] for row in parts_of_line}
        assert total == minor(sum(row["amount"] for row in parts_of_line))
        assert total == sum(row["amount_minor"] for row in parts_of_line)


def test_cash_is_the_sum_of_the_payments_file(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    expected: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for payment in exported("exports/payments.csv"):
        if payment["payment_status"] == "succeeded":
            key = (payment["paid_at"][:7], payment["currency"])
            count, received = expected.get(key, (0, Decimal(0)))
            amount = exact(int(payment["amount_paid_minor"]), key[1])
            expected[key] = (count + 1, received + amount)
    assert {
        (row["month"], row["currency"]): (row["payments"], row["received"])
        for row in answered(finance, "How much cash came in, by month?")
    } == expected


def test_credits_and_cash_make_up_the_usage(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    """Applied lines from their file; cash and rest add up to the last cent."""
    invoices = {
        row["invoice_id"]: (row["issued_at"][:7], row["currency"])
        for row in exported("exports/invoices.csv")
        if row["status"] == "FINALIZED" and row["invoice_type"] == "USAGE"
    }
    commits = {
        row["segment_id"]
        for row in exported("exports/credit_balances.csv")
        if row["grant_type"] == "PREPAID_COMMIT"
    }
    expected: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(
        lambda: defaultdict(Decimal)
    )
    for line in exported("exports/invoice_lines.csv"):
        if line["invoice_id"] not in invoices:
            continue
        amount = exact(int(line["amount_minor"]), line["currency"])
        kind = "usage"
        if line["line_type"] == "applied_postpaid_commit":
            continue
        if line["segment_id"]:
            in_commit = line["segment_id"] in commits
            kind = "prepaid_commits" if in_commit else "free_credits"
        expected[invoices[line["invoice_id"]]][kind] += abs(amount)
    answers = answered(
        finance, "How much of the usage was paid by credits, how much by cash?"
    )
    kinds = ("usage", "prepaid_commits", "free_credits")
    assert {
        (row["month"], row["currency"]): [row[kind] for kind in kinds]
        for row in answers
    } == {key: [sums[kind] for kind in kinds] for key, sums in expected.items()}
    carried: dict[str, Decimal] = defaultdict(Decimal)
    for row in answers:
        parts = ("prepaid_commits", "free_credits", "received", "open", "carried")
        assert sum(row[part] for part in parts) == row["usage"]
        carried[row["currency"]] += row["carried"]
    assert set(carried.values()) == {Decimal(0)}


def test_parts_of_revenue_are_what_grants_paid_and_the_rest(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    """From the files: applied lines by the kind of their grant; what is left of the
    lines of a month is overage or on demand, overage only of those with a commit."""
    kinds = {
        row[key]: kind
        for name, key, kind in (
            ("commits", "commit_id", "prepaid_drawdown"),
            ("credits", "credit_id", "credit_drawdown"),
        )
        for row in exported(f"catalog/{name}.csv")
        if row.get("commit_type") != "POSTPAID"
    }
    bought = {row["customer_id"] for row in exported("catalog/commits.csv")}
    grant_of = {
        row["segment_id"]: row["grant_id"].partition(":")[0]
        for row in exported("exports/credit_ledger.csv")
    }
    invoices = {
        row["invoice_id"]: row
        for row in exported("exports/invoices.csv")
        if row["status"] == "FINALIZED" and row["currency"] == "USD"
    }
    expected: dict[tuple[str, str], int] = defaultdict(int)
    rest: dict[str, int] = defaultdict(int)
    rest_without_commits: dict[str, int] = defaultdict(int)
    types = {
        "commit_purchase": "prepaid_purchase",
        "commit_trueup": "postpaid_trueup",
    }
    for line in exported("exports/invoice_lines.csv"):
        if (invoice := invoices.get(line["invoice_id"])) is None:
            continue
        month = invoice["issued_at"][:7]
        amount = int(line["amount_minor"])
        if line["line_type"].startswith("applied"):
            kind = kinds.get(grant_of[line["segment_id"]], "postpaid_drawdown")
            expected[month, kind] -= amount
        if line["line_type"] in types:
            expected[month, types[line["line_type"]]] += amount
        else:
            rest[month] += amount
            if invoice["customer_id"] not in bought:
                rest_without_commits[month] += amount
    found = {
        (row["month"], row["revenue_category"]): minor(row["amount"], 2)
        for row in answered(finance, "Which revenue is it?")
    }
    left = {
        month: found.pop((month, "overage"), 0) + found.pop((month, "on_demand"), 0)
        for month in rest
    }
    assert left == rest
    assert found == {key: amount for key, amount in expected.items() if amount}
    on_demand = {
        row["month"]: minor(row["amount"], 2)
        for row in answered(finance, "Which revenue is it?")
        if row["revenue_category"] == "on_demand"
    }
    assert all(on_demand[month] >= rest_without_commits[month] for month in on_demand)


def test_what_was_paid_ahead_is_earned_as_it_is_used(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    """Commits of one segment that got nothing by hand: cost x used / granted, rounded
    as it runs."""
    invoiced: dict[str, Decimal] = defaultdict(Decimal)
    for row in exported("catalog/invoice_schedules.csv"):
        invoiced[row["commit_id"]] += Decimal(row["amount"])
    commits = {
        row["commit_id"]: Fraction(
            Decimal(row["invoice_amount"] or invoiced[row["commit_id"]])
        )
        / Fraction(Decimal(row["amount"]))
        for row in exported("catalog/commits.csv")
        if row["commit_type"] == "PREPAID" and row["amount"]
    }
    ledger = exported("exports/credit_ledger.csv")
    by_hand = {
        row["grant_id"] for row in ledger if row["entry_type"].endswith("MANUAL")
    }
    used: dict[str, int] = defaultdict(int)
    for row in ledger:
        if (
            row["grant_id"] in commits.keys() - by_hand
            and row["amount_minor"][0] == "-"
        ):
            used[row["grant_id"]] -= int(row["amount_minor"])
    earned = {
        row["grant_id"]: row["paid"]
        for row in ask(
            finance,
            "select grant_id, cast(sum(paid_minor) as bigint) as paid "
            "from credits.credit_recognition group by grant_id",
        ).records()
    }
    assert len(used) > 3
    for grant, minor_used in used.items():
        exact_cost = commits[grant] * minor_used
        assert earned[grant] == int(exact_cost + Fraction(1, 2)), grant


def test_a_wallet_is_its_active_balances(
    finance: Path, exported: Callable[[str], list[dict[str, str]]]
) -> None:
    left = sum(
        int(row["balance_minor"])
        for row in exported("exports/credit_balances.csv")
        if row["customer_id"] == "northgate" and row["grant_type"] != "POSTPAID_COMMIT"
    )
    title = "What can a customer spend, and on what?"
    spendable = {
        (row["scope"], row["scope_id"]): minor(row["spendable"], 2)
        for row in answered(finance, title)
    }
    # All of it is for GPU hours, of the contract that goes on.
    assert spendable == {
        ("wallet", "northgate"): left,
        ("contract", "northgate-year"): left,
        ("product", "gpu_hours"): left,
    }


def test_late_corrections_are_what_was_not_billed(
    finance: Path, sample_workspace: Path
) -> None:
    """Billed amounts from the books themselves, not from the late-usage table."""
    late = rows(
        sample_workspace,
        "select invoice_number, line_id, rerated_minor from invoicing.late_usage",
    )
    billed = {
        row["line_id"]: row["amount_minor"]
        for row in rows(
            sample_workspace, "select line_id, amount_minor from books.invoice_lines"
        )
    }
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for line in late:
        more = line["rerated_minor"] - billed.get(line["line_id"], 0)
        expected[line["invoice_number"]] += exact(more, "USD")
    assert {
        row["invoice_number"]: row["correction"]
        for row in answered(
            finance, "What came too late for a closed month, and what is it worth?"
        )
    } == expected


def test_the_copy_says_as_of_when_it_is(finance: Path) -> None:
    assert ask(finance, "select as_of from ops.build").rows == ((AS_OF,),)
