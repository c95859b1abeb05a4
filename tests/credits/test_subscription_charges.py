"""Seats that cost money, over two closed months: a seat is 31.00 a month, a call 1.00.
October has 31 days, November 30; the figures are worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import (
    BillingRun,
    check_workspace,
    copy_operations,
    land_usage,
)
from orchestration.workspace import Workspace
from tests.rating.metered import OCTOBER, append, write
from tests.support import copy_of, instant, rows, run_until_close

NOVEMBER = "2026-11-01T00:00Z"
JOINED, LEFT = "2026-10-22T00:00Z", "2026-11-16T00:00Z"
OCTOBER_OVER, NOVEMBER_OVER = "2026-11-02T01", "2026-12-02T01"
# Customer -> its rate card.
CUSTOMERS = {
    "team": "changed",
    "order": "full",
    "promise": "plain",
    "joiner": "plain",
    "short": "plain",
    "whole": "plain",
    "trial": "plain",
    "late": "plain",
}
CALLS = {"order": 60, "promise": 10, "late": 20}
# Subscription -> from when on: how many seats, or how many more.
SEATS = [
    ("team", OCTOBER, "2", ""),
    ("team", "2026-10-11T00:00Z", "", "1"),
    ("team", "2026-10-21T00:00Z", "1", ""),
    ("team", "2026-10-26T00:00Z", "4", ""),
    ("order", OCTOBER, "1", ""),
    ("promise", OCTOBER, "1", ""),
    ("joiner", JOINED, "3", ""),
    ("short", JOINED, "1", ""),
    ("whole", OCTOBER, "1", ""),
    ("whole", "2026-10-31T23:00Z", "", "1"),
    ("trial", OCTOBER, "1", ""),
    ("late", OCTOBER, "1", ""),
]


def rate(card: str, product: str, price: str, **more: str) -> dict[str, str]:
    return {
        "rate_id": f"{card}-{product}{more.get('starting_at', '')[:7]}",
        "rate_card_id": card,
        "product_id": product,
        "price_model": "percentage" if product == "support" else "flat",
        "unit_price": price,
        "starting_at": OCTOBER,
        **more,
    }


def calls(customer: str, at: str, units: int) -> str:
    event = {
        "transaction_id": f"{customer}-{at}",
        "customer_id": customer,
        "event_type": "calls",
        "timestamp": at,
        "properties": {"units": str(units)},
    }
    return json.dumps(event) + "\n"


def write_subscriptions(folder: Path) -> None:
    """A contract and a subscription for each customer."""
    (folder / "events").mkdir(parents=True)
    (folder / "meterhouse.yml").write_text("")
    write(folder, "customers", [{"customer_id": c, "name": c} for c in CUSTOMERS])
    metric = {"metric_id": "calls", "name": "calls", "aggregation": "SUM"}
    metric |= {"aggregation_key": "units", "event_types": "calls"}
    write(folder, "billable_metrics", [metric])
    products = [
        {"product_id": "calls", "name": "Calls", "product_type": "USAGE"}
        | {"metric_id": "calls"},
        {"product_id": "pro", "name": "Pro seats", "product_type": "SUBSCRIPTION"},
        {"product_id": "support", "name": "Support", "product_type": "COMPOSITE"}
        | {"composite_product_ids": "calls"},
    ]
    write(folder, "products", products)
    cards = ("plain", "full", "changed")
    write(
        folder,
        "rate_cards",
        [{"rate_card_id": c, "name": c, "currency": "USD"} for c in cards],
    )
    middle = "2026-10-15T00:00Z"
    rates = [
        rate("plain", "calls", "1"),
        rate("plain", "pro", "31"),
        rate("full", "calls", "1"),
        rate("full", "pro", "31"),
        rate("full", "support", "0.1"),
        rate("changed", "pro", "31", ending_before=middle),
        rate("changed", "pro", "30", starting_at=middle),
    ]
    write(folder, "rates", rates)
    ends = {"short": LEFT}
    starts = {"short": JOINED}
    contracts = [
        {
            "contract_id": customer,
            "customer_id": customer,
            "rate_card_id": card,
            "starting_at": starts.get(customer, OCTOBER),
            "ending_before": ends.get(customer, ""),
        }
        for customer, card in CUSTOMERS.items()
    ]
    write(folder, "contracts", contracts)
    subscriptions = [
        {
            "subscription_id": customer,
            "contract_id": customer,
            "name": f"{customer}'s",
            "product_id": "pro",
            "collection_schedule": "ARREARS",
            "is_prorated": "" if customer == "whole" else "true",
            "starting_at": JOINED if customer in ("joiner", "short") else OCTOBER,
            "ending_before": LEFT if customer == "joiner" else "",
        }
        for customer in CUSTOMERS
    ]
    write(folder, "subscriptions", subscriptions)
    columns = ("subscription_id", "starting_at", "quantity", "quantity_delta")
    seats = [dict(zip(columns, row, strict=True)) for row in SEATS]
    write(folder, "subscription_quantities", seats)
    write_terms(folder)
    (folder / "events" / "october.ndjson").write_text(
        "".join(calls(c, "2026-10-10T10:00:00Z", n) for c, n in CALLS.items())
    )


def write_terms(folder: Path) -> None:
    """Two commits, a trial in October, and a minimum."""
    commit = {"currency": "USD", "starting_at": OCTOBER, "ending_before": NOVEMBER}
    commits = [
        {**commit, "commit_id": "ahead", "contract_id": "order", "amount": "80"}
        | {"commit_type": "PREPAID", "customer_id": "order", "name": "Ahead"},
        {**commit, "commit_id": "kept", "contract_id": "promise", "amount": "100"}
        | {"commit_type": "POSTPAID", "customer_id": "promise", "name": "Kept"}
        | {"is_trueup_disabled": "true"},
    ]
    write(folder, "commits", commits)
    trial = {"override_id": "trial", "contract_id": "trial", "multiplier": "0"}
    trial |= {"override_type": "multiplier"}
    trial |= {"starting_at": OCTOBER, "ending_before": NOVEMBER}
    write(folder, "overrides", [trial])
    write(
        folder, "override_specifiers", [{"override_id": "trial", "product_id": "pro"}]
    )
    minimum = {"minimum_id": "late", "contract_id": "late", "scope": "contract"}
    write(folder, "minimums", [{**minimum, "amount": "100", "starting_at": OCTOBER}])


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October closed."""
    folder = tmp_path_factory.mktemp("subscriptions") / "company"
    write_subscriptions(folder)
    run_until_close(folder, OCTOBER_OVER, backfill=True)
    return folder


