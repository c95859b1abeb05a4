"""How this project opens DuckDB: in UTC, and without what makes it answer wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

# DuckDB 2.0.0 joins a view that holds a left join with itself wrongly, in silence, when
# this optimizer is on (docs/decisions.md, "One optimizer of DuckDB is off"). dbt's
# connections say the same in profiles.yml.
DISABLED_OPTIMIZERS = "common_subplan"


def connect(
    database: Path | str = ":memory:", *, read_only: bool = False, **config: Any
) -> duckdb.DuckDBPyConnection:
    """A connection with the project's settings; `config` as DuckDB names it."""
    con = duckdb.connect(str(database), read_only=read_only, config=config)
    con.execute("set TimeZone = 'UTC'")
    con.execute("set enable_progress_bar = false")
    con.execute(f"set disabled_optimizers = '{DISABLED_OPTIMIZERS}'")
    return con
