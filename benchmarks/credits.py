"""What drawing credits costs over one bare query: by default 100,000 customers with 5
grants and 50 charges each.

Every customer uses two products on 25 days. The grants are a credit for one product, a
credit of a few days, one for everything, a commit and one of lower priority, so that
scopes, windows and priorities all decide. The bare query knows none of them: it lays
the running sum of a customer's charges over that of its grants, which is right only
where any grant may pay any charge. It reads the same charges and grants from the
warehouse.

    python benchmarks/credits.py
    python benchmarks/credits.py --customers 10000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import duckdb
from company import BARE_PROGRAM, land_day, midnight_after, write_tables
from measure import header, measure, row
from metering_and_rating import METERING, NO_TESTS, RATING

from orchestration.billing_run import BillingRun, check_workspace
from orchestration.operations import export_to_parquet
from orchestration.workspace import Workspace

DAYS = 25
PRODUCTS = ("calls", "tokens")
LAST_DAY = datetime(2026, 10, DAYS).date()
START = "2026-10-01T00:00Z"

BARE_QUERY = """
attach '{warehouse}' as books (read_only);
create temp table draws as
with charges as (
    select
        slice_id,
        customer_id,
        sum(amount_minor) over wallet as reached,
        sum(amount_minor) over wallet - amount_minor as begun
    from books.rating.rated_usage
    where amount_minor > 0
    window wallet as (
        partition by customer_id order by slice_start, slice_id
        rows between unbounded preceding and current row
    )
),
grants as (
    select
        segment_id,
        customer_id,
        sum(amount_minor) over wallet as reached,
        sum(amount_minor) over wallet - amount_minor as begun
    from books.credits.credit_grants
    window wallet as (
        partition by customer_id order by priority, segment_id
        rows between unbounded preceding and current row
    )
)
select
    slice_id,
    segment_id,
    least(charges.reached, grants.reached) - greatest(charges.begun, grants.begun)
        as drawn
from charges
inner join grants
    on
        charges.customer_id = grants.customer_id
        and charges.begun < grants.reached
        and grants.begun < charges.reached
"""


def write_company(folder: Path, customers: int) -> None:
    ids = [f"c{number:06}" for number in range(customers)]
    credit = {"currency": "USD", "starting_at": START}
    write_tables(
        folder,
        {
            "customers": ({"customer_id": name, "name": name} for name in ids),
            "contracts": (
                {
                    "contract_id": name,
                    "customer_id": name,
                    "rate_card_id": "usd",
                    "starting_at": START,
                }
                for name in ids
            ),
            "rate_cards": [{"rate_card_id": "usd", "name": "usd", "currency": "USD"}],
            "billable_metrics": [
                {
                    "metric_id": name,
                    "name": name,
                    "aggregation": "SUM",
                    "aggregation_key": "amount",
                    "event_types": name,
                }
                for name in PRODUCTS
            ],
            "products": [
                {
                    "product_id": name,
                    "name": name,
                    "product_type": "USAGE",
                    "metric_id": name,
                }
                for name in PRODUCTS
            ],
            "rates": [
                {
                    "rate_id": name,
                    "rate_card_id": "usd",
                    "product_id": name,
                    "price_model": "flat",
                    "unit_price": "0.01",
                    "starting_at": START,
                }
                for name in PRODUCTS
            ],
            "credits": (
                {
                    **credit,
                    "customer_id": name,
                    "credit_id": f"{name}-{kind}",
                    "name": kind,
                    "amount": amount,
                    "ending_before": end,
                    "applicable_product_ids": product,
                }
                for name in ids
                for kind, amount, end, product in (
                    ("calls", "40", "", "calls"),
                    ("days", "20", "2026-10-08T00:00Z", ""),
                    ("all", "60", "", ""),
                )
            ),
            "commits": (
                {
                    "customer_id": name,
                    "commit_id": f"{name}-{kind}",
                    "commit_type": "PREPAID",
                    "name": kind,
                    "amount": "50",
                    "invoice_amount": "50",
                    "priority": priority,
                    **credit,
                }
                for name in ids
                for kind, priority in (("first", "100"), ("last", "200"))
            ),
        },
    )


def land_usage(workspace: Workspace, customers: int) -> None:
    """One event a customer, product and day, worth 0.01 to 10 dollars."""
    for day in range(1, DAYS + 1):
        land_day(
            workspace,
            datetime(2026, 10, day).date(),
            customers * len(PRODUCTS),
            f"""
            select
                range as number,
                'c' || lpad((range // {len(PRODUCTS)})::text, 6, '0') as customer,
                case when range % 2 = 0 then 'calls' else 'tokens' end as event_type,
                43200000000 as moment,
                (1 + floor(random() * 1000))::int::text as amount
            from range({customers * len(PRODUCTS)})
            """,
            ("amount",),
        )


def build(folder: str, stage: str) -> None:
    """What one measured process does."""
    run = BillingRun(Workspace.load(Path(folder)), midnight_after(LAST_DAY))
    check_workspace(run.workspace)
    export_to_parquet(run.workspace)
    selected = (*METERING, *RATING) if stage == "rating" else ("credits",)
    run.dbt.build(selected, NO_TESTS).raise_for_failures()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        stage, folder = given.stage
        build(folder, stage)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "workspace"
        write_company(folder, given.customers)
        workspace = Workspace.load(folder)
        land_usage(workspace, given.customers)
        stages = {
            stage: measure([sys.executable, __file__, "--stage", stage, str(folder)])
            for stage in ("rating", "credits")
        }
        query = BARE_QUERY.format(warehouse=workspace.warehouse)
        bare = measure([sys.executable, "-c", BARE_PROGRAM, query, f"{name}/spilled"])
        print(header())
        label = f"{given.customers:,} x 5 grants x {DAYS * len(PRODUCTS)} charges"
        print(row(label, "bare query", bare, bare))
        for stage, figure in stages.items():
            print(row(label, stage, figure, bare))
        with duckdb.connect(str(workspace.warehouse), read_only=True) as con:
            count = con.execute("select count(*) from credits.credit_drawdowns")
            print(f"\n{label}: {count.fetchone()} draws")


if __name__ == "__main__":
    main()
