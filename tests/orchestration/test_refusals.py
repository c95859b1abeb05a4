"""Nothing goes on behind a red law or a failed table, and the reason can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.billing_run import BillingRun, open_sandbox
from orchestration.execution import BILLING_JOB, RunSettings
from orchestration.workspace import Workspace
from tests.standing_views import made_anew
from tests.support import copy_of, instant, run_until_close

AS_OF = "2026-11-14"
PUBLISHED = dg.AssetKey(["publishing", "published_invoices"])
CLOSE = dg.AssetKey(["invoicing", "close_books"])


@pytest.fixture(scope="module")
def closed_not_sent(
    sample_workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Periods that end in mid-month are closed, but nobody has published them."""
    folder = copy_of(sample_workspace, tmp_path_factory.mktemp("unsent") / "company")
    run_until_close(folder, AS_OF)
    return folder


def launch(
    definitions: dg.Definitions,
    folder: Path,
    as_of: str,
    keys: Sequence[dg.AssetKey] | None = None,
) -> dg.ExecuteInProcessResult:
    """Execute the month's job, or some of its assets, and keep its failure."""
    settings = RunSettings(Workspace.load(folder), instant(as_of))
    return definitions.resolve_job_def(BILLING_JOB).execute_in_process(
        run_config=settings.run_config(),
        asset_selection=keys,
        partition_key="2026-11-01",
        raise_on_error=False,
    )


def errors(result: dg.ExecuteInProcessResult) -> str:
    """What the operator reads on the failed steps, causes included."""
    told = []
    for event in result.filter_events(lambda event: event.is_step_failure):
        error = event.step_failure_data.error
        while error:
            told.append(error.message)
            error = error.cause
    return "\n".join(told)


def writes_to_stripe(folder: Path) -> int:
    """Requests in the sandbox's log that change something."""
    sandbox = open_sandbox(BillingRun(Workspace.load(folder), instant(AS_OF)))
    try:
        return sum(request.method != "get" for request in sandbox.requests())
    finally:
        sandbox.close()


def doctor(folder: Path, statement: str) -> None:
    """Change the warehouse behind everybody's back."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(statement)


def test_publishing_alone_refuses_while_a_law_is_red(
    definitions: dg.Definitions, closed_not_sent: Path, tmp_path: Path
) -> None:
    folder = copy_of(closed_not_sent, tmp_path / "company")
    before = writes_to_stripe(folder)
    doctor(
        folder,
        "update invoicing.invoices set total_minor = total_minor + 1 "
        "where invoice_id = (select min(invoice_id) from books.invoices)",
    )

    refused = launch(definitions, folder, AS_OF, [PUBLISHED])

    assert not refused.success
    assert "publishing refused while a law is red" in errors(refused)
    assert "law_7_readers_show_what_was_hashed" in errors(refused)
    assert writes_to_stripe(folder) == before, "something was sent all the same"

    # There was something to send: with the laws green again it goes out.
    doctor(
        folder,
        "update invoicing.invoices set total_minor = total_minor - 1 "
        "where invoice_id = (select min(invoice_id) from books.invoices)",
    )
    assert launch(definitions, folder, AS_OF, [PUBLISHED]).success
    assert writes_to_stripe(folder) > before


def test_closing_refuses_while_landed_usage_is_not_metered(
    definitions: dg.Definitions, closed_not_sent: Path, tmp_path: Path
) -> None:
    folder = copy_of(closed_not_sent, tmp_path / "company")
    doctor(
        folder,
        "delete from metering.metered_usage where event_date = "
        "(select max(event_date) from metering.metered_usage)",
    )
    refused = launch(definitions, folder, AS_OF, [CLOSE])
    assert not refused.success
    assert "close refused while a law is red" in errors(refused)
    assert "law_1_every_event_has_one_fate" in errors(refused)
    assert "usage_day" in errors(refused)


def test_a_failed_table_stops_what_comes_after_it(
    definitions: dg.Definitions, closed_not_sent: Path, tmp_path: Path
) -> None:
    folder = copy_of(closed_not_sent, tmp_path / "company")
    before = writes_to_stripe(folder)
    doctor(
        folder,
        "create or replace table metering.metered_usage as "
        "select * replace ('a lot' as quantity) from metering.metered_usage",
    )

    with made_anew():
        failed = launch(definitions, folder, "2026-11-20")

    assert not failed.success
    steps = {
        kind: {
            event.step_key
            for event in failed.all_events
            if event.event_type_value == f"STEP_{kind}"
        }
        for kind in ("FAILURE", "START", "SUCCESS")
    }
    assert steps["FAILURE"] == {"draft_models"}
    assert steps["START"] == {"draft_models"}, "a step went on behind a failed one"
    told = errors(failed)
    # The table that failed, and what is wrong with what it reads.
    assert re.search(r"DbtError: .*running_increments: ", told, re.DOTALL), told
    assert "'sum(VARCHAR)'" in told, told
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        closes = connection.execute("select max(as_of) from books.closes").fetchall()
    assert closes[0][0] < instant("2026-11-20").replace(tzinfo=None)
    assert writes_to_stripe(folder) == before
