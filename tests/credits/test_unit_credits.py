"""Credits and commits in pricing units, by hand, over two closes.

1 credit (12 decimal places) = 0.01 USD in October, 0.02 from November; 1 token (2
places) = 0.0003 USD; 1 gem (no places) = 2 USD. Compute costs 1 credit, a call
0.333333333333 credits, inference 1.5 tokens, a stone half a gem, support 0.25 USD.

October
    acme    130 compute, 3 calls: 130 + 0.999999999999 credits; `gift` of 100 pays of
            the dearer line first: 30.999999999999 left x 0.01 = 0.31 USD
    beta    40 compute, 3 calls: 40.999999999999 credits; `pool` of 41 pays all and
            keeps 0.000000000001; support 10 x 0.25 = 2.50 is paid by `cash` of 5.00 USD
    gamma   60 compute: `first` of 20 and `bought` of 50 for 0.40 USD pay 20 and 40;
            333 inference = 499.5 tokens: `texts` of 400.25 leave 99.25 x 0.0003 =
            0.029775, 0.03 USD
    delta   70 compute: `annual` of 100 pays them, 30 stay
    epsilon 4 compute: `monthly` of 10 pays them, 6 expire
    zeta    a stone on each of three days: running 0.5, 1, 1.5 gems, to 1, 1, 2: 2 gems
            (and not 3, though 0.5 is one); `jewel` of 1 pays one: 1 x 2 = 2.00 USD
    eta     30 compute: `plan` of 100 pays them; of 70 half of 100 rolls over, 20 expire

Late, of October: 10 compute of delta. 80 - 70 paid = 10 credits = 0.10 USD, at the
price of October. acme's October is void: its 100 credits are back.

November
    acme    104 compute: the 100 that came back, 4 left = 0.08 USD
    delta   50 compute: the 30 that stayed; 20 left = 0.40 USD
    epsilon 13 compute: the 10 of November; 3 left = 0.06 USD
    zeta    4 stones, 2 gems: 1 given by hand; 1 left = 2.00 USD
    eta     60 compute: the 50 that rolled over; 10 left = 0.20 USD
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.billing_run import BillingRun, RunRefused
from orchestration.dbt_runner import DbtError
from orchestration.ledger_entry import enter
from orchestration.void_invoice import void
from orchestration.workspace import Workspace
from tests.rating.test_pricing_units import plain
from tests.support import copy_of, instant, rows, run_until_close

OCTOBER, NOVEMBER = "2026-10-01T00:00Z", "2026-11-01T00:00Z"
CUSTOMERS = ("acme", "beta", "gamma", "delta", "epsilon", "zeta", "eta")
PRODUCTS = {
    "compute": ("1", "credits"),
    "calls": ("0.333333333333", "credits"),
    "inference": ("1.5", "tokens"),
    "stones": ("0.5", "gems"),
    "support": ("0.25", ""),
}
CATALOG = {
    "customers": ["customer_id,name", *(f"{one},{one}" for one in CUSTOMERS)],
    "billing_profiles": [
        "billing_profile_id,collection_method,is_default",
        "card,charge_automatically,true",
    ],
    "billable_metrics": [
        "metric_id,name,aggregation,aggregation_key,event_types",
        *(f"{name},{name},SUM,units,{name}" for name in PRODUCTS),
    ],
    "products": [
        "product_id,name,product_type,metric_id",
        *(f"{name},{name.capitalize()},USAGE,{name}" for name in PRODUCTS),
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "pricing_units": [
        "pricing_unit_id,pricing_unit_name,decimal_places",
        "credits,Credits,",
        "tokens,Tokens,2",
        "gems,Gems,0",
    ],
    "pricing_unit_conversions": [
        "rate_card_id,pricing_unit_id,starting_at,amount_per_unit",
        f"usd,credits,{OCTOBER},0.01",
        f"usd,credits,{NOVEMBER},0.02",
        f"usd,tokens,{OCTOBER},0.0003",
        f"usd,gems,{OCTOBER},2",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,pricing_unit_id,"
        "starting_at",
        *(
            f"{name},usd,{name},flat,{price},{unit},{OCTOBER}"
            for name, (price, unit) in PRODUCTS.items()
        ),
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at,ending_before,"
        "renews_contract_id",
        *(f"k-{one},{one},usd,{OCTOBER},," for one in CUSTOMERS if one != "eta"),
        f"k-eta,eta,usd,{OCTOBER},{NOVEMBER},",
        f"k-eta-2,eta,usd,{NOVEMBER},2027-11-01T00:00Z,k-eta",
    ],
    "credits": [
        "credit_id,customer_id,contract_id,name,currency,pricing_unit_id,amount,"
        "priority,rollover_fraction,starting_at,ending_before",
        f"gift,acme,,Gift,USD,credits,100,,,{OCTOBER},2027-01-01T00:00Z",
        f"pool,beta,,Pool,USD,credits,41,,,{OCTOBER},2027-01-01T00:00Z",
        f"cash,beta,,Cash,USD,,5.00,,,{OCTOBER},2027-01-01T00:00Z",
        f"first,gamma,,First,USD,credits,20,1,,{OCTOBER},2027-01-01T00:00Z",
        f"texts,gamma,,Texts,USD,tokens,400.25,,,{OCTOBER},2027-01-01T00:00Z",
        f"annual,delta,,Annual,USD,credits,100,,,{OCTOBER},2027-10-01T00:00Z",
        f"jewel,zeta,,Jewel,USD,gems,1,,,{OCTOBER},2027-01-01T00:00Z",
        f"plan,eta,k-eta,Plan,USD,credits,100,,0.5,{OCTOBER},2027-10-01T00:00Z",
    ],
    "commits": [
        "commit_id,customer_id,contract_id,name,commit_type,currency,"
        "pricing_unit_id,amount,starting_at,ending_before",
        f"bought,gamma,k-gamma,Bought,PREPAID,USD,credits,50,{OCTOBER},"
        "2027-01-01T00:00Z",
    ],
    "invoice_schedules": [
        "commit_id,amount,invoice_at",
        f"bought,0.40,{OCTOBER}",
    ],
    "recurring_commits": [
        "recurring_commit_id,contract_id,name,grant_type,pricing_unit_id,amount,"
        "starting_at",
        f"monthly,k-epsilon,Monthly,CREDIT,credits,10,{OCTOBER}",
    ],
}
# Customer, day of the event, product, units.
USED = [
    ("acme", "2026-10-05", "compute", "130"),
    ("acme", "2026-10-06", "calls", "3"),
    ("beta", "2026-10-05", "compute", "40"),
    ("beta", "2026-10-06", "calls", "3"),
    ("beta", "2026-10-07", "support", "10"),
    ("gamma", "2026-10-05", "compute", "60"),
    ("gamma", "2026-10-05", "inference", "333"),
    ("delta", "2026-10-05", "compute", "70"),
    ("epsilon", "2026-10-05", "compute", "4"),
    ("zeta", "2026-10-05", "stones", "1"),
    ("zeta", "2026-10-06", "stones", "1"),
    ("zeta", "2026-10-07", "stones", "1"),
    ("eta", "2026-10-05", "compute", "30"),
]
LATE = [("delta", "2026-10-30", "compute", "10")]
NEXT = [
    ("acme", "2026-11-05", "compute", "104"),
    ("delta", "2026-11-05", "compute", "50"),
    ("epsilon", "2026-11-05", "compute", "13"),
    ("zeta", "2026-11-05", "stones", "4"),
    ("eta", "2026-11-05", "compute", "60"),
]
LINE = "line_type, pricing_unit_id, quantity, amount, amount_minor"


def put(folder: Path, name: str, used: list[tuple[str, str, str, str]]) -> None:
    lines = [
        f'{{"transaction_id": "{name}-{number}", "customer_id": "{customer}", '
        f'"event_type": "{product}", "timestamp": "{day}T12:00:00Z", '
        f'"properties": {{"units": "{units}"}}}}'
        for number, (customer, day, product, units) in enumerate(used)
    ]
    (folder / "events" / f"{name}.ndjson").write_text("\n".join(lines) + "\n")


def make(folder: Path) -> None:
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    for name, lines in CATALOG.items():
        (folder / "catalog" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    put(folder, "october", USED)


def go_on(folder: Path) -> None:
    """Void acme's October, give zeta a gem, and let November be used."""
    workspace = Workspace.load(folder)
    [invoice] = rows(
        folder,
        "from invoicing.invoices where customer_id = 'acme' and status = 'FINALIZED'",
    )
    void(workspace, invoice["invoice_id"], "wrong price", "ada")
    enter(workspace, "jewel", "1", "outage", "ada", instant("2026-11-01"))
    put(folder, "late", LATE)
    put(folder, "november", NEXT)


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unit-credits") / "company"
    make(folder)
    run_until_close(folder, "2026-11-02T01:00")
    return folder


