"""Manual ledger entries, by the command that operators type and over two closes. Every
call costs 1 USD; the figures are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.dbt_runner import DbtError
from orchestration.ledger_entry import KIND, TARGET_TYPE
from orchestration.operations import Operations
from orchestration.workspace import Workspace
from tests.rating.metered import OCTOBER, append, write_company
from tests.support import copy_of, rows, run_until_close

# Instant -> calls.
CALLS: Mapping[str, Mapping[str, int]] = {
    "acme": {
        "2026-10-10T12:00": 4,
        "2026-11-10T11:00": 9,
        "2026-11-10T12:00": 3,
    },
    "beta": {"2026-11-20T12:00": 8},
    "gamma": {"2026-11-20T12:00": 1},
}
GRANT = {"currency": "USD", "starting_at": OCTOBER}
WELCOME = {**GRANT, "credit_id": "welcome", "customer_id": "acme", "amount": "10"}
BENEATH = {**GRANT, "customer_id": "acme", "commit_id": "beneath", "amount": "1"}
MONTHLY = {
    "recurring_commit_id": "monthly",
    "contract_id": "beta",
    "name": "Monthly",
    "grant_type": "CREDIT",
    "amount": "5",
    "starting_at": OCTOBER,
}
HALVES = {"commit_id": "halves", "customer_id": "gamma", "currency": "USD"}
FIRST_HALF = {"starting_at": OCTOBER, "ending_before": "2026-10-15T00:00Z"}
SECOND_HALF = {
    "starting_at": "2026-10-15T00:00Z",
    "ending_before": "2026-12-01T00:00Z",
}


def events(month: str) -> str:
    return "".join(
        json.dumps(
            {
                "transaction_id": f"{customer}-{at}-{number}",
                "customer_id": customer,
                "event_type": customer,
                "timestamp": f"{at}:00Z",
            }
        )
        + "\n"
        for customer, times in CALLS.items()
        for at, calls in times.items()
        if at.startswith(month)
        for number in range(calls)
    )


def ledger_entry(folder: Path, grant: str, amount: str, **options: str) -> Any:
    """Type the command; `reason` is "why" unless said otherwise."""
    given = {"reason": "why", "actor": "ann", **options}
    return CliRunner().invoke(
        app,
        ["ledger-entry", grant, "--amount", amount, "--workspace", str(folder)]
        + [
            part
            for name, value in given.items()
            for part in (f"--{name.replace('_', '-')}", value)
        ],
    )


def segment(folder: Path, grant: str, starts: str) -> str:
    [row] = rows(
        folder,
        "select segment_id from credits.credit_grants "
        f"where grant_id = '{grant}' and starting_at = timestamp '{starts}'",
    )
    return str(row["segment_id"])


def instructions(folder: Path) -> list[dict[str, Any]]:
    operations = Operations.open(Workspace.load(folder))
    try:
        return operations.instructions(kind=KIND)
    finally:
        operations.close()


def close_of(folder: Path, as_of: str) -> dict[str, Any]:
    """A close, with every row of what it wrote of wallets."""
    [close] = rows(
        folder, f"select * from books.closes where as_of = timestamp '{as_of}'"
    )
    for table, key in (
        ("credit_drawdowns", "drawdown_id"),
        ("ledger_entries", "entry_id"),
    ):
        close[table] = rows(
            folder,
            f"select * from books.{table} where close_id = '{close['close_id']}' "
            f"order by {key}",
        )
    return close


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is closed: acme's credit of 10 has 6 left, the first half has expired."""
    folder = tmp_path_factory.mktemp("manual") / "company"
    metrics = [
        (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
        for name in CALLS
    ]
    write_company(folder, metrics)
    append(folder, "credits", [{**WELCOME, "name": "Welcome"}])
    paid = {"commit_type": "PREPAID", "invoice_amount": "1"}
    append(
        folder,
        "commits",
        [{**paid, **BENEATH, "name": "Beneath"}, {**paid, **HALVES, "name": "Halves"}],
    )
    append(
        folder,
        "access_schedules",
        [
            {"commit_id": "halves", "amount": "5", **FIRST_HALF},
            {"commit_id": "halves", "amount": "6", **SECOND_HALF},
        ],
    )
    append(folder, "recurring_commits", [MONTHLY])
    (folder / "events" / "october.ndjson").write_text(events("2026-10"))
    run_until_close(folder, "2026-11-02", backfill=True)
    return folder


@pytest.fixture(scope="module")
def november(october: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Entries are given by the command, then November is closed, with the laws."""
    folder = copy_of(october, tmp_path_factory.mktemp("november") / "company")
    given = [
        ledger_entry(folder, "welcome", "5", effective_at="2026-10-05T06:00Z"),
        ledger_entry(folder, "welcome", "-3.00", reason="given in error"),
        ledger_entry(folder, "welcome", "2", effective_at="2026-11-10T12:00Z"),
        ledger_entry(folder, "monthly:2026-11-01", "+2"),
        ledger_entry(folder, segment(folder, "halves", "2026-10-15"), "-6"),
    ]
    assert [done.exit_code for done in given] == [0] * 5, [x.output for x in given]
    (folder / "events" / "november.ndjson").write_text(events("2026-11"))
    run_until_close(folder, "2026-12-02", backfill=True)
    return folder


def ledger(folder: Path, grant: str) -> list[tuple[str, int, str, str | None]]:
    return [
        (
            row["entry_type"],
            row["amount_minor"],
            f"{row['effective_at']:%m-%d %H}",
            row["reason"],
        )
        for row in rows(
            folder,
            f"select * from credits.credit_ledger where grant_id = '{grant}' "
            "and entry_state = 'posted' order by posted_at, effective_at, entry_type, "
            "amount_minor",
        )
    ]


def test_entries_are_posted_and_drawn(november: Path) -> None:
    # 6 are left, less 3: 3. The 5 from 5 October and the 2 from 10 November, 12:00 are
    # tranches. 11:00: 9 calls take 3, 5 and the commit's 1. 12:00: 3 calls take the 2.
    assert ledger(november, "welcome") == [
        ("CREDIT_SEGMENT_START", 1000, "10-01 00", None),
        ("CREDIT_AUTOMATED_INVOICE_DEDUCTION", -400, "11-01 00", None),
        ("CREDIT_MANUAL", -300, "10-01 00", "given in error"),
        ("CREDIT_MANUAL", 500, "10-05 06", "why"),
        ("CREDIT_MANUAL", 200, "11-10 12", "why"),
        ("CREDIT_AUTOMATED_INVOICE_DEDUCTION", -1000, "12-01 00", None),
    ]
    drawn = rows(
        november,
        "select grants.grant_id, slices.slice_start, draws.amount_minor, "
        "draws.tranche_id = draws.segment_id as is_own "
        "from books.credit_drawdowns as draws "
        "inner join credits.credit_grants as grants using (segment_id) "
        "inner join books.rated_slices as slices using (slice_id) "
        "where customer_id = 'acme' and slices.slice_start >= timestamp '2026-11-01'",
    )
    assert sorted(
        (row["slice_start"].hour, row["grant_id"], row["is_own"], row["amount_minor"])
        for row in drawn
    ) == [
        (11, "beneath", True, 100),
        (11, "welcome", False, 500),
        (11, "welcome", True, 300),
        (12, "welcome", False, 200),
    ]


def test_what_is_not_covered_is_paid(november: Path) -> None:
    # acme 12 - 3 - 5 - 2 - 1; beta 8 - 5 - 2; gamma's commit was taken: 1.
    assert {
        row["customer_id"]: row["total_minor"]
        for row in rows(
            november,
            "select customer_id, total_minor from invoicing.invoices "
            "where period_start = timestamp '2026-11-01'",
        )
    } == {"acme": 100, "beta": 100, "gamma": 100}


def test_grants_of_every_kind_take_entries(november: Path) -> None:
    half = segment(november, "halves", "2026-10-15")
    found = {
        (row["segment_id"], row["entry_type"]): row["amount_minor"]
        for row in rows(november, "select * from credits.credit_ledger")
    }
    assert found[half, "PREPAID_COMMIT_MANUAL"] == -600
    # Nothing is left that could expire when the half ends on 1 December.
    assert (half, "PREPAID_COMMIT_EXPIRATION") not in found
    monthly = segment(november, "monthly:2026-11-01", "2026-11-01")
    assert found[monthly, "CREDIT_MANUAL"] == 200
    assert found[monthly, "CREDIT_AUTOMATED_INVOICE_DEDUCTION"] == -700


def test_a_closed_month_stays_as_it_was(october: Path, november: Path) -> None:
    # Though 5 of the credit now count from before October's only usage.
    assert close_of(november, "2026-11-02") == close_of(october, "2026-11-02")
    assert [row["total_minor"] for row in october_invoices(november)] == [0, 0, 0]


def october_invoices(folder: Path) -> list[dict[str, Any]]:
    return rows(
        folder,
        "select total_minor from invoicing.invoices "
        "where period_start = timestamp '2026-10-01'",
    )


def test_the_entry_says_who_decided_it(november: Path) -> None:
    first = instructions(november)[0]
    [entry] = rows(
        november,
        "select * from books.ledger_entries "
        f"where source_id = '{first['instruction_id']}'",
    )
    assert (entry["actor"], entry["reason"], entry["amount_minor"]) == (
        "ann",
        "why",
        500,
    )
    assert first["payload"] == {
        "before": {"balance": "6.00"},
        "after": {"balance": "11.00"},
        "details": {"amount": "5.00", "currency": "USD"},
    }
    assert first["created_at"] == datetime(2026, 11, 2, tzinfo=UTC)


REFUSED: Mapping[str, tuple[str, str, dict[str, str], str]] = {
    "unknown": ("welcom", "1", {}, "did you mean welcome?"),
    "two segments": ("halves", "1", {}, "halves has 2 segments, name one: seg_"),
    "zero": ("welcome", "0.00", {}, "the amount is zero"),
    "no number": ("welcome", "1e3", {}, "write it like 25 or -12.50"),
    "places": ("welcome", "0.005", {}, "USD, which has 2 decimal places"),
    "before the start": (
        "welcome",
        "1",
        {"effective_at": "2026-09-30T23:00Z"},
        "it takes effect from 2026-10-01T00:00Z, without an end",
    ),
    "at the end": (
        "monthly:2026-11-01",
        "1",
        {"effective_at": "2026-12-01T00:00Z"},
        "from 2026-11-01T00:00Z, before 2026-12-01T00:00Z",
    ),
    "off the grain": (
        "welcome",
        "1",
        {"effective_at": "2026-11-10T12:30Z"},
        "an entry takes effect on the full hour",
    ),
    "a cent too much": ("welcome", "-6.01", {}, "more than the 6.00 USD that"),
    "expired": ("monthly:2026-10-01", "1", {}, "give a new credit"),
    "blank reason": ("welcome", "1", {"reason": " "}, "--reason is blank"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_stand_is_refused(october: Path, case: str) -> None:
    grant, amount, options, says = REFUSED[case]
    done = ledger_entry(october, grant, amount, **options)
    assert done.exit_code == 1
    assert says in " ".join(done.output.split())
    assert instructions(october) == []


def test_without_a_run_there_is_nothing_to_look_up(tmp_path: Path) -> None:
    write_company(tmp_path / "new", [("acme", {"metric_id": "acme"})])
    done = ledger_entry(tmp_path / "new", "welcome", "1")
    assert done.exit_code == 1
    assert "meterhouse run first" in done.output


def test_a_bad_instant_is_bad_input(october: Path) -> None:
    assert ledger_entry(october, "welcome", "1", effective_at="soon").exit_code == 2


def test_the_same_entry_again_is_the_same(october: Path, tmp_path: Path) -> None:
    folder = copy_of(october, tmp_path / "company")
    # All 6 that are left may be taken, once, and nothing after it.
    assert ledger_entry(folder, "welcome", "-6").exit_code == 0
    again = ledger_entry(folder, "welcome", "-6.00", actor="bob")
    assert again.exit_code == 0
    assert "stands already" in again.output
    assert len(instructions(folder)) == 1
    refused = ledger_entry(folder, "welcome", "-0.01")
    assert "more than the 0.00 USD" in refused.output
    # Two equal gifts are two decisions when their reasons differ.
    for reason in ("outage of May", "outage of June"):
        assert ledger_entry(folder, "welcome", "1", reason=reason).exit_code == 0
    assert len(instructions(folder)) == 3


def test_what_is_given_later_can_not_be_taken_earlier(
    october: Path, tmp_path: Path
) -> None:
    folder = copy_of(october, tmp_path / "company")
    given = ledger_entry(folder, "welcome", "5", effective_at="2026-11-10T12:00Z")
    assert given.exit_code == 0
    # 10 less 7 would not have paid October's 4 on 1 November, whatever comes after it.
    refused = ledger_entry(folder, "welcome", "-7")
    assert "more than the 6.00 USD" in refused.output
    # From the 10th on there are 11.
    for amount, code in (("-11.01", 1), ("-11", 0)):
        done = ledger_entry(folder, "welcome", amount, effective_at="2026-11-10T12:00Z")
        assert done.exit_code == code, done.output


def test_an_entry_that_does_not_fit_stops_the_run(
    october: Path, tmp_path: Path
) -> None:
    # Written past the command, as a restored store or a changed price book might.
    folder = copy_of(october, tmp_path / "company")
    operations = Operations.open(Workspace.load(folder))
    operations.add_instruction(
        kind=KIND,
        target_type=TARGET_TYPE,
        target_id=segment(folder, "welcome", "2026-10-01"),
        actor="ann",
        reason="why",
        created_at=datetime(2026, 11, 2, tzinfo=UTC),
        effective_at=datetime(2026, 12, 24, tzinfo=UTC),
        details={"amount": "-6.01", "currency": "USD"},
    )
    operations.close()
    with pytest.raises(DbtError, match="check_manual_entries_fit"):
        run_until_close(folder, "2026-11-03", backfill=True)
    # What is missing is given back, and the run goes on.
    given = ledger_entry(folder, "welcome", "0.01", effective_at="2026-11-02T00:00Z")
    assert given.exit_code == 0, given.output
    run_until_close(folder, "2026-11-03", backfill=True)


def test_books_of_before_entries_are_brought_up_to_date(
    october: Path, tmp_path: Path
) -> None:
    folder = copy_of(october, tmp_path / "company")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as con:
        # Later columns of the same table go too: columns are added in their order.
        con.execute("delete from books.migrations where version in (6, 7, 11)")
        for column in ("list_amount_minor", "quantity", "tranche_id"):
            con.execute(f"alter table books.credit_drawdowns drop column {column}")
        for column in ("source_id", "reason", "actor"):
            con.execute(f"alter table books.ledger_entries drop column {column}")
    refused = ledger_entry(folder, "welcome", "1")
    assert "meterhouse run brings them up to date" in refused.output
    (folder / "events" / "november.ndjson").write_text(events("2026-11"))
    run_until_close(folder, "2026-11-20", backfill=True)
    assert ledger_entry(folder, "welcome", "2").exit_code == 0
    run_until_close(folder, "2026-12-02", backfill=True)
    # October's 4 count as drawn of the credit's own 10: 6 and the 2 given are left.
    [row] = rows(
        folder,
        "select * from credits.credit_balances where grant_id = 'welcome'",
    )
    assert (row["drawn_minor"], row["manual_minor"], row["balance_minor"]) == (
        1200,
        200,
        0,
    )
    before, after = close_of(october, "2026-11-02"), close_of(folder, "2026-11-02")
    assert after["content_hash"] == before["content_hash"]
    assert [draw["tranche_id"] for draw in after["credit_drawdowns"]] == [None]
