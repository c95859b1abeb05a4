"""One company billed on both engines, and one Spark session for this folder."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import spark
from orchestration.billing_run import (
    BEFORE_CLOSE,
    READERS,
    BillingRun,
    check_workspace,
    close_books,
    copy_operations,
    land_usage,
)
from orchestration.ledger_entry import KIND, TARGET_TYPE
from orchestration.operations import Operations
from orchestration.sample_company import SampleCompany, stage
from orchestration.workspace import Workspace
from tests.credits import wallet_accounts, wallet_company
from tests.credits.random_wallets import daily_credit, random_account
from tests.rating.metered import append, write
from tests.rating.random_contracts import (
    OCTOBER,
    Account,
    company_of,
    random_accounts,
)
from tests.support import instant

# August and September are closed, then October, when September's last events have come
# too late.
CLOSINGS = ("2026-10-02", "2026-11-02")

DEAD_CLOSE = "cl_dead"

# Customers with random contracts who use something in the second month.
RANDOM_CUSTOMERS = 30
RANDOM_MONTH = OCTOBER

# Customer -> how many grants it has for its October; of the last, one a day for a year.
WALLETS = {"wallet-1": 1, "wallet-20": 20, "wallet-60": 60, "wallet-365": 0}
# Columns with ids that the catalogs of random contracts and wallets both use.
SHARED_IDS = (
    "applicable_product_ids",
    "composite_product_ids",
    "event_types",
    "metric_id",
    "pricing_unit_id",
    "product_id",
)

# Small data on a warm-up: the optimizing compiler would cost more than it gives. On its
# own, the quick one keeps 48 MB of code and interprets what comes once they are full.
QUICK_JAVA = "-XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"

AGGREGATIONS = ("MAX", "MIN", "LATEST", "UNIQUE", "AVG", "TIME_WEIGHTED_SUM")

SMALLEST = Decimal("0.000000000001")
TOKENS_GIVEN = Decimal("33.333333333333")

# Text that one engine or the other takes for syntax, in group values and in a name.
NASTY_PROJECTS = (
    "O'Hara",
    'say "hi"',
    "back\\slash",
    "tab\tand\nline",
    "Zürich 東京 🚀",
    "{}",
    "%s ${x} \\'",
    " spaced ",
    "",
)
# Projects as seats of the first customer, and when they come.
SEATS = {
    "project-1": "2026-09-01T00:00Z",
    "project-2": "2026-09-15T06:00Z",
    "O'Hara": "2026-09-01T00:00Z",
    'say "hi"': "2026-09-01T00:00Z",
    "back\\slash": "2026-09-20T00:00Z",
    "Zürich 東京 🚀": "2026-10-01T00:00Z",
}
NASTY_NAME = 'O\'Hara "Søn" \\ 東京, Inc.'

without_spark = pytest.mark.skipif(
    spark.missing() is not None, reason=spark.missing() or ""
)


@dataclass(frozen=True)
class Engines:
    """The same company as DuckDB and as Spark billed it."""

    duckdb: BillingRun
    spark: BillingRun


@pytest.fixture(scope="session")
def quick_spark() -> Iterator[None]:
    """The JVM's settings for this folder; it ends with the last test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(spark.JAVA_OPTIONS, QUICK_JAVA)
        patch.setenv(spark.MEMORY, "2g")
        patch.setenv(spark.PARTITIONS, "1")
        yield
        spark.stop()


