"""What dbt's context looks like to sqlfluff's jinja templater (see .sqlfluff).

The dbt templater would need a built warehouse, because the metering plan and the depth
of the wallets are read from it when a model compiles. Here the project's own macros are
rendered with its own vars and a price book of three metrics: no workspace is needed.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytz
import yaml
from jinja2.sandbox import SandboxedEnvironment
from sqlfluff.core.templaters.builtins.dbt import (
    DBT_BUILTINS,
    DbtMacroWrapper,
)

_PROJECT = Path(__file__).resolve().parents[2]
_VARS: dict[str, Any] = yaml.safe_load((_PROJECT / "dbt_project.yml").read_text())[
    "vars"
]

# Answers to the queries that models ask while they compile, by the table they read.
_ANSWERS: dict[str, list[dict[str, Any]]] = {
    "stg_catalog__billable_metrics": [
        {
            "metric_id": "requests",
            "aggregation": "COUNT",
            "aggregation_key": None,
            "event_types": "completion",
        },
        {
            "metric_id": "tokens",
            "aggregation": "SUM",
            "aggregation_key": "tokens",
            "event_types": None,
        },
        {
            "metric_id": "users",
            "aggregation": "UNIQUE",
            "aggregation_key": "user",
            "event_types": None,
        },
    ],
    "stg_catalog__products": [
        {
            "metric_id": "tokens",
            "key_set": "model/region",
            "pricing_group_keys": "model",
            "presentation_group_keys": "region",
        }
    ],
    "active_grants": [{"depth": 1}],
    "stg_books__closes": [{"close_id": "cl_1"}],
}


def _run_query(query: str) -> SimpleNamespace:
    """Rows for the first known table that the query names, else none."""
    rows = next((r for table, r in _ANSWERS.items() if table in query), [])
    names = list(rows[0]) if rows else []
    return SimpleNamespace(column_names=names, rows=rows)


def _dispatch(name: str, package: str | None = None) -> Callable[..., Any]:
    """DuckDB's macro; the other engine's is not linted."""
    macro: Callable[..., Any] = _macros[f"default__{name}"]
    return macro


_globals: dict[str, Any] = {
    **DBT_BUILTINS,
    "adapter": SimpleNamespace(
        dispatch=_dispatch,
        quote=lambda identifier: f'"{identifier}"',
        get_columns_in_relation=lambda _: [SimpleNamespace(name="property_model")],
    ),
    "env_var": lambda name, default="": default,
    "execute": True,
    "modules": SimpleNamespace(datetime=datetime, pytz=pytz),
    "run_query": _run_query,
    "source": lambda source_name, table: f"{source_name}.{table}",
    "run_started_at": datetime.datetime(2026, 1, 1),
    "target": SimpleNamespace(type="duckdb"),
    "var": lambda name, default="": _VARS.get(name, default),
}
_environment = SandboxedEnvironment(extensions=["jinja2.ext.do"])
_macros: dict[str, DbtMacroWrapper] = {}
_definition = re.compile(r"({%-?\s*macro\s+)(\w+)")


def _late(name: str) -> Callable[..., Any]:
    return lambda *args, **kwargs: _macros[name](*args, **kwargs)


# Macros are renamed inside, as dbt does, so that a call within one file also goes
# through the wrapper that turns `return(...)` into a value.
_files = [
    path.read_text() for path in sorted((_PROJECT / "dbt_project/macros").glob("*.sql"))
]
for _file in _files:
    _globals |= {name: _late(name) for _, name in _definition.findall(_file)}
for _file in _files:
    _module = _environment.from_string(
        _definition.sub(r"\1inner__\2", _file), globals=_globals
    ).module
    for _name, _value in vars(_module).items():
        if _name.startswith("inner__"):
            _macros[_name.removeprefix("inner__")] = DbtMacroWrapper(_value)

# sqlfluff takes this module's names as the context and adds dbt's builtins itself.
globals().update(
    {name: value for name, value in _globals.items() if name not in DBT_BUILTINS}
)
source, var = _globals["source"], _globals["var"]
