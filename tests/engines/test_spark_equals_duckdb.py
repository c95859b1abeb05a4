"""The same company on both engines: every row of what is billed is the same."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration import spark
from orchestration.billing_run import BillingRun
from orchestration.spark import session
from tests.credits.test_random_wallets import DRAWS, differences, draws_of
from tests.credits.wallet_accounts import expected_draws
from tests.engines.conftest import (
    CLOSINGS,
    DEAD_CLOSE,
    NASTY_NAME,
    RANDOM_MONTH,
    SMALLEST,
    TOKENS_GIVEN,
    Engines,
    random_customers,
    wallet_customers,
    without_spark,
)
from tests.rating.random_contracts import (
    USAGE_LINES,
    billed_lines,
    expected_lines,
    unit_of,
)

pytestmark = [pytest.mark.spark, without_spark]

TABLES = (
    "books.closes",
    "books.credit_drawdowns",
    "books.frozen_customer_refs",
    "books.frozen_pricing_unit_conversions",
    "books.frozen_rate_tiers",
    "books.frozen_rates",
    "books.invoice_lines",
    "books.invoice_sub_lines",
    "books.invoices",
    "books.ledger_entries",
    "books.rated_slices",
    "credits.credit_balance_snapshots",
    "credits.credit_balances",
    "credits.credit_drawdowns",
    "credits.credit_ledger",
    "credits.credit_recognition",
    "credits.credit_runway",
    "invoicing.invoice_lines",
    "invoicing.invoice_sub_lines",
    "invoicing.invoices",
    "invoicing.late_usage",
    "invoicing.unbilled_usage",
    "metering.metered_usage",
    "metering.metered_values",
    "metering.usage_duplicates",
    "metering.usage_rejections",
    "publishing.stripe_invoice_line_requests",
    "publishing.stripe_invoice_requests",
    "rating.grant_contracts",
    "rating.grant_prices",
    "rating.known_usage",
    "rating.known_values",
    "rating.piece_prices",
    "rating.priced_seats",
    "rating.rated_tiers",
    "rating.rated_usage",
    "rating.slice_pieces",
    "rating.subscription_charges",
    "rating.usage_by_period",
    "staging.currencies",
)


def test_a_commit_pays_prices_of_its_own(engines: Engines) -> None:
    found = engines.spark.warehouse.rows(
        "select count(*) as draws from books.credit_drawdowns "
        "where amount_minor < list_amount_minor"
    )
    assert found[0]["draws"] > 0


def test_a_child_draws_on_its_parent(engines: Engines) -> None:
    found = engines.spark.warehouse.rows(
        "select count(*) as draws from books.credit_drawdowns as draws "
        "inner join credits.credit_grants as grants "
        "on draws.segment_id = grants.segment_id "
        "inner join invoicing.invoices as invoices "
        "on draws.invoice_id = invoices.invoice_id "
        "where invoices.customer_id <> grants.customer_id"
    )
    assert found[0]["draws"] > 0


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_equal(engines: Engines, table: str) -> None:
    """All columns, ids and hashes included, by a full comparison both ways; the types
    have the same widths."""
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        # Views name the warehouse that they were made in.
        con.execute(
            f"attach '{engines.duckdb.workspace.warehouse}' as warehouse (read_only)"
        )
        con.execute(f"create view ours as select * from warehouse.{table}")
        con.register("arrow", arrow_table(engines.spark, table))
        con.execute("create view theirs as select * from arrow")
        assert columns(con, "theirs") == columns(con, "ours")
        assert con.execute("select count(*) > 0 from ours").fetchall() == [(True,)]
        for one, other in (("ours", "theirs"), ("theirs", "ours")):
            missing = con.execute(
                f"select * from (from {one} except all from {other}) limit 3"
            ).fetchall()
            assert missing == [], f"in {one} only"


def test_the_company_tests_something(engines: Engines) -> None:
    """Two closes, late usage of a closed month, credits drawn, odd text on invoices."""
    count = engines.spark.warehouse.rows(
        "select (select count(*) from books.closes) as closes, "
        "(select count(*) from invoicing.late_usage) as late, "
        "(select count(*) from books.credit_drawdowns) as draws, "
        "(select count(*) from books.ledger_entries "
        " where reason is not null) as by_hand, "
        "(select count(*) from books.ledger_entries "
        " where entry_type like '%SEAT_BASED_ADJUSTMENT') as seats, "
        "(select count(*) from books.invoice_lines "
        " where line_type = 'subscription') as sold_seats, "
        "(select count(*) from books.credit_drawdowns as draws "
        " join credits.credit_grants as grants using (segment_id) "
        " where grants.seat_group_values is not null) as own_draws, "
        "(select count(*) from invoicing.invoice_lines "
        " where presentation_group_values like '%東京%') as nasty_lines, "
        "(select max(customer_name) from invoicing.invoices "
        " where customer_id = 'customer-0001') as name"
    )[0]
    assert count.pop("name") == NASTY_NAME
    assert count["closes"] == len(CLOSINGS)
    assert all(count.values()), count


def test_random_contracts_cost_on_spark_what_the_reference_rater_says(
    engines: Engines,
) -> None:
    """To the twelfth decimal, not only as DuckDB has it."""
    accounts = random_customers()
    found = {
        key: line
        for key, line in billed_lines(
            engines.spark.warehouse.rows(USAGE_LINES), RANDOM_MONTH
        ).items()
        if key[0] in accounts
    }
    expected = expected_lines(accounts, RANDOM_MONTH)
    assert len(expected) > 200
    assert {
        key: (found.get(key), expected.get(key))
        for key in {*found, *expected}
        if found.get(key) != expected.get(key)
    } == {}


def test_wallets_pay_on_spark_as_the_reference_says(engines: Engines) -> None:
    """1, 20 and 60 grants at a time, and one a day for a year: draw by draw."""
    accounts = wallet_customers()
    found = draws_of(
        row
        for row in engines.spark.warehouse.rows(DRAWS)
        if row["customer_id"] in accounts
    )
    expected = {
        (*key[:4], f"w-{key[4]}", *key[5:]): amount
        for key, amount in expected_draws(accounts).items()
    }
    drawing = {
        customer: len({key[1:4] for key in expected if key[0] == customer})
        for customer in accounts
    }
    assert drawing["wallet-1"] == 1
    assert drawing["wallet-20"] > 5
    assert drawing["wallet-60"] > 20
    assert drawing["wallet-365"] > 5
    assert found == expected, differences(found, expected)


def test_seats_cost_on_spark_what_they_cost(engines: Engines) -> None:
    """In September 3 seats, 7 more for its last 20 of 30 days, one more for the last 5:
    0.37 x 20 / 30 = 0.25 and 0.37 x 5 / 30 = 0.06 a seat; a decrease between gives
    nothing back."""
    found = engines.spark.warehouse.rows(
        "select amount_minor from invoicing.invoice_lines "
        "where line_type = 'subscription' order by period_start"
    )
    assert found[0]["amount_minor"] == 3 * 37 + 7 * 25 + 6


def test_credits_in_a_unit_pay_on_spark_what_is_used(engines: Engines) -> None:
    """All of a customer's tokens or all of its credit, to the last place."""
    used: dict[str, Decimal] = {}
    for (customer, product, *_), (_, amount, _) in expected_lines(
        random_customers(), RANDOM_MONTH
    ).items():
        if unit_of(customer, product) == "tokens":
            used[customer] = used.get(customer, Decimal(0)) + amount
    # What is taken back on one line, or later on the same one, is not paid to another.
    for row in engines.spark.warehouse.rows(
        "select distinct customer_id from rating.rated_usage "
        "where pricing_unit_id = 'tokens' and amount < 0"
    ):
        used.pop(row["customer_id"], None)
    found = {
        row["customer_id"]: Decimal(row["drawn_minor"]) * SMALLEST
        for row in engines.spark.warehouse.rows(
            "select customer_id, sum(-amount_minor) as drawn_minor "
            "from books.ledger_entries where pricing_unit_id = 'tokens' "
            "and entry_type like '%DEDUCTION' group by customer_id"
        )
    }
    expected = {
        customer: min(amount, TOKENS_GIVEN)
        for customer, amount in used.items()
        if amount
    }
    assert {customer: found.get(customer) for customer in expected} == expected
    assert {amount < TOKENS_GIVEN for amount in expected.values()} == {False, True}


