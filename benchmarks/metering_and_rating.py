"""What metering and rating cost over one bare query, at any size, grain and history.

The lake is written as landing leaves it: one sorted, compressed Parquet file a day and
batch. 100,000 customers by default, their events skewed with the cube, five meters with
three dimensions each, 1 % of the events resent. A customer has one region, one team and
two models; with --spread each event takes any of all 60 combinations instead. The bare
query drops repeated ids exactly and adds up to the grain of `metered_usage`. Every
figure is of a process of its own.

    python benchmarks/metering_and_rating.py --events 10000000
    python benchmarks/metering_and_rating.py --events 10000000 --grain day
    python benchmarks/metering_and_rating.py --events 10000000 --spread
    python benchmarks/metering_and_rating.py --per-day 100000 --days 30 --days 365
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from measure import Figure, header, measure, row

from orchestration.billing_run import (
    BillingRun,
    build_until_close,
    check_workspace,
    close_books,
)
from orchestration.landing.lake import ROW_GROUP, ensure_schema_files, event_schema
from orchestration.landing.usage_keys import usage_keys
from orchestration.operations import Operations, export_to_parquet
from orchestration.workspace import Workspace

LAST_DAY = date(2026, 10, 30)
METERS = {
    "requests": ("COUNT", ""),
    "tokens": ("SUM", "amount"),
    "gigabytes": ("SUM", "amount"),
    "peak": ("MAX", "amount"),
    "seconds": ("SUM", "amount"),
}
MODELS, REGIONS, TEAMS = 5, 4, 3
# Days before the last one are closed month by month, as they would have been.
METERING = ("+stg_catalog__rates", "+stg_currencies", "staging", "+metering")
RATING = ("rating",)
NO_TESTS = ("resource_type:test", "resource_type:unit_test")

BARE_QUERY = """
create temp table metered as
select
    customer_ref,
    event_type,
    date_trunc('{grain}', event_at) as usage_step,
    property_model,
    property_region,
    property_team,
    sum(try_cast(property_amount as decimal(31, 12))) as total,
    max(try_cast(property_amount as decimal(31, 12))) as highest,
    count(*) as events
