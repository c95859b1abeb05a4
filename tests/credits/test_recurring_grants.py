"""Grants that a contract gives anew each period, over two closes. Every call costs
1 USD; the figures are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestration.dbt_runner import DbtError
from tests.rating.metered import OCTOBER, append, write_company
from tests.support import rows, run_until_close

# Day -> calls.
CALLS: Mapping[str, Mapping[str, int]] = {
    "acme": {"2026-10-10": 3, "2026-11-10": 9},
    "beta": {"2026-10-10": 3, "2026-10-11": 1},
}
MONTHLY = {
    "recurring_commit_id": "monthly",
    "contract_id": "acme",
    "name": "Monthly",
    "grant_type": "CREDIT",
    "amount": "5",
    "commit_duration_periods": 2,
    "starting_at": OCTOBER,
}
DAILY = {
    "recurring_commit_id": "daily",
    "contract_id": "beta",
    "name": "Daily",
    "grant_type": "PREPAID_COMMIT",
    "amount": "2",
    "invoice_amount": "1",
    "recurrence_frequency": "DAILY",
    "starting_at": OCTOBER,
}


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
    """October and November closed, with the laws."""
    folder = tmp_path_factory.mktemp("recurring") / "company"
    metrics = [
        (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
        for name in CALLS
    ]
    write_company(folder, metrics)
    append(folder, "recurring_commits", [MONTHLY, DAILY])
    for month, as_of in (("2026-10", "2026-11-02"), ("2026-11", "2026-12-02")):
        (folder / "events" / f"{month}.ndjson").write_text(events(month))
        run_until_close(folder, as_of, backfill=True)
    return folder


def ledger(folder: Path, customer: str) -> list[tuple[str, str, int, str]]:
    return [
        (row["grant_id"], row["entry_type"], row["amount_minor"], row["entry_state"])
        for row in rows(
            folder,
            "select * from credits.credit_ledger "
            f"where customer_id = '{customer}' order by effective_at, grant_id, "
            "entry_type desc",
        )
    ]


def test_what_october_left_is_drawn_first_in_november(closed: Path) -> None:
    # October: 3 of 5 drawn. November: the 2 that are left end first, then November's 5;
    # 9 - 7 = 2 dollars are paid. December's credit has begun and is whole.
    start, draw, end = (
        f"CREDIT_{kind}"
        for kind in ("SEGMENT_START", "AUTOMATED_INVOICE_DEDUCTION", "EXPIRATION")
    )
    assert sorted(ledger(closed, "acme")) == sorted(
        [
            ("monthly:2026-10-01", start, 500, "posted"),
            ("monthly:2026-10-01", draw, -300, "posted"),
            ("monthly:2026-10-01", draw, -200, "posted"),
            ("monthly:2026-11-01", start, 500, "posted"),
            ("monthly:2026-11-01", draw, -500, "posted"),
            ("monthly:2026-12-01", start, 500, "posted"),
        ]
    )
    assert end not in {entry for _, entry, _, _ in ledger(closed, "acme")}
    totals = rows(
        closed,
        "select total_minor from invoicing.invoices "
        "where customer_id = 'acme' and status = 'FINALIZED' order by period_start",
    )
    assert [row["total_minor"] for row in totals] == [0, 200]


def test_what_a_day_leaves_expires_with_it(closed: Path) -> None:
    # 2 dollars a day from 1 October to 2 December, 00:00: 63 grants, each but the last
    # at its end. On the 10th 2 of 3 calls are covered, on the 11th 1 of 1.
    entries = ledger(closed, "beta")
    by_type: dict[str, list[int]] = {}
    for _, entry_type, amount, _ in entries:
        by_type.setdefault(entry_type, []).append(amount)
    assert by_type == {
        "PREPAID_COMMIT_SEGMENT_START": [200] * 63,
        "PREPAID_COMMIT_AUTOMATED_INVOICE_DEDUCTION": [-200, -100],
        "PREPAID_COMMIT_EXPIRATION": [-200] * 9 + [-100] + [-200] * 51,
    }
    # December is open, and its usage may still come late: that day's end is pending.
    pending = [entry for entry in entries if entry[3] == "pending"]
    assert pending == [
        ("daily:2026-12-01", "PREPAID_COMMIT_EXPIRATION", -200, "pending")
    ]


def test_what_is_posted_stays_when_the_recurring_commit_changes(closed: Path) -> None:
    # December's start is posted with 5.00; from January on it is 6.00.
    path = closed / "catalog" / "recurring_commits.csv"
    path.write_text(path.read_text().replace(",5,", ",6,"))
    run_until_close(closed, "2027-01-02", backfill=True)
    starts = [
        (grant, amount)
        for grant, entry_type, amount, _ in ledger(closed, "acme")
        if entry_type == "CREDIT_SEGMENT_START"
    ]
    assert sorted(starts) == [
        ("monthly:2026-10-01", 500),
        ("monthly:2026-11-01", 500),
        ("monthly:2026-12-01", 500),
        ("monthly:2027-01-01", 600),
    ]


def test_an_end_before_a_posted_start_is_refused(closed: Path) -> None:
    path = closed / "catalog" / "recurring_commits.csv"
    before = path.read_text()
    path.write_text(before.replace("monthly,acme", "other,acme"))
    try:
        with pytest.raises(DbtError, match="check_posted_grants_stand"):
            run_until_close(closed, "2027-01-03", backfill=True)
    finally:
        path.write_text(before)
