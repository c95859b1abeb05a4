"""Drives dbt in this process against a test workspace, and puts it back as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult

from orchestration.workspace import Workspace
from tests.standing_views import borrow

PROJECT = Path(__file__).resolve().parents[2]
LAWS = ("tag:law", "tag:check", "tag:law_after_publish")
BOOKS = (
    "closes",
    "credit_drawdowns",
    "frozen_customer_refs",
    "frozen_rate_tiers",
    "frozen_rates",
    "invoice_lines",
    "invoice_sub_lines",
    "invoices",
    "ledger_entries",
    "rated_slices",
)


class House:
    """One workspace with its warehouse, and a pristine copy to return to."""

    def __init__(self, workspace: Workspace, scratch: Path) -> None:
        self.workspace = workspace
        self.scratch = scratch
        self.directory = workspace.catalog.parent
        self.pristine = scratch / "pristine"
        self.parsed: dict[Path, Any] = {}
        self.errors: list[str] = []
        borrow(workspace.warehouse)

    def dbt(self, *arguments: str, as_of: str, project: Path = PROJECT) -> Any:
        """Run dbt and return its result; raises when dbt itself breaks."""
        places = [
            "--project-dir",
            str(project),
            "--profiles-dir",
            str(project),
            "--target-path",
            str(self.scratch / "target"),
            "--log-path",
            str(self.scratch / "logs"),
            "--log-level",
            "none",
            "--log-level-file",
            "none",
            "--no-write-json",
        ]
        with _environment(self.directory):
            if project not in self.parsed:
                # Parsed once: five seconds that each invocation would pay otherwise.
                parsed = dbtRunner().invoke(["parse", *places])
                self.parsed[project] = _done(parsed).result
            try:
                runner = dbtRunner(
                    manifest=self.parsed[project].deepcopy(), callbacks=[self._listen]
                )
                given = ["--vars", f"{{as_of: '{as_of}'}}"]
                return _done(runner.invoke([*arguments, *places, *given]))
            finally:
                # dbt would keep the file open for as long as this process lives.
                DuckDBConnectionManager.env().close()
                DuckDBConnectionManager.close_all_connections()

    def build(self, *, as_of: str, arguments: Sequence[str] = (), **more: Any) -> None:
        """Build every model; tests are for `red_tests`."""
        models = ["--exclude-resource-types", "test", "unit_test", "exposure"]
        result = self.dbt("build", *models, *arguments, as_of=as_of, **more)
        assert result.success, self.errors

    def close(self, *, as_of: str) -> None:
        """Close what may be closed; an AssertionError says why it was refused."""
        result = self.dbt("run-operation", "close_books", as_of=as_of)
        assert result.success, self.errors

    def law_results(self, *, as_of: str) -> dict[str, tuple[str, str]]:
        """Run every law and check by dbt: name -> (status, compiled SQL)."""
        result = self.dbt("test", "--select", *LAWS, as_of=as_of)
        return {
            outcome.node.name: (str(outcome.status), outcome.node.compiled_code)
            for outcome in result.result
            if outcome.node.resource_type == "test"
        }

    def _listen(self, event: Any) -> None:
        if event.info.level == "error":
            self.errors.append(event.info.msg)

    def keep(self) -> None:
        """Remember the workspace as it is now."""
        shutil.copytree(self.directory, self.pristine)

    def restore(self) -> None:
        """Put the workspace back to what `keep` remembered."""
        shutil.rmtree(self.directory)
        shutil.copytree(self.pristine, self.directory)

    def execute(self, statement: str) -> None:
        """Change the warehouse behind everybody's back."""
        with duckdb.connect(str(self.workspace.warehouse)) as warehouse:
            warehouse.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the warehouse."""
        with duckdb.connect(str(self.workspace.warehouse), read_only=True) as warehouse:
            return warehouse.execute(query).fetchall()

    def books(self) -> dict[str, str]:
        """A hash of every row of every table of the books."""
        digests = {}
        for table in BOOKS:
            [(digest,)] = self.rows(
                f"select md5(string_agg(cast(t as varchar), '|' order by"
                f" cast(t as varchar))) from books.{table} as t"
            )
            digests[table] = digest
        return digests


def _done(result: dbtRunnerResult) -> dbtRunnerResult:
    """The result, unless dbt itself broke."""
    if result.exception is not None:
        raise result.exception
    return result


@contextmanager
def _environment(directory: Path) -> Iterator[None]:
    """Point dbt at the workspace, and at nothing else of this machine."""
    ours = {
        "METERHOUSE_WORKSPACE": str(directory),
        "METERHOUSE_MODELS": str(directory / "models"),
        "METERHOUSE_WAREHOUSE": str(directory / "warehouse.duckdb"),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
