"""Prices in pricing units beside money in one contract, from the event to Stripe.

October, by hand. 1 credit = 0.01 USD (0.02 from November), 1 token = 0.0003 USD.

    compute    120.5: 100 x 1 + 20.5 x 0.5 = 110.25 credits, less 10 % = 99.225 credits
    storage    7 x 0.3 = 2.1 credits
    mixed      1.5 before the 15th at 2.00 = 3.00 USD; 2 after it at 40 = 80 credits
    seats      MAX: 3 before the 15th at 1.00 = 3.00 USD; 5 after it are 2 more,
               at 10 = 20 credits
    support    3 x 0.25 = 0.75 USD
    inference  333 x 1.5 = 499.5 tokens

    credits    99.225 + 2.1 + 80 + 20 = 201.325 x 0.01 = 2.01325, to 2.01 USD
    tokens     499.5 x 0.0003 = 0.14985, to 0.15 USD
    total      3.00 + 3.00 + 0.75 + 2.01 + 0.15 = 8.91; the welcome credit of 8.00
               pays what is money from the beginning, 6.75: 2.16 to pay

10 more units of compute come late: 100 + 30.5 x 0.5 = 115.25, less 10 % = 103.725, so
205.825 credits are 2.05825, to 2.06 USD: five cents more, whatever a credit costs now.
"""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.billing_run import BillingRun
from orchestration.dbt_runner import DbtError
from orchestration.draft_diff import diff_drafts
from orchestration.line_events import line_events
from orchestration.workspace import Workspace
from tests.support import copy_of, instant, rows, run_all, run_until_close

OCTOBER, NOVEMBER = "2026-10-01T00:00Z", "2026-11-01T00:00Z"
SUMS = ("compute", "storage", "mixed", "support", "inference")
PRODUCTS = (*SUMS, "seats")
CATALOG = {
    "customers": ["customer_id,name", "acme,Acme"],
    "billing_profiles": [
        "billing_profile_id,collection_method,is_default",
        "card,charge_automatically,true",
    ],
    "billable_metrics": [
        "metric_id,name,aggregation,aggregation_key,event_types",
        *(f"{name},{name},SUM,units,{name}" for name in SUMS),
        "seats,seats,MAX,units,seats",
    ],
    "products": [
        "product_id,name,product_type,metric_id",
        *(f"{name},{name.capitalize()},USAGE,{name}" for name in PRODUCTS),
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "pricing_units": [
        "pricing_unit_id,pricing_unit_name",
        "credits,Compute credits",
        "tokens,Tokens",
    ],
    "pricing_unit_conversions": [
        "rate_card_id,pricing_unit_id,starting_at,amount_per_unit",
        f"usd,credits,{OCTOBER},0.01",
        f"usd,credits,{NOVEMBER},0.02",
        f"usd,tokens,{OCTOBER},0.0003",
    ],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,unit_price,pricing_unit_id,"
        "starting_at,ending_before",
        f"compute,usd,compute,graduated,,credits,{OCTOBER},",
        f"storage,usd,storage,flat,0.3,credits,{OCTOBER},",
        f"mixed-money,usd,mixed,flat,2,,{OCTOBER},2026-10-15T00:00Z",
        "mixed-credits,usd,mixed,flat,40,credits,2026-10-15T00:00Z,",
        f"seats-money,usd,seats,flat,1,,{OCTOBER},2026-10-15T00:00Z",
        "seats-credits,usd,seats,flat,10,credits,2026-10-15T00:00Z,",
        f"support,usd,support,flat,0.25,,{OCTOBER},",
        f"inference,usd,inference,flat,1.5,tokens,{OCTOBER},",
    ],
    "rate_tiers": [
        "rate_id,tier_start,tier_end,unit_price",
        "compute,0,100,1",
        "compute,100,,0.5",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,starting_at",
        f"k1,acme,usd,{OCTOBER}",
    ],
    "discounts": [
        "discount_id,contract_id,discount_type,percentage,position,product_ids,"
        "starting_at",
        f"ten,k1,percentage,0.1,1,compute,{OCTOBER}",
    ],
    "credits": [
        "credit_id,customer_id,name,amount,currency,starting_at,ending_before",
        f"welcome,acme,Welcome,8.00,USD,{OCTOBER},2027-01-01T00:00Z",
    ],
}
# Day of the event, product, units.
USED = [
    ("2026-10-02", "compute", "90"),
    ("2026-10-20", "compute", "30.5"),
    ("2026-10-03", "storage", "7"),
    ("2026-10-14", "mixed", "1.5"),
    ("2026-10-15", "mixed", "2"),
    ("2026-10-02", "seats", "3"),
    ("2026-10-10", "seats", "1"),
    ("2026-10-20", "seats", "5"),
    ("2026-10-05", "support", "3"),
    ("2026-10-06", "inference", "333"),
]
LATE = [("2026-10-21", "compute", "10")]
OPEN = [("2026-11-01", "compute", "4")]


