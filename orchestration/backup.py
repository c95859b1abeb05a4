"""Backup and restore of what can't be computed again.

That is the lake, the books and the operations store; everything else in the warehouse
follows from them and the price book. A backup is a manifest of checksums over a store
of files kept once per content, so that one after every close costs what is new.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.billing_run import (
    BillingRun,
    RunRefused,
    build_readers,
    build_until_close,
    copy_operations,
)
from orchestration.duck import connect
from orchestration.operations import URL_VARIABLE
from orchestration.warehouse import Warehouse
from orchestration.workspace import Workspace

MANIFEST_VERSION = 1
OBJECTS = "objects"
BOOKS = "books"

BOOK_TABLES_QUERY = (
    "select table_name from information_schema.tables "
    "where table_schema = 'books' order by table_name"
)
LAST_CLOSE_QUERY = (
    "select close_id, as_of, rolling_digest from books.closes "
    "order by as_of desc, close_id desc limit 1"
)


@dataclass(frozen=True)
class Manifest:
    """What one backup holds: path in the workspace -> sha256 of its content.

    `rolling_digest` is the books' digest; `as_of` the last close, ISO 8601 UTC.
    """

    name: str
    as_of: str
    rolling_digest: str
    files: dict[str, str]
    sizes: dict[str, list[int]]

    def to_json(self) -> str:
        return json.dumps(
            {
                "version": MANIFEST_VERSION,
                "name": self.name,
                "as_of": self.as_of,
                "rolling_digest": self.rolling_digest,
                "files": self.files,
                "sizes": self.sizes,
            },
            indent=1,
            sort_keys=True,
        )


def back_up(workspace: Workspace) -> str:
    """Back the workspace up and return the backup's name.

    The manifest is written last, by rename: a backup that was cut off is none.

    Raises:
        RunRefused: there is no warehouse, or nothing was ever closed.
    """
    if not workspace.warehouse.exists():
        raise RunRefused(f"{workspace.directory} has no warehouse to back up")
    closes = Warehouse(workspace).rows_or_none(LAST_CLOSE_QUERY)
    if not closes:
        raise RunRefused("nothing is closed yet, so there is nothing to back up")
    last = closes[0]
    as_of = last["as_of"].replace(tzinfo=UTC)
    name = f"{as_of:%Y%m%dT%H%M%SZ}-{last['rolling_digest'][:12]}"
    known = _known_checksums(workspace)
    files: dict[str, str] = {}
    sizes: dict[str, list[int]] = {}
    for path in _lake_files(workspace):
        relative = workspace.relative(path)
        stat = path.stat()
        sizes[relative] = [stat.st_size, stat.st_mtime_ns]
        unchanged = known.get(relative)
        if unchanged and unchanged[0] == sizes[relative]:
            files[relative] = unchanged[1]
            if _object(workspace, files[relative]).exists():
                continue
        files[relative] = _store(workspace, path)
    with tempfile.TemporaryDirectory() as folder:
        for relative, path in _snapshots(workspace, Path(folder)):
            files[relative] = _store(workspace, path)
    manifest = Manifest(name, as_of.isoformat(), last["rolling_digest"], files, sizes)
    fresh = workspace.backups / f".{name}.json.new"
    fresh.write_text(manifest.to_json(), encoding="utf-8")
    os.replace(fresh, workspace.backups / f"{name}.json")
    return name


def restore(workspace: Workspace, name: str | None = None) -> str:
    """Rebuild a lost warehouse; returns the backup's name.

    Files that are there are left alone, missing ones come back; then the books are
    loaded and everything else is built as of the last close.

    Raises:
        RunRefused: there is a warehouse, no such backup, a damaged file, or the
            rebuilt books do not have the digest of the lost ones.
    """
    if workspace.warehouse.exists():
        raise RunRefused(
            f"{workspace.warehouse} exists; move it away before restoring over it"
        )
    manifest = _manifest(workspace, name)
    _verify(workspace, manifest)
    for relative, checksum in manifest.files.items():
        target = workspace.directory / relative
        if relative.startswith(f"{BOOKS}/") or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_object(workspace, checksum), target)
    run = BillingRun(workspace, datetime.fromisoformat(manifest.as_of))
    copy_operations(run)
    _load_books(run, manifest)
    build_until_close(run)
    build_readers(run)
    digest = run.warehouse.rows(LAST_CLOSE_QUERY)[0]["rolling_digest"]
    if digest != manifest.rolling_digest:
        raise RunRefused(
            f"the restored books have digest {digest}, the backup {manifest.name} "
            f"has {manifest.rolling_digest}"
        )
    return manifest.name


def _load_books(run: BillingRun, manifest: Manifest) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tables = []
        for relative, checksum in manifest.files.items():
            if relative.startswith(f"{BOOKS}/"):
                target = Path(folder) / Path(relative).name
                shutil.copyfile(_object(run.workspace, checksum), target)
                tables.append(target.stem)
        # Which migrations these books have had is not what those had.
        tables.remove("migrations")
        given = {"folder": folder, "tables": sorted(tables)}
        run.dbt.run_operation("restore_books", given)


def _snapshots(workspace: Workspace, folder: Path) -> Iterator[tuple[str, Path]]:
    """Consistent copies of what is written in place: the books and the SQLite files."""
    with connect(workspace.warehouse, read_only=True) as con:
        for (table,) in con.execute(BOOK_TABLES_QUERY).fetchall():
            path = folder / f"{table}.parquet"
            con.execute(
                f"copy (select * from books.{table} order by all) to '{path}' "
                "(format parquet, compression zstd)"
            )
            yield f"{BOOKS}/{table}.parquet", path
    stores = [workspace.stripe_sandbox_file]
    # A store at a URL is backed up by its own server's means.
    if not os.environ.get(URL_VARIABLE):
        stores.append(workspace.operations_file)
    for store in stores:
        if store.exists():
            path = folder / store.name
            with (
                closing(sqlite3.connect(store)) as source,
                closing(sqlite3.connect(path)) as target,
            ):
                source.backup(target)
            yield workspace.relative(store), path


def _lake_files(workspace: Workspace) -> list[Path]:
    return sorted(
        path
        for path in workspace.lake.rglob("*.parquet")
        if not any(part.startswith("_tmp") for part in path.parts)
    )


def _store(workspace: Workspace, path: Path) -> str:
    checksum = _sha256(path)
    target = _object(workspace, checksum)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(path, fresh)
        os.replace(fresh, target)
    return checksum


def _object(workspace: Workspace, checksum: str) -> Path:
    return workspace.backups / OBJECTS / checksum[:2] / checksum


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known_checksums(workspace: Workspace) -> dict[str, tuple[list[int], str]]:
    """Checksums of the newest backup, so that only new lake files are read."""
    if not any(workspace.backups.glob("*.json")):
        return {}
    newest = _manifest(workspace, None)
    return {
        relative: (size, newest.files[relative])
        for relative, size in newest.sizes.items()
    }


def _manifest(workspace: Workspace, name: str | None) -> Manifest:
    names = sorted(path.stem for path in workspace.backups.glob("*.json"))
    if not names:
        raise RunRefused(f"no backup in {workspace.backups}")
    chosen = name or names[-1]
    if chosen not in names:
        raise RunRefused(f"no backup {chosen}; there are: {', '.join(names)}")
    content: dict[str, Any] = json.loads(
        (workspace.backups / f"{chosen}.json").read_text(encoding="utf-8")
    )
    return Manifest(
        content["name"],
        content["as_of"],
        content["rolling_digest"],
        content["files"],
        content["sizes"],
    )


def _verify(workspace: Workspace, manifest: Manifest) -> None:
    damaged = [
        relative
        for relative, checksum in manifest.files.items()
        if not _object(workspace, checksum).exists()
        or _sha256(_object(workspace, checksum)) != checksum
    ]
    if damaged:
        raise RunRefused(
            f"backup {manifest.name} is damaged: {', '.join(damaged[:5])}"
            + (f" and {len(damaged) - 5} more" if len(damaged) > 5 else "")
        )