@pytest.fixture(scope="session")
def spark_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark works; a session of its own for each workspace would cost a JVM."""
    return tmp_path_factory.mktemp("on-spark")


@pytest.fixture(scope="session")
def engines(
    sample: SampleCompany,
    spark_workspace: Path,
    quick_spark: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Engines:
    """Both closings on each engine, with a dead close before the second."""
    folder = tmp_path_factory.mktemp("on-duckdb")
    return Engines(
        bill(sample, folder, "duckdb"), bill(sample, spark_workspace, "spark")
    )


def bill(sample: SampleCompany, folder: Path, target: str) -> BillingRun:
    """Land, build and close, closing after closing; then the readers, of which no
    closing reads any. The data tests are left out: the laws have a test of their own.
    """
    for closing in CLOSINGS:
        stage(sample.directory, folder, instant(closing))
        make_nasty(folder)
        meter_everything(folder)
        contract_at_random(folder)
        share_a_commit(folder)
        sell_by_commit(folder)
        seat_projects(folder)
        is_first = closing == CLOSINGS[0]
        if not is_first:
            fill_wallets(folder)
            come_late(folder)
            use_at_random(folder)
        run = BillingRun(
            Workspace.load(folder),
            instant(closing),
            dbt_target=target,
            backfill=is_first,
        )
        check_workspace(run.workspace)
        land_usage(run)
        copy_operations(run)
        run.dbt.build(BEFORE_CLOSE, (*READERS, "test_type:data")).raise_for_failures()
        if not is_first:
            leave_dead_close(run)
        close_books(run)
        if is_first:
            enter_by_hand(run)
    run.dbt.build(READERS, ("test_type:data",)).raise_for_failures()
    return run


def leave_dead_close(run: BillingRun) -> None:
    """What a close that died after its first table leaves behind where there are no
    transactions: rows whose close_id has no header."""
    everything = "select '{}' as close_id, * {} (close_id) from books.rated_slices"
    if run.dbt_target == "spark":
        spark.session(run.workspace).sql(
            "insert into books.rated_slices "
            f"{everything.format(DEAD_CLOSE, 'except')} order by slice_id limit 3"
        )
        return
    with duckdb.connect(str(run.workspace.warehouse)) as con:
        con.execute(
            "insert into books.rated_slices "
            f"{everything.format(DEAD_CLOSE, 'exclude')} order by slice_id limit 3"
        )


def make_nasty(folder: Path) -> None:
    """Names and group values with quotes, backslashes and letters beyond ASCII."""
    customers = folder / "catalog" / "customers.csv"
    text = customers.read_text(encoding="utf-8")
    quoted = '"' + NASTY_NAME.replace('"', '""') + '"'
    customers.write_text(text.replace("Juniper Robotics", quoted), encoding="utf-8")
    events = folder / "events" / "nasty.ndjson"
    lines = [
        json.dumps(_event(number, project))
        for number, project in enumerate(NASTY_PROJECTS)
    ]
    events.write_text("\n".join(lines) + "\n", encoding="utf-8")


def come_late(folder: Path) -> None:
    """One more event in an hour of closed September that has events already."""
    late = {**_event(30, "late"), "transaction_id": "late-1"}
    path = folder / "events" / "late.ndjson"
    path.write_text(json.dumps(late) + "\n", encoding="utf-8")


def enter_by_hand(closed: BillingRun) -> None:
    """Give to every grant that has something left and runs on, and take from it; not
    to the wallets, which a reference pays for."""
    left = closed.warehouse.rows(
        "select grants.segment_id, grants.currency, grants.starting_at "
        "from credits.credit_grants as grants "
        "inner join staging.stg_books__ledger_entries as posted "
        "on grants.segment_id = posted.segment_id "
        "where grants.customer_id not like 'wallet-%' "
        "and grants.pricing_unit_id is null "
        "and (grants.ending_before is null "
        "or grants.ending_before > timestamp '2026-10-11 00:00:00') "
        "group by grants.segment_id, grants.currency, grants.starting_at "
        "having sum(posted.amount_minor) > 250 order by grants.segment_id"
    )
    operations = Operations.open(closed.workspace)
    for row in left:
        for amount, at in (
            ("12.34", instant("2026-10-10T06:00")),
            ("-2.5", row["starting_at"].replace(tzinfo=UTC)),
        ):
            operations.add_instruction(
                kind=KIND,
                target_type=TARGET_TYPE,
                target_id=row["segment_id"],
                actor="O'Hara",
                reason='say "hi"',
                created_at=closed.as_of,
                effective_at=at,
                details={"amount": amount, "currency": row["currency"]},
            )
    operations.close()


def random_customers() -> dict[str, Account]:
    """The same ones each time."""
    return random_accounts(random.Random(4), RANDOM_CUSTOMERS, RANDOM_MONTH)


def contract_at_random(folder: Path) -> None:
    """Every price model, override and conversion, by the writers of tests/rating."""
    products = (folder / "catalog" / "products.csv").read_text(encoding="utf-8")
    if "\nplain," in products:
        return
    tables, _ = company_of(random_customers(), RANDOM_MONTH)
    tables["credits"] = list(credits_in_units())
    for name, table in tables.items():
        append(folder, name, table)


def credits_in_units() -> Iterator[dict[str, str]]:
    """For each of the random customers; some pay all of their usage, some a part."""
    for customer, account in random_customers().items():
        for unit, amount, ending_before in (
            ("credits", "30.25", "2026-10-21T06:00Z"),
            ("tokens", f"{TOKENS_GIVEN}", ""),
        ):
            yield {
                "credit_id": f"{customer}-{unit}",
                "customer_id": customer,
                "name": unit,
                "currency": account.currency,
                "pricing_unit_id": unit,
                "amount": amount,
                "starting_at": "2026-09-30T00:00Z",
                "ending_before": ending_before,
            }


def share_a_commit(folder: Path) -> None:
    """The second customer is a child of the first, who has a large commit."""
    for name, key, value, columns in (
        ("commits", "commit_id", "commit-0001-annual", {"child_access": "ALL"}),
        (
            "contracts",
            "contract_id",
            "contract-0002-a",
            {"parent_contract_id": "contract-0001-a"},
        ),
    ):
        with (folder / "catalog" / f"{name}.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        (row,) = (row for row in table if row[key] == value)
        row |= columns
        write(folder, name, table)


def sell_by_commit(folder: Path) -> None:
    """Commits pay half of the list prices, but for seats."""
    path = folder / "catalog" / "rates.csv"
    with path.open(newline="") as file:
        rates = list(csv.DictReader(file))
    for row in rates:
        is_listed = row["rate_card_id"].startswith("list-")
        if is_listed and row["price_model"] == "flat" and row["rate_id"] != "seats":
            half = Decimal(row["unit_price"]) / 2
            row["commit_rate"] = f"{half:.12f}" if half >= SMALLEST else ""
    write(folder, "rates", rates)
    path = folder / "catalog" / "commits.csv"
    with path.open(newline="") as file:
        commits = list(csv.DictReader(file))
    for row in commits:
        row["rate_type"] = "COMMIT_RATE"
    write(folder, "commits", commits)


def wallet_customers() -> dict[str, wallet_accounts.Account]:
    """The same ones each time."""
    dice = random.Random(20)
    found = {
        customer: random_account(dice, customer, grants)
        for customer, grants in WALLETS.items()
    }
    credit = daily_credit(found["wallet-365"], "daily", datetime(2026, 1, 1))
    found["wallet-365"].grants.append(credit)
    return found


def fill_wallets(folder: Path) -> None:
    """Few and many grants, and what they pay."""
    tables, _ = wallet_company.company_of(wallet_customers())
    for name, table in tables.items():
        append(folder, name, [own_ids(row) for row in table])


def own_ids(row: dict[str, Any]) -> dict[str, Any]:
    """The row with every shared id prefixed, so that it means the wallets' own."""
    return row | {
        column: "|".join(f"w-{one}" for one in row[column].split("|"))
        for column in SHARED_IDS
        if row.get(column)
    }