@pytest.fixture(scope="module")
def november(october: Path) -> Path:
    """November closed, too: late calls of October, and two seats more from November."""
    folder = copy_of(october, october.parent / "november")
    late = calls("late", "2026-10-20T10:00:00Z", 5)
    (folder / "events" / "november.ndjson").write_text(late)
    more = {"subscription_id": "late", "starting_at": NOVEMBER, "quantity_delta": "2"}
    append(folder, "subscription_quantities", [more])
    run_until_close(folder, NOVEMBER_OVER, backfill=True)
    return folder


def lines(folder: Path, customer: str, month: str) -> list[tuple[Any, ...]]:
    """Kind, name, quantity and minor units of the lines of a closed month."""
    return [
        (row["line_type"], row["line_name"], int(row["quantity"]), row["amount_minor"])
        for row in rows(
            folder,
            "select lines.* from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices using (invoice_id) "
            f"where invoices.customer_id = '{customer}' "
            "and invoices.status = 'FINALIZED' "
            f"and month(lines.period_start) = {month} order by line_number",
        )
    ]


def seats(folder: Path, month: str) -> dict[str, tuple[int, int]]:
    """Customer -> seats and minor units of its subscription in a closed month."""
    return {
        customer: (quantity, amount)
        for customer in CUSTOMERS
        for kind, _, quantity, amount in lines(folder, customer, month)
        if kind == "subscription"
    }


def increases(folder: Path, customer: str, month: str) -> list[tuple[float, ...]]:
    """Seats before, seats added, price of each, minor units."""
    return [
        tuple(float(value) for value in row.values())
        for row in rows(
            folder,
            "select tier_start, quantity, unit_price, amount_minor "
            "from invoicing.invoice_sub_lines where line_id in (select line_id "
            "from invoicing.invoice_lines inner join invoicing.invoices "
            f"using (invoice_id) where customer_id = '{customer}' "
            "and line_type = 'subscription' "
            f"and month(invoice_lines.period_start) = {month}) "
            "order by sub_line_number",
        )
    ]