@pytest.fixture(scope="module")
def november(october: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of(october, tmp_path_factory.mktemp("later") / "company")
    go_on(folder)
    run_until_close(folder, "2026-12-02T01:00")
    return folder


def found(folder: Path, query: str) -> list[tuple[Any, ...]]:
    return [
        tuple(plain(v) if isinstance(v, Decimal) else v for v in row.values())
        for row in rows(folder, query)
    ]


def lines(folder: Path, customer: str, month: str) -> list[tuple[Any, ...]]:
    return found(
        folder,
        f"select {LINE} from invoicing.invoice_lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        f"where customer_id = '{customer}' and invoice_type = 'USAGE' and "
        f"invoices.period_start = timestamp '{month}-01' and (quantity <> 0 or "
        "line_type = 'cpu_conversion' and pricing_unit_id = 'credits') "
        "order by line_number",
    )


def owed(folder: Path, month: str) -> dict[str, int]:
    return dict(
        found(
            folder,
            "select customer_id, total_minor from invoicing.invoices "
            "where invoice_type = 'USAGE' "
            f"and period_start = timestamp '{month}-01'",
        )
    )


USAGE, PAID, CONVERTED = "usage", "applied_commit_or_credit", "cpu_conversion"


def test_what_a_grant_leaves_of_a_unit_is_converted(october: Path) -> None:
    assert lines(october, "acme", "2026-10") == [
        (USAGE, "credits", "3", "0.999999999999", 0),
        (USAGE, "credits", "130", "130", 0),
        (CONVERTED, "credits", "30.999999999999", "0.31", 31),
        (PAID, "credits", "1", "-100", 0),
    ]


def test_a_wallet_of_money_and_one_of_units_pay_their_own(october: Path) -> None:
    assert lines(october, "beta", "2026-10") == [
        (USAGE, "credits", "3", "0.999999999999", 0),
        (USAGE, "credits", "40", "40", 0),
        (USAGE, None, "10", "2.5", 250),
        (CONVERTED, "credits", "0", "0", 0),
        (PAID, "credits", "1", "-0.999999999999", 0),
        (PAID, "credits", "1", "-40", 0),
        (PAID, None, "1", "-2.5", -250),
    ]


def test_two_units_have_two_wallets_and_two_grants_one_order(october: Path) -> None:
    assert lines(october, "gamma", "2026-10") == [
        (USAGE, "credits", "60", "60", 0),
        (USAGE, "tokens", "333", "499.5", 0),
        (CONVERTED, "credits", "0", "0", 0),
        (CONVERTED, "tokens", "99.25", "0.029775", 3),
        (PAID, "credits", "1", "-20", 0),
        (PAID, "credits", "1", "-40", 0),
        (PAID, "tokens", "1", "-400.25", 0),
    ]


def test_a_unit_with_few_places_is_rounded_by_the_line(october: Path) -> None:
    assert lines(october, "zeta", "2026-10") == [
        (USAGE, "gems", "3", "1.5", 0),
        (CONVERTED, "credits", "0", "0", 0),
        (CONVERTED, "gems", "1", "2", 200),
        (PAID, "gems", "1", "-1", 0),
    ]
    # Running 0.5, 1, 1.5: to 1, 1, 2. The first takes all that there is.
    assert found(
        october,
        "select cast(slice_start as date)::varchar, amount_minor "
        "from credits.credit_drawdowns where pricing_unit_id = 'gems'",
    ) == [("2026-10-05", 1)]


def test_invoices_ask_for_what_no_grant_paid(october: Path, november: Path) -> None:
    assert owed(october, "2026-10") == {
        **dict.fromkeys(CUSTOMERS, 0),
        "acme": 31,
        "gamma": 3,
        "zeta": 200,
    }
    assert owed(november, "2026-11") == {
        "acme": 8,
        "beta": 0,
        "gamma": 0,
        "delta": 40,
        "epsilon": 6,
        "zeta": 200,
        "eta": 20,
    }


def test_stripe_is_told_of_money_alone(october: Path) -> None:
    assert sorted(
        found(
            october,
            "select description, amount_minor "
            "from publishing.stripe_invoice_line_requests",
        )
    ) == [
        ("Bought", 40),
        ("Cash applied to Support", -250),
        ("Credits at 0.01 USD - quantity 30.999999999999", 31),
        ("Gems at 2 USD - quantity 1", 200),
        ("Support - quantity 10", 250),
        ("Tokens at 0.0003 USD - quantity 99.25", 3),
    ]


def test_balances_are_in_their_unit(october: Path, november: Path) -> None:
    balances = (
        "select grant_id, pricing_unit_id, drawn_minor, balance "
        "from credits.credit_balances order by grant_id"
    )
    parts = 10**12
    assert found(october, balances) == [
        ("annual", "credits", 70 * parts, "30"),
        ("bought", "credits", 40 * parts, "10"),
        ("cash", None, 250, "2.5"),
        ("first", "credits", 20 * parts, "0"),
        ("gift", "credits", 100 * parts, "0"),
        ("jewel", "gems", 1, "0"),
        ("monthly:2026-10-01", "credits", 4 * parts, "0"),
        ("monthly:2026-11-01", "credits", 0, "10"),
        ("plan", "credits", 30 * parts, "0"),
        ("plan:k-eta-2", "credits", 0, "50"),
        ("pool", "credits", 41 * parts - 1, "0.000000000001"),
        ("texts", "tokens", 40025, "0"),
    ]
    left = {grant: left for grant, _, _, left in found(november, balances)}
    assert {grant for grant, balance in left.items() if balance != "0"} == {
        "bought",
        "cash",
        "monthly:2026-12-01",
        "pool",
    }


def test_the_ledger_is_in_units_from_start_to_end(november: Path) -> None:
    kind = "replace(entry_type, 'AUTOMATED_INVOICE_', '')"
    moves = found(
        november,
        f"select grant_id, {kind}, pricing_unit_id, amount, running_balance_minor "
        "from credits.credit_ledger "
        "where grant_id in ('gift', 'jewel', 'monthly:2026-10-01', 'plan') "
        "order by grant_id, entry_number",
    )
    parts = 10**12
    assert moves == [
        ("gift", "CREDIT_SEGMENT_START", "credits", "100", 100 * parts),
        ("gift", "CREDIT_DEDUCTION", "credits", "-100", 0),
        ("gift", "CREDIT_CREDITED", "credits", "100", 100 * parts),
        ("gift", "CREDIT_DEDUCTION", "credits", "-100", 0),
        ("jewel", "CREDIT_SEGMENT_START", "gems", "1", 1),
        ("jewel", "CREDIT_DEDUCTION", "gems", "-1", 0),
        ("jewel", "CREDIT_MANUAL", "gems", "1", 1),
        ("jewel", "CREDIT_DEDUCTION", "gems", "-1", 0),
        ("monthly:2026-10-01", "CREDIT_SEGMENT_START", "credits", "10", 10 * parts),
        ("monthly:2026-10-01", "CREDIT_DEDUCTION", "credits", "-4", 6 * parts),
        ("monthly:2026-10-01", "CREDIT_EXPIRATION", "credits", "-6", 0),
        ("plan", "CREDIT_SEGMENT_START", "credits", "100", 100 * parts),
        ("plan", "CREDIT_DEDUCTION", "credits", "-30", 70 * parts),
        ("plan", "CREDIT_ROLLOVER", "credits", "-50", 20 * parts),
        ("plan", "CREDIT_EXPIRATION", "credits", "-20", 0),
    ]


def test_what_was_paid_for_units_is_recognised_in_money(october: Path) -> None:
    # 40 of 50 credits for 0.40 USD.
    assert found(
        october,
        "select pricing_unit_id, used, paid, free_minor "
        "from credits.credit_recognition where grant_id = 'bought'",
    ) == [("credits", "40", "0.32", None)]


def test_a_runway_is_of_one_unit(october: Path) -> None:
    # October is not over a week ago: 40.999999999999 credits burned in 30 days.
    assert found(
        october,
        "select pricing_unit_id, minor_unit, balance_minor from credits.credit_runway "
        "where customer_id = 'beta' order by 1 nulls first",
    ) == [(None, "0.01", 250), ("credits", "0.000000000001", 1)]


def test_late_usage_of_a_unit_costs_what_it_did_at_the_close(november: Path) -> None:
    assert found(
        november,
        "select product_id, pricing_unit_id, late_quantity, already_billed_minor, "
        "rerated_minor, correction_minor, is_reproduced from invoicing.late_usage "
        "order by product_id nulls last",
    ) == [
        ("compute", "credits", "10", 0, 0, 0, True),
        (None, "credits", "10", 0, 10, 10, True),
    ]


def test_closed_months_stay_as_they_were(october: Path, november: Path) -> None:
    [first] = rows(october, "select rolling_digest from books.closes")
    assert first in rows(november, "select rolling_digest from books.closes")
    for customer in CUSTOMERS:
        closed = lines(october, customer, "2026-10")
        assert lines(november, customer, "2026-10") == closed


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0.5", "finer than gems, which has 0 decimal places"),
        ("9000000000000000000000", "no decimal number"),
        ("-1", r"takes 1 gems, more than the 0 gems"),
    ],
)
def test_an_entry_by_hand_is_in_the_unit(october: Path, amount: str, said: str) -> None:
    with pytest.raises(RunRefused, match=said):
        enter(Workspace.load(october), "jewel", amount, "outage", "ada")


