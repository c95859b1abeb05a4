"""Mistakes in commits, credits, their segments and specifiers: each gives one message
that names its place. The price book below is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, LATER = "2026-10-01T00:00Z", "2026-11-01T00:00Z"
SCOPE = (
    "contract_id,amount,starting_at,ending_before,applicable_product_ids,"
    "applicable_product_tags,applicable_contract_ids"
)
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme", "beta,Beta"],
    "billable_metrics": [
        "metric_id,name,aggregation,group_keys",
        "calls,Calls,COUNT,model+user",
    ],
    "products": [
        "product_id,name,product_type,metric_id,pricing_group_keys,"
        "presentation_group_keys,tags",
        "calls,Calls,USAGE,calls,model,user,api|eu",
        "bulk,Bulk,USAGE,calls,,,",
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "rates": [
        "rate_id,rate_card_id,product_id,pricing_group_values,price_model,unit_price,"
        "starting_at",
        f"calls,usd,calls,model=*,flat,1,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at",
        f"k1,acme,usd,{START}",
        f"k2,beta,usd,{START}",
    ],
    "commits": [
        f"commit_id,customer_id,name,commit_type,currency,{SCOPE}",
        f"whole,acme,Whole,PREPAID,USD,k1,100,{START},{LATER},calls|bulk,,",
        "parts,acme,Parts,PREPAID,USD,,,,,,,k1",
        f"narrow,acme,Narrow,PREPAID,USD,,5,{START},,,,",
    ],
    "credits": [
        f"credit_id,customer_id,name,currency,{SCOPE}",
        f"tagged,acme,Tagged,USD,,5,{START},,,api,",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,amount,invoice_amount,"
        "recurrence_frequency,applicable_product_ids,applicable_product_tags,"
        "starting_at,ending_before",
        f"monthly,k1,Monthly,CREDIT,5,,,calls,,{START},",
        f"daily,k1,Daily,PREPAID_COMMIT,5,4,DAILY,,,{START},{LATER}",
        f"after,k1,After,PREPAID_COMMIT,5,4,DAILY,,,{LATER},",
    ],
    "access_schedules": [
        "commit_id,credit_id,amount,starting_at,ending_before",
        f"parts,,10,{START},{LATER}",
        f"parts,,20,{LATER},",
    ],
    "grant_specifiers": [
        "commit_id,credit_id,recurring_commit_id,product_id,product_tags,"
        "pricing_group_values,presentation_group_values",
        "narrow,,,calls,,model=large,",
        "narrow,,,,api|eu,,user=alice",
        ",,daily,calls,,,",
    ],
}
EDITS = [
    Edit(
        "commits",
        "narrow,",
        "narrow,acme,Narrow,PREPAID,USD,,,,,,,",
        4,
        "amount",
        "the commit 'narrow' has no amount and no access segments",
    ),
    Edit(
        "commits",
        "narrow,",
        "narrow,acme,Narrow,PREPAID,USD,,5,,,,,",
        4,
        "starting_at",
        "the commit 'narrow' has an amount and no start",
    ),
    Edit(
        "commits",
        "parts,",
        "parts,acme,Parts,PREPAID,USD,,30,,,,,k1",
        3,
        "amount",
        "the commit 'parts' has an amount or a window beside its access segments",
    ),
    Edit(
        "commits",
        "whole,",
        f"whole,acme,Whole,PREPAID,USD,k1,100,{START},{LATER},,,k1",
        2,
        "applicable_contract_ids",
        "the commit 'whole' is for one contract and lists contracts too",
    ),
    Edit(
        "commits",
        "whole,",
        f"whole,acme,Whole,PREPAID,USD,k2,100,{START},{LATER},,,",
        2,
        "contract_id",
        "the contract 'k2' belongs to customer 'beta', not to 'acme'",
    ),
    Edit(
        "commits",
        "parts,",
        "parts,acme,Parts,PREPAID,USD,,,,,,,k1|k2",
        3,
        "applicable_contract_ids",
        "the contract 'k2' belongs to customer 'beta', not to 'acme'",
    ),
    Edit(
        "commits",
        "parts,",
        "parts,acme,Parts,PREPAID,USD,,,,,,,k1|k3",
        3,
        "applicable_contract_ids",
        "'k3' is not in catalog/contracts.csv",
    ),
    Edit(
        "commits",
        "whole,",
        f"whole,acme,Whole,PREPAID,USD,k1,100,{START},{LATER},calls,api,",
        2,
        "applicable_product_tags",
        "the commit 'whole' is for products by id and by tag",
    ),
    Edit(
        "credits",
        "tagged,",
        f"tagged,acme,Tagged,USD,,5,{START},,,api|apis,",
        2,
        "applicable_product_tags",
        "no product has the tag 'apis'",
    ),
    Edit(
        "commits",
        "narrow,",
        f"narrow,acme,Narrow,PREPAID,USD,,5,{START},,calls,,",
        2,
        "commit_id",
        "the commit 'narrow' lists its products and has a specifier too",
        at="grant_specifiers",
    ),
    Edit(
        "access_schedules",
        f"parts,,20,{LATER},",
        f",,20,{LATER},",
        3,
        "commit_id",
        "the row does not name one commit or credit",
    ),
    Edit(
        "grant_specifiers",
        "narrow,,,,api",
        "narrow,tagged,,,api|eu,,user=alice",
        3,
        "commit_id",
        "the row does not name one commit, credit or recurring commit",
    ),
    Edit(
        "access_schedules",
        f"parts,,20,{LATER},",
        f"part,,20,{LATER},",
        3,
        "commit_id",
        "'part' is not in catalog/commits.csv",
    ),
    Edit(
        "access_schedules",
        f"parts,,20,{LATER},",
        "parts,,20,2026-10-01T00:00:00Z,",
        3,
        "starting_at",
        "two segments of 'parts' start at one instant, see row 2",
    ),
    Edit(
        "access_schedules",
        f"parts,,20,{LATER},",
        f"parts,,20,{LATER},{LATER}",
        3,
        "ending_before",
        "is not after the start",
    ),
    Edit(
        "access_schedules",
        f"parts,,20,{LATER},",
        f"parts,,0,{LATER},",
        3,
        "amount",
        "too small",
    ),
    Edit(
        "grant_specifiers",
        "narrow,,,calls",
        "narrow,,,,,,",
        2,
        "product_id",
        "the specifier of 'narrow' asks for nothing",
    ),
    Edit(
        "grant_specifiers",
        "narrow,,,,api",
        "narrow,,,bulk,api|eu,,",
        3,
        "product_tags",
        "no product has the tags 'api|eu' and all else that the specifier asks for",
    ),
    Edit(
        "grant_specifiers",
        "narrow,,,calls",
        "narrow,,,bulk,,model=large,",
        2,
        "pricing_group_values",
        "model are not among the pricing keys of bulk",
    ),
    Edit(
        "grant_specifiers",
        "narrow,,,,api",
        "narrow,,,,api|eu,,team=a",
        3,
        "presentation_group_values",
        "team are not among the presentation keys of any product",
    ),
    Edit(
        "grant_specifiers",
        ",,daily",
        ",,weekly,calls,,,",
        4,
        "recurring_commit_id",
        "'weekly' is not in catalog/recurring_commits.csv",
    ),
    Edit(
        "grant_specifiers",
        "narrow,,,,api",
        "narrow,,,,api|eu,,user=*",
        3,
        "presentation_group_values",
        "'user=*' asks for any value, which is no condition",
    ),
    Edit(
        "products",
        "calls,",
        "calls,Calls,USAGE,calls,model,user,api\ntagged,T,USAGE,calls,,,api|eu",
        3,
        "product_tags",
        "no product has the tags 'api|eu' and all else that the specifier asks for",
        at="grant_specifiers",
    ),
    Edit(
        "credits",
        "tagged,",
        f"monthly:2026-10-01,acme,Tagged,USD,,5,{START},,,api,",
        2,
        "credit_id",
        "may become the name of a grant of the recurring commit 'monthly'",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        f"monthly,k1,Monthly,CREDIT,5,1,,calls,,{START},",
        2,
        "invoice_amount",
        "the recurring commit 'monthly' gives credits, which nobody pays for",
    ),
    Edit(
        "recurring_commits",
        "after,",
        "after,k1,After,PREPAID_COMMIT,5,4,DAILY,,,2026-10-31T23:00Z,",
        4,
        "recurrence_frequency",
        "'daily' and 'after' both give one a day to one contract",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        "monthly,k1,Monthly,CREDIT,5,,,calls,,2026-09-30T23:00Z,",
        2,
        "starting_at",
        "the recurring commit 'monthly' does not start within the contract 'k1'",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        f"monthly,k1,Monthly,CREDIT,5,,HOURLY,calls,,{START},",
        2,
        "recurrence_frequency",
        "'HOURLY' is not allowed",
    ),
    Edit(
        "recurring_commits",
        "monthly,",
        f"monthly,k1,Monthly,CREDIT,5,,,calls,api,{START},",
        2,
        "applicable_product_tags",
        "the recurring commit 'monthly' is for products by id and by tag",
    ),
    Edit(
        "recurring_commits",
        "daily,",
        f"daily,k1,Daily,PREPAID_COMMIT,5,4,DAILY,bulk,,{START},{LATER}",
        4,
        "recurring_commit_id",
        "the recurring commit 'daily' lists its products and has a specifier too",
        at="grant_specifiers",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
