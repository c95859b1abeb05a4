"""Mistakes in parents of contracts and in what these share with their children. The
price book is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, RENEWAL, END = "2026-10-01T00:00Z", "2026-12-01T00:00Z", "2027-12-01T00:00Z"
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme", "beta,Beta", "gamma,G", "omega,O"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "products": ["product_id,name,product_type,metric_id", "calls,Calls,USAGE,calls"],
    "rate_cards": [
        "rate_card_id,name,currency",
        "usd,Dollars,USD",
        "eur,Euros,EUR",
        "free,Nothing,USD",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,starting_at",
        f"calls,usd,calls,flat,1,{START}",
        f"calls-eur,eur,calls,flat,1,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,ending_before,"
        "renews_contract_id,parent_contract_id",
        f"k1,acme,usd,{START},{RENEWAL},,",
        f"k2,acme,usd,{RENEWAL},{END},k1,",
        f"b1,beta,usd,{START},{RENEWAL},,k1",
        f"b2,beta,usd,{RENEWAL},{END},b1,k2",
        f"g1,gamma,usd,{START},,,k1",
        f"o1,omega,usd,{START},,,",
    ],
    "commits": [
        "commit_id,customer_id,contract_id,name,commit_type,currency,amount,"
        "starting_at,rollover_fraction,applicable_contract_ids,child_access,"
        "child_contract_ids",
        f"all,acme,k1,All,PREPAID,USD,100,{START},,,ALL,",
        f"listed,acme,k1,Listed,PREPAID,USD,100,{START},0.5,,CONTRACT_IDS,b1|b2|g1",
        f"wide,acme,,Wide,PREPAID,USD,100,{START},,,CONTRACT_IDS,b1|b2",
        f"of-k2,acme,,Late,PREPAID,USD,100,{START},,k2,CONTRACT_IDS,b2",
        f"own,beta,,Own,PREPAID,USD,5,{START},,,NONE,",
    ],
    "credits": [
        "credit_id,customer_id,contract_id,name,currency,amount,starting_at,"
        "child_access,child_contract_ids",
        f"gift,acme,,Gift,USD,5,{START},,",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,amount,starting_at,"
        "child_access,child_contract_ids",
        f"monthly,k1,Monthly,CREDIT,5,{START},CONTRACT_IDS,g1",
    ],
}
PARENT = "parent_contract_id"
LIST = "child_contract_ids"


def contract(row: str, new: str, line: int, problem: str) -> Edit:
    return Edit("contracts", row, new, line, PARENT, problem)


EDITS = [
    contract("g1,", f"g1,gamma,usd,{START},,,k9", 6, "'k9' is not in catalog"),
    contract(
        "k2,",
        f"k2,acme,usd,{RENEWAL},{END},k1,k1",
        3,
        "the contract 'k2' and its parent 'k1' are of one customer, 'acme'",
    ),
    contract(
        "o1,",
        f"o1,omega,usd,{START},,,b1",
        7,
        "the parent of the contract 'o1' is of 'beta', a customer with a parent, see "
        "row 4",
    ),
    # Neither of beta's other contracts has a parent.
    contract(
        "o1,",
        f"b3,beta,free,{START},,,\no1,omega,usd,{START},,,b3",
        8,
        "the parent of the contract 'o1' is of 'beta', a customer with a parent, see "
        "row 4",
    ),
    contract(
        "b2,",
        f"b2,beta,usd,{RENEWAL},{END},b1,k2\nb3,beta,free,{START},,,o1",
        6,
        "the customer 'beta' has a parent in 'omega' and another in 'acme', see row 4",
    ),
    contract(
        "o1,",
        f"o1,omega,eur,{START},,,k1",
        7,
        "the contract 'o1' is in EUR, and its parent 'k1' in USD",
    ),
    contract(
        "o1,",
        f"o1,omega,usd,{RENEWAL},,,k1",
        7,
        "the contract 'o1' and its parent 'k1' are never in force together",
    ),
    contract(
        "o1,",
        f"o1,omega,usd,{START},{RENEWAL},,k2",
        7,
        "the contract 'o1' and its parent 'k2' are never in force together",
    ),
    Edit(
        "commits",
        "all,",
        f"all,acme,k1,All,PREPAID,USD,100,{START},,,CONTRACT_IDS,",
        2,
        LIST,
        "the commit 'all' is for listed children, and lists none",
    ),
    Edit(
        "commits",
        "all,",
        f"all,acme,k1,All,PREPAID,USD,100,{START},,,ALL,g1",
        2,
        LIST,
        "the commit 'all' lists children, and its child_access is ALL",
    ),
    Edit(
        "credits",
        "gift,",
        f"gift,acme,,Gift,USD,5,{START},,g1",
        2,
        LIST,
        "the credit 'gift' lists children, and its child_access is NONE",
    ),
    Edit(
        "credits",
        "gift,",
        f"gift,acme,,Gift,USD,5,{START},SOME,",
        2,
        "child_access",
        "'SOME'",
    ),
    Edit(
        "credits",
        "gift,",
        f"gift,acme,,Gift,USD,5,{START},CONTRACT_IDS,k9",
        2,
        LIST,
        "'k9' is not in catalog/contracts.csv",
    ),
    Edit(
        "credits",
        "gift,",
        f"gift,acme,,Gift,USD,5,{START},CONTRACT_IDS,g1|o1",
        2,
        LIST,
        "the contract 'o1' is no child of one that 'gift' is for",
    ),
    # A child of k1, not of k2.
    Edit(
        "commits",
        "of-k2,",
        f"of-k2,acme,,Late,PREPAID,USD,100,{START},,k2,CONTRACT_IDS,g1",
        5,
        LIST,
        "the contract 'g1' is no child of one that 'of-k2' is for",
    ),
    # Nothing of it goes over to k2.
    Edit(
        "commits",
        "listed,",
        f"listed,acme,k1,Listed,PREPAID,USD,100,{START},,,CONTRACT_IDS,b1|b2|g1",
        3,
        LIST,
        "the contract 'b2' is no child of one that 'listed' is for",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        f"monthly,k1,Monthly,CREDIT,5,{START},CONTRACT_IDS,b2",
        2,
        LIST,
        "the contract 'b2' is no child of one that 'monthly' is for",
    ),
    # A child's own is for the child.
    Edit(
        "commits",
        "own,",
        f"own,beta,,Own,PREPAID,USD,5,{START},,,CONTRACT_IDS,g1",
        6,
        LIST,
        "the contract 'g1' is no child of one that 'own' is for",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
