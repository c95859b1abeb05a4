"""Views that a test's warehouse has already are not made again.

A third of a small build's time goes into some hundred and seventy views whose text no
run changes. In tests a build leaves those that it finds, and a new company begins with
the views of another one, without its tables. All else is made as ever; so is the whole
of a build where `made_anew` says so.
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

# What a run or its workspace may change in the text of a view.
CHANGING = re.compile(
    r"\b(var|env_var|run_query|load_relation)\(|\b(run_started_at|invocation_id)\b"
    r"|\bgraph\.|\badapter\.(?!dispatch)"
)
OURS = "dbt_project/models/"

_changes: dict[tuple[str, str], bool] = {}


def is_constant(node: Any, manifest: Any) -> bool:
    """Is this a view of one text, whatever the run? A workspace's own SQL is not."""
    return (
        node.config.materialized == "view"
        and node.original_file_path.startswith(OURS)
        and not CHANGING.search(node.raw_code)
        and not any(_changes_text(macro, manifest) for macro in node.depends_on.macros)
    )


def _changes_text(macro_id: str, manifest: Any) -> bool:
    macro = manifest.macros[macro_id]
    key = macro_id, macro.macro_sql
    if key not in _changes:
        _changes[key] = False
        _changes[key] = bool(CHANGING.search(macro.macro_sql)) or any(
            _changes_text(other, manifest) for other in macro.depends_on.macros
        )
    return _changes[key]


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


def borrow(warehouse: Path) -> None:
    """Begin a company's warehouse with the views of another one."""
    if _templates and not warehouse.exists():
        shutil.copy(_templates[0](), warehouse)


class _Runner(ModelRunner):
    def compile_and_execute(self, manifest: Any, ctx: Any) -> Any:
        if not self._stands(ctx.node, manifest):
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

    def _stands(self, node: Any, manifest: Any) -> bool:
        if not is_constant(node, manifest):
            return False
        with self.adapter.connection_named(f"{node.unique_id} stands", node):
            there = self.adapter.get_relation(node.database, node.schema, node.alias)
        return there is not None and there.is_view


_ordinary = BuildTask.RUNNER_MAP[NodeType.Model]


def leave() -> None:
    """From now on builds of this process leave the views that they find."""
    BuildTask.RUNNER_MAP[NodeType.Model] = _Runner


@contextmanager
def made_anew() -> Iterator[None]:
    """Builds of this block make every view."""
    BuildTask.RUNNER_MAP[NodeType.Model] = _ordinary
    try:
        yield
    finally:
        leave()
