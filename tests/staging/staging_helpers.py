"""What the tests of landing and catalog share."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.workspace import Workspace, init_workspace

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


def starter(directory: Path) -> Workspace:
    """The starter workspace as made at AS_OF, without its example events."""
    workspace = init_workspace(directory, now=AS_OF)
    (workspace.events / "usage.ndjson").unlink()
    return workspace


def event(**changes: Any) -> dict[str, Any]:
    """A canonical event that lands; a value of None leaves its key out."""
    base: dict[str, Any] = {
        "transaction_id": "t-1",
        "customer_id": "acme",
        "event_type": "completion",
        "timestamp": "2026-11-19T10:00:00Z",
        "properties": {"model": "small", "tokens": "5"},
    }
    return {k: v for k, v in (base | changes).items() if v is not None}


def write_events(workspace: Workspace, name: str, *events: dict[str, Any]) -> Path:
    path = workspace.events / name
    path.write_text("".join(json.dumps(item) + "\n" for item in events))
    return path


def landed(workspace: Workspace) -> list[dict[str, Any]]:
    """Every event in the lake, by key."""
    return _rows(f"{workspace.lake_events}/*/*.parquet")


def rejected(workspace: Workspace) -> list[dict[str, Any]]:
    """Every reject in the lake, by key."""
    return _rows(f"{workspace.lake_rejects}/*.parquet")


def _rows(pattern: str) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        found = con.execute(
            f"from read_parquet('{pattern}', union_by_name = true) "
            "order by landing_sequence, landing_row"
        )
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def tree_digest(directory: Path) -> str:
    """A digest of every name and byte below a folder."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        digest.update(str(path.relative_to(directory)).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def lake_content(workspace: Workspace) -> tuple[Any, Any, list[str]]:
    """Events, rejects and file names: what two runs must agree on."""
    names = sorted(
        str(path.relative_to(workspace.lake)) for path in workspace.lake.rglob("*")
    )
    return landed(workspace), rejected(workspace), names
