"""Mistakes in what commits are invoiced for: each gives one message that names its
place. The price book below is correct as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging.preflight_helpers import Edit, assert_correct, assert_one_message

START, LATER, END = "2026-10-01T00:00Z", "2026-11-01T00:00Z", "2027-10-01T00:00Z"
TRUEUP = "2027-10-15T00:00Z"
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme", "beta,Beta"],
    "billable_metrics": ["metric_id,name,aggregation", "calls,Calls,COUNT"],
    "products": [
        "product_id,name,product_type,metric_id",
        "calls,Calls,USAGE,calls",
    ],
    "rate_cards": [
        "rate_card_id,name,currency",
        "usd,Dollars,USD",
        "eur,Euros,EUR",
        "jpy,Yen,JPY",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,starting_at",
        f"calls,usd,calls,flat,1,{START}",
        f"yen,jpy,calls,flat,1,{START}",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at",
        f"k1,acme,usd,{START}",
        f"k2,acme,eur,{START}",
        f"k3,beta,jpy,{START}",
    ],
    "commits": [
        "commit_id,customer_id,name,commit_type,currency,contract_id,amount,"
        "starting_at,ending_before,invoice_amount,invoice_contract_id,do_not_invoice,"
        "is_trueup_disabled",
        f"bought,acme,Bought,PREPAID,USD,k1,330,{START},,300,,,",
        f"yen,beta,Yen,PREPAID,JPY,k3,5000,{START},,,,,",
        f"wide,acme,Wide,PREPAID,USD,,50,{START},,,k1,,",
        f"elsewhere,acme,Elsewhere,PREPAID,USD,,7,{START},,,,true,",
        f"promise,acme,Promise,POSTPAID,USD,k1,100,{START},{END},,,,",
        f"let-go,acme,Let go,POSTPAID,USD,,40,{START},{END},,,,true",
        "parts,acme,Parts,PREPAID,USD,,,,,,,,",
    ],
    "access_schedules": [
        "commit_id,credit_id,amount,starting_at,ending_before",
        f"parts,,10,{START},{LATER}",
    ],
    "invoice_schedules": [
        "commit_id,amount,invoice_at",
        f"bought,100,{START}",
        f"bought,100.00,{LATER}",
        "bought,100,2026-12-01T15:30Z",
        f"wide,50.5,{START}",
        f"promise,100.0,{TRUEUP}",
        f"yen,4500,{START}",
        f"elsewhere,7,{START}",
    ],
}
BOUGHT, YEN, WIDE, ELSEWHERE, PROMISE, LET_GO, PARTS = CATALOG["commits"][1:]
EDITS = [
    Edit(
        "commits",
        "wide,",
        WIDE.replace(",k1,", ",,"),
        4,
        "invoice_contract_id",
        "the commit 'wide' is invoiced, and names no contract",
    ),
    Edit(
        "commits",
        "elsewhere,",
        ELSEWHERE.replace("true", "false"),
        5,
        "invoice_contract_id",
        "the commit 'elsewhere' is invoiced, and names no contract",
    ),
    Edit(
        "commits",
        "promise,",
        PROMISE.replace(",k1,", ",,"),
        6,
        "invoice_contract_id",
        "the commit 'promise' is invoiced, and names no contract",
    ),
    # Its contract is in another currency too.
    Edit(
        "commits",
        "wide,",
        WIDE.replace(",k1,", ",k3,"),
        4,
        "invoice_contract_id",
        "the contract 'k3' belongs to customer 'beta', not to 'acme'",
    ),
    Edit(
        "commits",
        "wide,",
        WIDE.replace(",k1,", ",k4,"),
        4,
        "invoice_contract_id",
        "'k4' is not in catalog/contracts.csv",
    ),
    Edit(
        "commits",
        "wide,",
        WIDE.replace(",k1,", ",k2,"),
        4,
        "currency",
        "the commit is in USD, and the contract 'k2' that invoices it in EUR",
    ),
    Edit(
        "commits",
        "promise,",
        PROMISE.replace(",k1,", ",k2,"),
        6,
        "currency",
        "the commit is in USD, and the contract 'k2' that invoices it in EUR",
    ),
    Edit(
        "invoice_schedules",
        f"wide,50.5,{START}",
        f"wide,50.505,{START}",
        5,
        "amount",
        "an invoice in USD can't ask for 50.505",
    ),
    Edit(
        "invoice_schedules",
        f"yen,4500,{START}",
        f"yen,4500.5,{START}",
        7,
        "amount",
        "an invoice in JPY can't ask for 4500.5",
    ),
    # Too little for any invoice.
    Edit(
        "invoice_schedules",
        f"wide,50.5,{START}",
        f"wide,0.004,{START}",
        5,
        "amount",
        "an invoice in USD can't ask for 0.004",
    ),
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        "bought,100.00,2026-10-01",
        3,
        "invoice_at",
        "two invoices of 'bought' are due at one instant, see row 2",
    ),
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        f"bought,100.00,{START}",
        3,
        "commit_id, invoice_at",
        "stands already in row 2",
    ),
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        f"bought,99.99,{LATER}",
        2,
        "invoice_amount",
        "the commit 'bought' costs 300, and its invoices come to 299.99",
        at="commits",
    ),
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        "",
        2,
        "invoice_amount",
        "the commit 'bought' costs 300, and its invoices come to 200",
        at="commits",
    ),
    # A row that is wrong by itself is not added up.
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        f"bougt,100.00,{LATER}",
        3,
        "commit_id",
        "'bougt' is not in catalog/commits.csv",
    ),
    Edit(
        "invoice_schedules",
        f"promise,100.0,{TRUEUP}",
        f"promised,100.0,{TRUEUP}",
        6,
        "commit_id",
        "'promised' is not in catalog/commits.csv",
    ),
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        f"bought,hundred,{LATER}",
        3,
        "amount",
        "'hundred' is not",
    ),
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        f"bought,-100,{LATER}",
        3,
        "amount",
        "'-100' is too small",
    ),
    Edit(
        "invoice_schedules",
        f"bought,100.00,{LATER}",
        "bought,100.00,November",
        3,
        "invoice_at",
        "'November' is not",
    ),
    Edit(
        "commits",
        "bought,",
        BOUGHT.replace(",300,", ",-300,"),
        2,
        "invoice_amount",
        "'-300' is too small",
    ),
    Edit(
        "commits",
        "bought,",
        BOUGHT + "true",
        2,
        "is_trueup_disabled",
        "the commit 'bought' is paid ahead and has no true-up",
    ),
    Edit(
        "commits",
        "promise,",
        PROMISE.replace(END, ""),
        6,
        "ending_before",
        "the postpaid commit 'promise' never ends",
    ),
    Edit(
        "commits",
        "let-go,",
        LET_GO.replace(END, ""),
        7,
        "ending_before",
        "the postpaid commit 'let-go' never ends",
    ),
    Edit(
        "commits",
        "promise,",
        PROMISE[:-1] + "true,",
        6,
        "do_not_invoice",
        "the postpaid commit 'promise' is not to be invoiced",
    ),
    Edit(
        "commits",
        "promise,",
        PROMISE.replace(f"{END},", f"{END},90"),
        6,
        "invoice_amount",
        "the postpaid commit 'promise' has a price, and costs what usage leaves",
    ),
    Edit(
        "commits",
        "parts,",
        PARTS.replace("PREPAID", "POSTPAID") + "true",
        8,
        "amount",
        "the postpaid commit 'parts' has access segments",
    ),
    Edit(
        "commits",
        "parts,",
        f"parts,acme,Parts,POSTPAID,USD,,10,{START},{END},,,,true",
        8,
        "amount",
        "the commit 'parts' has an amount or a window beside its access segments",
    ),
    Edit(
        "invoice_schedules",
        f"promise,100.0,{TRUEUP}",
        "",
        6,
        "commit_id",
        "the postpaid commit 'promise' does not say when its true-up is invoiced",
        at="commits",
    ),
    Edit(
        "commits",
        "let-go,",
        LET_GO.replace("USD,,", "USD,k1,").replace(",true", ",false"),
        7,
        "commit_id",
        "the postpaid commit 'let-go' does not say when its true-up is invoiced",
    ),
    Edit(
        "commits",
        "let-go,",
        LET_GO.replace(",true", ",yes"),
        7,
        "is_trueup_disabled",
        "'yes' is neither true nor false",
    ),
    # By halves, the first of them before the end.
    Edit(
        "invoice_schedules",
        f"promise,100.0,{TRUEUP}",
        f"promise,50,{LATER}\npromise,50,{TRUEUP}",
        7,
        "commit_id",
        "the postpaid commit 'promise' has 2 invoices",
    ),
    Edit(
        "invoice_schedules",
        f"promise,100.0,{TRUEUP}",
        f"promise,90.5,{TRUEUP}",
        6,
        "amount",
        "the postpaid commit 'promise' is invoiced for 90.5 and promises 100",
    ),
    Edit(
        "commits",
        "promise,",
        PROMISE.replace(",100,", ",-100,"),
        6,
        "amount",
        "'-100' is too small",
    ),
    Edit(
        "invoice_schedules",
        f"promise,100.0,{TRUEUP}",
        "promise,100.0,2027-09-30T23:59:59Z",
        6,
        "invoice_at",
        "the true-up of 'promise' is invoiced at 2027-09-30T23:59:59Z, before the "
        "commit ends",
    ),
]


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert_correct(tmp_path, CATALOG)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    assert_one_message(tmp_path, CATALOG, edit)
