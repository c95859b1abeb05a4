"""Mistakes in renewals of contracts and in what rolls over. The price book is correct
as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, RENEWAL, END = "2026-10-01T00:00Z", "2026-12-01T00:00Z", "2027-12-01T00:00Z"
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme", "beta,Beta"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "products": ["product_id,name,product_type,metric_id", "calls,Calls,USAGE,calls"],
    "rate_cards": [
        "rate_card_id,name,currency",
        "usd,Dollars,USD",
        "eur,Euros,EUR",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,starting_at",
        f"calls,usd,calls,flat,1,{START}",
        f"calls-eur,eur,calls,flat,1,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,ending_before,"
        "renews_contract_id",
        f"k1,acme,usd,{START},{RENEWAL},",
        f"k2,acme,usd,{RENEWAL},{END},k1",
        f"other,beta,usd,{START},{RENEWAL},",
    ],
    "commits": [
        "commit_id,customer_id,contract_id,name,commit_type,currency,amount,"
        "starting_at,ending_before,rollover_fraction",
        f"annual,acme,k1,Annual,PREPAID,USD,100,{START},,0.5",
        f"promise,acme,k1,Promise,POSTPAID,USD,100,{START},{RENEWAL},0.25",
        f"wide,acme,,Wide,PREPAID,USD,100,{START},,",
    ],
    "invoice_schedules": [
        "commit_id,amount,invoice_at",
        f"promise,100,{RENEWAL}",
    ],
    "credits": [
        "credit_id,customer_id,contract_id,name,currency,amount,starting_at,"
        "rollover_fraction",
        f"gift,acme,k1,Gift,USD,5,{START},1",
        f"more,acme,k2,More,USD,5,{RENEWAL},",
    ],
}
EDITS = [
    Edit(
        "contracts",
        "k2,",
        f"k2,acme,usd,{RENEWAL},{END},k9",
        3,
        "renews_contract_id",
        "'k9' is not in catalog/contracts.csv",
    ),
    Edit(
        "contracts",
        "k2,",
        f"k2,acme,usd,{RENEWAL},{END},other",
        3,
        "renews_contract_id",
        "the contract 'k2' renews one of customer 'beta', and is of 'acme'",
    ),
    Edit(
        "contracts",
        "k2,",
        f"k2,acme,usd,{RENEWAL},{END},k2",
        3,
        "renews_contract_id",
        "the contract 'k2' renews 'k2', which has not ended by 2026-12-01T00:00Z",
    ),
    Edit(
        "contracts",
        "k2,",
        f"k2,acme,usd,{RENEWAL},2027-01-01T00:00Z,k1\n"
        f"k3,acme,usd,2027-01-01T00:00Z,{END},k1",
        4,
        "renews_contract_id",
        "the contract 'k1' is renewed twice, see row 3",
    ),
    Edit(
        "contracts",
        "k2,",
        f"k2,acme,eur,{RENEWAL},{END},k1",
        3,
        "renews_contract_id",
        "the contract 'k2' is in EUR, and the one that it renews in USD",
    ),
    Edit(
        "contracts",
        "k2,",
        f"k2,acme,usd,{RENEWAL},,k1",
        3,
        "rollover_fraction",
        "the postpaid commit 'promise' rolls over to 'k2', which has no end",
        at="commits",
    ),
    Edit(
        "commits",
        "wide,",
        f"wide,acme,,Wide,PREPAID,USD,100,{START},,0.5",
        4,
        "rollover_fraction",
        "the commit 'wide' is for no one contract, so no renewal ends it",
    ),
    Edit(
        "commits",
        "annual,",
        f"annual,acme,k1,Annual,PREPAID,USD,100,{START},,1.01",
        2,
        "rollover_fraction",
        "1.01",
    ),
    Edit(
        "credits",
        "gift,",
        f"gift,acme,k1,Gift,USD,5,{START},0",
        2,
        "rollover_fraction",
        "0",
    ),
    Edit(
        "credits",
        "more,",
        f"gift:k2,acme,k2,More,USD,5,{RENEWAL},",
        3,
        "credit_id",
        "'gift:k2' is the name of what rolls over of 'gift' to the contract 'k2'",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)


def test_a_contract_that_runs_on_is_not_renewed(tmp_path: Path) -> None:
    """It overlaps the renewal too: nothing was said of the end."""
    book = {
        **CATALOG,
        "rates": [CATALOG["rates"][0], f"calls-eur,eur,calls,flat,1,{START}"],
        "contracts": [
            CATALOG["contracts"][0],
            f"k1,acme,usd,{START},,",
            f"k2,acme,usd,{RENEWAL},{END},k1",
        ],
    }
    assert_one_message(
        tmp_path,
        book,
        Edit(
            "contracts",
            "k2,",
            f"k2,acme,usd,{RENEWAL},{END},k1",
            3,
            "renews_contract_id",
            "the contract 'k2' renews 'k1', which has not ended by 2026-12-01T00:00Z",
        ),
    )
