"""The fixture's invoices against plain Python, and against figures made by hand."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.laws import arithmetic
from tests.laws.house import House
from tests.laws.workspace import FIRST_AS_OF, FIRST_LANDING, LANDINGS, SECOND_AS_OF

SEPTEMBER = ("2026-09-01", "2026-10-01")
OCTOBER = ("2026-10-01", "2026-11-01")
NOVEMBER = ("2026-11-01", "2026-12-01")

# Contract, periods in order, and for each: usage, applied, total in minor units.
#
# acme, September, USD cents
#   requests   10 events: 3 x 0.10 + 3 x 0.075 + 4 x 0.055 = 0.745          ->   75
#   storage us 12.345 - 2.345 = 10 x 0.023 = 0.23                            ->   23
#   storage eu 7.0005 x 0.023 = 0.1610115                                    ->   16
#   large eu   100,000 x 0.00000375 = 0.375                                  ->   38
#   large us   1,750,001 x 0.000002 = 3.500002                               ->  350
#   small us   7,123,458 x 0.0000005 = 3.561729                              ->  356
#   credit 1.80 from 10 September, 06:00: requests 45, storage 16 + 23 (the 28 of the
#   20th is taken back to 23), large eu 38, and of small us what is left, 53; 5 return
# acme, October: the 5 cents go to the first request; 60.00 of the commit go to tokens
#   requests   6: 0.525 -> 53
#   storage us 10 x 0.023 + 90.5 x 0.0205 = 2.08525 -> 209
#   large us   1.4 M x 0.000002 + 31 M x 0.0000025 = 80.30 -> 8030
#   small us   4.5 M x 0.0000005 = 2.25 -> 225
# beta, JPY: 3,000 x 0.0005 = 1.5 -> 2 (the days show 1, 0, 1); 41,000 x 0.0003 = 12.3
# gamma, 31 August to 30 September: requests 0.375 -> 38, large 20, small 85;
#   of its trial 20 + 30 = 50 are drawn before 20 September, the rest expires
HAND_MADE = {
    "acme-1": [(858, -175, 683), (8517, -6005, 2512), (11, 0, 11)],
    "beta-1": [(14, -7, 7), (370, 0, 370), (0, 0, 0)],
    "gamma-1": [(143, -50, 93), (180, 0, 180)],
    "delta-1": [(0, 0, 0), (0, 0, 0), (0, 0, 0)],
}
# Towards promises, drawn on after all else and owed all the same:
#   acme's of 50.00 from November: requests 10, small us 1
#   gamma's of 5.00: what its trial left of September, 143 - 50, and all of October
COUNTED = {
    "acme-1": [0, 0, 11],
    "gamma-1": [93, 180],
}
# Type, day, total and status of the other invoices: acme's commit was bought for 54.00;
# of gamma's promise 5.00 - 0.93 - 1.80 are missing.
OTHERS = [
    ("acme", "SCHEDULED", "2026-10-01", 5400, "FINALIZED"),
    ("gamma", "TRUEUP", "2026-11-01", 227, "FINALIZED"),
]
PERIODS = {
    "acme-1": [SEPTEMBER, OCTOBER, NOVEMBER],
    "beta-1": [SEPTEMBER, OCTOBER, NOVEMBER],
    "gamma-1": [("2026-08-31", "2026-09-30"), ("2026-09-30", "2026-10-20")],
    "delta-1": [SEPTEMBER, OCTOBER, NOVEMBER],
}


def expected(contract_id: str) -> list[arithmetic.Invoice]:
    """The first period as it closed, on the first landing; the others on both."""
    balances: dict[str, int] = {}
    invoices = []
    for number, period in enumerate(PERIODS[contract_id]):
        landings, as_of = (
            ([FIRST_LANDING], FIRST_AS_OF) if number == 0 else (LANDINGS, SECOND_AS_OF)
        )
        invoices.append(
            arithmetic.invoice(contract_id, period, landings, balances, as_of=as_of)
        )
    return invoices


@pytest.mark.parametrize("contract_id", HAND_MADE)
def test_totals_are_those_worked_out_by_hand(
    closed_house: House, contract_id: str
) -> None:
    rows = closed_house.rows(
        "select usage_minor, applied_minor, total_minor from invoicing.invoices"
        f" where contract_id = '{contract_id}' and invoice_type = 'USAGE'"
        " order by period_start"
    )
    assert rows == HAND_MADE[contract_id]


@pytest.mark.parametrize("contract_id", HAND_MADE)
def test_totals_are_those_of_plain_python(
    closed_house: House, contract_id: str
) -> None:
    rows = closed_house.rows(
        "select usage_minor, applied_minor, total_minor from invoicing.invoices"
        f" where contract_id = '{contract_id}' and invoice_type = 'USAGE'"
        " order by period_start"
    )
    assert rows == [
        (one.usage_minor, one.applied_minor, one.total_minor)
        for one in expected(contract_id)
    ]


@pytest.mark.parametrize("contract_id", COUNTED)
def test_what_counts_towards_promises_is_no_discount(
    closed_house: House, contract_id: str
) -> None:
    rows = closed_house.rows(
        "select sum(lines.amount_minor) filter (where lines.line_type ="
        " 'applied_postpaid_commit') from invoicing.invoices as invoices"
        " join invoicing.invoice_lines as lines using (invoice_id)"
        f" where contract_id = '{contract_id}' and invoice_type = 'USAGE'"
        " group by invoices.period_start order by invoices.period_start"
    )
    assert [-(counted or 0) for (counted,) in rows] == COUNTED[contract_id]
    mine = [one.counted_minor for one in expected(contract_id)]
    assert mine == COUNTED[contract_id]


def test_commits_have_invoices_of_their_own(closed_house: House) -> None:
    rows = closed_house.rows(
        "select customer_id, invoice_type, issued_at::date::varchar, total_minor,"
        " status from invoicing.invoices where invoice_type <> 'USAGE' order by all"
    )
    assert rows == OTHERS


@pytest.mark.parametrize("contract_id", HAND_MADE)
def test_usage_lines_are_those_of_plain_python(
    closed_house: House, contract_id: str
) -> None:
    rows = closed_house.rows(
        "select period_start, product_id, pricing_group_values,"
        " presentation_group_values, quantity, amount, amount_minor"
        " from invoicing.invoice_lines where line_type = 'usage' and quantity <> 0"
        " and invoice_id in (select invoice_id from invoicing.invoices"
        f" where contract_id = '{contract_id}' and invoice_type = 'USAGE')"
    )
    actual: dict[tuple[str, str, str], tuple[Decimal, Decimal, int]] = {}
    for start, product, pricing, shown, quantity, amount, amount_minor in rows:
        groups = json.dumps(json.loads(pricing) | json.loads(shown), sort_keys=True)
        actual[str(start.date()), product, groups] = (quantity, amount, amount_minor)
    wanted = {
        (period[0], product, json.dumps(dict(groups), sort_keys=True)): (
            line.quantity,
            line.amount,
            line.amount_minor,
        )
        for period, one in zip(PERIODS[contract_id], expected(contract_id), strict=True)
        for (product, groups), line in one.lines.items()
    }
    assert actual == wanted


def test_late_usage_is_worth_what_september_would_have_cost_more(
    closed_house: House,
) -> None:
    """a17: 200,000 x 0.000002 = 0.40, and an eleventh request: 0.055, 75 -> 80."""
    rows = closed_house.rows(
        "select product_id, late_quantity, correction_minor, is_reproduced"
        " from invoicing.late_usage order by product_id"
    )
    assert rows == [
        ("requests", Decimal(1), 5, True),
        ("tokens", Decimal(200000), 40, True),
    ]


def test_filters_see_properties_that_have_no_column_of_their_own(
    closed_house: House,
) -> None:
    """a01 and a07 are gold or silver; a06 is gold, but has a plan; a05 has no tier."""
    rows = closed_house.rows(
        "select usage_hour::date::varchar, quantity from metering.metered_usage"
        " where metric_id = 'preferred' order by 1"
    )
    assert rows == [("2026-09-03", Decimal(1)), ("2026-09-25", Decimal(1))]
