"""Backfills as an operator launches them: through the running webserver and daemon."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.execution import BILLING_JOB
from orchestration.partitions import billing_months, usage_days
from tests.orchestration.server import DagsterUi, wait_for
from tests.support import instant, rows

DAY = "2026-09-15"
EARLIER_DAY = "2026-08-20"
MONTH = "2026-08-01"
MONTH_AS_OF = "2026-09-02"
PATIENCE = 600

pytestmark = pytest.mark.skipif(
    not (usage_days.has_partition_key(DAY) and billing_months.has_partition_key(MONTH)),
    reason="this machine's clock stands before the sample company's months",
)

LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}
"""

RUNS = """
query Runs($filter: RunsFilter!) {
  runsOrError(filter: $filter) { ... on Runs { results { runId status } } }
}
"""

METERING = (
    "attributed_events",
    "metered_usage",
    "unmetered_events",
    "usage_duplicates",
    "usage_rejections",
)
USAGE_ROWS = (
    "select * from metering.metered_usage where event_date {condition} order by all"
)


def launch(ui: DagsterUi, params: dict[str, Any]) -> str:
    """Launch a backfill; returns its id."""
    answer = ui.graphql(LAUNCH, {"params": params})["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    backfill: str = answer["backfillId"]
    return backfill


def wait_for_success(ui: DagsterUi, backfill: str) -> None:
    """Every run of the backfill succeeds, and there is one."""
    filters = {"tags": [{"key": "dagster/backfill", "value": backfill}]}

    def statuses() -> list[str]:
        found = ui.graphql(RUNS, {"filter": filters})["runsOrError"]["results"]
        return [run["status"] for run in found]

    def ended() -> bool:
        now = statuses()
        return bool(now) and set(now) <= {"SUCCESS", "FAILURE", "CANCELED"}

    wait_for(ended, PATIENCE, ui)
    assert statuses() == ["SUCCESS"], ui.log.read_text(errors="replace")[-4000:]


def repository(ui: DagsterUi) -> dict[str, str]:
    """Selector of the one repository that the UI serves."""
    found = ui.graphql(
        "{ repositoriesOrError { ... on RepositoryConnection "
        "{ nodes { name location { name } } } } }",
        {},
    )["repositoriesOrError"]["nodes"]
    assert len(found) == 1
    return {
        "repositoryName": found[0]["name"],
        "repositoryLocationName": found[0]["location"]["name"],
    }


def doctor(folder: Path, statement: str) -> None:
    """Change the warehouse behind everybody's back."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(statement)


def test_one_past_day_is_metered_again_to_the_same_rows(ui: DagsterUi) -> None:
    folder = ui.workspace
    of_the_day = USAGE_ROWS.format(condition=f"= date '{DAY}'")
    of_another = USAGE_ROWS.format(condition=f"= date '{EARLIER_DAY}'")
    mark = (
        "update metering.metered_usage set event_count = event_count {change} 1 "
        f"where event_date = date '{EARLIER_DAY}'"
    )
    before = rows(folder, of_the_day)
    assert len(before) > 20
    # The day is lost; the other one is marked, and nobody asks for it.
    doctor(
        folder, f"delete from metering.metered_usage where event_date = date '{DAY}'"
    )
    doctor(folder, mark.format(change="+"))
    marked = rows(folder, of_another)

    backfill = launch(
        ui,
        {
            "assetSelection": [{"path": ["metering", name]} for name in METERING],
            "partitionNames": [DAY],
            "title": "meter a day again",
        },
    )
    wait_for_success(ui, backfill)

    assert rows(folder, of_the_day) == before
    assert rows(folder, of_another) == marked, "more days were metered than asked for"
    doctor(folder, mark.format(change="-"))


def test_one_month_is_closed_as_of_its_end_and_grace(ui: DagsterUi) -> None:
    folder = ui.workspace
    backfill = launch(
        ui,
        {
            "selector": {
                "partitionSetName": f"{BILLING_JOB}_partition_set",
                "repositorySelector": repository(ui),
            },
            "partitionNames": [MONTH],
            "title": "bill a month again",
        },
    )
    wait_for_success(ui, backfill)

    due = instant(MONTH_AS_OF).replace(tzinfo=None)
    closes = rows(folder, "select as_of, invoice_count from books.closes")
    assert [close["as_of"] for close in closes] == [due]
    closed = rows(
        folder,
        "select max(period_end) filter (invoice_type = 'USAGE') as latest, "
        "count(*) as n from books.invoices",
    )
    assert closed[0]["n"] == closes[0]["invoice_count"] > 20
    assert closed[0]["latest"] == datetime(2026, 9, 1)
    # Usage of two more months is metered; drafts know September's first day only.
    drafts = rows(
        folder,
        "select distinct status from invoicing.invoices where period_start >= "
        "timestamp '2026-09-01' and invoice_type = 'USAGE' order by 1",
    )
    assert [draft["status"] for draft in drafts] == ["DRAFT"]
    unclosed = rows(
        folder,
        "select max(usage_hour) as latest from rating.period_usage "
        "where usage_hour is not null",
    )
    assert unclosed[0]["latest"] < due
    # Sent, loaded back and compared: the steps after the close ran as of now.
    paid = rows(
        folder,
        "select count(*) as n, count(break_reason) as breaks "
        "from reconciliation.invoice_reconciliation",
    )
    assert paid[0]["n"] > 20
    assert paid[0]["breaks"] == 0
    exported = (folder / "finance.duckdb").stat().st_mtime
    assert datetime.fromtimestamp(exported, UTC) > instant(MONTH_AS_OF)
