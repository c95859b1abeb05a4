"""What can't be computed again comes back whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import duckdb
import pytest

from orchestration.backup import back_up, restore
from orchestration.billing_run import RunRefused
from orchestration.workspace import Workspace
from tests.support import copy_of, rows

BOOKS = "select * from books.{} order by all"
TABLES = ("closes", "invoices", "invoice_lines", "ledger_entries", "credit_drawdowns")
READERS = {
    "invoicing.invoices": "invoice_id",
    "invoicing.invoice_lines": "line_id",
    "credits.credit_ledger": "entry_id",
    "credits.credit_balances": "segment_id",
}


def digests(folder: Path) -> dict[str, list[dict[str, object]]]:
    found = {table: rows(folder, BOOKS.format(table)) for table in TABLES}
    for reader, key in READERS.items():
        found[reader] = rows(folder, f"select * from {reader} order by {key}")
    return found


@pytest.fixture(scope="module")
def lost_and_restored(
    sample_workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, list[dict[str, object]]]]:
    folder = copy_of(sample_workspace, tmp_path_factory.mktemp("backup") / "company")
    workspace = Workspace.load(folder)
    before = digests(folder)
    back_up(workspace)
    workspace.warehouse.unlink()
    shutil.rmtree(workspace.lake)
    workspace.operations_file.unlink()
    restore(workspace)
    return folder, before


def test_a_lost_warehouse_comes_back_with_equal_digests(
    lost_and_restored: tuple[Path, dict[str, list[dict[str, object]]]],
) -> None:
    folder, before = lost_and_restored
    assert len(before["closes"]) == 3
    assert digests(folder) == before


def test_every_close_left_a_backup(sample_workspace: Path) -> None:
    names = sorted(
        p.stem for p in Workspace.load(sample_workspace).backups.glob("*.json")
    )
    digest = [
        row["rolling_digest"][:12]
        for row in rows(
            sample_workspace, BOOKS.format("closes").replace("all", "as_of")
        )
    ]
    assert names == [
        f"2026{day}T000000Z-{end}"
        for day, end in zip(("0902", "1002", "1102"), digest, strict=True)
    ]


def test_restore_never_replaces_a_warehouse(sample_workspace: Path) -> None:
    with pytest.raises(RunRefused, match="move it away"):
        restore(Workspace.load(sample_workspace))


def test_a_damaged_backup_is_refused_by_name(
    sample_workspace: Path, tmp_path: Path
) -> None:
    folder = copy_of(sample_workspace, tmp_path / "company")
    workspace = Workspace.load(folder)
    name = back_up(workspace)
    manifest = json.loads((workspace.backups / f"{name}.json").read_text())
    checksum = manifest["files"]["books/invoices.parquet"]
    damaged = workspace.backups / "objects" / checksum[:2] / checksum
    damaged.write_bytes(damaged.read_bytes()[:-1])
    workspace.warehouse.unlink()
    with pytest.raises(RunRefused, match=r"damaged: books/invoices\.parquet"):
        restore(workspace, name)
    assert not workspace.warehouse.exists()


def test_a_backup_of_before_a_migration_is_restored(
    sample_workspace: Path, tmp_path: Path
) -> None:
    """Without the table and the column that a later version of the books has."""
    folder = copy_of(sample_workspace, tmp_path / "company")
    workspace = Workspace.load(folder)
    before = digests(folder)
    name = back_up(workspace)
    path = workspace.backups / f"{name}.json"
    manifest = json.loads(path.read_text())
    objects = workspace.backups / "objects"
    lines = "books/invoice_lines.parquet"
    now = objects / manifest["files"][lines][:2] / manifest["files"][lines]
    older = tmp_path / "older.parquet"
    duckdb.sql(
        f"copy (select * exclude (pricing_unit_id) from read_parquet('{now}')) "
        f"to '{older}' (format parquet)"
    )
    checksum = hashlib.sha256(older.read_bytes()).hexdigest()
    (objects / checksum[:2]).mkdir(exist_ok=True)
    shutil.copyfile(older, objects / checksum[:2] / checksum)
    manifest["files"][lines] = checksum
    del manifest["files"]["books/frozen_pricing_unit_conversions.parquet"]
    path.write_text(json.dumps(manifest))
    workspace.warehouse.unlink()

    restore(workspace, name)

    assert digests(folder) == before


def test_nothing_closed_is_nothing_to_back_up(
    sample_workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "catalog").mkdir()
    with pytest.raises(RunRefused, match="no warehouse"):
        back_up(Workspace.load(tmp_path))