BROKEN = [
    (
        # A grant paid it, and the customer is asked for it too.
        "law_3_conversion_equals_its_lines",
        "update books.invoice_lines set quantity = 50, amount = 1, "
        "amount_minor = 100 where line_type = 'cpu_conversion' and quantity = 20",
    ),
    (
        "law_3_conversion_equals_its_lines",
        "update books.invoice_lines set amount_minor = -1 "
        "where line_type like 'applied%' and pricing_unit_id = 'gems'",
    ),
    (
        "law_3_applied_equals_covered",
        "update books.invoice_lines set amount = amount - 0.000000000001 "
        "where line_type like 'applied%' and pricing_unit_id = 'credits'",
    ),
    (
        "law_4_draws_are_by_contracts_that_may",
        "update credits.drawable_charges set pricing_unit_id = null",
    ),
    (
        "law_4_no_balance_below_zero",
        "update books.ledger_entries set pricing_unit_id = 'gems' "
        "where amount_minor < 0 and grant_id = 'cash'",
    ),
    (
        "law_5_deductions_equal_applied_lines",
        "update books.invoice_lines set amount = amount + 0.01 "
        "where line_type like 'applied%' and pricing_unit_id = 'tokens'",
    ),
    (
        "check_posted_grants_stand",
        "update credits.credit_grants set amount_minor = amount_minor * 10 "
        "where pricing_unit_id = 'tokens'",
    ),
    (
        "check_posted_units_stand",
        "update books.frozen_pricing_unit_conversions set decimal_places = 6 "
        "where pricing_unit_id = 'credits'",
    ),
    (
        "check_unit_balances_fit_their_decimal_places",
        "update credits.credit_grants "
        "set opening_balance_minor = 9000000000000000000 where grant_id = 'pool'",
    ),
    (
        "law_7_closes_are_unchanged",
        "update books.ledger_entries set pricing_unit_id = 'tokens' "
        "where pricing_unit_id = 'gems'",
    ),
]


def test_laws_of_units_go_red(november: Path, tmp_path: Path) -> None:
    run = BillingRun(
        Workspace.load(copy_of(november, tmp_path / "company")),
        instant("2026-12-02T01:00"),
    )
    warehouse = run.workspace.warehouse
    run.dbt.test(sorted({law for law, _ in BROKEN})).raise_for_failures()
    for law, change in BROKEN:
        shutil.copy(Workspace.load(november).warehouse, warehouse)
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(change)
        with pytest.raises(DbtError, match=law):
            run.dbt.test([law]).raise_for_failures()
