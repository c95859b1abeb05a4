"""Landing again: nothing twice, nothing lost, whatever happened to the files."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from staging_helpers import (
    AS_OF,
    event,
    lake_content,
    landed,
    rejected,
    starter,
    tree_digest,
    write_events,
)

from orchestration.landing import land
from orchestration.operations import Operations
from orchestration.workspace import Workspace, WorkspaceError

LATER = AS_OF + timedelta(hours=1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return starter(tmp_path / "company")


def numbered(first: int, last: int) -> list[dict[str, object]]:
    return [event(transaction_id=f"t-{i}") for i in range(first, last + 1)]


def ids(workspace: Workspace) -> list[str]:
    return [row["transaction_id"] for row in landed(workspace)]


def test_landing_twice_changes_nothing(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", *numbered(1, 3), event(timestamp="x"))
    land(workspace, as_of=AS_OF)
    before = tree_digest(workspace.directory)
    summary = land(workspace, as_of=LATER)
    assert (summary.files, summary.rows_read, summary.new_event_dates) == (0, 0, [])
    assert tree_digest(workspace.directory) == before


def test_touched_files_and_copies_land_once(workspace: Workspace) -> None:
    path = write_events(workspace, "a.ndjson", *numbered(1, 3))
    land(workspace, as_of=AS_OF)
    before = lake_content(workspace)
    os.utime(path, ns=(1, 1))
    shutil.copy(path, workspace.events / "copy.ndjson")
    packed = gzip.compress(path.read_bytes())
    (workspace.events / "packed.ndjson.gz").write_bytes(packed)
    assert land(workspace, as_of=LATER).files == 0
    assert lake_content(workspace) == before


def test_two_equal_files_of_one_run_land_once(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", *numbered(1, 3))
    write_events(workspace, "b.ndjson", *numbered(1, 3))
    assert land(workspace, as_of=AS_OF).files == 1


def test_duplicates_are_left_to_the_warehouse(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", *numbered(1, 2), *numbered(1, 2))
    write_events(workspace, "b.ndjson", *numbered(2, 3))
    land(workspace, as_of=AS_OF)
    rows = [
        (row["landing_sequence"], row["landing_row"], row["transaction_id"])
        for row in landed(workspace)
    ]
    assert rows == [
        (1, 1, "t-1"), (1, 2, "t-2"), (1, 3, "t-1"), (1, 4, "t-2"),
        (2, 1, "t-2"), (2, 2, "t-3"),
    ]  # fmt: skip


@pytest.mark.parametrize("ends_with_newline", [True, False])
def test_a_file_that_grew_lands_what_is_new(
    workspace: Workspace, ends_with_newline: bool
) -> None:
    path = workspace.events / "a.ndjson"
    lines = [json.dumps(item) for item in numbered(1, 6)]
    path.write_text("\n".join(["", *lines[:2]]) + "\n" * ends_with_newline)
    land(workspace, as_of=AS_OF)
    path.write_text("\n".join(["", *lines[:4], ""]))
    summary = land(workspace, as_of=LATER)
    path.write_text("\n".join(["", *lines, ""]))
    land(workspace, as_of=LATER)
    assert (summary.files, summary.rows_read, summary.warnings) == (1, 2, [])
    assert ids(workspace) == [f"t-{i}" for i in range(1, 7)]
    assert [row["landing_row"] for row in landed(workspace)] == [2, 3, 4, 5, 6, 7]
    assert [row["landing_sequence"] for row in landed(workspace)] == [1, 1, 2, 2, 3, 3]


def test_a_csv_that_grew_keeps_its_header(workspace: Workspace) -> None:
    path = workspace.events / "a.csv"
    head = "transaction_id,customer_id,event_type,timestamp\n"
    rows = [f"t-{i},acme,completion,2026-11-19T10:00:00Z\n" for i in range(1, 5)]
    path.write_text(head + "".join(rows[:2]))
    land(workspace, as_of=AS_OF)
    path.write_text(head + "".join(rows))
    assert land(workspace, as_of=LATER).rows_landed == 2
    assert ids(workspace) == ["t-1", "t-2", "t-3", "t-4"]
    assert [row["landing_row"] for row in landed(workspace)] == [2, 3, 4, 5]


def test_a_changed_file_lands_anew_with_a_warning(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", *numbered(1, 3))
    land(workspace, as_of=AS_OF)
    write_events(workspace, "a.ndjson", *numbered(2, 4))
    summary = land(workspace, as_of=LATER)
    assert summary.rows_landed == 3
    assert len(summary.warnings) == 1 and "events/a.ndjson" in summary.warnings[0]
    assert ids(workspace) == ["t-1", "t-2", "t-3", "t-2", "t-3", "t-4"]


def test_a_continued_last_line_is_a_changed_file(workspace: Workspace) -> None:
    """Half a line that landed as a reject must not make its other half one too."""
    path = write_events(workspace, "a.ndjson", *numbered(1, 2))
    text = path.read_text()
    path.write_text(text[:-10])
    land(workspace, as_of=AS_OF)
    path.write_text(text)
    summary = land(workspace, as_of=LATER)
    assert (summary.rows_landed, len(summary.warnings)) == (2, 1)
    assert len(rejected(workspace)) == 1


def test_the_manifest_accounts_for_every_row(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", *numbered(1, 3), event(timestamp="x"))
    write_events(workspace, "b.ndjson", event(timestamp="2026-11-01T00:00:00Z"))
    (workspace.events / "c.ndjson").write_text("")
    summary = land(workspace, as_of=AS_OF)
    operations = Operations.open(workspace)
    rows = operations.landings()
    operations.close()
    assert [
        (row["source_file"], row["rows_read"], row["rows_landed"], row["rows_rejected"])
        for row in rows
    ] == [
        ("events/a.ndjson", 4, 3, 1),
        ("events/b.ndjson", 1, 1, 0),
        ("events/c.ndjson", 0, 0, 0),
    ]
    assert {row["state"] for row in rows} == {"landed"}
    assert summary.rows_read == summary.rows_landed + summary.rows_rejected == 5
    assert str(rows[1]["min_event_date"]) == "2026-11-01"
    assert rows[2]["max_event_date"] is None


def test_a_property_new_in_the_catalog_reaches_earlier_events(
    workspace: Workspace,
) -> None:
    write_events(workspace, "a.ndjson", event(properties={"region": "us", "tokens": 1}))
    land(workspace, as_of=AS_OF)
    assert "property_region" not in landed(workspace)[0]
    metrics = workspace.catalog / "billable_metrics.csv"
    metrics.write_text(
        metrics.read_text().replace("completion,model", "completion,model|model+region")
    )
    before = [row["transaction_id"] for row in landed(workspace)]
    assert land(workspace, as_of=LATER).files == 0
    (row,) = landed(workspace)
    assert (row["property_region"], row["property_tokens"]) == ("us", "1")
    assert [row["transaction_id"]] == before
    digest = tree_digest(workspace.lake)
    land(workspace, as_of=LATER)
    assert tree_digest(workspace.lake) == digest


def test_a_lake_without_its_manifest_is_refused(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", event())
    land(workspace, as_of=AS_OF)
    workspace.operations_file.unlink()
    before = tree_digest(workspace.directory)
    with pytest.raises(WorkspaceError, match="not in the operations store"):
        land(workspace, as_of=LATER)
    assert tree_digest(workspace.directory) == before


def test_two_landings_at_once_are_refused(workspace: Workspace) -> None:
    from orchestration.landing.run import _lock

    write_events(workspace, "a.ndjson", event())
    with _lock(workspace), pytest.raises(WorkspaceError, match="another run"):
        land(workspace, as_of=AS_OF)
    assert land(workspace, as_of=AS_OF).rows_landed == 1


def test_what_is_appended_while_landing_waits_for_the_next(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.landing import run

    path = write_events(workspace, "a.ndjson", *numbered(1, 3))
    planned = run.new_files

    def appended(*args: Any) -> Any:
        files = planned(*args)
        with path.open("a") as stream:
            stream.write(json.dumps(numbered(4, 4)[0]) + "\n")
        return files

    monkeypatch.setattr(run, "new_files", appended)
    assert land(workspace, as_of=AS_OF).rows_landed == 3
    monkeypatch.undo()
    assert land(workspace, as_of=LATER).rows_landed == 1
    assert ids(workspace) == ["t-1", "t-2", "t-3", "t-4"]


def test_as_of_may_be_in_any_zone(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", event())
    land(workspace, as_of=AS_OF.astimezone(timezone(timedelta(hours=5))))
    assert landed(workspace)[0]["landed_at"] == AS_OF.replace(tzinfo=None)


def test_the_first_properties_of_a_catalog_reach_earlier_events(
    workspace: Workspace,
) -> None:
    for name in ("products", "billable_metrics"):
        path = workspace.catalog / f"{name}.csv"
        path.rename(path.with_suffix(".later"))
    write_events(workspace, "a.ndjson", event())
    land(workspace, as_of=AS_OF)
    for path in workspace.catalog.glob("*.later"):
        path.rename(path.with_suffix(".csv"))
    land(workspace, as_of=LATER)
    assert landed(workspace)[0]["property_model"] == "small"
    assert not list(workspace.lake.glob("_tmp*"))


def test_as_of_needs_a_zone(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="time zone"):
        land(workspace, as_of=AS_OF.replace(tzinfo=None))


def test_the_same_input_gives_the_same_rows(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        workspace = starter(tmp_path / name)
        write_events(workspace, "b.ndjson", *numbered(5, 9), event(timestamp="x"))
        write_events(workspace, "a.ndjson", *numbered(1, 6))
        land(workspace, as_of=AS_OF)
        contents.append(lake_content(workspace))
    assert contents[0] == contents[1]
