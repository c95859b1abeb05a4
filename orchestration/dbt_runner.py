"""dbt in this process: one parse per workspace, then well under a second a build.

A dbt command line starts in about five seconds; a run makes several invocations. The
parsed project is kept and handed to each of them (`dbtRunner(manifest=...)`).
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from orchestration.workspace import Workspace

PROJECT_DIR = Path(__file__).resolve().parent.parent
MAX_MEMORY = "METERHOUSE_MEMORY_LIMIT"
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
# The nodes of an invocation bear this tag in its own copy of the project.
SELECTED = "selected_for_this_run"
_SELECTED = ("--indirect-selection", "empty", "--select", f"tag:{SELECTED}")


class DbtError(Exception):
    """dbt could not do what it was asked; the text is dbt's own."""


@dataclass(frozen=True)
class NodeResult:
    """One node of a dbt invocation.

    `failures` is the number of rows a test found; `message` is dbt's last word on it.
    """

    unique_id: str
    name: str
    resource_type: str
    status: str
    message: str
    failures: int | None
    seconds: float
    tags: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.status in {"success", "pass", "warn", "no-op"}


@dataclass(frozen=True)
class DbtResult:
    """What one invocation did, node by node, in the order in which they ended."""

    nodes: tuple[NodeResult, ...] = ()

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        return tuple(
            node for node in self.nodes if not node.passed and node.status != "skipped"
        )

    def raise_for_failures(self) -> None:
        """Raises DbtError naming every node that failed, laws first."""
        if not self.failed:
            return
        ordered = sorted(self.failed, key=lambda node: "law" not in node.tags)
        raise DbtError("; ".join(f"{n.name}: {n.message.strip()}" for n in ordered))


