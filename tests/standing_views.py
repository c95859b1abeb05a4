"""Views that a test's warehouse has already are not made again.

A third of a small build's time goes into some hundred and seventy views whose text no
run changes. Here a build leaves those that it finds, and a new company begins with the
views of another one, without its tables. All else is made as ever. What Dagster, the
command and the first run of a journey build, they build whole.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from dbt.artifacts.schemas.results import RunStatus
from dbt.artifacts.schemas.run import RunResult
from dbt.node_types import NodeType
from dbt.task.build import BuildTask
from dbt.task.run import ModelRunner

from orchestration.billing_run import BillingRun
from orchestration.dbt_runner import Dbt, _parsed

# What a run or its workspace may change in the text of a view.
CHANGING = re.compile(
    r"\b(var|env_var|run_query|load_relation)\(|\b(run_started_at|invocation_id)\b"
    r"|\bgraph\.|\badapter\.(?!dispatch)"
)


def constant_views(manifest: Any) -> dict[str, tuple[str, str]]:
    """unique_id -> schema and name of each view of one text, whatever the run."""
    changing: dict[str, bool] = {}

    def changes(macro_id: str) -> bool:
        if macro_id not in changing:
            changing[macro_id] = False
            macro = manifest.macros[macro_id]
            changing[macro_id] = bool(CHANGING.search(macro.macro_sql)) or any(
                map(changes, macro.depends_on.macros)
            )
        return changing[macro_id]

    return {
        node.unique_id: (node.schema, node.alias)
        for node in manifest.nodes.values()
        if node.resource_type == NodeType.Model
        and node.config.materialized == "view"
        and not CHANGING.search(node.raw_code)
        and not any(map(changes, node.depends_on.macros))
    }


def views_of(warehouse: Path) -> set[tuple[str, str]]:
    """Schema and name of what the file has."""
    with duckdb.connect(str(warehouse)) as con:
        return set(
            con.execute(
                "select schema_name, view_name from duckdb_views() where not internal"
            ).fetchall()
        )


def keep_views_alone(warehouse: Path) -> None:
    """Leave a file with views of the models and nothing that they read."""
    with duckdb.connect(str(warehouse)) as con:
        for schema, table in con.execute(
            "select schema_name, table_name from duckdb_tables()"
        ).fetchall():
            con.execute(f'drop table "{schema}"."{table}"')
        for schema in ("lake", "catalog", "ops", "books"):
            con.execute(f"drop schema {schema} cascade")


_templates: list[Callable[[], Path]] = []


def lend(template: Callable[[], Path]) -> None:
    """Say where the file is that new companies begin with."""
    _templates[:] = [template]


@contextmanager
def standing_views(run: BillingRun, *, borrowed: bool = False) -> Iterator[None]:
    """Builds of this run leave the views that they find; a company without a warehouse
    borrows those of another one."""
    warehouse = run.workspace.warehouse
    own_models = any(run.workspace.models.rglob("*.*"))
    if run.dbt_target != "duckdb" or own_models:
        yield
        return
    if borrowed and _templates and not warehouse.exists():
        shutil.copy(_templates[0](), warehouse)
    there = views_of(warehouse) if warehouse.exists() else set()
    # Not the run's own dbt: its variables depend on what it has yet to land.
    settings = run.workspace.settings
    manifest = _parsed(
        Dbt(
            run.workspace,
            variables={
                "rate_models": settings.rate_models,
                "metric_models": settings.metric_models,
            },
        )
    )
    standing = {
        unique_id
        for unique_id, view in constant_views(manifest).items()
        if view in there
    }

    class Runner(ModelRunner):
        def compile_and_execute(self, manifest: Any, ctx: Any) -> Any:
            if ctx.node.unique_id not in standing:
                return super().compile_and_execute(manifest, ctx)
            return RunResult(
                node=ctx.node,
                status=RunStatus.Success,
                timing=[],
                thread_id=threading.current_thread().name,
                execution_time=0.0,
                message="stands",
                adapter_response={},
                failures=None,
                batch_results=None,
            )

    ordinary = BuildTask.RUNNER_MAP[NodeType.Model]
    BuildTask.RUNNER_MAP[NodeType.Model] = Runner
    try:
        yield
    finally:
        BuildTask.RUNNER_MAP[NodeType.Model] = ordinary
