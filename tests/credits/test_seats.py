"""Credits for the seats of a subscription, over a close between two increases and two
closed months. Every unit costs 1 USD; the figures are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import BillingRun, check_workspace, copy_operations
from orchestration.workspace import Workspace
from tests.rating.metered import OCTOBER, append, write, write_company
from tests.support import copy_of, instant, rows, run_until_close

SEATS = 120
# Customer -> instant -> user -> units.
USAGE: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "pool": {
        "2026-10-05T12": {"ann": 70},
        "2026-10-11T00": {"ann": 4},
        "2026-10-12T12": {"ann": 6},
        "2026-10-27T12": {"ann": 12},
        "2026-11-10T12": {"ann": 130},
    },
    "whole": {"2026-10-05T12": {"ann": 15}, "2026-10-31T23": {"ann": 4}},
    "team": {
        "2026-10-05T12": {"alice": 40, "bob": 10},
        "2026-10-08T12": {"carol": 3},
        "2026-10-12T12": {"carol": 25},
        "2026-10-13T12": {"dave": 6},
        "2026-10-20T12": {"bob": 5},
        "2026-11-10T12": {"alice": 30, "bob": 7},
    },
    "many": {"2026-10-05T12": {f"user-{number}": 2 for number in range(SEATS)}},
}
PER_SEAT = {"pool": "31", "whole": "10", "team": "31", "many": "1"}
IS_SEAT_BASED = ("team", "many")
# What the pools have from when on; team has two seats that nobody has.
QUANTITIES = [
    ("pool", "2026-10-01T00:00Z", "2", ""),
    ("pool", "2026-10-11T00:00Z", "", "1"),
    ("pool", "2026-10-21T00:00Z", "1", ""),
    ("pool", "2026-10-26T00:00Z", "4", ""),
    ("whole", "2026-10-01T00:00Z", "1", ""),
    ("whole", "2026-10-31T23:00Z", "", "1"),
    ("whole", "2026-11-01T00:00Z", "", "1"),
    ("team", "2026-10-01T00:00Z", "5", ""),
]
ASSIGNED = [
    ("team", "alice", "2026-10-01T00:00Z", ""),
    ("team", "bob", "2026-10-01T00:00Z", "2026-10-15T00:00Z"),
    ("team", "carol", "2026-10-11T00:00Z", ""),
    *(("many", f"user-{number}", OCTOBER, "") for number in range(SEATS)),
]
BETWEEN, OCTOBER_OVER, NOVEMBER_OVER = "2026-10-16", "2026-11-02T01", "2026-12-02T01"


def events(since: str, until: str) -> str:
    return "".join(
        json.dumps(
            {
                "transaction_id": f"{customer}-{at}-{user}",
                "customer_id": customer,
                "event_type": customer,
                "timestamp": f"{at}:00:00Z",
                "properties": {"units": str(units), "user": user},
            }
        )
        + "\n"
        for customer, instants in USAGE.items()
        for at, users in instants.items()
        if since <= at < until
        for user, units in users.items()
    )


def recurring(customer: str) -> dict[str, str]:
    is_own = customer in IS_SEAT_BASED
    return {
        "recurring_commit_id": f"{customer}-monthly",
        "contract_id": customer,
        "name": "Monthly",
        "grant_type": "PREPAID_COMMIT" if customer == "whole" else "CREDIT",
        "amount": PER_SEAT[customer],
        "subscription_id": customer,
        "allocation": "INDIVIDUAL" if is_own else "",
        "is_seat_increase_prorated": "false" if customer == "whole" else "true",
        "starting_at": OCTOBER,
    }


def write_seats(folder: Path) -> None:
    """A contract for each customer; usage has a user."""
    write_company(
        folder,
        [
            (
                name,
                {
                    "metric_id": name,
                    "aggregation": "SUM",
                    "aggregation_key": "units",
                    "event_types": name,
                    "group_keys": "user",
                },
            )
            for name in USAGE
        ],
    )
    write(
        folder,
        "products",
        [
            {
                "product_id": name,
                "name": name,
                "product_type": "USAGE",
                "metric_id": name,
                "presentation_group_keys": "user",
            }
            for name in USAGE
        ],
    )
    write(
        folder,
        "subscriptions",
        [
            {
                "subscription_id": name,
                "contract_id": name,
                "name": name,
                "quantity_management_mode": "SEAT_BASED" * (name in IS_SEAT_BASED),
                "seat_group_key": "user" * (name in IS_SEAT_BASED),
                "starting_at": OCTOBER,
            }
            for name in USAGE
        ],
    )
    append(folder, "recurring_commits", [recurring(name) for name in USAGE])
    quantity = ("subscription_id", "starting_at", "quantity", "quantity_delta")
    write(
        folder,
        "subscription_quantities",
        [dict(zip(quantity, row, strict=True)) for row in QUANTITIES],
    )
    seat = ("subscription_id", "seat_id", "starting_at", "ending_before")
    write(
        folder,
        "subscription_seats",
        [dict(zip(seat, row, strict=True)) for row in ASSIGNED],
    )
    everybody = {
        "commit_id": "everybody",
        "customer_id": "team",
        "contract_id": "team",
        "name": "Everybody's",
        "commit_type": "PREPAID",
        "currency": "USD",
        "amount": "20",
        "starting_at": OCTOBER,
        "ending_before": "2026-11-01T00:00Z",
    }
    append(folder, "commits", [everybody])


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October closed, after a close between its two increases."""
    folder = tmp_path_factory.mktemp("seats") / "company"
    write_seats(folder)
    for since, until, as_of in (
        ("2026-10-01", BETWEEN, BETWEEN),
        (BETWEEN, OCTOBER_OVER, OCTOBER_OVER),
    ):
        (folder / "events" / f"{since}.ndjson").write_text(events(since, until))
        run_until_close(folder, as_of, backfill=True)
    return folder


