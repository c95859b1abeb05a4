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
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from company import BARE_PROGRAM, land_day, midnight_after, write_tables
from measure import Figure, header, measure, row

from orchestration.billing_run import (
    BillingRun,
    build_until_close,
    check_workspace,
    close_books,
)
from orchestration.operations import export_to_parquet
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
    write_tables(folder, tables, f"metering_grain: {grain}\n")


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
    for day in days:
        land_day(
            workspace,
            day,
            per_day,
            f"""
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
            """,
            ("amount", "model", "region", "team"),
        )


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