def put(folder: Path, name: str, used: list[tuple[str, str, str]]) -> None:
    lines = [
        json.dumps(
            {
                "transaction_id": f"{name}-{number}",
                "customer_id": "acme",
                "event_type": product,
                "timestamp": f"{day}T12:00:00Z",
                "properties": {"units": units},
            }
        )
        for number, (day, product, units) in enumerate(used)
    ]
    (folder / "events" / f"{name}.ndjson").write_text("\n".join(lines) + "\n")


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / "catalog" / f"{file}.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is closed and published."""
    folder = tmp_path_factory.mktemp("units") / "company"
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text("")
    for name, lines in CATALOG.items():
        (folder / "catalog" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    put(folder, "october", USED)
    run_all(folder, "2026-11-02T01:00")
    return folder


@pytest.fixture(scope="module")
def later(closed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Late usage of October and some of November; the price book was edited since."""
    folder = copy_of(closed, tmp_path_factory.mktemp("later") / "company")
    put(folder, "late", LATE)
    put(folder, "november", OPEN)
    edit(folder, "pricing_unit_conversions", f"{OCTOBER},0.01", f"{OCTOBER},0.07")
    run_until_close(folder, "2026-11-03T00:00")
    return folder


def plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def lines(folder: Path, month: str, columns: str) -> list[tuple[Any, ...]]:
    found = rows(
        folder,
        f"select {columns} from invoicing.invoice_lines "
        f"where period_start = timestamp '{month}-01' order by line_number",
    )
    return [
        tuple(plain(v) if isinstance(v, Decimal) else v for v in row.values())
        for row in found
    ]


def test_the_invoice_shows_units_and_what_they_are_worth(closed: Path) -> None:
    columns = "line_name, line_type, pricing_unit_id, quantity, amount, amount_minor"
    usage, paid = "usage", "applied_commit_or_credit"
    assert lines(closed, "2026-10", columns) == [
        ("Compute", usage, "credits", "120.5", "99.225", 0),
        ("Inference", usage, "tokens", "333", "499.5", 0),
        ("Mixed", usage, None, "1.5", "3", 300),
        ("Mixed", usage, "credits", "2", "80", 0),
        ("Seats", usage, None, "3", "3", 300),
        ("Seats", usage, "credits", "2", "20", 0),
        ("Storage", usage, "credits", "7", "2.1", 0),
        ("Support", usage, None, "3", "0.75", 75),
        (
            "Compute credits at 0.01 USD",
            "cpu_conversion",
            "credits",
            "201.325",
            "2.01325",
            201,
        ),
        ("Tokens at 0.0003 USD", "cpu_conversion", "tokens", "499.5", "0.14985", 15),
        ("Welcome applied to Mixed", paid, None, "1", "-3", -300),
        ("Welcome applied to Seats", paid, None, "1", "-3", -300),
        ("Welcome applied to Support", paid, None, "1", "-0.75", -75),
    ]
    [invoice] = rows(closed, "from invoicing.invoices where status = 'FINALIZED'")
    totals = [invoice[f"{name}_minor"] for name in ("usage", "applied", "total")]
    assert totals == [891, -675, 216]


def test_sub_lines_of_a_unit_are_exact_and_no_money(closed: Path) -> None:
    found = rows(
        closed,
        "select charge, tier_start, subs.quantity, subs.amount, subs.amount_minor, "
        "subs.pricing_unit_id from invoicing.invoice_sub_lines as subs "
        "inner join invoicing.invoice_lines as lines using (line_id) "
        "where product_id = 'compute' and subs.status = 'FINALIZED' "
        "order by subs.amount desc",
    )
    assert [
        (row["charge"], plain(row["quantity"]), plain(row["amount"])) for row in found
    ] == [
        ("unit", "100", "100"),
        ("unit", "20.5", "10.25"),
        ("discount", "0", "-11.025"),
    ]
    assert {(row["amount_minor"], row["pricing_unit_id"]) for row in found} == {
        (0, "credits")
    }


def test_stripe_is_told_of_money_alone(closed: Path) -> None:
    with sqlite3.connect(closed / "stripe_sandbox.sqlite") as connection:
        items = [
            json.loads(body)
            for (body,) in connection.execute(
                "select payload from sandbox_objects where object = 'invoiceitem'"
            )
        ]
    assert sorted((item["description"], item["amount"]) for item in items) == [
        ("Compute credits at 0.01 USD - quantity 201.325", 201),
        ("Mixed - quantity 1.5", 300),
        ("Seats - quantity 3", 300),
        ("Support - quantity 3", 75),
        ("Tokens at 0.0003 USD - quantity 499.5", 15),
        ("Welcome applied to Mixed", -300),
        ("Welcome applied to Seats", -300),
        ("Welcome applied to Support", -75),
    ]
    [invoice] = rows(
        closed, "from reconciliation.invoice_reconciliation where has_stripe_invoice"
    )
    assert invoice["break_reason"] is None


def test_late_usage_in_a_unit_is_worth_what_it_was_at_the_close(later: Path) -> None:
    found = rows(
        later,
        "select product_id, pricing_unit_id, late_quantity, already_billed_minor, "
        "rerated_minor, correction_minor, is_reproduced from invoicing.late_usage "
        "order by product_id nulls last",
    )
    assert [
        (*list(row.values())[:2], plain(row["late_quantity"]), *list(row.values())[3:])
        for row in found
    ] == [
        ("compute", "credits", "10", 0, 0, 0, True),
        (None, "credits", "4.5", 201, 206, 5, True),
    ]


def test_another_period_has_its_own_conversion(later: Path) -> None:
    # 4 x 1, less 10 % = 3.6 credits at 0.02 = 0.072, to 0.07 USD.
    found = lines(later, "2026-11", "line_name, quantity, amount, amount_minor")
    assert ("Compute", "4", "3.6", 0) in found
    assert ("Compute credits at 0.02 USD", "3.6", "0.072", 7) in found


def test_the_books_are_the_same_after_another_run(later: Path, closed: Path) -> None:
    # Laws hash every closed line again in each run; here the digests themselves.
    digests = "select rolling_digest from books.closes"
    [digest] = rows(closed, digests)
    assert digest in rows(later, digests)
    assert lines(later, "2026-10", "*") == lines(closed, "2026-10", "*")


def test_the_events_behind_a_line_in_a_unit(closed: Path) -> None:
    found = {
        (line["product_id"], line["pricing_unit_id"]): line_events(
            Workspace.load(closed), line["line_id"]
        ).events
        for line in rows(
            closed,
            "from invoicing.invoice_lines where product_id in ('mixed', 'seats') "
            "and line_type = 'usage' and status = 'FINALIZED'",
        )
    }
    shares = {
        line: [plain(event["share"]) for event in events]
        for line, events in found.items()
    }
    assert shares == {
        ("mixed", None): ["1.5"],
        ("mixed", "credits"): ["2"],
        ("seats", None): ["3", "0"],
        ("seats", "credits"): ["2"],
    }


def test_diff_shows_lines_in_their_unit(later: Path, tmp_path: Path) -> None:
    folder = copy_of(later, tmp_path / "company")
    edit(folder, "rate_tiers", "compute,0,100,1", "compute,0,100,2.5")
    # 4 x 2.5, less 10 % = 9 credits at 0.02 = 0.18 USD.
    assert [
        (change.line_name, change.unit, str(change.old), str(change.new))
        for change in diff_drafts(Workspace.load(folder)).changes
    ] == [
        ("Compute credits at 0.02 USD", "USD", "0.07", "0.18"),
        ("Compute", "credits", "3.6", "9"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "update invoicing.draft_invoice_lines set quantity = quantity + 0.000001"
        " where line_type = 'cpu_conversion' and pricing_unit_id = 'credits'",
        "delete from invoicing.draft_invoice_lines"
        " where line_type = 'cpu_conversion' and pricing_unit_id = 'credits'",
        "update books.invoice_lines set amount_minor = 1 where product_id = 'storage'",
    ],
)
def test_the_law_of_conversions_goes_red(
    later: Path, tmp_path: Path, change: str
) -> None:
    run = BillingRun(
        Workspace.load(copy_of(later, tmp_path / "company")),
        instant("2026-11-03T00:00"),
    )
    law = ["law_3_conversion_equals_its_lines"]
    run.dbt.test(law).raise_for_failures()
    with duckdb.connect(str(run.workspace.warehouse)) as connection:
        connection.execute(change)
    with pytest.raises(DbtError, match=law[0]):
        run.dbt.test(law).raise_for_failures()


PRICES = """
select
    'storage' as rate_id, 'usd' as rate_card_id, 'storage' as product_id,
    'flat' as price_model, cast(null as varchar) as pricing_group_values,
    cast(0.3 as decimal(18, 12)) as unit_price, '{unit}' as pricing_unit_id,
    true as entitled, timestamp '2026-10-01' as starting_at,
    cast(null as timestamp) as ending_before
"""


@pytest.mark.parametrize(
    ("unit", "limit", "check"),
    [
        ("gems", None, "check_money_is_never_null"),
        ("credits", "minimums", "check_amounts_are_in_one_unit"),
        ("credits", "maximums", "check_amounts_are_in_one_unit"),
    ],
)
def test_computed_prices_in_units_meet_the_same_rules(
    tmp_path: Path, unit: str, limit: str | None, check: str
) -> None:
    folder = tmp_path / "company"
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "models").mkdir()
    (folder / "models" / "prices.sql").write_text(PRICES.format(unit=unit))
    (folder / "meterhouse.yml").write_text("rate_models: [prices]\n")
    for name, table in CATALOG.items():
        if name not in ("discounts", "credits", "rate_tiers"):
            path = folder / "catalog" / f"{name}.csv"
            kept = [line for line in table[1:] if name != "rates" or "support" in line]
            path.write_text("\n".join([table[0], *kept]) + "\n")
    if limit:
        (folder / "catalog" / f"{limit}.csv").write_text(
            f"{limit[:-1]}_id,contract_id,scope,product_ids,amount,starting_at\n"
            f"one,k1,product,storage,10,{OCTOBER}\n"
        )
    put(folder, "october", USED)
    with pytest.raises(DbtError, match=check):
        run_until_close(folder, "2026-11-02T01:00")