@dataclass
class Dbt:
    """The dbt project over one workspace.

    `variables` are the project's vars; the same dict goes to every invocation of a
    run, so that all tables of a run are of one build.
    """

    workspace: Workspace
    target: str = "duckdb"
    variables: Mapping[str, Any] = field(default_factory=dict)
    on_node: Callable[[NodeResult], None] | None = None

    def build(
        self,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        *,
        full_refresh: bool = False,
        indirect_selection: str = "",
    ) -> DbtResult:
        """Seeds, models and their data tests; unit tests run in the test suite only."""
        arguments = ["build", *NO_UNIT_TESTS, *_SELECTED]
        if full_refresh:
            arguments.append("--full-refresh")
        selected = self._selected(select, exclude, indirect_selection)
        return self._results(self._invoke(arguments, selected=selected))

    def test(self, select: Sequence[str], exclude: Sequence[str] = ()) -> DbtResult:
        """Data tests only."""
        arguments = ["test", *NO_UNIT_TESTS, *_SELECTED]
        selected = self._selected(select, exclude)
        return self._results(self._invoke(arguments, selected=selected))

    def _selected(
        self,
        select: Sequence[str],
        exclude: Sequence[str],
        indirect_selection: str = "",
    ) -> frozenset[str]:
        """unique_ids of what dbt makes of a selection. A build resolves it three times
        on a graph with an edge from each test to all that waits for it, a tenth of a
        small run; here it is once a process on the plain graph.

        Raises:
            DbtError: dbt can't read the selection.
        """
        arguments = ["list", "--output", "json", "--output-keys", "unique_id"]
        arguments += NO_UNIT_TESTS
        if indirect_selection:
            arguments += ["--indirect-selection", indirect_selection]
        if select:
            arguments += ["--select", *select]
        if exclude:
            arguments += ["--exclude", *exclude]
        key = (_stamp(self), *arguments)
        if key not in _selections:
            # dbt prints what it found, however quiet it is told to be.
            with contextlib.redirect_stdout(io.StringIO()):
                result = self._invoke(arguments)
            if result.result is None:
                raise DbtError(self._reason(result))
            _selections[key] = frozenset(
                json.loads(line)["unique_id"] for line in result.result
            )
        return _selections[key]

    def unit_test(self) -> DbtResult:
        """The unit tests beside the models; the tables must have been built once."""
        return self._results(self._invoke(["test", "--select", "test_type:unit"]))

    def run_operation(
        self, macro: str, arguments: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Run a macro; returns the lines that it logged for people.

        Raises:
            DbtError: the macro refused or failed; the text says why.
        """
        said: list[str] = []

        def listen(event: Any) -> None:
            if event.info.name == "JinjaLogInfo":
                said.append(str(event.data.msg))

        command = ["run-operation", macro]
        if arguments:
            command += ["--args", json.dumps(dict(arguments))]
        result = self._invoke(command, listen)
        if not result.success:
            raise DbtError(self._reason(result))
        return said

    def compile(self, sql: str) -> str:
        """The statement that dbt makes of inline SQL with Jinja; nothing is run.

        Raises:
            DbtError: it does not compile; the text says why.
        """
        # dbt prints what it compiled, however quiet it is told to be.
        with contextlib.redirect_stdout(io.StringIO()):
            result = self._invoke(["compile", "--inline", sql])
        if not result.success:
            raise DbtError(self._reason(result))
        return str(result.result.results[0].node.compiled_code)

    def sources_of(self, folder: str, source: str) -> set[str]:
        """Tables of a source that the models of a folder read, through whatever lies
        between."""
        manifest = _parsed(self)
        pending = [
            node.unique_id
            for node in manifest.nodes.values()
            if node.resource_type == "model" and node.fqn[1] == folder
        ]
        seen: set[str] = set()
        while pending:
            unique_id = pending.pop()
            if unique_id not in seen and unique_id in manifest.nodes:
                pending += manifest.nodes[unique_id].depends_on.nodes
            seen.add(unique_id)
        return {
            table.name
            for unique_id, table in manifest.sources.items()
            if unique_id in seen and table.source_name == source
        }

    def manifest_path(self) -> Path:
        """manifest.json of the parsed project, parsing it when it is not there yet."""
        path = self.workspace.dbt_target / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        _parsed(self).deepcopy().write(str(path))
        return path

    def _invoke(
        self,
        arguments: Sequence[str],
        listen: Callable[[Any], None] | None = None,
        selected: Iterable[str] = (),
    ) -> Any:
        from dbt.cli.main import dbtRunner

        self._environment()
        if self.target == "spark":
            from orchestration.spark import session

            # dbt-spark takes the session that it finds.
            session(self.workspace)
        manifest = _parsed(self).deepcopy()
        for unique_id in selected:
            if unique_id in manifest.nodes:
                manifest.nodes[unique_id].tags.append(SELECTED)
        variables = json.dumps(dict(self.variables), sort_keys=True)
        with _logged(self.workspace) as log, _frozen():
            callbacks: list[Callable[[Any], None]] = [self._report, log]
            if listen:
                callbacks.append(listen)
            try:
                return dbtRunner(manifest=manifest, callbacks=callbacks).invoke(
                    [*arguments, *self._paths(), "--vars", variables]
                )
            finally:
                self._let_go()

    def _let_go(self) -> None:
        """Close the DuckDB file: dbt keeps it for its process's life, and this process
        reads it next."""
        if self.target != "duckdb":
            return
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager.env().close()
            DuckDBConnectionManager.close_all_connections()

    def _paths(self) -> list[str]:
        return [
            "--project-dir",
            str(PROJECT_DIR),
            "--profiles-dir",
            str(PROJECT_DIR),
            "--target-path",
            str(self.workspace.dbt_target),
            "--log-path",
            str(self.workspace.logs),
            "--target",
            self.target,
            # Lines of debug (see _logged) and a manifest per invocation cost a fifth of
            # a run.
            "--log-level-file",
            "none",
            "--log-level",
            "none",
            "--no-write-json",
            "--no-send-anonymous-usage-stats",
        ]

    def _environment(self) -> None:
        os.environ["METERHOUSE_WORKSPACE"] = str(self.workspace.directory)
        os.environ["METERHOUSE_MODELS"] = str(self.workspace.models)
        os.environ["DO_NOT_TRACK"] = "1"
        self.workspace.temporary.mkdir(parents=True, exist_ok=True)

    def _report(self, event: Any) -> None:
        if self.on_node and event.info.name == "NodeFinished":
            info = event.data.node_info
            self.on_node(
                NodeResult(
                    unique_id=info.unique_id,
                    name=info.node_name,
                    resource_type=info.resource_type,
                    status=info.node_status,
                    message="",
                    failures=None,
                    seconds=0.0,
                )
            )

    def _results(self, result: Any) -> DbtResult:
        if result.exception is not None:
            raise DbtError(self._reason(result))
        run_results = getattr(result.result, "results", None)
        if run_results is None:
            raise DbtError(self._reason(result))
        return DbtResult(
            tuple(
                NodeResult(
                    unique_id=item.node.unique_id,
                    name=item.node.name,
                    resource_type=str(item.node.resource_type),
                    status=str(item.status),
                    message=item.message or "",
                    failures=item.failures,
                    seconds=item.execution_time,
                    tags=tuple(item.node.tags),
                )
                for item in run_results
            )
        )

    @staticmethod
    def _reason(result: Any) -> str:
        if result.exception is not None:
            return str(result.exception)
        messages = [
            item.message
            for item in getattr(result.result, "results", [])
            if getattr(item, "message", None)
        ]
        return "; ".join(messages) or "dbt failed; see the log of the workspace"


_manifests: dict[tuple[str, ...], Any] = {}
_MANIFESTS_KEPT = 4
_selections: dict[tuple[Any, ...], frozenset[str]] = {}
# Levels of dbt's events that people read.
_SAID = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def _parsed(dbt: Dbt) -> Any:
    """The parsed project; parsed again when a project or workspace file changed.

    Workspaces without models of their own share it: paths are read when a macro runs.
    """
    from dbt.cli.main import dbtRunner

    dbt._environment()
    stamp = _stamp(dbt)
    if stamp not in _manifests:
        result = dbtRunner().invoke(
            ["parse", *dbt._paths(), "--vars", _named_models(dbt)]
        )
        if result.exception is not None or result.result is None:
            raise DbtError(Dbt._reason(result))
        _keep_own_sql(result.result, dbt.workspace)
        while len(_manifests) >= _MANIFESTS_KEPT:
            del _manifests[next(iter(_manifests))]
        _manifests[stamp] = result.result
    return _manifests[stamp]


def _stamp(dbt: Dbt) -> tuple[str, ...]:
    """What a parsed project depends on."""
    own = str(dbt.workspace.models) if any(dbt.workspace.models.rglob("*.*")) else ""
    return own, dbt.target, _named_models(dbt), _newest(dbt.workspace)


def _named_models(dbt: Dbt) -> str:
    models = {
        key: sorted(dbt.variables.get(key, ()))
        for key in ("rate_models", "metric_models")
    }
    return json.dumps(models, sort_keys=True)


@contextmanager
def _logged(workspace: Workspace) -> Iterator[Callable[[Any], None]]:
    """A callback that keeps what dbt says to people in the workspace's dbt.log. dbt's
    own log files write lines of debug before they look at the level."""
    log = logging.Logger("dbt")
    workspace.logs.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(
        workspace.logs / "dbt.log", maxBytes=10_000_000, backupCount=5, delay=True
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(file)

    def write(event: Any) -> None:
        if event.info.level in _SAID:
            log.log(_SAID[event.info.level], event.info.msg)

    try:
        yield write
    finally:
        file.close()


@contextmanager
def _frozen() -> Iterator[None]:
    """Keep the collector off the parsed project: its half a million objects stay, and
    walking them over and over is a tenth of a small run."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _keep_own_sql(manifest: Any, workspace: Workspace) -> None:
    """Have dbt write what it compiles below its target path. It joins that with the
    path of the source; an absolute one would win, and the workspace's own SQL would be
    overwritten with the statement that built it."""
    for node in manifest.nodes.values():
        path = Path(node.original_file_path)
        if path.is_absolute():
            inside = path.relative_to(workspace.models)
            node.original_file_path = str(Path("workspace_models") / inside)


def _newest(workspace: Workspace) -> str:
    """Changes whenever a file that dbt parses changes."""
    files = [PROJECT_DIR / "dbt_project.yml", PROJECT_DIR / "profiles.yml"]
    for folder in (PROJECT_DIR / "dbt_project", workspace.models):
        files += sorted(
            path for path in folder.rglob("*") if path.suffix in {".sql", ".yml", ".md"}
        )
    newest = max((path.stat().st_mtime_ns for path in files), default=0)
    return f"{len(files)}:{newest}"
