"""dbt models as Dagster assets, one definition a stretch of the path.

dbt runs inside the step's process: a subprocess costs five seconds a stage, which is
more than most stages take.
"""

import functools
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.utils import select_unique_ids

from orchestration.billing_run import BillingRun, check_workspace
from orchestration.catalog import catalog_hash
from orchestration.dbt_runner import Dbt, DbtResult, NodeResult
from orchestration.resources import (
    WORKSPACE_VARIABLE,
    MeterhouseResource,
    default_workspace,
    is_preview,
)
from orchestration.stage_metadata import describe_tables
from orchestration.workspace import Workspace

POOL = "warehouse"
OWNERS = ("team:billing",)
CLOSE_KEY = dg.AssetKey(["invoicing", "close_books"])
BOOKS_KEY = dg.AssetKey(["books", "opening_books"])
OPERATIONS_KEY = dg.AssetKey(["ops", "operations_copy"])

# Where these tables are one store to an operator, they are one node in the graph.
STORES = {"books": BOOKS_KEY, "ops": OPERATIONS_KEY}

WAREHOUSE_VARIABLE = "METERHOUSE_WAREHOUSE"


class StageTranslator(DagsterDbtTranslator):
    """Asset keys are schema/table. What reads the books after a close waits for it;
    the books themselves have no edge, or the graph would run in a circle."""

    def __init__(self) -> None:
        super().__init__(
            # The tables of a store share its key.
            DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            store = STORES.get(dbt_resource_props["source_name"])
            if store:
                return store
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        group = super().get_group_name(dbt_resource_props)
        if group:
            return group
        # A workspace's own models: an SQL price reads the price book, an SQL metric
        # reads metered events.
        depends_on = dbt_resource_props.get("depends_on", {}).get("nodes", ())
        read = [node.split(".")[-1] for node in depends_on]
        return "staging" if all(map(_is_staging, read)) else "metering"

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's own words and where its SQL stands; a page of raw SQL is no
        description."""
        text = dbt_resource_props.get("description", "").strip()
        path = dbt_resource_props["original_file_path"]
        return f"{text}\n\n`{path}`" if text else f"`{path}`"

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return list(super().get_owners(dbt_resource_props) or OWNERS)

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id, {})
        if "reader" in node.get("tags", ()):
            return spec.merge_attributes(deps=[CLOSE_KEY])
        return spec

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: Any,
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or spec.description:
            return spec
        return spec._replace(description=check_text(manifest["nodes"][unique_id]))


def _is_staging(name: str) -> bool:
    return name.startswith("stg_")


def check_text(test: Mapping[str, Any]) -> str:
    """What a generic dbt test says about its table, for somebody who reads no YAML."""
    generic = test.get("test_metadata") or {}
    given = generic.get("kwargs", {})
    name = generic.get("name", "")
    column = f"`{given.get('column_name')}`"
    columns = ", ".join(f"`{c}`" for c in given.get("columns", ())) or column
    if name == "unique":
        return f"{column} stands in one row only."
    if name in ("not_null", "not_null_columns"):
        return f"Never empty: {columns}."
    if name == "unique_combination":
        return f"One row per {columns}."
    if name == "accepted_values":
        return f"{column} is one of {', '.join(map(str, given['values']))}."
    if name == "relationships":
        target = given["to"].removeprefix("ref(").strip("')\"")
        return f"Each {column} is a `{given['field']}` of `{target}`."
    return test.get("description") or f"dbt test {test['name']}"


@functools.cache
def manifest() -> Mapping[str, Any]:
    """The parsed project of the default workspace, as dbt writes it; parsed once per
    process, whose runs use the same parse."""
    folder = default_workspace()
    if (folder / "catalog").is_dir():
        return _parse(Workspace.load(folder))
    # The graph can be looked at before there is a workspace, and looking makes none.
    with tempfile.TemporaryDirectory(prefix="meterhouse-graph-") as empty:
        named = os.environ.get(WORKSPACE_VARIABLE)
        try:
            return _parse(Workspace(Path(empty)))
        finally:
            os.environ.pop(WORKSPACE_VARIABLE, None)
            if named is not None:
                os.environ[WORKSPACE_VARIABLE] = named


def _parse(workspace: Workspace) -> Mapping[str, Any]:
    settings = workspace.settings
    variables = {
        "rate_models": list(settings.rate_models),
        "metric_models": list(settings.metric_models),
    }
    path = Dbt(workspace, variables=variables).manifest_path()
    parsed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    _attach_tests(parsed)
    return parsed


def _attach_tests(parsed: dict[str, Any]) -> None:
    """A test becomes a check of the asset that its meta names. Dagster only sees it
    there when the test also reads that asset, so the graph is told that it does: a law
    over the books or over two stages would otherwise be nobody's check."""
    models = {
        node["name"]: unique_id
        for unique_id, node in parsed["nodes"].items()
        if node["resource_type"] in ("model", "seed")
    }
    for unique_id, node in parsed["nodes"].items():
        named = node.get("meta", {}).get("dagster", {}).get("ref", {}).get("name")
        if node["resource_type"] != "test" or named is None:
            continue
        asset = models[named]
        if asset not in node["depends_on"]["nodes"]:
            node["depends_on"]["nodes"].append(asset)
            parsed["parent_map"][unique_id].append(asset)
            parsed["child_map"][asset].append(unique_id)


def source_specs(parsed: Mapping[str, Any]) -> list[dg.AssetSpec]:
    """What dbt reads and nothing here makes: the price book's files, the books as the
    run found them, and the copy of the operations store. The lake is made by assets."""
    files = [
        dg.AssetSpec(
            dg.AssetKey(["catalog", source["name"]]),
            group_name="staging",
            description=f"{source['description']}\n\n`catalog/{source['name']}.csv`",
            owners=list(OWNERS),
            kinds={"csv"},
        )
        for source in parsed["sources"].values()
        if source["source_name"] == "catalog"
    ]
    stores = [
        dg.AssetSpec(
            key,
            group_name="staging",
            description=_store_description(parsed, name),
            owners=list(OWNERS),
            kinds={"table" if name == "books" else "parquet"},
        )
        for name, key in STORES.items()
    ]
    return sorted([*files, *stores], key=lambda spec: spec.key)


def _store_description(parsed: Mapping[str, Any], name: str) -> str:
    tables = sorted(
        (s for s in parsed["sources"].values() if s["source_name"] == name),
        key=lambda source: source["name"],
    )
    listed = "\n".join(
        f"- `{t['schema']}.{t['name']}`: {t['description']}" for t in tables
    )
    return f"{tables[0]['source_description'].strip()}\n\n{listed}"


def stage_assets(
    *,
    name: str,
    select: str,
    exclude: str | None = None,
    partitions_def: dg.PartitionsDefinition[str] | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    before: Callable[[BillingRun], object] | None = None,
) -> dg.AssetsDefinition:
    """Assets of a selection. `before` runs first in the same step."""
    parsed = manifest()
    # Dagster drops every test that touches an excluded model; by name, nothing is
    # excluded.
    chosen = select_unique_ids(select, exclude or "", "", None, parsed)
    models = [
        node["name"]
        for unique_id, node in parsed["nodes"].items()
        if unique_id in chosen and node["resource_type"] in ("model", "seed")
    ]

    @dbt_assets(
        manifest=parsed,
        select=" ".join(sorted(models)),
        name=name,
        partitions_def=partitions_def,
        backfill_policy=backfill_policy,
        dagster_dbt_translator=StageTranslator(),
        pool=POOL,
    )
    def _assets(
        context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
    ) -> Iterator[Any]:
        with meterhouse.open_run(context) as run:
            check_price_book(run.workspace)
            if before:
                before(run)
            with _dbt_writes(run.workspace.warehouse):
                result = run.dbt.build(
                    _selection(context),
                    full_refresh=run.full_refresh,
                    indirect_selection="empty",
                )
            yield from _events(context, run, result)
        result.raise_for_failures()

    return _assets


_checked: set[tuple[Path, str]] = set()


def check_price_book(workspace: Workspace) -> None:
    """Stop before anything is built on a price book with a mistake; each version of it
    is checked once per process.

    Raises:
        WorkspaceError: every mistake with file, row, field and remedy.
    """
    version = (workspace.directory, catalog_hash(workspace))
    if version not in _checked:
        check_workspace(workspace)
        _checked.add(version)


@contextmanager
def _dbt_writes(warehouse: Path) -> Iterator[None]:
    """dbt's profile takes the file from the environment; put back afterwards, or the
    next run of this process would write a preview's file."""
    before = os.environ.get(WAREHOUSE_VARIABLE)
    os.environ[WAREHOUSE_VARIABLE] = str(warehouse)
    try:
        yield
    finally:
        os.environ.pop(WAREHOUSE_VARIABLE)
        if before is not None:
            os.environ[WAREHOUSE_VARIABLE] = before


def _selection(context: dg.AssetExecutionContext) -> list[str]:
    """dbt names of the assets and checks that this step was asked for. Checks are
    named one by one: dbt alone would leave out a test that also reads a view which no
    asset of the step needs, and a law that did not run protects nobody."""
    models = {key.path[-1] for key in context.selected_asset_keys}
    return sorted(models | {key.name for key in context.selected_asset_check_keys})


def _events(
    context: dg.AssetExecutionContext, run: BillingRun, result: DbtResult
) -> Iterator[Any]:
    keys = {key.path[-1]: key for key in context.selected_asset_keys}
    checks = {key.name: key for key in context.selected_asset_check_keys}
    built = [
        node
        for node in result.nodes
        if node.resource_type in {"model", "seed"} and node.passed and node.name in keys
    ]
    facts = describe_tables(run, [keys[node.name] for node in built])
    common: dict[str, Any] = {"as_of": dg.MetadataValue.timestamp(run.as_of)}
    if is_preview(run):
        common["preview"] = dg.MetadataValue.path(str(run.workspace.warehouse))
    for node in built:
        key = keys[node.name]
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                **facts.get(key, {}),
                "seconds": round(node.seconds, 2),
                **common,
            },
        )
    for node in result.nodes:
        if node.resource_type == "test" and node.name in checks:
            yield _check_result(checks[node.name], node)


def _check_result(check: dg.AssetCheckKey, node: NodeResult) -> dg.AssetCheckResult:
    # A test that dbt could not run is no proof of anything: it counts as failed.
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=node.status == "pass",
        severity=(
            dg.AssetCheckSeverity.WARN
            if node.status == "warn"
            else dg.AssetCheckSeverity.ERROR
        ),
        metadata={
            "failing_rows": node.failures or 0,
            "message": node.message or "pass",
        },
    )
