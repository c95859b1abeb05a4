"""What a renewal takes over of its contract's commits and credits, over three closes,
and in one run that is late. Every call costs 1 USD; the figures are worked out by
hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.rating.metered import OCTOBER, append, write, write_company
from tests.support import copy_of, rows, run_until_close

DECEMBER = "2026-12-01T00:00Z"
# Day -> calls.
CALLS: Mapping[str, Mapping[str, int]] = {
    "acme": {"2026-10-10": 30, "2026-11-10": 10, "2026-12-10": 70},
    "beta": {"2026-10-10": 90, "2026-12-10": 4},
    "gamma": {"2026-10-10": 30, "2026-12-10": 5},
    "delta": {"2026-10-10": 5, "2026-12-10": 1},
}
COMMITS = [
    {"commit_id": "annual", "contract_id": "acme", "rollover_fraction": "0.5"},
    {
        "commit_id": "next",
        "contract_id": "acme-2",
        "amount": "30",
        "priority": "1",
        "starting_at": DECEMBER,
    },
    {"commit_id": "most", "contract_id": "beta", "rollover_fraction": "0.5"},
    {
        "commit_id": "promise",
        "contract_id": "gamma",
        "commit_type": "POSTPAID",
        "ending_before": DECEMBER,
        "rollover_fraction": "0.25",
    },
]
GIFT = {
    "credit_id": "gift",
    "customer_id": "delta",
    "contract_id": "delta",
    "name": "gift",
    "currency": "USD",
    "amount": "20",
    "starting_at": OCTOBER,
    "ending_before": "2027-06-01T00:00Z",
    "rollover_fraction": "1",
}
MONTHS = ("2026-10", "2026-11", "2026-12")
AS_OF = ("2026-11-02", "2026-12-02", "2027-01-02")


def company(folder: Path) -> None:
    """Contracts that end with November, each with a renewal; gamma's is over a month
    later."""
    write_company(
        folder,
        [
            (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
            for name in CALLS
        ],
    )
    path = folder / "catalog" / "contracts.csv"
    with path.open(newline="") as file:
        contracts = list(csv.DictReader(file))
    write(
        folder,
        "contracts",
        [row | {"ending_before": DECEMBER} for row in contracts]
        + [
            row
            | {
                "contract_id": f"{row['contract_id']}-2",
                "starting_at": DECEMBER,
                "ending_before": "2027-01-01T00:00Z"
                if row["contract_id"] == "gamma"
                else "",
                "renews_contract_id": row["contract_id"],
            }
            for row in contracts
        ],
    )
    append(
        folder,
        "commits",
        [
            {
                "customer_id": commit["contract_id"].removesuffix("-2"),
                "name": commit["commit_id"],
                "commit_type": "PREPAID",
                "currency": "USD",
                "amount": "100",
                "starting_at": OCTOBER,
                **commit,
            }
            for commit in COMMITS
        ],
    )
    append(
        folder,
        "invoice_schedules",
        [{"commit_id": "promise", "amount": "100", "invoice_at": DECEMBER}],
    )
    append(folder, "credits", [GIFT])


def send(folder: Path, months: tuple[str, ...]) -> None:
    """Usage of those months, in a file each."""
    for month in months:
        (folder / "events" / f"{month}.ndjson").write_text(
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
                if day.startswith(month)
                for number in range(calls)
            )
        )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told") / "company"
    company(folder)
    return folder


@pytest.fixture(scope="module")
def renewed(told: Path) -> Path:
    """Month by month: the renewals are a day old."""
    folder = copy_of(told, told.parent / "renewed")
    for month, as_of in zip(MONTHS[:2], AS_OF[:2], strict=True):
        send(folder, (month,))
        run_until_close(folder, as_of, backfill=True)
    return folder


@pytest.fixture(scope="module")
def used(renewed: Path) -> Path:
    """December closed too."""
    folder = copy_of(renewed, renewed.parent / "used")
    send(folder, MONTHS[2:])
    run_until_close(folder, AS_OF[2], backfill=True)
    return folder


def ledger(folder: Path, grant: str) -> list[tuple[str, int, str]]:
    return [
        tuple(row.values())  # type: ignore[misc]
        for row in rows(
            folder,
            "select replace(replace(replace(entry_type, 'PREPAID_COMMIT_', ''), "
            "'POSTPAID_COMMIT_', ''), 'CREDIT_', '') as kind, amount_minor, "
            "entry_state from credits.credit_ledger "
            f"where grant_id = '{grant}' "
            "order by effective_at, amount_minor desc, kind",
        )
    ]


def totals(folder: Path, customer: str) -> list[tuple[str, str, str, int]]:
    return [
        tuple(row.values())  # type: ignore[misc]
        for row in rows(
            folder,
            "select invoice_type, strftime(period_start, '%Y-%m') as month, status, "
            "total_minor from invoicing.invoices "
            f"where customer_id = '{customer}' and period_start < date '2027-01-01' "
            "order by period_start, invoice_type desc",
        )
    ]


def test_half_rolls_over_and_the_rest_is_lost(renewed: Path) -> None:
    # 100.00 less 30.00 and 10.00: 60.00 left, half of 100.00 go over.
    assert ledger(renewed, "annual") == [
        ("SEGMENT_START", 10000, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -3000, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -1000, "posted"),
        ("EXPIRATION", -1000, "posted"),
        ("ROLLOVER", -5000, "posted"),
    ]
    assert ledger(renewed, "annual:acme-2") == [("SEGMENT_START", 5000, "posted")]
    (balance,) = rows(
        renewed,
        "select amount_minor, balance_minor, segment_status "
        "from credits.credit_balances where grant_id = 'annual:acme-2'",
    )
    assert balance == {
        "amount_minor": 5000,
        "balance_minor": 5000,
        "segment_status": "active",
    }


def test_no_more_rolls_over_than_is_left(renewed: Path) -> None:
    # Half of 100.00 would be 50.00; 10.00 are left.
    assert ledger(renewed, "most")[-1] == ("ROLLOVER", -1000, "posted")
    assert ledger(renewed, "most:beta-2") == [("SEGMENT_START", 1000, "posted")]


def test_a_quarter_of_a_promise_rolls_over_and_the_rest_is_invoiced(
    renewed: Path,
) -> None:
    # 70.00 of 100.00 are missing: 25.00 go over, 45.00 are invoiced.
    assert ledger(renewed, "promise") == [
        ("INITIAL_BALANCE", 10000, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -3000, "posted"),
        ("ROLLOVER", -2500, "posted"),
        ("TRUEUP", -4500, "posted"),
    ]
    assert ("TRUEUP", "2026-10", "FINALIZED", 4500) in totals(renewed, "gamma")


def test_what_rolled_over_is_drawn_first(used: Path) -> None:
    # December: 70 calls. 50.00 of what rolled over, though the new commit's priority is
    # lower; then 20.00 of its 30.00.
    assert ledger(used, "annual:acme-2")[1:] == [
        ("AUTOMATED_INVOICE_DEDUCTION", -5000, "posted")
    ]
    assert ledger(used, "next")[1:] == [
        ("AUTOMATED_INVOICE_DEDUCTION", -2000, "posted")
    ]
    # 15.00 of the gift were left, 1.00 is used.
    assert ledger(used, "gift:delta-2") == [
        ("SEGMENT_START", 1500, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -100, "posted"),
    ]


def test_a_promise_that_rolled_over_is_invoiced_when_the_renewal_ends(
    used: Path,
) -> None:
    # 25.00 rolled over, 5.00 used and owed: 20.00 are short.
    assert ledger(used, "promise:gamma-2") == [
        ("INITIAL_BALANCE", 2500, "posted"),
        ("AUTOMATED_INVOICE_DEDUCTION", -500, "posted"),
        ("TRUEUP", -2000, "posted"),
    ]
    assert totals(used, "gamma") == [
        ("USAGE", "2026-10", "FINALIZED", 3000),
        ("TRUEUP", "2026-10", "FINALIZED", 4500),
        ("USAGE", "2026-11", "FINALIZED", 0),
        ("USAGE", "2026-12", "FINALIZED", 500),
        ("TRUEUP", "2026-12", "FINALIZED", 2000),
    ]


def test_a_renewal_waits_for_what_rolls_over(told: Path, used: Path) -> None:
    """One run closes what nobody closed for three months. December must not close
    before the books say what November left; the next run closes it, to the same
    totals."""
    folder = copy_of(told, told.parent / "late")
    send(folder, MONTHS)
    run_until_close(folder, AS_OF[2], backfill=True)
    assert [status for _, month, status, _ in totals(folder, "acme")] == [
        "FINALIZED",
        "FINALIZED",
        "DRAFT",
    ]
    run_until_close(folder, "2027-01-02T01:00", backfill=True)
    for customer in CALLS:
        assert totals(folder, customer) == totals(used, customer)
    assert ledger(folder, "annual:acme-2") == ledger(used, "annual:acme-2")
