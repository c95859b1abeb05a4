"""Mistakes in what seats cost: each gives one message that names its place. The price
book below is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, MIDDLE, END = "2026-10-01T00:00Z", "2026-10-15T00:00Z", "2027-10-01T00:00Z"
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "pricing_units": ["pricing_unit_id,pricing_unit_name", "credits,Credits"],
    "pricing_unit_conversions": [
        "rate_card_id,pricing_unit_id,starting_at,amount_per_unit",
        f"usd,credits,{START},0.01",
    ],
    "products": [
        "product_id,name,product_type,metric_id,tags,composite_product_ids,"
        "composite_tags,starting_at",
        "calls,Calls,USAGE,calls,api|core",
        "pro,Pro,SUBSCRIPTION,,core",
        f"pro,Pro seats,SUBSCRIPTION,,core,,,{MIDDLE}",
        "share,Share,COMPOSITE,,,calls,api",
        "extra,Extra,SUBSCRIPTION",
    ],
    "rate_cards": [
        "rate_card_id,name,currency",
        "usd,Dollars,USD",
        "other,Other dollars,USD",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,starting_at,"
        "pricing_unit_id,commit_rate,free_units,use_list_prices,minimum_amount",
        f"calls,usd,calls,flat,1,{START},,0.5",
        f"pro,usd,pro,flat,31,{START}",
        f"share,usd,share,percentage,0.1,{START}",
    ],
    "rate_tiers": ["rate_id,tier_start,tier_end,unit_price"],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,ending_before,"
        "multiplier_override_prioritization",
        f"k1,acme,usd,{START},{END},explicit",
        f"k2,acme,other,{END},",
    ],
    "subscriptions": [
        "subscription_id,contract_id,name,product_id,collection_schedule,is_prorated,"
        "starting_at,ending_before",
        f"free,k1,Only counted,,,,{START},",
        f"team,k1,Team,pro,ARREARS,true,{START},",
        f"whole,k1,Whole,pro,ARREARS,,{START},{MIDDLE}",
    ],
    # A multiplier, a tiered one and a price for seats; a commit price for calls.
    "overrides": [
        "override_id,contract_id,override_type,multiplier,price_model,unit_price,"
        "priority,is_commit_specific,free_units,pricing_unit_id,starting_at",
        f"trial,k1,multiplier,0,,,1,,,,{START}",
        f"bands,k1,tiered,,,,2,,,,{START}",
        f"price,k1,overwrite,,flat,20,,,,,{START}",
        f"commits,k1,multiplier,0.9,,,3,true,,,{START}",
    ],
    "override_specifiers": [
        "override_id,product_id,product_tags",
        "trial,pro,",
        "bands,,core",
        "price,pro,",
        "commits,calls,",
        "commits,,api",
    ],
    "override_tiers": [
        "override_id,tier_start,tier_end,multiplier",
        "bands,0,10,1",
        "bands,10,,0.5",
    ],
    # Discounts and maximums of usage; of the contract where there are no seats yet.
    "discounts": [
        "discount_id,contract_id,discount_type,percentage,position,product_ids,"
        "product_tags,starting_at,ending_before",
        f"named,k1,percentage,0.1,1,calls,,{START},",
        f"tagged,k1,percentage,0.1,2,,api,{START},",
        f"later,k2,percentage,0.1,1,,,{END},",
    ],
    "maximums": [
        "maximum_id,contract_id,scope,product_ids,amount,starting_at",
        f"calls,k1,product,calls,100,{START}",
        f"all,k2,contract,,100,{END}",
    ],
    "minimums": [
        "minimum_id,contract_id,scope,product_ids,amount,starting_at",
        f"lines,k1,group,calls,10,{START}",
    ],
}
FREE, TEAM, WHOLE = CATALOG["subscriptions"][1:]
PRO = "pro,usd"


def edit(file: str, row: str, new: str, line: int, field: str, problem: str) -> Edit:
    return Edit(file, row, new, line, field, problem)


def product(row: str, new: str, line: int, field: str, problem: str) -> Edit:
    return Edit("products", row, new, line, field, problem)


def subscription(row: str, new: str, line: int, field: str, problem: str) -> Edit:
    return Edit("subscriptions", row, new, line, field, problem)


def rate(new: str, field: str, problem: str) -> Edit:
    return Edit("rates", PRO, f"pro,usd,pro,{new}", 3, field, problem)


def overwrite(new: str, field: str, problem: str) -> Edit:
    row = f"price,k1,overwrite,,{new},{START}"
    return Edit("overrides", "price", row, 4, field, problem)


EDITS = [
    product(
        "pro,Pro,",
        "pro,Pro,SUBSCRIPTION,calls,core",
        3,
        "product_type",
        "'pro' is a SUBSCRIPTION: it is priced by the seat and has no usage",
    ),
    product(
        "pro,Pro,",
        "pro,Pro,SUBSCRIPTION,,core,calls",
        3,
        "product_type",
        "'pro' is a SUBSCRIPTION: it is priced by the seat and has no usage",
    ),
    product(
        "share",
        "share,Share,COMPOSITE,,,calls|pro,api",
        5,
        "composite_product_ids",
        "the composite 'share' is a share of the SUBSCRIPTION 'pro'",
    ),
    product(
        "share",
        "share,Share,COMPOSITE,,,calls,core",
        5,
        "composite_tags",
        "the composite 'share' is a share of the SUBSCRIPTION 'pro', which has",
    ),
    product(
        "extra",
        f"extra,Extra,SUBSCRIPTION\nextra,Extra,USAGE,calls,,,,{MIDDLE}",
        7,
        "product_type",
        "the product 'extra' is USAGE here and SUBSCRIPTION in row 6",
    ),
    subscription(
        "team",
        TEAM.replace(",pro,", ",calls,"),
        3,
        "product_id",
        "the subscription 'team' has the product 'calls', which is USAGE",
    ),
    subscription(
        "team",
        TEAM.replace(",pro,", ",prp,"),
        3,
        "product_id",
        "'prp' is not in catalog/products.csv",
    ),
    subscription(
        "team",
        TEAM.replace("ARREARS", ""),
        3,
        "collection_schedule",
        "the subscription 'team' has a price, and does not say when it is charged",
    ),
    subscription(
        "team",
        TEAM.replace("ARREARS", "ADVANCE"),
        3,
        "collection_schedule",
        "the subscription 'team' is charged in advance, which is not built yet",
    ),
    subscription(
        "team",
        TEAM.replace("ARREARS", "LATER"),
        3,
        "collection_schedule",
        "'LATER' is not allowed",
    ),
    subscription(
        "team",
        TEAM.replace("true", "maybe"),
        3,
        "is_prorated",
        "'maybe' is neither true nor false",
    ),
    subscription(
        "free",
        FREE.replace("counted,,,", "counted,,ARREARS,"),
        2,
        "collection_schedule",
        "the subscription 'free' has collection_schedule, and no product",
    ),
    subscription(
        "free",
        FREE.replace("counted,,,", "counted,,,true"),
        2,
        "is_prorated",
        "the subscription 'free' has is_prorated, and no product",
    ),
    rate(
        f"percentage,0.5,{START}",
        "price_model",
        "the rate 'pro' of the SUBSCRIPTION 'pro' is percentage",
    ),
    rate(
        f"flat,31,{START},credits",
        "pricing_unit_id",
        "the rate 'pro' of the SUBSCRIPTION 'pro' is in a pricing unit",
    ),
    rate(
        f"flat,31,{START},,30",
        "commit_rate",
        "the rate 'pro' of the SUBSCRIPTION 'pro' has a price for commits",
    ),
    rate(
        f"flat,31,{START},,,5",
        "free_units",
        "the rate 'pro' of the SUBSCRIPTION 'pro' has terms of usage",
    ),
    rate(
        f"flat,31,{START},,,,true",
        "free_units",
        "the rate 'pro' of the SUBSCRIPTION 'pro' has terms of usage",
    ),
    rate(
        f"flat,31,{START},,,,,5",
        "minimum_amount",
        "the rate 'pro' is no percentage and can't have an amount at least",
    ),
    overwrite(
        "percentage,0.2,,,,",
        "price_model",
        "the overwrite 'price' of the SUBSCRIPTION 'pro' is percentage",
    ),
    overwrite(
        "flat,20,,,,credits",
        "pricing_unit_id",
        "the overwrite 'price' of the SUBSCRIPTION 'pro' is in a pricing unit",
    ),
    overwrite(
        "flat,20,,,5,",
        "free_units",
        "the overwrite 'price' of the SUBSCRIPTION 'pro' has terms of usage",
    ),
    edit(
        "override_specifiers",
        "commits,calls",
        "commits,pro,",
        5,
        "product_id",
        "'commits' is for what commits pay, and would be for the SUBSCRIPTION 'pro'",
    ),
    edit(
        "override_specifiers",
        "commits,,api",
        "commits,,core",
        6,
        "product_tags",
        "'commits' is for what commits pay, and would be for the SUBSCRIPTION 'pro'",
    ),
    edit(
        "discounts",
        "named",
        f"named,k1,percentage,0.1,1,calls|pro,,{START},",
        2,
        "product_ids",
        "the discount 'named' is for usage, and names the SUBSCRIPTION 'pro'",
    ),
    edit(
        "discounts",
        "tagged",
        f"tagged,k1,percentage,0.1,2,,core,{START},",
        3,
        "product_ids",
        "the discount 'tagged' is for usage, and would leave out the subscription 'tea",
    ),
    edit(
        "discounts",
        "later",
        f"later,k1,percentage,0.1,3,,,{START},",
        4,
        "product_ids",
        "the discount 'later' is for usage, and would leave out the subscription 'team",
    ),
    edit(
        "maximums",
        "all",
        f"all,k1,contract,,100,{START}",
        3,
        "product_ids",
        "the maximum 'all' is for usage, and would leave out the subscription 'team'",
    ),
    edit(
        "maximums",
        "calls",
        f"calls,k1,product,calls|pro,100,{START}",
        2,
        "product_ids",
        "the maximum 'calls' is for usage, and names the SUBSCRIPTION 'pro'",
    ),
    edit(
        "minimums",
        "lines",
        f"lines,k1,group,calls|pro,10,{START}",
        2,
        "scope",
        "the minimum 'lines' is for each line of usage, and names the SUBSCRIPTION",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


def test_minimums_of_contracts_and_products_count_seats(tmp_path: Path) -> None:
    rows = [f"all,k1,contract,,100,{START}", f"seats,k1,product,pro,50,{START}"]
    assert_correct(tmp_path, {**CATALOG, "minimums": [*CATALOG["minimums"], *rows]})


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
