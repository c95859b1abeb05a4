"""Mistakes in prices in pricing units: each gives one message that names its place. The
price book below is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, LATER = "2026-10-01T00:00Z", "2026-11-01T00:00Z"
DISCOUNTS = (
    "discount_id,contract_id,discount_type,percentage,amount,position,product_ids,"
    "product_tags,maximum_amount,starting_at,ending_before"
)
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "products": [
        "product_id,name,product_type,metric_id,tags,composite_product_ids,"
        "composite_tags",
        "calls,Calls,USAGE,calls,api,,",
        "bulk,Bulk,USAGE,calls,api|big,,",
        "own,Own,USAGE,calls,,,",
        "share,Share,COMPOSITE,,,calls,",
    ],
    "rate_cards": [
        "rate_card_id,name,currency",
        "usd,Dollars,USD",
        "eur,Euros,EUR",
    ],
    "pricing_units": [
        "pricing_unit_id,pricing_unit_name,decimal_places",
        "credits,Credits,",
        "tokens,Tokens,2",
        "gems,Gems,0",
    ],
    # Nothing is priced in tokens, nothing in gems can be.
    "pricing_unit_conversions": [
        "rate_card_id,pricing_unit_id,starting_at,amount_per_unit",
        f"usd,credits,{START},0.01",
        f"usd,credits,{LATER},0.000000000001",
        f"usd,tokens,{LATER},2",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,pricing_unit_id,"
        "starting_at",
        f"calls,usd,calls,flat,1,,{START}",
        f"bulk,usd,bulk,flat,1,credits,{START}",
        f"own,usd,own,flat,1,,{START}",
        f"share,usd,share,percentage,1,,{START}",
        f"euro,eur,calls,flat,1,,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at",
        f"k1,acme,usd,{START}",
    ],
    "overrides": [
        "override_id,contract_id,override_type,multiplier,price_model,unit_price,"
        "pricing_unit_id,starting_at,is_commit_specific",
        f"cheap,k1,multiplier,0.5,,,,{START},",
        f"mine,k1,overwrite,,flat,2,credits,{LATER},",
        f"special,k1,multiplier,0.5,,,,{START},true",
    ],
    "override_specifiers": [
        "override_id,product_id,commit_ids,recurring_commit_ids",
        "mine,own,,",
        "special,,cash,",
    ],
    # A percentage is for units too; amounts are for money, or over before.
    "discounts": [
        DISCOUNTS,
        f"ten,k1,percentage,0.1,,1,,,,{START},",
        f"off,k1,amount,,20,2,calls,api,,{START},",
        f"early,k1,amount,,20,3,own,,,{START},{LATER}",
    ],
    "minimums": [
        "minimum_id,contract_id,scope,product_ids,amount,starting_at,ending_before",
        f"least,k1,product,calls,100,{START},",
    ],
    "maximums": [
        "maximum_id,contract_id,scope,product_ids,amount,starting_at,ending_before",
        f"most,k1,group,calls,100,{START},",
    ],
    # As many decimal places as the unit has, and as much as a balance holds: 9,000,000
    # with 12 places.
    "credits": [
        "credit_id,customer_id,contract_id,name,currency,pricing_unit_id,amount,"
        "rate_type,starting_at",
        f"gift,acme,k1,Gift,USD,credits,8999999.999999999999,,{START}",
        f"texts,acme,k1,Texts,USD,tokens,0.25,,{START}",
        f"cash,acme,k1,Cash,USD,,5.125,COMMIT_RATE,{START}",
    ],
    "commits": [
        "commit_id,customer_id,contract_id,name,commit_type,currency,pricing_unit_id,"
        "amount,rate_type,starting_at,ending_before,is_trueup_disabled",
        "bought,acme,k1,Bought,PREPAID,USD,gems,,,,",
    ],
    "invoice_schedules": ["commit_id,amount,invoice_at", f"bought,0.40,{START}"],
    "access_schedules": [
        "commit_id,amount,starting_at,ending_before",
        f"bought,50,{START},{LATER}",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,pricing_unit_id,amount,"
        "rate_type,starting_at",
        f"monthly,k1,Monthly,CREDIT,tokens,10.5,,{START}",
    ],
}

# What a composite is made of stands with the product, its price with the rate.
EDITS = [
    Edit(
        "rates",
        "bulk,",
        f"bulk,usd,bulk,flat,1,credit,{START}",
        3,
        "pricing_unit_id",
        "'credit' is not in catalog/pricing_units.csv",
    ),
    Edit(
        "pricing_unit_conversions",
        "usd,tokens,",
        f"usd,token,{LATER},2",
        4,
        "pricing_unit_id",
        "'token' is not in catalog/pricing_units.csv",
    ),
    Edit(
        "pricing_unit_conversions",
        "usd,tokens,",
        f"usd,tokens,{LATER},0",
        4,
        "amount_per_unit",
        "0",
    ),
    Edit(
        "pricing_unit_conversions",
        "usd,tokens,",
        "usd,tokens,2026-11-01T00:30Z,2",
        4,
        "starting_at",
        "hour",
    ),
    Edit(
        "rates",
        "euro,",
        f"euro,eur,calls,flat,1,credits,{START}",
        6,
        "pricing_unit_id",
        "'euro' is priced in 'credits', which has no conversion on rate card 'eur'",
    ),
    Edit(
        "rates",
        "bulk,",
        "bulk,usd,bulk,flat,1,credits,2026-09-30T23:00Z",
        3,
        "pricing_unit_id",
        "'bulk' is priced in 'credits', which has no conversion on rate card 'usd'",
    ),
    Edit(
        "overrides",
        "mine,",
        f"mine,k1,overwrite,,flat,2,gems,{LATER}",
        3,
        "pricing_unit_id",
        "'mine' is priced in 'gems', which has no conversion on rate card 'usd'",
    ),
    Edit(
        "overrides",
        "cheap,",
        f"cheap,k1,multiplier,0.5,,,credits,{START}",
        2,
        "price_model",
        "only an overwrite has a price of its own",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,,20,2,calls|bulk,,,{START},",
        3,
        "amount, maximum_amount",
        "the discount 'off' is an amount of money, and 'bulk' is priced in 'credits' "
        "by 'bulk'",
    ),
    Edit(
        "discounts",
        "off,",
        f"off,k1,amount,,20,2,,big,,{START},",
        3,
        "amount, maximum_amount",
        "the discount 'off' is an amount of money, and 'bulk' is priced in 'credits'",
    ),
    Edit(
        "discounts",
        "ten,",
        f"ten,k1,percentage,0.1,,1,bulk,,50,{START},",
        2,
        "amount, maximum_amount",
        "the discount 'ten' is an amount of money, and 'bulk' is priced in 'credits'",
    ),
    Edit(
        "discounts",
        "early,",
        f"early,k1,amount,,20,3,own,,,{START},",
        4,
        "amount, maximum_amount",
        "the discount 'early' is an amount of money, and 'own' is priced in 'credits' "
        "by 'mine'",
    ),
    Edit(
        "minimums",
        "least,",
        f"least,k1,contract,,100,{START},{LATER}",
        2,
        "amount",
        "the minimum 'least' is an amount of money, and 'bulk' is priced in 'credits'",
    ),
    Edit(
        "maximums",
        "most,",
        f"most,k1,product,bulk,100,{START},",
        2,
        "amount",
        "the maximum 'most' is an amount of money, and 'bulk' is priced in 'credits'",
    ),
    Edit(
        "rates",
        "share,",
        f"share,usd,share,percentage,1,credits,{START}",
        5,
        "pricing_unit_id",
        "the rate 'share' of the composite 'share' is a share of money",
    ),
    Edit(
        "products",
        "share,",
        "share,Share,COMPOSITE,,,calls|bulk,",
        5,
        "product_id",
        "the composite 'share' is a share of money, and its part 'bulk' is priced in "
        "'credits' by 'bulk'",
        at="rates",
    ),
    Edit(
        "products",
        "share,",
        "share,Share,COMPOSITE,,,,big",
        5,
        "product_id",
        "its part 'bulk' is priced in 'credits' by 'bulk'",
        at="rates",
    ),
    Edit(
        "pricing_units",
        "tokens,",
        "tokens,Tokens,13",
        3,
        "decimal_places",
        "13",
    ),
    Edit(
        "pricing_units",
        "tokens,",
        "tokens,Tokens,-1",
        3,
        "decimal_places",
        "-1",
    ),
    Edit(
        "credits",
        "texts,",
        f"texts,acme,k1,Texts,USD,texts,0.25,,{START}",
        3,
        "pricing_unit_id",
        "'texts' is not in catalog/pricing_units.csv",
    ),
    Edit(
        "commits",
        "bought,",
        "bought,acme,k1,Bought,PREPAID,USD,gem,,,,",
        2,
        "pricing_unit_id",
        "'gem' is not in catalog/pricing_units.csv",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        f"monthly,k1,Monthly,CREDIT,token,10.5,,{START}",
        2,
        "pricing_unit_id",
        "'token' is not in catalog/pricing_units.csv",
    ),
    Edit(
        "credits",
        "texts,",
        f"texts,acme,k1,Texts,USD,tokens,0.251,,{START}",
        3,
        "amount",
        "the credit 'texts' gives 0.251 of 'tokens', which has 2 decimal places",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        f"monthly,k1,Monthly,CREDIT,gems,10.5,,{START}",
        2,
        "amount",
        "the recurring commit 'monthly' gives 10.5 of 'gems', which has 0 decimal "
        "places",
    ),
    Edit(
        "access_schedules",
        "bought,",
        f"bought,50.5,{START},{LATER}",
        2,
        "amount",
        "the commit 'bought' gives 50.5 of 'gems', which has 0 decimal places",
    ),
    Edit(
        "credits",
        "gift,",
        f"gift,acme,k1,Gift,USD,credits,9000000,,{START}",
        2,
        "amount",
        "the credit 'gift' gives 9000000 of 'credits', more than a balance with 12 "
        "decimal places can hold",
    ),
    Edit(
        "credits",
        "texts,",
        f"texts,acme,k1,Texts,USD,tokens,0.25,COMMIT_RATE,{START}",
        3,
        "rate_type",
        "the credit 'texts' pays commit prices, and is in 'tokens', which has none",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        f"monthly,k1,Monthly,CREDIT,tokens,10.5,COMMIT_RATE,{START}",
        2,
        "rate_type",
        "the recurring commit 'monthly' pays commit prices, and is in 'tokens'",
    ),
    Edit(
        "commits",
        "bought,",
        "bought,acme,k1,Bought,PREPAID,USD,gems,,,,\n"
        f"promise,acme,k1,Promise,POSTPAID,USD,gems,5,,{START},{LATER},true",
        3,
        "pricing_unit_id",
        "the postpaid commit 'promise' is in 'gems'",
    ),
    Edit(
        "override_specifiers",
        "special,",
        "special,,cash|gift,",
        3,
        "commit_ids",
        "'special' has 'gift' pay a price of its own, and that is in 'credits'",
    ),
    Edit(
        "override_specifiers",
        "special,",
        "special,,,monthly",
        3,
        "recurring_commit_ids",
        "'special' has 'monthly' pay a price of its own, and that is in 'tokens'",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
