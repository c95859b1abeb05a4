"""dbt models as Dagster assets, one definition a stretch of the path.

dbt runs inside the step's process: a subprocess costs five seconds a stage, which is
more than most stages take.
"""


from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from orchestration.billing_run import BillingRun, check_workspace, exclusive
from orchestration.dbt_runner import Dbt, DbtResult
from orchestration.resources import MeterhouseResource, default_workspace
from orchestration.stage_metadata import describe_tables
from orchestration.workspace import Workspace

POOL = "warehouse"
CLOSE_KEY = dg.AssetKey(["invoicing", "close_books"])


class StageTranslator(DagsterDbtTranslator):
    """Asset keys are schema/table. What reads the books after a close waits for it;
    the books themselves have no edge, or the graph would run in a circle."""

    def __init__(self) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
        )

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id, {})
        if "reader" in node.get("tags", ()):
            return spec.merge_attributes(deps=[CLOSE_KEY])
        return spec


def manifest() -> Mapping[str, Any]:
    """The parsed project of the default workspace, as dbt writes it."""
    import json

    folder = default_workspace()
    if (folder / "catalog").is_dir():
        workspace = Workspace.load(folder)
    else:
        # The graph can be looked at before there is a workspace.
        workspace = Workspace(folder)
    variables = {"rate_models": list(workspace.settings.rate_models)}
    path = Dbt(workspace, variables=variables).manifest_path()
    parsed: Mapping[str, Any] = json.loads(path.read_text())
    return parsed


def stage_assets(
    *,
    name: str,
    select: str,
    exclude: str | None,
    parsed: Mapping[str, Any],
    partitions_def: dg.PartitionsDefinition[str] | None = None,
    before: Callable[[BillingRun], object] | None = None,
) -> dg.AssetsDefinition:
    """Assets of a selection. `before` runs first in the same step."""

    @dbt_assets(
        manifest=parsed,
        select=select,
        exclude=exclude,
        name=name,
        partitions_def=partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions_def else None,
        dagster_dbt_translator=StageTranslator(),
        pool=POOL,
    )
    def _assets(
        context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
    ) -> Iterator[Any]:
        run = meterhouse.billing_run(context)
        check_workspace(run.workspace)
        with exclusive(run.workspace):
            if before:
                before(run)
            result = run.dbt.build(
                _selection(context),
                full_refresh=run.full_refresh,
                indirect_selection="empty",
            )
        yield from _events(context, run, result)
        result.raise_for_failures()

    return _assets


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
        keys[node.name]
        for node in result.nodes
        if node.resource_type in {"model", "seed"} and node.passed and node.name in keys
    ]
    facts = describe_tables(run, built)
    for node in result.nodes:
        if node.name in keys and node.passed and node.resource_type in {"model", "seed"}:
            key = keys[node.name]
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={"seconds": node.seconds, **facts.get(key, {})},
            )
        elif node.resource_type == "test" and node.name in checks:
            yield dg.AssetCheckResult(
                asset_key=checks[node.name].asset_key,
                check_name=node.name,
                passed=node.status == "pass",
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={
                    "failing_rows": node.failures or 0,
                    "message": node.message or "pass",
                },
            )


