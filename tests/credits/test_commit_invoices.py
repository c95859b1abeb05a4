"""What commits cost and what promises are short of, over three closes. Every call costs
1 USD; the figures are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestration.dbt_runner import DbtError
from tests.rating.metered import OCTOBER, append, write_company
from tests.support import rows, run_all, run_until_close

NOVEMBER, DECEMBER = "2026-11-01T00:00Z", "2026-12-01T00:00Z"
# Day -> calls.
CALLS: Mapping[str, Mapping[str, int]] = {
    "acme": {"2026-10-10": 50, "2026-11-10": 10},
    "beta": {"2026-10-10": 15},
    "gamma": {"2026-10-10": 10},
    "delta": {"2026-10-10": 25},
}
PROMISE = {"commit_type": "POSTPAID", "starting_at": OCTOBER, "ending_before": DECEMBER}
PREPAID = {"commit_type": "PREPAID", "starting_at": OCTOBER}
COMMITS = [
    {**PROMISE, "commit_id": "promise", "contract_id": "acme", "amount": "100"},
    {**PREPAID, "commit_id": "ahead", "contract_id": "acme", "amount": "20"},
    {
        **PROMISE,
        "commit_id": "let-go",
        "contract_id": "beta",
        "amount": "40",
        "is_trueup_disabled": "true",
    },
    {**PREPAID, "commit_id": "bought", "contract_id": "gamma", "amount": "330"},
    {
        **PREPAID,
        "commit_id": "more",
        "invoice_contract_id": "gamma",
        "amount": "5",
    },
    {
        **PREPAID,
        "commit_id": "elsewhere",
        "contract_id": "gamma",
        "amount": "7",
        "do_not_invoice": "true",
    },
    {**PROMISE, "commit_id": "kept", "contract_id": "delta", "amount": "10"},
]
SCHEDULES = [
    ("promise", "100", "2026-12-05T00:00Z"),
    ("ahead", "20", "2026-10-01T09:30Z"),
    ("bought", "100", OCTOBER),
    ("bought", "100", NOVEMBER),
    ("bought", "100", "2026-12-20T00:00Z"),
    ("more", "5", "2026-11-01T15:00Z"),
    ("elsewhere", "7", OCTOBER),
    ("kept", "10", DECEMBER),
]
SUBSCRIBED = {
    "recurring_commit_id": "monthly",
    "contract_id": "delta",
    "name": "Monthly",
    "grant_type": "PREPAID_COMMIT",
    "amount": "3",
    "invoice_amount": "2",
    "starting_at": "2026-11-01T00:00Z",
}


def schedule(commit: str, amount: str, at: str) -> dict[str, str]:
    return {"commit_id": commit, "amount": amount, "invoice_at": at}


def events(month: str) -> str:
    return "".join(
        json.dumps(
            {
                "transaction_id": f"{customer}-{day}-{number}",
                "customer_id": customer,
                "event_type": customer,
                "timestamp": f"{day}T12:00:00Z",
            }
        )
        + "\n"
        for customer, days in CALLS.items()
        for day, calls in days.items()
        if day.startswith(month)
        for number in range(calls)
    )


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October and November closed, as of 2 December."""
    folder = tmp_path_factory.mktemp("commits") / "company"
    write_company(
        folder,
        [
            (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
            for name in CALLS
        ],
    )
    owner = {"more": "gamma"}
    append(
        folder,
        "commits",
        [
            {
                "customer_id": owner.get(c["commit_id"], c.get("contract_id")),
                "name": c["commit_id"],
                "currency": "USD",
                **c,
            }
            for c in COMMITS
        ],
    )
    append(folder, "invoice_schedules", [schedule(*row) for row in SCHEDULES])
    append(folder, "recurring_commits", [SUBSCRIBED])
    for month, as_of in (("2026-10", "2026-11-02T01:00"), ("2026-11", "2026-12-02")):
        (folder / "events" / f"{month}.ndjson").write_text(events(month))
        run_until_close(folder, as_of, backfill=True)
    return folder


def invoices(folder: Path, customer: str) -> list[tuple[str, str, str, int, int, int]]:
    return [
        tuple(row.values())  # type: ignore[misc]
        for row in rows(
            folder,
            "select invoice_type, strftime(issued_at, '%Y-%m-%d') as issued, status, "
            "usage_minor, applied_minor, total_minor from invoicing.invoices "
            f"where customer_id = '{customer}' order by issued_at, invoice_type",
        )
    ]


def lines(folder: Path, customer: str, kind: str) -> list[tuple[str, str, int]]:
    return [
        tuple(row.values())  # type: ignore[misc]
        for row in rows(
            folder,
            "select line_type, line_name, lines.amount_minor "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices using (invoice_id) "
            f"where customer_id = '{customer}' and invoice_type = '{kind}' "
            "order by issued_at, line_number",
        )
    ]


def ledger(folder: Path, grant: str) -> list[tuple[str, int, str]]:
    return [
        tuple(row.values())  # type: ignore[misc]
        for row in rows(
            folder,
            "select entry_type, amount_minor, entry_state from credits.credit_ledger "
            f"where grant_id = '{grant}' order by effective_at, entry_type desc",
        )
    ]


def test_what_counts_towards_a_promise_is_owed_all_the_same(closed: Path) -> None:
    # October: 50.00, of which 20.00 were paid ahead; the other 30.00 count and are
    # owed. November: 10.00 count. 60.00 are missing, to be invoiced on 5 December.
    assert [i for i in invoices(closed, "acme") if i[0] != "TRUEUP"] == [
        ("SCHEDULED", "2026-10-01", "FINALIZED", 2000, 0, 2000),
        ("USAGE", "2026-11-02", "FINALIZED", 5000, -2000, 3000),
        ("USAGE", "2026-12-02", "FINALIZED", 1000, 0, 1000),
        ("USAGE", "2027-01-02", "DRAFT", 0, 0, 0),
    ]
    assert lines(closed, "acme", "USAGE") == [
        ("usage", "acme", 5000),
        ("applied_commit_or_credit", "ahead applied to acme", -2000),
        ("applied_postpaid_commit", "acme counted towards promise", -3000),
        ("usage", "acme", 1000),
        ("applied_postpaid_commit", "acme counted towards promise", -1000),
        ("usage", "acme", 0),
    ]


def test_the_true_up_waits_for_its_date(closed: Path) -> None:
    assert [i for i in invoices(closed, "acme") if i[0] == "TRUEUP"] == [
        ("TRUEUP", "2026-12-05", "DRAFT", 6000, 0, 6000)
    ]
    assert lines(closed, "acme", "TRUEUP") == [
        ("commit_trueup", "True-up of promise", 6000)
    ]
    assert ledger(closed, "promise") == [
        ("POSTPAID_COMMIT_INITIAL_BALANCE", 10000, "posted"),
        ("POSTPAID_COMMIT_AUTOMATED_INVOICE_DEDUCTION", -3000, "posted"),
        ("POSTPAID_COMMIT_TRUEUP", -6000, "pending"),
        ("POSTPAID_COMMIT_AUTOMATED_INVOICE_DEDUCTION", -1000, "posted"),
    ]


def test_a_disabled_true_up_lets_go_of_the_rest(closed: Path) -> None:
    # 40.00 promised, 15.00 used.
    assert ledger(closed, "let-go") == [
        ("POSTPAID_COMMIT_INITIAL_BALANCE", 4000, "posted"),
        ("POSTPAID_COMMIT_AUTOMATED_INVOICE_DEDUCTION", -1500, "posted"),
        ("POSTPAID_COMMIT_EXPIRATION", -2500, "posted"),
    ]
    assert not lines(closed, "beta", "TRUEUP")


def test_a_promise_that_is_kept_has_no_true_up(closed: Path) -> None:
    # 25.00 used: 10.00 count, all is owed.
    assert ledger(closed, "kept") == [
        ("POSTPAID_COMMIT_INITIAL_BALANCE", 1000, "posted"),
        ("POSTPAID_COMMIT_AUTOMATED_INVOICE_DEDUCTION", -1000, "posted"),
    ]
    assert lines(closed, "delta", "TRUEUP") == []
    assert [
        i for i in invoices(closed, "delta") if i[:2] == ("USAGE", "2026-11-02")
    ] == [("USAGE", "2026-11-02", "FINALIZED", 2500, 0, 2500)]


def test_amounts_of_one_day_share_an_invoice(closed: Path) -> None:
    # 100.00 on 1 October; on 1 November 100.00 and, at 15:00, 5.00. Those of
    # 20 December are not yet due, and what was paid elsewhere is never sent.
    assert [i for i in invoices(closed, "gamma") if i[0] == "SCHEDULED"] == [
        ("SCHEDULED", "2026-10-01", "FINALIZED", 10000, 0, 10000),
        ("SCHEDULED", "2026-11-01", "FINALIZED", 10500, 0, 10500),
    ]
    assert sorted(lines(closed, "gamma", "SCHEDULED")) == [
        ("commit_purchase", "bought", 10000),
        ("commit_purchase", "bought", 10000),
        ("commit_purchase", "more", 500),
    ]


def test_a_recurring_commit_is_invoiced_when_a_period_begins(closed: Path) -> None:
    assert [i for i in invoices(closed, "delta") if i[0] == "SCHEDULED"] == [
        ("SCHEDULED", "2026-11-01", "FINALIZED", 200, 0, 200),
        ("SCHEDULED", "2026-12-01", "FINALIZED", 200, 0, 200),
    ]


def test_a_promise_is_no_money_to_spend(closed: Path) -> None:
    (wallet,) = rows(
        closed,
        "select balance_minor, upcoming_minor from credits.credit_runway "
        "where customer_id = 'acme'",
    )
    assert wallet == {"balance_minor": 0, "upcoming_minor": 0}


def test_the_rest_is_published_and_reconciled(closed: Path) -> None:
    """As of 5 December the true-up closes; 1.00 is added to 1 October, whose invoice is
    closed: it gets one of its own."""
    append(
        closed,
        "commits",
        [
            {
                **PREPAID,
                "commit_id": "forgotten",
                "customer_id": "gamma",
                "name": "forgotten",
                "currency": "USD",
                "contract_id": "gamma",
                "amount": "1",
            }
        ],
    )
    append(closed, "invoice_schedules", [schedule("forgotten", "1", OCTOBER)])
    run_all(closed, "2026-12-05", backfill=True)
    assert [i for i in invoices(closed, "acme") if i[0] == "TRUEUP"] == [
        ("TRUEUP", "2026-12-05", "FINALIZED", 6000, 0, 6000)
    ]
    assert ledger(closed, "promise")[2] == ("POSTPAID_COMMIT_TRUEUP", -6000, "posted")
    assert [i[3] for i in invoices(closed, "gamma") if i[0] == "SCHEDULED"] == [
        100,
        10000,
        10500,
    ]
    # Commit 20.00, October 50.00 - 20.00, November 10.00, 60.00 short: so Stripe was
    # told.
    told = rows(
        closed,
        "select requests.description, requests.total_minor, "
        "found.stripe_total_minor, found.break_reason "
        "from publishing.stripe_invoice_requests as requests "
        "inner join reconciliation.invoice_reconciliation as found using (invoice_id) "
        "where requests.customer_id = 'acme' order by requests.issued_at",
    )
    assert [
        (
            row["description"].rsplit(", ", 1)[0],
            row["total_minor"],
            row["stripe_total_minor"],
            row["break_reason"],
        )
        for row in told
    ] == [
        ("Commit purchase 2026-10-01", 2000, 2000, None),
        ("Usage 2026-10-01 to 2026-10-31", 3000, 3000, None),
        ("Usage 2026-11-01 to 2026-11-30", 1000, 1000, None),
        ("True-up 2026-10-01 to 2026-11-30", 6000, 6000, None),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"bought,100,{OCTOBER}", "bought,100,2026-10-02T00:00Z"),
        (f"forgotten,1,{OCTOBER}", f"forgotten,2,{OCTOBER}"),
    ],
    ids=["moved", "edited"],
)
def test_a_billed_amount_that_is_edited_is_refused(
    closed: Path, before: str, after: str
) -> None:
    path = closed / "catalog" / "invoice_schedules.csv"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    try:
        with pytest.raises(DbtError, match="check_billed_purchases_stand"):
            run_until_close(closed, "2026-12-06", backfill=True)
    finally:
        path.write_text(text)
