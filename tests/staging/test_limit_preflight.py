"""Mistakes in discounts, minimums, maximums and composites: each gives one message that
names its place. The price book below is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, LATER = "2026-10-01T00:00Z", "2026-11-01T00:00Z"
DISCOUNTS = (
    "discount_id,contract_id,discount_type,percentage,amount,position,product_ids,"
    "product_tags,maximum_units,maximum_amount,starting_at,ending_before"
)
LIMITS = (
    "_id,contract_id,scope,product_ids,amount,is_prorated,starting_at,ending_before"
)
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "products": [
        "product_id,name,product_type,metric_id,tags,composite_product_ids,"
        "composite_tags,exclude_free_usage",
        "calls,Calls,USAGE,calls,api,,,",
        "bulk,Bulk,USAGE,calls,,,,",
        "share,Share,COMPOSITE,,,calls|bulk,api,true",
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,minimum_amount,"
        "maximum_amount,free_units,use_list_prices,starting_at",
        f"calls,usd,calls,flat,1,,,,,{START}",
        f"share,usd,share,percentage,1,5,5,,true,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at",
        f"k1,acme,usd,{START}",
    ],
    "discounts": [
        DISCOUNTS,
        f"ten,k1,percentage,0.1,,1,calls|bulk,api,100,,{START},{LATER}",
        f"then,k1,percentage,1,,1,,,,50,{LATER},",
        f"off,k1,amount,,20,2,,,10,,{START},",
    ],
    "minimums": [
        "minimum" + LIMITS,
        f"all,k1,contract,,100,true,{START},{LATER}",
        f"more,k1,contract,,200,,{LATER},",
        f"each,k1,product,calls|bulk,10,,{START},",
    ],
    "maximums": [
        "maximum" + LIMITS,
        f"all,k1,contract,,100,true,{START},",
        f"line,k1,group,calls,0,,{START},",
    ],
}

EDITS = [
    Edit(
        "discounts",
        "ten,",
        f"ten,k1,percentage,,,1,,,,,{START},{LATER}",
        2,
        "percentage",
        "'ten' does not say which percentage it takes off",
    ),
    Edit(
        "discounts",
        "ten,",
        f"ten,k1,percentage,0.1,5,1,,,,,{START},{LATER}",
        2,
        "amount",
        "'ten' has a type of percentage and can't have amount too",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,,,2,,,,,{START},",
        4,
        "amount",
        "'off' does not say which amount it takes off",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,0.1,20,2,,,,,{START},",
        4,
        "percentage",
        "'off' has a type of amount and can't have percentage too",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,,20,2,,,,50,{START},",
        4,
        "maximum_amount",
        "'off' is an amount, which is its own maximum",
    ),
    Edit(
        "discounts",
        "then,",
        f"then,k1,percentage,1,,1,,,5,50,{LATER},",
        3,
        "maximum_units",
        "'then' ends after units and after an amount",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,,20,1,,,,,{START},",
        4,
        "position",
        "the discounts 'ten' and 'off' have one position at one time",
    ),
    Edit(
        "discounts",
        "ten,",
        f"ten,k1,percentage,1.1,,1,,,,,{START},{LATER}",
        2,
        "percentage",
        "too large",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,,20,2,call,,,,{START},",
        4,
        "product_ids",
        "'call' is not in catalog/products.csv",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,,20,2,,,,,{START},{START}",
        4,
        "ending_before",
        "is not after the start",
    ),
    Edit(
        "minimums",
        "more,",
        f"more,k1,contract,calls,200,,{LATER},",
        3,
        "product_ids",
        "the minimum 'more' is for the contract and names products",
    ),
    Edit(
        "maximums",
        "line,",
        f"line,k1,group,,0,,{START},",
        3,
        "product_ids",
        "the maximum 'line' is for each group and names no product",
    ),
    Edit(
        "minimums",
        "more,",
        f"more,k1,product,bulk,200,,{LATER},",
        4,
        "scope",
        "the minimums 'more' and 'each' are for the same usage at one time",
    ),
    Edit(
        "maximums",
        "line,",
        f"line,k1,contract,,5,,{LATER},",
        3,
        "scope",
        "the maximums 'all' and 'line' are for the same usage at one time",
    ),
    Edit(
        "minimums",
        "each,",
        f"each,k1,product,calls,0,,{START},",
        4,
        "amount",
        "",
    ),
]


EDITS += [
    Edit("products", row.split(",")[0] + ",", row, *place, problem)
    for row, place, problem in (
        ("bulk,Bulk,USAGE,,,,,", (3, "metric_id"), "the product 'bulk' has no metric"),
        (
            "bulk,Bulk,USAGE,calls,,,api,",
            (3, "composite_product_ids"),
            "'bulk' is usage and no share of others",
        ),
        (
            "share,Share,COMPOSITE,calls,,calls,,",
            (4, "product_type"),
            "'share' is a share of others and has no usage of its own",
        ),
        (
            "share,Share,COMPOSITE,,,,,",
            (4, "composite_product_ids"),
            "'share' does not say what it is a share of",
        ),
        (
            "share,Share,COMPOSITE,,,calls|share,,",
            (4, "composite_product_ids"),
            "'share' is a share of the composite 'share'",
        ),
    )
]
EDITS += [
    Edit("rates", row.split(",")[0] + ",", row + f",{START}", *place, problem)
    for row, place, problem in (
        (
            "share,usd,share,flat,1,,,,",
            (3, "price_model"),
            "the rate 'share' of the composite 'share' is no percentage",
        ),
        (
            "share,usd,share,percentage,1.01,,,,",
            (3, "unit_price"),
            "the percentage 1.01 of rate 'share' is more than the whole value",
        ),
        (
            "share,usd,share,percentage,,,,,",
            (3, "unit_price"),
            "the percentage rate 'share' has no price",
        ),
        (
            "calls,usd,calls,flat,1,,5,,",
            (2, "minimum_amount"),
            "the rate 'calls' is no percentage and can't have",
        ),
        (
            "share,usd,share,percentage,1,5.01,5,,",
            (3, "maximum_amount"),
            "the rate 'share' charges at least more than at most",
        ),
        (
            "share,usd,share,percentage,1,5,5,10,",
            (3, "free_units"),
            "the rate 'share' is a percentage and has no units",
        ),
        (
            "calls,usd,calls,flat,1,,,,true",
            (2, "use_list_prices"),
            "the rate 'calls' of 'calls' is itself a list price",
        ),
    )
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
