"""Looking back at a closed month writes to a copy and nowhere else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration.billing_run import BillingRun, RunRefused
from orchestration.execution import (
    BILLING_JOB,
    USAGE_JOB,
    RunSettings,
    dagster_home,
    execute,
)
from orchestration.resources import preview_of
from orchestration.workspace import Workspace
from tests.support import copy_of, instant

LOOK_BACK = "2026-10-02"
TABLES = (
    "metering.metered_usage",
    "invoicing.draft_invoices",
    "invoicing.invoices",
    "credits.credit_ledger",
    "publishing.stripe_invoice_requests",
    "payments.payments",
    "reconciliation.invoice_reconciliation",
    "books.invoices",
    "books.closes",
)


def content(warehouse: Path) -> dict[str, Any]:
    """Digest of each table's rows."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            table: connection.execute(
                f"select count(*), bit_xor(hash(t)) from {table} as t"
            ).fetchall()
            for table in TABLES
        }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def looked_back(
    normal_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """(workspace before, workspace after a run as of the last close but one)."""
    folder = copy_of(normal_run, tmp_path_factory.mktemp("preview") / "company")
    # A file that waits to be landed: a preview must leave it to the next real run.
    (folder / "events" / "late.ndjson").write_text(
        '{"transaction_id": "late-1", "customer_id": "customer-0001", '
        '"event_type": "tokens", "timestamp": "2026-10-30T00:00:00Z", '
        '"properties": {}}\n'
    )
    settings = RunSettings(Workspace.load(folder), instant(LOOK_BACK))
    execute(settings, [USAGE_JOB, BILLING_JOB])
    return normal_run, folder


def test_no_table_finance_copy_or_lake_file_changes(
    looked_back: tuple[Path, Path],
) -> None:
    before, after = looked_back
    assert content(after / "warehouse.duckdb") == content(before / "warehouse.duckdb")
    assert digest(after / "finance.duckdb") == digest(before / "finance.duckdb")

    def files(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): digest(path)
            for part in ("lake", "exports")
            for path in sorted((folder / part).rglob("*"))
            if path.is_file()
        }

    assert files(after) == files(before)


def test_the_preview_shows_what_was_known_then(
    looked_back: tuple[Path, Path],
) -> None:
    _, folder = looked_back
    (preview,) = (folder / ".meterhouse" / "previews").glob("*/*.duckdb")
    with duckdb.connect(str(preview), read_only=True) as connection:
        as_of = connection.execute("select as_of from ops.build").fetchall()
        assert as_of == [(instant(LOOK_BACK).replace(tzinfo=None),)]
        states = connection.execute(
            "select distinct strftime(period_start, '%Y-%m'), status "
            "from invoicing.invoices where date_part('day', period_start) = 1 "
            "and date_part('day', period_end) = 1 order by 1, 2"
        ).fetchall()
    # October was under way at the time; it is closed in the real tables.
    assert states == [
        ("2026-08", "FINALIZED"),
        ("2026-09", "FINALIZED"),
        ("2026-10", "DRAFT"),
    ]


def test_the_operator_is_told_that_it_was_a_preview(
    looked_back: tuple[Path, Path],
) -> None:
    _, folder = looked_back
    home = dagster_home(Workspace.load(folder))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for key, word in (
            ("lake/events", "lands nothing"),
            ("invoicing/close_books", "preview"),
            ("publishing/published_invoices", "publishes nothing"),
            ("exports/finance_copy", "not published"),
        ):
            event = instance.get_latest_materialization_event(
                dg.AssetKey(key.split("/"))
            )
            assert event and event.asset_materialization
            assert word in str(event.asset_materialization.metadata["said"].value)
        drafts = instance.get_latest_materialization_event(
            dg.AssetKey(["invoicing", "draft_invoices"])
        )
        assert drafts and drafts.asset_materialization
        assert "previews" in str(drafts.asset_materialization.metadata["preview"].value)


def test_a_second_look_uses_the_copy_and_a_normal_run_a_fresh_one(
    looked_back: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = copy_of(looked_back[1], tmp_path / "company")
    run = BillingRun(Workspace.load(folder), instant(LOOK_BACK))
    copied = preview_of(run).workspace.warehouse
    stamp = copied.stat().st_mtime_ns
    assert preview_of(run).workspace.warehouse.stat().st_mtime_ns == stamp
    (folder / "warehouse.duckdb").touch()
    assert preview_of(run).workspace.warehouse.stat().st_mtime_ns > stamp
    other = BillingRun(Workspace.load(folder), instant("2026-09-02"))
    assert preview_of(other).workspace.warehouse != copied
    assert len(list(copied.parent.parent.iterdir())) == 1, "previews pile up"


def test_an_engine_that_has_no_file_to_copy_refuses(
    looked_back: tuple[Path, Path],
) -> None:
    run = BillingRun(
        Workspace.load(looked_back[1]), instant(LOOK_BACK), dbt_target="spark"
    )
    with pytest.raises(RunRefused, match="preview .* needs --target duckdb"):
        preview_of(run)