from (
    select
        *,
        row_number() over (
            partition by transaction_id order by landing_sequence, landing_row
        ) as landing
    from read_parquet('{lake}/events/**/*.parquet', hive_partitioning = true)
)
where landing = 1
group by all
"""

BARE_PROGRAM = """
import sys, duckdb
con = duckdb.connect(config={
    "threads": 2, "memory_limit": "4GB", "temp_directory": sys.argv[2],
})
con.execute(sys.argv[1])
"""


def write_catalog(folder: Path, customers: int, first_day: date, grain: str) -> None:
    """Flat, graduated and volume prices by model and region, lines by team."""
    starting_at = f"{first_day.replace(day=1)}T00:00Z"
    ids = [f"c{number:06}" for number in range(customers)]
    tables: dict[str, Iterable[dict[str, Any]]] = {
        "customers": ({"customer_id": name, "name": name} for name in ids),
        "contracts": (
            {
                "contract_id": name,
                "customer_id": name,
                "rate_card_id": "usd",
                "starting_at": starting_at,
            }
            for name in ids
        ),
        "rate_cards": [{"rate_card_id": "usd", "name": "usd", "currency": "USD"}],
        "billable_metrics": [
            {
                "metric_id": meter,
                "name": meter,
                "aggregation": aggregation,
                "aggregation_key": key,
                "event_types": meter,
                "group_keys": "model+region+team",
            }
            for meter, (aggregation, key) in METERS.items()
        ],
        "products": [
            {
                "product_id": meter,
                "name": meter,
                "product_type": "USAGE",
                "metric_id": meter,
                "pricing_group_keys": "model|region",
                "presentation_group_keys": "team",
            }
            for meter in METERS
        ],
        "rates": [
            {
                "rate_id": f"{meter}-{model}-{name}",
                "rate_card_id": "usd",
                "product_id": meter,
                "pricing_group_values": f"model=m{model}|region={region}",
                "price_model": "graduated" if meter == "tokens" else "flat",
                "unit_price": "" if meter == "tokens" else f"0.{model + 1:03}",
                "starting_at": starting_at,
            }
            for meter in METERS
            for model in range(MODELS)
            for region, name in (("*", "any"), ("r0", "r0"))
        ],
        "rate_tiers": [
            {
                "rate_id": f"tokens-{model}-{name}",
                "tier_start": start,
                "tier_end": end,
                "unit_price": price,
            }
            for model in range(MODELS)
            for region, name in (("*", "any"), ("r0", "r0"))
            for start, end, price in ((0, 1000, "0.01"), (1000, "", "0.005"))
        ],
    }
    (folder / "catalog").mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "meterhouse.yml").write_text(f"metering_grain: {grain}\n")
    for name, table in tables.items():
        lines = list(table)
        path = folder / "catalog" / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


def land_days(
    workspace: Workspace,
    days: Sequence[date],
    per_day: int,
    customers: int,
    is_spread: bool = False,
) -> None:
    """One landing a day. The text of all properties, which no model reads, is blank."""
    model, region, team = (
        f"floor(random() * {count})::int" if is_spread else own
        for count, own in (
            (MODELS, f"(who + (random() < 0.3)::int) % {MODELS}"),
            (REGIONS, f"(who // {MODELS}) % {REGIONS}"),
            (TEAMS, f"(who // {MODELS * REGIONS}) % {TEAMS}"),
        )
    )
    keys = usage_keys(workspace)
    ensure_schema_files(workspace, keys)
    operations = Operations.open(workspace)
    con = duckdb.connect(config={"threads": 2, "memory_limit": "4GB"})
    for day in days:
        sequence = (day - date(2025, 1, 1)).days
        landed_at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
            days=1
        )
        given = {
            "landing_sequence": f"{sequence}::bigint",
            "landing_row": "number",
            # One in a hundred repeats an id of the same day.
            "transaction_id": f"'{day:%y%m%d}-' || "
            "case when number % 100 = 99 then number - 37 else number end",
            "customer_ref": "customer",
            "event_type": "event_type",
            "event_at": f"timestamp '{day}' + to_microseconds(moment)",
            "received_at": f"timestamp '{day}' + to_microseconds(moment)",
            "landed_at": f"timestamp '{landed_at:%Y-%m-%d}'",
            "source_file": f"'events/{day}.ndjson'",
            "properties": "''",
            "property_amount": "amount",
            "property_model": "model",
            "property_region": "region",
            "property_team": "team",
        }
        columns = ", ".join(
            f"{given[name]} as {name}" for name in event_schema(keys).names
        )
        target = workspace.lake_events / f"event_date={day}"
        target.mkdir(parents=True)
        con.execute("select setseed(0.5)")
        con.execute(
            f"""
            copy (
                select {columns} from (
                    select
                        event as number,
                        'c' || lpad(who::text, 6, '0') as customer,
                        {_one_of(list(METERS))} as event_type,
                        floor(random() * 86400000000)::bigint as moment,
                        (1 + floor(random() * 1000))::int::text as amount,
                        'm' || {model} as model,
                        'r' || {region} as region,
                        't' || {team} as team
                    from (
                        select
                            range as event,
                            floor({customers} * pow(random(), 3))::int as who
                        from range({per_day})
                    )
                )
                order by customer_ref, event_type, event_at
            ) to '{target}/{sequence}-0.parquet'
            (format parquet, compression zstd, row_group_size {ROW_GROUP})
            """
        )
        operations.begin_landings(
            [
                {
                    "landing_sequence": sequence,
                    "source_file": f"events/{day}.ndjson",
                    "content_hash": str(day),
                    "size_bytes": 0,
                    "rows_read": per_day,
                    "rows_landed": per_day,
                    "rows_rejected": 0,
                    "landed_at": landed_at,
                    "state": "writing",
                    "min_event_date": day,
                    "max_event_date": day,
                    "file_bytes": 0,
                    "modified_ns": 0,
                    "end_line": 0,
                    "end_row": 0,
                }
            ]
        )
        operations.finish_landings([sequence])
    operations.close()


def _one_of(values: Sequence[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"([{listed}])[1 + floor(random() * {len(values)})::int]"


def build(folder: str, as_of: str, stage: str) -> None:
    """What one measured process does."""
    run = BillingRun(Workspace.load(Path(folder)), datetime.fromisoformat(as_of))
    check_workspace(run.workspace)
    # Without making each customer known to the sandbox, which is no part of this.
    export_to_parquet(run.workspace)
    if stage == "close":
        build_until_close(run)
        close_books(run)
        return
    selected = METERING if stage == "metering" else RATING
    run.dbt.build(selected, NO_TESTS).raise_for_failures()


def staged(folder: Path, as_of: datetime, stage: str) -> Figure:
    return measure(
        [sys.executable, __file__, "--stage", stage, str(folder), as_of.isoformat()]
    )


def midnight_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def one_size(
    events: int, grain: str, customers: int, is_spread: bool, folder: Path
) -> None:
    """Metering and rating of 30 days at once."""
    days = [LAST_DAY - timedelta(days=back) for back in reversed(range(30))]
    write_catalog(folder, customers, days[0], grain)
    workspace = Workspace.load(folder)
    land_days(workspace, days, events // 30, customers, is_spread)
    query = BARE_QUERY.format(lake=workspace.lake, grain=grain)
    bare = measure([sys.executable, "-c", BARE_PROGRAM, query, str(folder / "spilled")])
    label = f"{events:,} by {grain}{', spread' if is_spread else ''}"
    print(row(label, "bare query", bare, bare), flush=True)
    as_of = midnight_after(LAST_DAY)
    for stage in ("metering", "rating"):
        print(row(label, stage, staged(folder, as_of, stage), bare), flush=True)
    with duckdb.connect(str(workspace.warehouse), read_only=True) as con:
        for table in ("metering.metered_usage", "rating.rated_usage"):
            count = con.execute(f"select count(*) from {table}").fetchone()
            print(f"\n{label}: {count} rows in {table}", flush=True)


def new_day(
    per_day: int, history: int, grain: str, customers: int, folder: Path
) -> None:
    """Metering and rating of one more day, on that many days before it."""
    days = [LAST_DAY - timedelta(days=back) for back in reversed(range(history + 1))]
    write_catalog(folder, customers, days[0], grain)
    workspace = Workspace.load(folder)
    land_days(workspace, days[:-1], per_day, customers)
    staged(folder, midnight_after(days[-2]), "close")
    land_days(workspace, days[-1:], per_day, customers)
    query = BARE_QUERY.format(lake=workspace.lake, grain=grain).replace(
        "/events/**/", f"/events/event_date={LAST_DAY}/"
    )
    bare = measure([sys.executable, "-c", BARE_PROGRAM, query, str(folder / "spilled")])
    label = f"{per_day:,} more on {history} days"
    print(row(label, "bare query of the day", bare, bare), flush=True)
    as_of = midnight_after(LAST_DAY)
    for stage in ("metering", "rating"):
        print(row(label, stage, staged(folder, as_of, stage), bare), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, action="append", default=[])
    parser.add_argument("--grain", default="hour", choices=["hour", "day"])
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--per-day", type=int, default=100_000)
    parser.add_argument("--days", type=int, action="append", default=[])
    parser.add_argument("--folder", help="where to work; removed when done")
    parser.add_argument("--stage", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        stage, folder, as_of = given.stage
        build(folder, as_of, stage)
        return
    print(header())
    for events in given.events:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name) / "workspace"
            one_size(events, given.grain, given.customers, given.spread, folder)
    for history in given.days:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            folder = Path(name) / "workspace"
            new_day(given.per_day, history, given.grain, given.customers, folder)


if __name__ == "__main__":
    main()
