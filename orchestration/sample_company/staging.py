"""Lands a sample bit by bit: the files that had arrived by an instant.

The file events/<YYYY>/<MM>/events-<day>.<ext> holds what was received on that day
(UTC) and is complete at the following midnight.
"""

from __future__ import annotations

import os
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

from orchestration.sample_company.shape import instant

_PREFIX = "events-"


def arrivals_until(directory: Path, until: datetime) -> list[Path]:
    """Event files of a sample that were complete at `until`, oldest first.

    until: with a time zone. A day still running at `until` has not arrived.
    """
    if until.tzinfo is None:
        raise ValueError("until needs a time zone")
    found = []
    for path in sorted((directory / "events").rglob(f"{_PREFIX}*")):
        day = date.fromisoformat(path.name.removeprefix(_PREFIX).split(".")[0])
        if instant(day + timedelta(days=1)) <= until:
            found.append(path)
    return found


def stage(directory: Path, workspace: Path, until: datetime) -> list[Path]:
    """Bring catalog, settings and what had arrived by `until` into a workspace.

    Event files are hard-linked where the file system allows it, else copied. What the
    workspace already has is left alone, an edited catalog included. Returns the event
    files that are new, as paths in the workspace.
    """
    for name in ("meterhouse.yml", "catalog"):
        for source in _files(directory / name):
            target = workspace / source.relative_to(directory)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    staged = []
    for source in arrivals_until(directory, until):
        target = workspace / source.relative_to(directory)
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            partial = target.with_name(f"_tmp-{target.name}")
            shutil.copyfile(source, partial)
            os.replace(partial, target)
        staged.append(target)
    return staged


def _files(path: Path) -> list[Path]:
    return sorted(path.iterdir()) if path.is_dir() else [path]