def seat_projects(folder: Path) -> None:
    """The first customer's projects are seats, with a price, a pool and credits of
    their own."""
    if (folder / "catalog" / "subscriptions.csv").exists():
        return
    contract = {"contract_id": "contract-0001-a", "starting_at": "2026-09-01T00:00Z"}
    team = {
        "subscription_id": "team",
        "name": "Team",
        "quantity_management_mode": "SEAT_BASED",
        "seat_group_key": "project",
        "product_id": "seats",
        "collection_schedule": "ARREARS",
        "is_prorated": "true",
    }
    write(folder, "subscriptions", [team | contract])
    sell_seats(folder, "contract-0001-a")
    write(
        folder,
        "subscription_quantities",
        [
            {"subscription_id": "team", "starting_at": f"{day}T00:00Z", field: seats}
            for day, field, seats in (
                ("2026-09-01", "quantity", "3"),
                ("2026-09-11", "quantity_delta", "7"),
                ("2026-09-21", "quantity", "2"),
                ("2026-09-26", "quantity", "11"),
                ("2026-10-16", "quantity_delta", "-4"),
                ("2026-10-16", "quantity_delta", "9"),
            )
        ],
    )
    write(
        folder,
        "subscription_seats",
        [
            {"subscription_id": "team", "seat_id": seat, "starting_at": since}
            for seat, since in SEATS.items()
        ],
    )
    given = {
        "name": "Seats",
        "subscription_id": "team",
        "is_seat_increase_prorated": "true",
        **contract,
    }
    append(
        folder,
        "recurring_commits",
        [
            {
                "recurring_commit_id": "pool",
                "grant_type": "CREDIT",
                "amount": "3.7",
                "priority": "2",
                **given,
            },
            {
                "recurring_commit_id": "own",
                "grant_type": "PREPAID_COMMIT",
                "amount": "0.37",
                "invoice_amount": "0.11",
                "allocation": "INDIVIDUAL",
                "priority": "1",
                **given,
            },
        ],
    )


