"""Balances that are topped up, over closes in the middle of a month and after it. Every
call costs 1 USD; the figures are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import CLOSED_NOTHING, close_books
from orchestration.dbt_runner import Dbt
from orchestration.duck import connect
from orchestration.workspace import Workspace
from tests.rating.metered import OCTOBER, append, write_company
from tests.support import copy_of, rows, run_all, run_until_close

# Day -> calls, at noon.
CALLS: Mapping[str, Mapping[str, int]] = {
    "acme": {"2026-10-10": 79, "2026-10-19": 2, "2026-10-25": 30, "2026-11-01": 5},
    "beta": {"2026-10-10": 3, "2026-10-14": 4, "2026-10-26": 1},
}
COMMIT = {
    "commit_id": "first",
    "customer_id": "acme",
    "contract_id": "acme",
    "name": "First",
    "commit_type": "PREPAID",
    "currency": "USD",
    "amount": "100",
    "starting_at": OCTOBER,
}
THRESHOLDS = [
    {
        "threshold_id": "top-up",
        "contract_id": "acme",
        "name": "Top-up",
        "threshold_amount": "20",
        "recharge_to_amount": "100",
        "payment_fraction": "0.85",
        "starting_at": OCTOBER,
    },
    {
        "threshold_id": "pay-first",
        "contract_id": "beta",
        "name": "Paid first",
        "threshold_amount": "0",
        "recharge_to_amount": "10",
        "starting_at": OCTOBER,
    },
]
EARLY, FIRED, OVER = "2026-10-13T10:30", "2026-10-20T12:15", "2026-11-02T01:00"


def send(folder: Path, since: str, until: str) -> None:
    """Usage of those days."""
    (folder / "events" / f"{since}.ndjson").write_text(
        "".join(
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
            if since <= day < until
            for number in range(calls)
        )
    )


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """13 October: acme has 21.00 left, above its threshold; beta has nothing."""
    folder = tmp_path_factory.mktemp("thresholds") / "company"
    write_company(
        folder,
        [
            (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
            for name in CALLS
        ],
    )
    append(folder, "commits", [COMMIT])
    append(folder, "thresholds", THRESHOLDS)
    send(folder, "2026-10-01", "2026-10-13")
    run_all(folder, EARLY, backfill=True)
    return folder


@pytest.fixture(scope="module")
def fired(early: Path) -> Path:
    """20 October: acme has 19.00 left."""
    folder = copy_of(early, early.parent / "fired")
    send(folder, "2026-10-13", "2026-10-20")
    run_all(folder, FIRED, backfill=True)
    return folder


@pytest.fixture(scope="module")
def over(fired: Path) -> Path:
    """2 November: October is closed."""
    folder = copy_of(fired, fired.parent / "over")
    send(folder, "2026-10-20", "2026-11-02")
    run_until_close(folder, OVER, schema_tests=True, backfill=True)
    return folder


def listed(folder: Path, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows(folder, query)]


def recharges(folder: Path) -> list[tuple[Any, ...]]:
    return listed(
        folder,
        "select grant_id, contract_id, balance_before_minor, amount_minor, "
        "invoiced_minor, strftime(starting_at, '%Y-%m-%dT%H:%M') as starts, "
        "ending_before from books.threshold_recharges order by starting_at, grant_id",
    )


def ledger(folder: Path, grant: str) -> list[tuple[Any, ...]]:
    return listed(
        folder,
        "select replace(entry_type, 'PREPAID_COMMIT_', '') as kind, amount_minor, "
        "entry_state from credits.credit_ledger "
        f"where grant_id = '{grant}' order by effective_at, amount_minor desc",
    )


def invoices(folder: Path, customer: str) -> list[tuple[Any, ...]]:
    return listed(
        folder,
        "select invoice_type, strftime(issued_at, '%Y-%m-%d') as issued, status, "
        "usage_minor, applied_minor, total_minor from invoicing.invoices "
        f"where customer_id = '{customer}' order by issued_at, invoice_type",
    )


def spendable(folder: Path, customer: str) -> int:
    (row,) = rows(
        folder,
        "select balance_minor from credits.credit_runway "
        f"where customer_id = '{customer}'",
    )
    return int(row["balance_minor"])


def test_a_dollar_above_the_threshold_nothing_happens(early: Path) -> None:
    # 100.00 less 79.00.
    assert [row for row in recharges(early) if row[1] == "acme"] == []
    assert spendable(early, "acme") == 2100


def test_who_has_nothing_at_all_is_topped_up(early: Path) -> None:
    # Without any grant the balance is 0.00, which is at the threshold.
    assert recharges(early) == [
        (
            "pay-first:2026-10-13T10:00",
            "beta",
            0,
            1000,
            1000,
            "2026-10-13T10:00",
            None,
        )
    ]
    assert ledger(early, "pay-first:2026-10-13T10:00") == [
        ("SEGMENT_START", 1000, "posted")
    ]
    assert spendable(early, "beta") == 1000


def test_a_balance_below_its_threshold_is_topped_up(fired: Path) -> None:
    # 100.00 less 81.00: 19.00 are left, 81.00 are missing to 100.00, of which 85 % are
    # 68.85.
    assert recharges(fired)[1:] == [
        ("top-up:2026-10-20T12:00", "acme", 1900, 8100, 6885, "2026-10-20T12:00", None)
    ]
    assert ledger(fired, "top-up:2026-10-20T12:00") == [
        ("SEGMENT_START", 8100, "posted")
    ]
    assert spendable(fired, "acme") == 10000
    assert invoices(fired, "acme") == [
        ("SCHEDULED", "2026-10-20", "FINALIZED", 6885, 0, 6885),
        ("USAGE", "2026-11-02", "DRAFT", 8100, -8100, 0),
    ]
    assert listed(
        fired,
        "select line_type, line_name, amount_minor from invoicing.invoice_lines "
        "where line_type = 'commit_purchase' order by amount_minor",
    ) == [
        ("commit_purchase", "Paid first", 1000),
        ("commit_purchase", "Top-up", 6885),
    ]


def test_the_balance_says_what_is_there_at_once(fired: Path) -> None:
    assert listed(
        fired,
        "select amount_minor, balance_minor, posted_balance_minor, segment_status, "
        "applicable_contract_ids from credits.credit_balances "
        "where grant_id = 'top-up:2026-10-20T12:00'",
    ) == [(8100, 8100, 8100, "active", "acme")]


def test_the_purchase_is_sent(fired: Path) -> None:
    assert listed(
        fired,
        "select invoices.customer_id, subtotal_minor, sent.external_status "
        "from invoicing.invoices inner join payments.stripe_invoices as sent "
        "on invoices.invoice_id = sent.invoice_id "
        "where invoice_type = 'SCHEDULED' order by invoices.customer_id",
    ) == [("acme", 6885, "PAID"), ("beta", 1000, "PAID")]


def test_a_second_run_at_the_same_instant_adds_nothing(fired: Path) -> None:
    folder = copy_of(fired, fired.parent / "again")
    run = run_until_close(folder, FIRED, backfill=True)
    assert CLOSED_NOTHING in close_books(run)
    assert recharges(folder) == recharges(fired)
    for customer in CALLS:
        assert invoices(folder, customer) == invoices(fired, customer)
        assert spendable(folder, customer) == spendable(fired, customer)


def test_usage_draws_on_it_from_its_start_on(over: Path) -> None:
    # October: 79 + 2 + 30 = 111 calls. The first commit, given for nothing, pays 100 of
    # them, the top-up 11; it pays the 5 of November, too: 81.00 - 16.00 = 65.00.
    assert ledger(over, "first") == [
        ("SEGMENT_START", 10000, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -10000, "posted"),
    ]
    assert ledger(over, "top-up:2026-10-20T12:00") == [
        ("SEGMENT_START", 8100, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -1100, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -500, "pending"),
    ]
    assert spendable(over, "acme") == 6500
    assert invoices(over, "acme") == [
        ("SCHEDULED", "2026-10-20", "FINALIZED", 6885, 0, 6885),
        ("USAGE", "2026-11-02", "FINALIZED", 11100, -11100, 0),
        ("USAGE", "2026-12-02", "DRAFT", 500, -500, 0),
    ]


def test_usage_before_it_is_to_pay(over: Path) -> None:
    # beta: 3 calls before its first top-up, 4 + 1 after it.
    assert invoices(over, "beta") == [
        ("SCHEDULED", "2026-10-13", "FINALIZED", 1000, 0, 1000),
        ("USAGE", "2026-11-02", "FINALIZED", 800, -500, 300),
        ("USAGE", "2026-12-02", "DRAFT", 0, 0, 0),
    ]
    assert spendable(over, "beta") == 500


def test_what_was_paid_for_what_is_used(over: Path) -> None:
    # 11.00 of 81.00 cost 68.85 x 11 / 81 = 9.35; after 16.00 it is 13.60, so 4.25 more.
    assert listed(
        over,
        "select used_minor, paid_minor, free_minor from credits.credit_recognition "
        "where grant_id = 'top-up:2026-10-20T12:00' order by effective_at",
    ) == [(1100, 935, 165), (500, 425, 75)]


def test_what_was_topped_up_is_in_the_digest_of_its_close(fired: Path) -> None:
    folder = copy_of(fired, fired.parent / "altered")
    workspace = Workspace.load(folder)
    with connect(workspace.warehouse) as con:
        con.execute(
            "update books.threshold_recharges set invoiced_minor = invoiced_minor - 1 "
            "where contract_id = 'acme'"
        )
    red = Dbt(workspace, variables={"as_of": FIRED}).test(["tag:law"]).failed
    assert "law_7_closes_are_unchanged" in {node.name for node in red}


def test_a_preview_shows_what_the_close_would_add(early: Path) -> None:
    """As of three days before: nothing was posted by then, and nothing is now."""
    folder = copy_of(early, early.parent / "preview")
    run_until_close(folder, "2026-10-10T08:00", backfill=True)
    assert ledger(folder, "pay-first:2026-10-10T08:00") == [
        ("SEGMENT_START", 1000, "pending")
    ]
    assert ("SCHEDULED", "2026-10-10", "DRAFT", 1000, 0, 1000) in invoices(
        folder, "beta"
    )
    assert recharges(folder) == recharges(early)