@pytest.fixture(scope="module")
def november(october: Path) -> Path:
    """November closed, too."""
    folder = copy_of(october, october.parent / "november")
    (folder / "events" / "later.ndjson").write_text(events(OCTOBER_OVER, NOVEMBER_OVER))
    run_until_close(folder, NOVEMBER_OVER, backfill=True)
    return folder


def ledger(folder: Path, customer: str, month: str) -> list[tuple[Any, ...]]:
    """Entries of what the month gave: grant, kind, amount, instant, seats."""
    return [
        tuple(row.values())
        for row in rows(
            folder,
            "select replace(grant_id, customer_id || '-monthly:', '') as grant_name, "
            "regexp_replace(entry_type, '^(CREDIT|PREPAID_COMMIT)_', '') as kind, "
            "amount_minor, strftime(effective_at, '%m-%d %H') as at, source_id "
            "from credits.credit_ledger where entry_state = 'posted' "
            f"and customer_id = '{customer}' and grant_id like '%:{month}%' "
            "order by grant_id, effective_at, amount_minor desc",
        )
    ]


def to_pay(folder: Path, month: str) -> dict[str, int]:
    return {
        row["customer_id"]: row["total_minor"]
        for row in rows(
            folder,
            "select customer_id, total_minor from invoicing.invoices "
            f"where period_start = timestamp '{month}-01' and status = 'FINALIZED'",
        )
    }


def test_each_increase_adds_its_share_and_a_decrease_takes_nothing(
    october: Path,
) -> None:
    # Two seats of 31.00. From the 11th a third, for 21 of 31 days. One alone from the
    # 21st takes nothing back; four from the 26th are one more than three, for 6 days.
    # 70 on the 5th take the 62.00. 4 at the very instant of the increase and 6 after it
    # take 10.00 of the 21.00; 12 on the 27th the other 11.00 and 1.00 of the 6.00.
    assert ledger(october, "pool", "2026-10") == [
        ("2026-10-01", "SEGMENT_START", 6200, "10-01 00", "pool:2"),
        ("2026-10-01", "SEAT_BASED_ADJUSTMENT", 2100, "10-11 00", "pool:3"),
        ("2026-10-01", "SEAT_BASED_ADJUSTMENT", 600, "10-26 00", "pool:4"),
        ("2026-10-01", "EXPIRATION", -500, "11-01 00", None),
        ("2026-10-01", "AUTOMATED_INVOICE_DEDUCTION", -8400, "11-01 00", None),
    ]
    assert to_pay(october, "2026-10")["pool"] == 800


def test_a_close_between_posts_what_has_begun_alone(october: Path) -> None:
    posted = rows(
        october,
        "select strftime(posted_at, '%m-%d') as posted, amount_minor "
        "from credits.credit_ledger where customer_id = 'pool' "
        "and entry_type like '%ADJUSTMENT' order by effective_at",
    )
    assert [tuple(row.values()) for row in posted] == [("10-16", 2100), ("11-02", 600)]


def test_the_next_month_begins_with_its_seats(november: Path) -> None:
    # 4 x 31.00; of 130.00 6.00 are to pay.
    assert ledger(november, "pool", "2026-11") == [
        ("2026-11-01", "SEGMENT_START", 12400, "11-01 00", "pool:4"),
        ("2026-11-01", "AUTOMATED_INVOICE_DEDUCTION", -12400, "12-01 00", None),
    ]
    assert to_pay(november, "2026-11")["pool"] == 600


def test_an_increase_that_is_not_prorated_adds_a_whole_seat(november: Path) -> None:
    # An hour before the month ends a second seat brings 10.00, of which 4.00 are used.
    # The third comes with November, and is no increase of it.
    assert ledger(november, "whole", "2026-10") == [
        ("2026-10-01", "SEGMENT_START", 1000, "10-01 00", "whole:1"),
        ("2026-10-01", "SEAT_BASED_ADJUSTMENT", 1000, "10-31 23", "whole:2"),
        ("2026-10-01", "EXPIRATION", -600, "11-01 00", None),
        ("2026-10-01", "AUTOMATED_INVOICE_DEDUCTION", -1400, "11-01 00", None),
    ]
    assert ledger(november, "whole", "2026-11") == [
        ("2026-11-01", "SEGMENT_START", 3000, "11-01 00", "whole:3"),
        ("2026-11-01", "EXPIRATION", -3000, "12-01 00", None),
    ]
    assert to_pay(november, "2026-10")["whole"] == 500


