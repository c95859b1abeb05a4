"""Mistakes in what commits and credits pay at prices of their own. The price book is
correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START = "2026-10-01T00:00Z"
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme", "beta,Beta", "omega,O"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "products": [
        "product_id,name,product_type,metric_id",
        "calls,Calls,USAGE,calls",
        "more,More,USAGE,calls",
    ],
    "pricing_units": ["pricing_unit_id,pricing_unit_name", "points,Points"],
    "pricing_unit_conversions": [
        "rate_card_id,pricing_unit_id,starting_at,amount_per_unit",
        f"usd,points,{START},1",
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,commit_rate,"
        "starting_at,pricing_unit_id,event_fee,package_size",
        f"calls,usd,calls,flat,1,0.8,{START},,,",
        f"more,usd,more,graduated,,,{START},,,",
    ],
    "rate_tiers": [
        "rate_id,tier_start,tier_end,unit_price,commit_rate,flat_amount",
        "more,0,10,1,0.9,",
        "more,10,,0.5,0.4,",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,parent_contract_id",
        f"k1,acme,usd,{START},",
        f"b1,beta,usd,{START},k1",
        f"o1,omega,usd,{START},",
    ],
    "commits": [
        "commit_id,customer_id,contract_id,name,commit_type,currency,amount,"
        "starting_at,rate_type",
        f"cheap,acme,k1,Cheap,PREPAID,USD,100,{START},COMMIT_RATE",
        f"plain,acme,k1,Plain,PREPAID,USD,100,{START},",
        f"others,omega,o1,Others,PREPAID,USD,5,{START},LIST_RATE",
    ],
    "credits": [
        "credit_id,customer_id,contract_id,name,currency,amount,starting_at",
        f"gift,acme,,Gift,USD,5,{START}",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,amount,starting_at",
        f"monthly,k1,Monthly,CREDIT,5,{START}",
    ],
    "overrides": [
        "override_id,contract_id,override_type,multiplier,target,is_commit_specific,"
        "entitled,price_model,unit_price,free_units,starting_at",
        f"half,k1,multiplier,0.5,,true,,,,,{START}",
        f"less,k1,multiplier,0.9,COMMIT_RATE,,,,,,{START}",
        f"list,k1,overwrite,,,,,flat,0.7,,{START}",
        f"own,k1,overwrite,,,true,,flat,0.3,,{START}",
        f"other,k1,overwrite,,,true,,flat,0.2,,{START}",
        f"bands,k1,overwrite,,COMMIT_RATE,true,,graduated,,,{START}",
        f"child,b1,multiplier,0.4,,true,,,,,{START}",
    ],
    "override_specifiers": [
        "override_id,product_id,commit_ids,recurring_commit_ids",
        "half,calls,cheap|gift,",
        "half,calls,,monthly",
        "list,calls,,",
        "own,calls,plain,",
        "other,calls,cheap,monthly",
        "bands,more,,",
        "child,,plain,",
    ],
    "override_tiers": [
        "override_id,tier_start,tier_end,unit_price,flat_amount",
        "bands,0,5,0.3,",
        "bands,5,,0.2,",
    ],
}
EDITS = [
    Edit(
        "rates",
        "calls",
        f"calls,usd,calls,package,1,0.8,{START},,,10",
        2,
        "commit_rate",
        "the rate 'calls' is package",
    ),
    Edit(
        "rates",
        "more",
        f"more,usd,more,graduated,,0.8,{START},,,",
        3,
        "commit_rate",
        "one commit price, and commit prices of its tiers",
    ),
    Edit(
        "rates",
        "calls",
        f"calls,usd,calls,flat,1,0.8,{START},points,,",
        2,
        "pricing_unit_id",
        "in a pricing unit",
    ),
    Edit(
        "rates",
        "calls",
        f"calls,usd,calls,flat,1,0.8,{START},,0.1,",
        2,
        "commit_rate",
        "looks at each event",
    ),
    Edit(
        "rates",
        "calls",
        f"calls,usd,calls,flat,1,0,{START},,,",
        2,
        "commit_rate",
        "too small",
    ),
    Edit(
        "rate_tiers",
        "more,10",
        "more,10,,0.5,,",
        3,
        "commit_rate",
        "this one has none",
    ),
    Edit(
        "rate_tiers",
        "more,10",
        "more,10,,0.5,0.4,7",
        3,
        "flat_amount",
        "has a flat amount, and its rate a commit price",
    ),
    Edit(
        "overrides",
        "own",
        f"own,k1,entitlement,,,true,true,,,,{START}",
        5,
        "override_type",
        "and is entitlement",
    ),
    Edit(
        "overrides",
        "less",
        f"less,k1,multiplier,0.9,COMMIT_RATE,,true,,,,{START}",
        3,
        "entitled",
        "can't say whether the product is billed",
    ),
    Edit(
        "overrides",
        "half",
        f"half,k1,multiplier,0,,true,,,,,{START}",
        2,
        "multiplier",
        "would have commits pay nothing",
    ),
    Edit(
        "overrides",
        "own",
        f"own,k1,overwrite,,,true,,flat,0,,{START}",
        5,
        "unit_price",
        "would have commits pay nothing",
    ),
    Edit(
        "overrides",
        "own",
        f"own,k1,overwrite,,,true,,percentage,0.2,,{START}",
        5,
        "price_model",
        "the overwrite 'own' is percentage",
    ),
    Edit(
        "overrides",
        "own",
        f"own,k1,overwrite,,,true,,flat,0.3,5,{START}",
        5,
        "price_model",
        "more terms than prices",
    ),
    Edit(
        "override_tiers",
        "bands,5",
        "bands,5,,0.2,3",
        3,
        "flat_amount",
        "a commit pays for units",
    ),
    Edit(
        "override_specifiers",
        "list",
        "list,calls,cheap,",
        4,
        "commit_ids",
        "is not commit-specific",
    ),
    Edit(
        "override_specifiers",
        "list",
        "list,calls,,monthly",
        4,
        "recurring_commit_ids",
        "is not commit-specific",
    ),
    Edit(
        "override_specifiers",
        "own",
        "own,calls,others,",
        5,
        "commit_ids",
        "no commit or credit of the customer of contract 'k1' has the id 'others'",
    ),
    Edit(
        "override_specifiers",
        "other",
        "other,calls,cheap,cheap",
        6,
        "recurring_commit_ids",
        "no recurring commit of the customer of contract 'k1' has the id 'cheap'",
    ),
    # Two for the same commit, neither added later.
    Edit(
        "override_specifiers",
        "other",
        "other,calls,plain,",
        6,
        "created_at",
        "neither was added later",
        at="overrides",
    ),
    # What one says of the commits that the other leaves out is no choice either.
    Edit(
        "override_specifiers",
        "other",
        "other,calls,,",
        6,
        "created_at",
        "neither was added later",
        at="overrides",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_a_mistake_has_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
