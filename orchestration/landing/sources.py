"""What there is to land: usage files below DIR/events and the configured table."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.readers import open_bytes
from orchestration.workspace import Problem, Workspace, WorkspaceError

FORMATS = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class EventFile:
    """A usage file that is new, and where its new part begins."""

    path: Path
    name: str  # relative to DIR
    event_name: str  # relative to DIR/events
    form: str
    content_hash: str
    size: int  # of the unpacked content
    file_bytes: int
    modified_ns: int
    start_byte: int = 0
    start_line: int = 0
    start_row: int = 0
    changed: bool = False


def event_paths(workspace: Workspace) -> list[Path]:
    """The usage files in a fixed order.

    Names beginning with "." or "_" and notes (*.md) are left alone.

    Raises:
        WorkspaceError: a file of a kind that can't be read.
    """
    found: list[Path] = []
    problems: list[Problem] = []
    for path in sorted(workspace.events.rglob("*")):
        inside = path.relative_to(workspace.events)
        if any(part.startswith((".", "_")) for part in inside.parts):
            continue
        if path.is_dir() or path.suffix.lower() == ".md":
            continue
        if file_format(path) is None:
            problems.append(
                Problem(
                    workspace.relative(path),
                    0,
                    "",
                    f"files ending in '{path.suffix}' can't be read",
                    "Known: " + ", ".join(FORMATS) + ", each also with .gz.",
                )
            )
        found.append(path)
    if problems:
        raise WorkspaceError(problems)
    return sorted(found, key=lambda path: path.relative_to(workspace.events).as_posix())


def file_format(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = Path(path.stem).suffix.lower()
    return FORMATS.get(suffix)


def new_files(
    workspace: Workspace, landed: Iterable[Mapping[str, Any]]
) -> list[EventFile]:
    """The files, or parts of files, that did not land yet.

    A file whose path, size and modification time are those of its last landing is
    taken as unchanged without reading it. Otherwise its content decides: content
    that landed under any name is skipped; a text file that begins with what landed
    from it lands only what was added; any other change lands the file anew.

    Raises:
        WorkspaceError: a file can't be read, or is not what its name says.
    """
    hashes: set[str] = set()
    latest: dict[str, Mapping[str, Any]] = {}
    for row in landed:
        hashes.add(row["content_hash"])
        latest[row["source_file"]] = row
    found: list[EventFile] = []
    problems: list[Problem] = []
    for path in event_paths(workspace):
        name = workspace.relative(path)
        before = latest.get(name)
        try:
            file = _looked_at(workspace, path, name, before)
        except (OSError, EOFError, zlib.error, pa.ArrowInvalid) as error:
            kind = file_format(path)
            why = f"can't be read as {kind}: {str(error).splitlines()[0]}"
            remedy = "Replace it by the whole file, or remove it."
            problems.append(Problem(name, 0, "", why, remedy))
            continue
        if file is not None and file.content_hash not in hashes:
            hashes.add(file.content_hash)
            found.append(file)
    if problems:
        raise WorkspaceError(problems)
    return found


def _looked_at(
    workspace: Workspace, path: Path, name: str, before: Mapping[str, Any] | None
) -> EventFile | None:
    state = path.stat()
    form = file_format(path)
    assert form is not None
    seen = (before["modified_ns"], before["file_bytes"]) if before else None
    if seen == (state.st_mtime_ns, state.st_size):
        return None
    if form == "parquet" and path.suffix.lower() != ".gz":
        pq.read_metadata(path)
    old_size = int(before["size_bytes"]) if before is not None else 0
    old_hash, content_hash, size, joint = _hashes(path, old_size)
    common: dict[str, Any] = {
        "path": path,
        "name": name,
        "event_name": path.relative_to(workspace.events).as_posix(),
        "form": form,
        "content_hash": content_hash,
        "size": size,
        "file_bytes": state.st_size,
        "modified_ns": state.st_mtime_ns,
    }
    if before is None:
        return EventFile(**common)
    grown = (
        form in ("ndjson", "csv")
        and size > old_size > 0
        and old_hash == before["content_hash"]
        and (joint.startswith(b"\n") or joint[1:2] == b"\n" or joint[1:] == b"\r\n")
    )
    if not grown:
        return EventFile(**common, changed=content_hash != before["content_hash"])
    return EventFile(
        **common,
        start_byte=old_size,
        start_line=int(before["end_line"]),
        start_row=int(before["end_row"]),
    )


def _hashes(path: Path, old_size: int) -> tuple[str | None, str, int, bytes]:
    """(hash of the first `old_size` bytes, hash of all, size, bytes at the joint).

    Of the unpacked content: a .gz of a landed file is the same content. The joint
    is the last old byte and the first two new ones: whole lines were added when
    either the old part ended with a newline or the new part begins with one.
    """
    digest = hashlib.sha256()
    old_hash: str | None = None
    joint = b""
    size = 0
    with open_bytes(path) as stream:
        while True:
            want = min(_BLOCK, old_size - size) if size < old_size else _BLOCK
            block = stream.read(want)
            if not block:
                break
            if 0 < old_size == size:
                joint += block[:2]
            digest.update(block)
            size += len(block)
            if size == old_size:
                old_hash = digest.copy().hexdigest()
                joint = block[-1:]
    return old_hash, digest.hexdigest(), size, joint