def test_a_seats_own_credit_pays_first_then_everybodys(october: Path) -> None:
    # Alice's 40 take her 31.00; Bob's 15 his own, though he has no seat from the 15th.
    # Carol's 3 come before her seat, her 25 take the 21.00 of her 21 days. Everybody's
    # 20.00 pay 9 of Alice, 3 + 4 of Carol and 4 of Dave's 6, who has no seat: 2.00 are
    # to pay. The two seats of five that nobody has give nothing.
    assert ledger(october, "team", "2026-10") == [
        ("2026-10-01:alice", "SEGMENT_START", 3100, "10-01 00", "team:1"),
        ("2026-10-01:alice", "AUTOMATED_INVOICE_DEDUCTION", -3100, "11-01 00", None),
        ("2026-10-01:bob", "SEGMENT_START", 3100, "10-01 00", "team:1"),
        ("2026-10-01:bob", "AUTOMATED_INVOICE_DEDUCTION", -1500, "11-01 00", None),
        ("2026-10-01:bob", "EXPIRATION", -1600, "11-01 00", None),
        ("2026-10-11:carol", "SEGMENT_START", 2100, "10-11 00", "team:1"),
        ("2026-10-11:carol", "AUTOMATED_INVOICE_DEDUCTION", -2100, "11-01 00", None),
    ]
    (left,) = rows(
        october,
        "select drawn_minor, balance_minor from credits.credit_balances "
        "where grant_id = 'everybody'",
    )
    assert tuple(left.values()) == (2000, 0)
    assert to_pay(october, "2026-10")["team"] == 200


def test_who_has_no_seat_any_more_has_no_credit_next_month(november: Path) -> None:
    assert ledger(november, "team", "2026-11") == [
        ("2026-11-01:alice", "SEGMENT_START", 3100, "11-01 00", "team:1"),
        ("2026-11-01:alice", "EXPIRATION", -100, "12-01 00", None),
        ("2026-11-01:alice", "AUTOMATED_INVOICE_DEDUCTION", -3000, "12-01 00", None),
        ("2026-11-01:carol", "SEGMENT_START", 3100, "11-01 00", "team:1"),
        ("2026-11-01:carol", "EXPIRATION", -3100, "12-01 00", None),
    ]
    assert to_pay(november, "2026-11")["team"] == 700


def test_seats_share_a_rank_of_their_wallet(october: Path) -> None:
    # 120 seats of 1.00 pay half of what each of them uses, at once.
    ranks = rows(
        october,
        "select segments, draws from (select count(*) as segments "
        "from credits.credit_balances where customer_id = 'many' "
        "and grant_id like '%:2026-10%' and drawn_minor = 100), "
        "(select max(wallet_rank) as draws from credits.active_grants "
        "where customer_id = 'many')",
    )
    assert [tuple(row.values()) for row in ranks] == [(SEATS, 1)]
    assert to_pay(october, "2026-10")["many"] == SEATS * 100


def test_segments_that_ended_have_nothing_left(november: Path) -> None:
    found = rows(
        november,
        "select segment_id from credits.credit_balances "
        "where segment_status = 'ended' and (balance_minor <> 0 or amount_minor "
        "+ seat_adjustment_minor <> drawn_minor + expired_minor)",
    )
    assert found == []


def test_seats_that_are_posted_can_not_change(october: Path, tmp_path: Path) -> None:
    # One seat in place of two on 1 October: the posted start was for others, and what
    # comes on the 11th is no third seat, but a second, in closed time. The fourth of
    # the 26th is as it was. whole's second seat comes an hour earlier than it did.
    folder = copy_of(october, tmp_path / "company")
    path = folder / "catalog" / "subscription_quantities.csv"
    text = path.read_text()
    for old, new in (
        ("pool,2026-10-01T00:00Z,2", "pool,2026-10-01T00:00Z,1"),
        ("whole,2026-10-31T23:00Z", "whole,2026-10-31T22:00Z"),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    run = BillingRun(Workspace.load(folder), instant("2026-11-03"), backfill=True)
    check_workspace(run.workspace)
    copy_operations(run)
    result = run.dbt.build(("+check_posted_seats_stand",), ("test_type:generic",))
    assert "check_posted_seats_stand" in {node.name for node in result.failed}
    found = rows(
        folder,
        "select source_id, problem from test_failures.check_posted_seats_stand",
    )
    assert sorted(tuple(row.values()) for row in found) == [
        ("pool:2", "the posted grant was for other seats"),
        ("pool:2", "the seats came in a period that is closed"),
        ("pool:3", "the seats of the posted increase did not come then"),
        ("whole:2", "the seats of the posted increase did not come then"),
    ]