def test_a_line_adds_up_what_each_increase_costs(november: Path) -> None:
    # Two seats of 31.00; a third for 21 of 31 days; one alone from the 21st takes
    # nothing back; four from the 26th are one more than three, for 6 days: 62 + 21 + 6.
    # The price of the 15th holds from November on: 4 x 30.00.
    name = "Pro seats: team's"
    assert lines(november, "team", "10") == [("subscription", name, 4, 8900)]
    assert increases(november, "team", "10") == [
        (0, 2, 31, 6200),
        (2, 1, 21, 2100),
        (3, 1, 6, 600),
    ]
    assert lines(november, "team", "11") == [("subscription", name, 4, 12000)]
    assert increases(november, "team", "11") == [(0, 4, 30, 12000)]


def test_a_month_is_charged_from_its_start_and_to_its_end(november: Path) -> None:
    # joiner: three seats from 22 October, 10 of 31 days, 10.00 each; they end on 16
    # November, and November costs 3 x 31.00. short: the contract has 10 of 31 days and
    # 15 of 30: 10.00 and 15.50. whole: a whole second seat for the last hour. trial: 0.
    assert {
        customer: (october, seats(november, "11")[customer])
        for customer, october in seats(november, "10").items()
        if customer in ("joiner", "short", "whole", "trial")
    } == {
        "joiner": ((3, 3000), (3, 9300)),
        "short": ((1, 1000), (1, 1550)),
        "whole": ((2, 6200), (2, 6200)),
        "trial": ((1, 0), (1, 3100)),
    }
    later = rows(
        november,
        "select contract_id from rating.subscription_charges inner join "
        "rating.billing_periods using (period_id) "
        "where period_start = timestamp '2026-12-01' order by 1",
    )
    assert [row["contract_id"] for row in later] == [
        *("late", "order", "promise", "team", "trial", "whole"),
    ]


def test_a_commit_pays_usage_then_seats_then_composites(november: Path) -> None:
    # 80.00 pay 60.00 of calls and 20.00 of a seat: 11.00 of it and the 6.00 of support
    # are to pay, beyond what is bought.
    assert lines(november, "order", "10") == [
        ("usage", "Calls", 60, 6000),
        ("subscription", "Pro seats: order's", 1, 3100),
        ("composite", "Support", 1, 600),
        ("applied_commit_or_credit", "Ahead applied to Calls", 1, -6000),
        ("applied_commit_or_credit", "Ahead applied to Pro seats", 1, -2000),
    ]
    parts = rows(
        november,
        "select parts.line_type, revenue_category, amount_minor "
        "from invoicing.invoice_line_parts as parts "
        "inner join invoicing.invoices using (invoice_id) "
        "where customer_id = 'order' and month(period_start) = 10 order by all",
    )
    assert [tuple(row.values()) for row in parts] == [
        ("composite", "overage", 600),
        ("subscription", "overage", 1100),
        ("subscription", "prepaid_drawdown", 2000),
        ("usage", "prepaid_drawdown", 6000),
    ]


def test_seats_count_towards_a_postpaid_commit(november: Path) -> None:
    # 10.00 of calls and 31.00 of 100.00; all is owed, and the rest is let go of.
    assert lines(november, "promise", "10")[2:] == [
        ("applied_postpaid_commit", "Calls counted towards Kept", 1, -1000),
        ("applied_postpaid_commit", "Pro seats counted towards Kept", 1, -3100),
    ]
    (invoice,) = rows(
        november,
        "select total_minor from invoicing.invoices where customer_id = 'promise' "
        "and month(period_start) = 10",
    )
    assert invoice == {"total_minor": 4100}


def test_the_ledger_has_one_deduction_for_both(november: Path) -> None:
    entries = rows(
        november,
        "select grant_id, amount_minor from credits.credit_ledger "
        "where entry_type like '%DEDUCTION' order by 1",
    )
    assert [tuple(row.values()) for row in entries] == [
        ("ahead", -8000),
        ("kept", -4100),
    ]


def test_minimums_count_seats(november: Path) -> None:
    # 20.00 of calls and 31.00 lack 49.00 of 100.00; in November 3 x 31.00 lack 7.00.
    assert lines(november, "late", "10") == [
        ("usage", "Calls", 20, 2000),
        ("subscription", "Pro seats: late's", 1, 3100),
        ("minimum", "Minimum of late", 1, 4900),
    ]
    assert lines(november, "late", "11") == [
        ("usage", "Calls", 0, 0),
        ("subscription", "Pro seats: late's", 3, 9300),
        ("minimum", "Minimum of late", 1, 700),
    ]