def test_the_laws_hold_on_spark(engines: Engines) -> None:
    """Spark turns what overflows into NULL; the checks would find it."""
    tests = engines.spark.dbt.test(["tag:law", "tag:check"], ["tag:law_after_publish"])
    assert len(tests.nodes) > 20
    tests.raise_for_failures()


def test_a_law_goes_red_on_spark(engines: Engines) -> None:
    """A row added to closed time; it is taken out again."""
    folder = spark.warehouse_folder(engines.spark.workspace) / "books.db" / "invoices"
    before = set(folder.iterdir())
    con = session(engines.spark.workspace)
    con.sql(
        "insert into books.invoices select * from books.invoices "
        "where total_minor > 0 order by invoice_id limit 1"
    )
    try:
        tests = engines.spark.dbt.test(["law_7_closes_are_unchanged"])
        assert [(node.name, node.failures) for node in tests.failed] == [
            ("law_7_closes_are_unchanged", 1)
        ]
    finally:
        for path in set(folder.iterdir()) - before:
            path.unlink()
        con.sql("refresh table books.invoices")


def test_closing_twice_closes_once(engines: Engines) -> None:
    """Nothing is due any more, on an engine without transactions either."""
    assert engines.spark.dbt.run_operation("close_books") == ["close: nothing to close"]


def test_a_dead_close_is_another_attempt(engines: Engines) -> None:
    """It died before its header: its rows never count, and the close that follows has
    another id, or they would count with it."""
    (last,) = engines.spark.warehouse.rows(
        "select close_id, build_id from books.closes order by as_of desc limit 1"
    )
    second = hashlib.sha256(f"{last['build_id']}|1".encode()).hexdigest()[:24]
    assert last["close_id"] == f"cl_{second}"
    seen = engines.spark.warehouse.rows(
        "select (select count(*) from books.rated_slices "
        f" where close_id = '{DEAD_CLOSE}') as written, "
        "(select count(*) from staging.stg_books__rated_slices "
        f" where close_id = '{DEAD_CLOSE}') as counted"
    )
    assert seen == [{"written": 3, "counted": 0}]


def arrow_table(run: BillingRun, table: str) -> pa.Table:
    """A Spark table; instants as they are in DuckDB, UTC without a zone."""
    found = session(run.workspace).table(table).toArrow()
    naive = pa.schema(
        [
            field.with_type(pa.timestamp("us"))
            if pa.types.is_timestamp(field.type)
            else field
            for field in found.schema
        ]
    )
    return found.cast(naive)


def columns(con: duckdb.DuckDBPyConnection, view: str) -> list[tuple[Any, ...]]:
    """(name, type) in order."""
    return con.execute(
        f"select column_name, column_type from (describe {view})"
    ).fetchall()
