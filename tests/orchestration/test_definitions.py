"""The asset graph is a contract with operators: a reviewed snapshot, and rules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
from syrupy.assertion import SnapshotAssertion

from orchestration.dbt_assets import CLOSE_KEY, POOL, check_text, manifest
from orchestration.partitions import MONTH_BY_MONTH, billing_months, usage_days

STAGES = {
    "staging",
    "metering",
    "rating",
    "credits",
    "invoicing",
    "publishing",
    "payments",
    "reconciliation",
    "exports",
}
REPOSITORY = Path(__file__).parents[2]


def graph(definitions: dg.Definitions) -> Any:
    return definitions.get_repository_def().asset_graph


def nodes(definitions: dg.Definitions) -> list[Any]:
    assets = graph(definitions)
    return [assets.get(key) for key in sorted(assets.get_all_asset_keys())]


def test_assets_are_the_reviewed_ones(
    definitions: dg.Definitions, snapshot: SnapshotAssertion
) -> None:
    described = {
        node.key.to_user_string(): {
            "group": node.group_name,
            "owners": sorted(node.owners),
            "partitions": type(node.partitions_def).__name__
            if node.partitions_def
            else None,
            "made_here": node.is_materializable,
            "deps": sorted(key.to_user_string() for key in node.parent_keys),
        }
        for node in nodes(definitions)
    }
    assert described == snapshot


def test_checks_are_the_reviewed_ones(
    definitions: dg.Definitions, snapshot: SnapshotAssertion
) -> None:
    checks: dict[str, list[str]] = {}
    for key in sorted(graph(definitions).asset_check_keys):
        blocking = "" if graph(definitions).get(key).blocking else " (warns)"
        checks.setdefault(key.asset_key.to_user_string(), []).append(
            key.name + blocking
        )
    assert checks == snapshot


def test_jobs_and_schedules_are_the_reviewed_ones(
    definitions: dg.Definitions, snapshot: SnapshotAssertion
) -> None:
    repository = definitions.get_repository_def()
    described = {
        "jobs": {
            job.name: {
                "description": job.description,
                "partitions": type(job.partitions_def).__name__
                if job.partitions_def
                else None,
                "steps": sorted(node.name for node in job.nodes),
            }
            for job in repository.get_all_jobs()
            if job.name != "__ASSET_JOB"
        },
        "schedules": {
            schedule.name: {
                "cron": schedule.cron_schedule,
                "job": schedule.job_name,
                "time_zone": schedule.execution_timezone,
            }
            for schedule in repository.schedule_defs
        },
    }
    assert described == snapshot


def test_groups_are_the_nine_stages(definitions: dg.Definitions) -> None:
    assert {node.group_name for node in nodes(definitions)} == STAGES
    folders = {
        path.parent.name for path in (REPOSITORY / "orchestration/defs").glob("*/*.py")
    }
    assert folders == STAGES


def test_every_asset_says_what_it_is_and_whose(definitions: dg.Definitions) -> None:
    for node in nodes(definitions):
        words = (node.description or "").split("`")[0].split()
        assert len(words) > 2, f"{node.key} has no description"
        assert "```" not in node.description, f"{node.key} shows raw SQL"
        assert node.owners, f"{node.key} has no owner"


def test_every_check_says_what_it_holds(definitions: dg.Definitions) -> None:
    for key in graph(definitions).asset_check_keys:
        text = graph(definitions).get(key).description
        assert text and not text.startswith("dbt test"), key


def test_laws_block(definitions: dg.Definitions) -> None:
    laws = [key for key in graph(definitions).asset_check_keys if "law_" in key.name]
    assert len(laws) >= 15
    assert all(graph(definitions).get(key).blocking for key in laws)


def test_every_dbt_test_is_a_check(definitions: dg.Definitions) -> None:
    tests = {
        node["name"]
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "test"
    }
    assert {key.name for key in graph(definitions).asset_check_keys} == tests


def test_what_writes_the_warehouse_shares_one_pool(definitions: dg.Definitions) -> None:
    for node in nodes(definitions):
        if node.is_materializable:
            assert node.pools == {POOL}, node.key


def test_usage_has_days_and_invoices_have_months(definitions: dg.Definitions) -> None:
    for node in nodes(definitions):
        if node.key.path[0] == "metering":
            assert node.partitions_def == usage_days, node.key
        if node.group_name in {"rating", "credits", "invoicing", "publishing"}:
            assert node.partitions_def == billing_months, node.key
            # Each closes as of its own end + grace, never several as of the last.
            assert node.backfill_policy == MONTH_BY_MONTH, node.key


def test_what_reads_the_closed_books_waits_for_the_close(
    definitions: dg.Definitions,
) -> None:
    for node in manifest()["nodes"].values():
        if "reader" in node.get("tags", ()) and node["resource_type"] == "model":
            key = dg.AssetKey([node["schema"], node["name"]])
            assert CLOSE_KEY in graph(definitions).get(key).parent_keys, key
    upstream = graph(definitions).get_ancestor_asset_keys(CLOSE_KEY)
    assert dg.AssetKey(["invoicing", "invoices"]) not in upstream


def test_check_text_of_each_kind_of_dbt_test() -> None:
    def text(name: str, **given: Any) -> str:
        return check_text(
            {"name": "t", "test_metadata": {"name": name, "kwargs": given}}
        )

    assert text("unique", column_name="a") == "`a` stands in one row only."
    assert text("not_null", column_name="a") == "Never empty: `a`."
    assert text("not_null_columns", columns=["a", "b"]) == "Never empty: `a`, `b`."
    assert text("unique_combination", columns=["a", "b"]) == "One row per `a`, `b`."
    assert text("accepted_values", column_name="a", values=["X", "Y"]) == (
        "`a` is one of X, Y."
    )
    assert text("relationships", column_name="a", field="b", to="ref('c')") == (
        "Each `a` is a `b` of `c`."
    )


def test_dg_finds_the_definitions_sound_where_there_is_no_workspace(
    tmp_path: Path,
) -> None:
    nowhere = tmp_path / "nowhere"
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("dg")), "check", "defs"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "METERHOUSE_WORKSPACE": str(nowhere),
            "DAGSTER_HOME": str(tmp_path),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All definitions loaded successfully" in checked.stdout + checked.stderr
    assert not nowhere.exists(), "looking at the graph made a workspace"