def sell_seats(folder: Path, contract: str) -> None:
    """A price of seats on the contract's card; prorated it is no whole cent."""
    with (folder / "catalog" / "contracts.csv").open(encoding="utf-8") as file:
        cards = {k["contract_id"]: k["rate_card_id"] for k in csv.DictReader(file)}
    seats = {"product_id": "seats", "name": "Seats", "product_type": "SUBSCRIPTION"}
    append(folder, "products", [seats])
    price = {"rate_id": "seats", "product_id": "seats", "price_model": "flat"}
    price |= {"rate_card_id": cards[contract], "unit_price": "0.37"}
    append(folder, "rates", [price | {"starting_at": "2026-01-01T00:00Z"}])


def use_at_random(folder: Path) -> None:
    _, events = company_of(random_customers(), RANDOM_MONTH)
    _, paid = wallet_company.company_of(wallet_customers())
    events += [event | {"event_type": f"w-{event['event_type']}"} for event in paid]
    lines = [json.dumps(event) for event in events]
    path = folder / "events" / "random.ndjson"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def meter_everything(folder: Path) -> None:
    """Every aggregation of a number that the company's events carry, two of them
    carrying forward, and a comparison; nobody is billed by them."""
    path = folder / "catalog" / "billable_metrics.csv"
    with path.open(encoding="utf-8", newline="") as file:
        metrics = list(csv.DictReader(file))
    if any(metric["metric_id"] == "all-max" for metric in metrics):
        return
    for aggregation in AGGREGATIONS:
        for carries in ("", "true"):
            if carries and aggregation not in ("LATEST", "TIME_WEIGHTED_SUM"):
                continue
            metrics.append(
                {
                    "metric_id": f"all-{aggregation.lower()}{carries}",
                    "name": aggregation,
                    "aggregation": aggregation,
                    "aggregation_key": "gb_hours",
                    "excluded_event_types": "nothing",
                    "carry_forward": carries,
                }
            )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(metrics[0] | metrics[-1]), restval="")
        writer.writeheader()
        writer.writerows(metrics)
    filters = folder / "catalog" / "metric_filters.csv"
    if not filters.exists():
        filters.write_text("metric_id,property,operator,property_values\n")
    with filters.open("a", encoding="utf-8") as file:
        file.write("all-max,gb_hours,greater_than,2.5\n")


def _event(number: int, project: str) -> dict[str, Any]:
    return {
        "transaction_id": f"nasty-{number}",
        "customer_id": "customer-0001",
        "event_type": "storage.snapshot",
        "timestamp": f"2026-09-30T23:59:{number:02}Z",
        "properties": {
            "region": "us",
            "project": project,
            "gb_hours": "7.000000000001",
        },
    }
