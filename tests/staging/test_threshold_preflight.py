"""Mistakes in balance thresholds: each gives one message that names its place. The
price book below is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, LATER, END = "2026-10-01T00:00Z", "2026-11-01T00:00Z", "2027-10-01T00:00Z"
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme", "beta,Beta"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "products": [
        "product_id,name,product_type,metric_id",
        "calls,Calls,USAGE,calls",
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD", "jpy,Yen,JPY"],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,starting_at",
        f"calls,usd,calls,flat,1,{START}",
        f"yen,jpy,calls,flat,1,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,ending_before",
        f"k1,acme,usd,{START},{END}",
        f"k2,beta,jpy,{START},",
    ],
    "commits": [
        "commit_id,customer_id,name,commit_type,currency,contract_id,amount,starting_at",
        f"first,acme,First,PREPAID,USD,k1,330,{START}",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,amount,starting_at",
        f"monthly,k1,Monthly,PREPAID_COMMIT,3,{START}",
    ],
    # One after the other, and to the cent: each of them is right.
    "thresholds": [
        "threshold_id,contract_id,name,threshold_amount,recharge_to_amount,"
        "payment_fraction,priority,applicable_product_ids,starting_at,ending_before",
        f"small,k1,Small,0,0.01,,,,{START},{LATER}",
        f"large,k1,Large,20.50,100,0.85,50,calls,{LATER},",
        f"yen,k2,Yen,0,1000,1,,,{START},",
    ],
}
SMALL, LARGE, YEN = CATALOG["thresholds"][1:]


def threshold(row: str, new: str, line: int, field: str, problem: str) -> Edit:
    return Edit("thresholds", row, new, line, field, problem)


EDITS = [
    threshold(
        "large",
        LARGE.replace(",k1,", ",k9,"),
        3,
        "contract_id",
        "'k9' is not in catalog/contracts.csv",
    ),
    threshold(
        "large",
        LARGE.replace(",calls,", ",call,"),
        3,
        "applicable_product_ids",
        "'call' is not in catalog/products.csv",
    ),
    # As much is not more.
    threshold(
        "large",
        LARGE.replace(",100,", ",20.5,"),
        3,
        "recharge_to_amount",
        "the threshold 'large' tops up to 20.5, which is not more than 20.50",
    ),
    threshold(
        "large",
        LARGE.replace(",20.50,", ",-1,"),
        3,
        "threshold_amount",
        "'-1' is too small",
    ),
    threshold(
        "small",
        SMALL.replace(",0.01,", ",0,"),
        2,
        "recharge_to_amount",
        "'0' is too small",
    ),
    threshold(
        "large",
        LARGE.replace(",20.50,", ",20.505,"),
        3,
        "threshold_amount",
        "a balance in USD can't be 20.505",
    ),
    threshold(
        "yen",
        YEN.replace(",1000,", ",1000.5,"),
        4,
        "recharge_to_amount",
        "a balance in JPY can't be 1000.5",
    ),
    threshold(
        "large",
        LARGE.replace(",0.85,", ",0,"),
        3,
        "payment_fraction",
        "'0' is too small",
    ),
    threshold(
        "large",
        LARGE.replace(",0.85,", ",1.01,"),
        3,
        "payment_fraction",
        "'1.01' is too large",
    ),
    threshold(
        "large",
        LARGE.replace(",50,", ",0,"),
        3,
        "priority",
        "'0' is too small",
    ),
    # An hour too early.
    threshold(
        "large",
        LARGE.replace(LATER, "2026-10-31T23:00Z"),
        3,
        "contract_id",
        "the thresholds 'small' and 'large' are both for the balance of 'k1' at one",
    ),
    threshold(
        "large",
        LARGE.replace(LATER, "2026-11-01T00:30Z"),
        3,
        "starting_at",
        "'2026-11-01T00:30Z' is not on the full hour",
    ),
    threshold(
        "yen",
        YEN + "2026-12-01T00:30Z",
        4,
        "ending_before",
        "'2026-12-01T00:30Z' is not on the full hour",
    ),
    threshold(
        "yen",
        YEN + START,
        4,
        "ending_before",
        f"the end {START} is not after the start {START}",
    ),
    threshold(
        "large",
        LARGE.replace(LATER, END),
        3,
        "starting_at",
        "the threshold 'large' does not start within the contract 'k1'",
    ),
    threshold(
        "yen",
        YEN.replace(START, "2026-09-30T23:00Z"),
        4,
        "starting_at",
        "the threshold 'yen' does not start within the contract 'k2'",
    ),
    threshold(
        "large",
        LARGE.replace("large", "monthly", 1),
        3,
        "threshold_id",
        "'monthly' is a recurring commit, too",
    ),
    Edit(
        "commits",
        "first,",
        f"large:2026,acme,First,PREPAID,USD,k1,330,{START}",
        2,
        "commit_id",
        "'large:2026' may become the name of what the threshold 'large' adds",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
