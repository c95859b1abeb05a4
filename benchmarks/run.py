"""How much the whole path costs over one bare query.

The bare query reads the same Parquet, drops repeated ids and adds up to the grain of
`metered_usage`: no engine can do less than that. Both run one after the other in this
session, each in a process of its own; quote the ratio, not the seconds.

    python benchmarks/run.py --events 1000000 --events 10000000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from measure import Figure, header, measure, row

from orchestration.sample_company import generate, stage

CLOSING = datetime(2026, 9, 2, tzinfo=UTC)

# Grain of metered_usage: customer x metric x hour x key set, all metrics in one scan.
BARE_QUERY = """
create temp table metered as
select
    customer_ref,
    event_type,
    date_trunc('hour', event_at) as usage_hour,
    property_model,
    property_region,
    property_service_tier,
    property_project,
    sum(try_cast(property_input_tokens as decimal(31, 12))) as input_tokens,
    sum(try_cast(property_output_tokens as decimal(31, 12))) as output_tokens,
    sum(try_cast(property_gb_hours as decimal(31, 12))) as gb_hours,
    count(*) as events
from (
    select
        *,
        row_number() over (
            partition by transaction_id order by landing_sequence, landing_row
        ) as landing
    from read_parquet(
        '{lake}/events/**/*.parquet', union_by_name = true, hive_partitioning = true
    )
)
where landing = 1
group by all
"""

BARE_PROGRAM = """
import sys, duckdb
con = duckdb.connect(config={"threads": 2, "memory_limit": "4GB"})
con.execute(sys.argv[1])
"""


def one_size(events: int, folder: Path) -> list[tuple[str, Figure]]:
    """Figures of the first run, the bare query and a second run without news."""
    sample = folder / "sample"
    workspace = folder / "workspace"
    generate(sample, events=events, months=1)
    stage(sample, workspace, CLOSING)
    meterhouse = [str(Path(sys.executable).with_name("meterhouse")), "run"]
    path = [*meterhouse, "-w", str(workspace), "--as-of", CLOSING.isoformat()]
    query = BARE_QUERY.format(lake=workspace / "lake")
    bare = [sys.executable, "-c", BARE_PROGRAM, query]
    return [
        ("whole path, first run", measure(path)),
        ("bare query", measure(bare)),
        ("whole path, nothing new", measure(path)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, action="append", default=[])
    sizes = parser.parse_args().events or [1_000_000, 10_000_000]
    print(header())
    for events in sizes:
        with tempfile.TemporaryDirectory() as folder:
            figures = one_size(events, Path(folder))
        bare = next(figure for name, figure in figures if name == "bare query")
        for name, figure in figures:
            print(row(f"{events:,}", name, figure, bare))


if __name__ == "__main__":
    main()
