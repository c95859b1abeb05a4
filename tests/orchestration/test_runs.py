"""What a run through Dagster leaves behind: rows, checks, money, pictures."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from orchestration.execution import BILLING_JOB, USAGE_JOB, dagster_home
from orchestration.workspace import Workspace
from tests.support import rows

USAGE = dg.AssetKey(["metering", "metered_usage"])
INVOICES = dg.AssetKey(["invoicing", "invoices"])
CLOSE = dg.AssetKey(["invoicing", "close_books"])
PUBLISHED = dg.AssetKey(["publishing", "published_invoices"])


def metadata(history: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, object]:
    """Metadata of the asset's latest materialization, as plain values."""
    event = history.get_latest_materialization_event(key)
    assert event and event.asset_materialization, key
    return {
        name: value.value
        for name, value in event.asset_materialization.metadata.items()
    }


def test_both_jobs_succeed(history: dg.DagsterInstance) -> None:
    runs = {run.job_name: run.status for run in history.get_runs()}
    assert runs == {
        USAGE_JOB: dg.DagsterRunStatus.SUCCESS,
        BILLING_JOB: dg.DagsterRunStatus.SUCCESS,
    }


def test_every_asset_was_made(
    history: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    graph = definitions.get_repository_def().asset_graph
    made = set(history.get_asset_keys())
    assert made >= set(graph.materializable_asset_keys)


def test_every_check_has_a_result_and_none_was_forgotten(
    history: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """A blocking check without a result blocks nothing: Dagster warns and goes on."""
    graph = definitions.get_repository_def().asset_graph
    latest = history.event_log_storage.get_latest_asset_check_execution_by_key(
        sorted(graph.asset_check_keys)
    )
    evaluated = {
        key
        for key, record in latest.items()
        if record.event
        and record.event.get_dagster_event().event_type
        == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    }
    assert set(graph.asset_check_keys) - evaluated == set()
    for run in history.get_runs():
        said = [entry.user_message for entry in history.all_logs(run.run_id)]
        assert [text for text in said if "emitted no result" in text] == []


def test_rows_and_money_are_those_of_the_warehouse(
    history: dg.DagsterInstance, normal_run: Path
) -> None:
    counted = rows(normal_run, "select count(*) as n from metering.metered_usage")
    assert metadata(history, USAGE)["dagster/row_count"] == counted[0]["n"] > 0
    totals = rows(
        normal_run,
        "select currency, cast(sum(total_minor) as varchar) as total "
        "from invoicing.invoices group by 1",
    )
    shown = metadata(history, INVOICES)
    assert {
        name.removeprefix("total_minor_"): value
        for name, value in shown.items()
        if name.startswith("total_minor_")
    } == {row["currency"]: row["total"] for row in totals}
    assert len(totals) > 1
    closed = rows(
        normal_run, "select cast(sum(invoice_count) as bigint) as n from books.closes"
    )
    assert metadata(history, CLOSE)["closed_invoices"] == closed[0]["n"]


@pytest.mark.parametrize(
    ("key", "name"), [(USAGE, "events_by_day"), (INVOICES, "invoiced_by_month")]
)
def test_the_chart_is_a_picture(
    history: dg.DagsterInstance, key: dg.AssetKey, name: str
) -> None:
    found = re.fullmatch(
        r"!\[[^]]+\]\(data:image/png;base64,(.+)\)", str(metadata(history, key)[name])
    )
    assert found
    picture = base64.b64decode(found.group(1), validate=True)
    assert picture.startswith(b"\x89PNG") and len(picture) > 2000
    # It is stored with the event of every run.
    assert len(picture) < 100_000


def test_the_boxes_of_the_calendar_are_filled(history: dg.DagsterInstance) -> None:
    months = history.get_materialized_partitions(INVOICES)
    assert months == {"2026-10-01", "2026-11-01"}
    days = history.get_materialized_partitions(USAGE)
    assert days == {"2026-11-02", "2026-11-03"}


def test_what_became_due_was_closed_and_sent(
    history: dg.DagsterInstance, normal_run: Path
) -> None:
    sent = metadata(history, PUBLISHED)
    assert "said" not in sent
    pending = rows(
        normal_run,
        "select count(*) as n from reconciliation.invoice_reconciliation "
        "where break_reason is not null",
    )
    assert pending[0]["n"] == 0


def test_dagsters_own_storage_reads_the_same_history(
    history: dg.DagsterInstance, normal_run: Path
) -> None:
    """Connections are pooled, nothing else: the entry in dagster.yaml may go."""
    home = dagster_home(Workspace.load(normal_run))
    own = SqliteEventLogStorage(str(home / "history" / "runs"))
    for run in history.get_runs():
        ours = history.event_log_storage.get_logs_for_run(run.run_id)
        assert ours == own.get_logs_for_run(run.run_id)
        assert len(ours) > 100
    assert own.get_materialized_partitions(
        INVOICES
    ) == history.get_materialized_partitions(INVOICES)