def test_stripe_is_told_the_seats(november: Path) -> None:
    told = rows(
        november,
        "select description, stripe_amount "
        "from publishing.stripe_invoice_line_requests "
        "where line_type = 'subscription' and product_id = 'pro' "
        "and month(period_start) = 10 and description like '%team%'",
    )
    assert told == [
        {"description": "Pro seats: team's - quantity 4", "stripe_amount": 8900}
    ]


LATE = (
    "select line_type, correction_minor, is_reproduced from invoicing.late_usage "
    "left join books.invoice_lines using (line_id) "
    "where late_usage.customer_id = 'late' order by line_type"
)
CORRECTED = [
    {"line_type": "minimum", "correction_minor": -500, "is_reproduced": True},
    {"line_type": "usage", "correction_minor": 500, "is_reproduced": True},
]
CLOSED = (
    "select line_id, line_name, quantity, amount_minor from invoicing.invoice_lines "
    "where status = 'FINALIZED' and month(period_start) = 10 order by 1"
)


def test_late_usage_meets_the_seats_that_were_billed(november: Path) -> None:
    # 5.00 of calls more are 5.00 less of the minimum.
    assert rows(november, LATE) == CORRECTED


def test_closed_seats_stay_what_they_were(october: Path, tmp_path: Path) -> None:
    """Other seats, prices and names in October, after its close: its lines are what
    they were, late usage is reproduced, and checks say which seats are not the billed
    ones, or never were. The third seat of team comes with six others: nine in place of
    four. Of four new subscriptions two had no price in October, or no seat."""
    folder = copy_of(october, tmp_path / "company")
    before = rows(folder, CLOSED)
    for name, old, new in (
        ("subscription_quantities", "11T00:00Z,,1", "11T00:00Z,,7"),
        ("subscription_quantities", f"late,{OCTOBER},1", f"late,{OCTOBER},3"),
        ("rates", "plain,pro,flat,31", "plain,pro,flat,99"),
        ("subscriptions", "late's", "other"),
    ):
        path = folder / "catalog" / f"{name}.csv"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    date_back(folder)
    late = calls("late", "2026-10-20T10:00:00Z", 5)
    (folder / "events" / "november.ndjson").write_text(late)
    run = BillingRun(Workspace.load(folder), instant("2026-11-03"), backfill=True)
    check_workspace(run.workspace)
    land_usage(run)
    copy_operations(run)
    # The check would stop the run before it makes anything.
    run.dbt.build(("+late_usage", "+invoice_lines"), ("test_type:data",))
    assert rows(folder, CLOSED) == before
    assert rows(folder, LATE) == CORRECTED
    checks = ["check_billed_seats_stand", "check_no_subscription_is_dated_back"]
    result = run.dbt.test(checks)
    assert sorted(node.name for node in result.failed) == checks
    found = rows(
        folder,
        "select subscription_id, billed_seats, seats "
        "from test_failures.check_billed_seats_stand order by 1",
    )
    assert [tuple(row.values()) for row in found] == [("late", 1, 3), ("team", 4, 9)]
    unbilled = rows(
        folder,
        "select subscription_id, seats "
        "from test_failures.check_no_subscription_is_dated_back order by 1",
    )
    assert [tuple(row.values()) for row in unbilled] == [("back", 2), ("new", 1)]


def date_back(folder: Path) -> None:
    """Subscriptions of a product with a price in October and of new ones, written down
    in November."""
    products = [{"product_id": p, "name": p} for p in ("new", "newer")]
    append(
        folder, "products", [{**p, "product_type": "SUBSCRIPTION"} for p in products]
    )
    prices = [rate("plain", "new", "5"), rate("plain", "newer", "5")]
    prices[1]["starting_at"] = NOVEMBER
    append(folder, "rates", prices)
    for name, product, since, count in (
        ("back", "pro", "2026-10-15T00:00Z", "2"),
        ("later", "pro", NOVEMBER, "1"),
        ("new", "new", OCTOBER, "1"),
        ("newer", "newer", OCTOBER, "1"),
    ):
        subscription = {"subscription_id": name, "contract_id": "whole", "name": name}
        subscription |= {"product_id": product, "collection_schedule": "ARREARS"}
        append(folder, "subscriptions", [{**subscription, "starting_at": since}])
        quantity = {"subscription_id": name, "starting_at": since, "quantity": count}
        append(folder, "subscription_quantities", [quantity])
