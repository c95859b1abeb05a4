"""Mistakes in subscriptions, their seats and what is linked to them: each gives one
message that names its place. The price book below is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, LATER, END = "2026-10-01T00:00Z", "2026-11-01T00:00Z", "2027-10-01T00:00Z"
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme"],
    "billable_metrics": [
        "metric_id,name,aggregation,group_keys",
        "calls,Calls,COUNT,user",
    ],
    "products": [
        "product_id,name,product_type,metric_id,presentation_group_keys",
        "calls,Calls,USAGE,calls,user",
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,starting_at",
        f"calls,usd,calls,flat,1,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,ending_before",
        f"k1,acme,usd,{START},{END}",
        f"k2,acme,usd,{END},",
    ],
    "subscriptions": [
        "subscription_id,contract_id,name,quantity_management_mode,seat_group_key,"
        "starting_at,ending_before",
        f"counted,k1,Counted,,,{START},",
        f"team,k1,Team,SEAT_BASED,user,{START},{END}",
    ],
    # Down to nothing is right; so are two rows of one instant, in their order.
    "subscription_quantities": [
        "subscription_id,starting_at,quantity,quantity_delta",
        f"counted,{START},3,",
        f"counted,{LATER},,-4",
        f"counted,{LATER},4,",
        "counted,2026-10-20T00:00Z,,1",
        "counted,2026-12-01T00:00Z,,-4",
        f"team,{START},0,",
    ],
    # One after the other.
    "subscription_seats": [
        "subscription_id,seat_id,starting_at,ending_before",
        f"team,alice@example.com,{START},{LATER}",
        f"team,alice@example.com,{LATER},",
        f"team,bob,{START},",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,amount,invoice_amount,"
        "subscription_id,allocation,is_seat_increase_prorated,starting_at",
        f"pool,k1,Pool,CREDIT,3,,counted,,true,{START}",
        f"own,k1,Own,PREPAID_COMMIT,3,2,team,INDIVIDUAL,,{START}",
        f"all,k1,All,PREPAID_COMMIT,3,,team,POOLED,false,{START}",
        f"plain,k1,Plain,CREDIT,3,,,,,{START}",
    ],
}
COUNTED, TEAM = CATALOG["subscriptions"][1:]
POOL, OWN, ALL, PLAIN = CATALOG["recurring_commits"][1:]


def edit(file: str, row: str, new: str, line: int, field: str, problem: str) -> Edit:
    return Edit(file, row, new, line, field, problem)


def recurring(row: str, new: str, line: int, field: str, problem: str) -> Edit:
    return Edit("recurring_commits", row, new, line, field, problem)


MANY = "\n".join(f"team,seat-{number},{START}," for number in range(999))
EDITS = [
    edit(
        "subscriptions",
        "counted",
        COUNTED.replace("k1", "k9"),
        2,
        "contract_id",
        "'k9' is not in catalog/contracts.csv",
    ),
    edit(
        "subscriptions",
        "team",
        TEAM.replace("SEAT_BASED", "SEATS"),
        3,
        "quantity_management_mode",
        "'SEATS' is not allowed",
    ),
    edit(
        "subscriptions",
        "team",
        TEAM.replace(",user,", ",,"),
        3,
        "seat_group_key",
        "the subscription 'team' is SEAT_BASED and does not say which key",
    ),
    edit(
        "subscriptions",
        "counted",
        COUNTED.replace(",,,", ",,user,"),
        2,
        "seat_group_key",
        "the subscription 'counted' has the key 'user', and its seats have no ids",
    ),
    edit(
        "subscriptions",
        "team",
        TEAM.replace(",user,", ",usr,"),
        3,
        "seat_group_key",
        "no product has the pricing or presentation key 'usr'",
    ),
    edit(
        "subscriptions",
        "team",
        TEAM.replace(END, "2027-09-30T00:30Z"),
        3,
        "ending_before",
        "'2027-09-30T00:30Z' is not on the full hour",
    ),
    edit(
        "subscriptions",
        "counted",
        COUNTED + START,
        2,
        "ending_before",
        f"the end {START} is not after the start {START}",
    ),
    edit(
        "subscriptions",
        "counted",
        COUNTED.replace(START, "2026-09-30T23:00Z"),
        2,
        "starting_at",
        "the subscription 'counted' does not start within the contract 'k1'",
    ),
    edit(
        "subscription_quantities",
        "team",
        f"team,{START},0,1",
        7,
        "quantity",
        "the row says how many seats 'team' has, and how many more",
    ),
    edit(
        "subscription_quantities",
        "team",
        f"team,{START},,",
        7,
        "quantity",
        "the row does not say how many seats 'team' has",
    ),
    edit(
        "subscription_quantities",
        "team",
        f"crew,{START},3,",
        7,
        "subscription_id",
        "'crew' is not in catalog/subscriptions.csv",
    ),
    edit(
        "subscription_quantities",
        "team",
        f"team,{START},-1,",
        7,
        "quantity",
        "'-1' is too small",
    ),
    # One seat more than the 4 that there are: told of the first such row alone.
    edit(
        "subscription_quantities",
        f"counted,{LATER},,-4",
        f"counted,{LATER},,-5",
        3,
        "quantity_delta",
        "the subscription 'counted' has 4 seats, and the row says -5 more",
    ),
    edit(
        "subscription_quantities",
        "team",
        "team,2026-10-01T00:30Z,3,",
        7,
        "starting_at",
        "'2026-10-01T00:30Z' is not on the full hour",
    ),
    edit(
        "subscription_quantities",
        "team",
        f"team,{END},3,",
        7,
        "starting_at",
        f"{END} is not within the subscription 'team'",
    ),
    edit(
        "subscription_quantities",
        "team",
        f"counted,{START},3,",
        7,
        "subscription_id, starting_at, quantity, quantity_delta",
        "stands already in row 2",
    ),
    edit(
        "subscription_seats",
        "team,bob",
        f"counted,bob,{START},",
        4,
        "subscription_id",
        "the seats of 'counted' are only counted, and the row gives one an id",
    ),
    edit(
        "subscription_seats",
        "team,bob",
        f"team,bob ,{START},",
        4,
        "seat_id",
        "'bob ' has blanks around it",
    ),
    edit(
        "subscription_seats",
        "team,bob",
        "team,bob,2026-09-30T23:00Z,",
        4,
        "starting_at",
        "2026-09-30T23:00Z is not within the subscription 'team'",
    ),
    edit(
        "subscription_seats",
        "team,bob",
        f"team,bob,{START},2026-10-15T10:15Z",
        4,
        "ending_before",
        "'2026-10-15T10:15Z' is not on the full hour",
    ),
    edit(
        "subscription_seats",
        "team,bob",
        f"team,bob,{START},{START}",
        4,
        "ending_before",
        f"the end {START} is not after the start {START}",
    ),
    # An hour too early.
    edit(
        "subscription_seats",
        f"team,alice@example.com,{LATER}",
        "team,alice@example.com,2026-10-31T23:00Z,",
        3,
        "starting_at",
        "the seat 'alice@example.com' of 'team' is assigned twice at one time, see "
        "row 2",
    ),
    # 1,000 at one time are allowed, and alice is one of them; carol is not.
    Edit(
        "subscription_seats",
        "team,bob",
        f"{MANY}\nteam,carol,{LATER},",
        3,
        "subscription_id",
        "the subscription 'team' has 1001 seats, too many to have a balance each",
        at="recurring_commits",
    ),
    recurring(
        "plain",
        PLAIN.replace(",,,,,", ",,crew,,,"),
        5,
        "subscription_id",
        "'crew' is not in catalog/subscriptions.csv",
    ),
    recurring(
        "plain",
        PLAIN.replace(",,,,,", ",,,POOLED,,"),
        5,
        "allocation",
        "the recurring commit 'plain' has allocation, and no subscription",
    ),
    recurring(
        "plain",
        PLAIN.replace(",,,,,", ",,,,true,"),
        5,
        "is_seat_increase_prorated",
        "the recurring commit 'plain' has is_seat_increase_prorated, and no",
    ),
    recurring(
        "pool",
        POOL.replace("k1", "k2").replace(START, END),
        2,
        "subscription_id",
        "the subscription 'counted' is of the contract 'k1', not of 'k2'",
    ),
    recurring(
        "pool",
        POOL.replace("counted,,", "counted,INDIVIDUAL,"),
        2,
        "allocation",
        "the recurring commit 'pool' is for each seat, and the seats of 'counted' have",
    ),
    recurring(
        "pool",
        POOL.replace("counted,,", "counted,EACH,"),
        2,
        "allocation",
        "'EACH' is not allowed",
    ),
    recurring(
        "all",
        ALL.replace(",3,,", ",3,2,"),
        4,
        "invoice_amount",
        "the recurring commit 'all' has a price, and what more seats add to its pool",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


def test_a_thousand_seats_may_have_a_balance_each(tmp_path: Path) -> None:
    seats = [*CATALOG["subscription_seats"][:-1], *MANY.splitlines()]
    assert_correct(tmp_path, {**CATALOG, "subscription_seats": seats})


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
