"""kill -9 at any moment, run again: the lake is as if nothing had happened.

METERHOUSE_SOAK=1 (make soak) tries many more moments.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from staging_helpers import (
    AS_OF,
    ROOT,
    event,
    lake_content,
    starter,
    write_events,
)

from orchestration.landing import lake, land, run
from orchestration.operations import Operations
from orchestration.workspace import Workspace

SOAK = os.environ.get("METERHOUSE_SOAK") == "1"
KILLS = 200 if SOAK else 3

# Touches a file when the imports are done, so that the kill falls into the landing.
CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from orchestration.landing import land
from orchestration.landing import run
from orchestration.workspace import Workspace
run.PART_ROWS = 500
workspace = Workspace.load(sys.argv[1])
Path(sys.argv[2]).touch()
land(workspace, as_of=datetime.fromisoformat(sys.argv[3]))
"""


def filled(directory: Path) -> Workspace:
    workspace = starter(directory)
    for number in range(4):
        write_events(
            workspace,
            f"{number}.ndjson",
            *(
                event(
                    transaction_id=f"{number}-{i}",
                    timestamp=f"2026-11-{1 + i % 19:02}T10:00:00Z",
                )
                for i in range(600)
            ),
            event(timestamp="nonsense"),
        )
    return workspace


def killed_after(workspace: Workspace, ready: Path, seconds: float) -> None:
    ready.unlink(missing_ok=True)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(workspace.directory), str(ready),
         AS_OF.isoformat()],
        cwd=ROOT,
    )  # fmt: skip
    while not ready.exists() and child.poll() is None:
        time.sleep(0.005)
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    child.wait()


@pytest.mark.soak
def test_kill_9_at_random_moments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PART_ROWS", 500)
    whole = filled(tmp_path / "whole")
    begun = time.perf_counter()
    land(whole, as_of=AS_OF)
    duration = time.perf_counter() - begun
    expected = lake_content(whole)

    choice = random.Random(20261120)
    ready = tmp_path / "ready"
    broken = filled(tmp_path / "broken0")
    for number in range(KILLS):
        killed_after(broken, ready, choice.uniform(0, duration))
        if number % 3 == 2 or number == KILLS - 1:
            land(broken, as_of=AS_OF)
            assert lake_content(broken) == expected
            broken = filled(tmp_path / f"broken{number}")


def dying_at(
    call: int, original: Callable[..., object], after: bool
) -> Callable[..., object]:
    """`original`, but the process dies before or after the given call of it."""
    calls = itertools.count(1)

    def fatal(*args: object, **kwargs: object) -> object:
        is_last = next(calls) == call
        if is_last and not after:
            raise KeyboardInterrupt
        result = original(*args, **kwargs)
        if is_last:
            raise KeyboardInterrupt
        return result

    return fatal


STEPS = [
    (lake.BatchWriter, "flush"),
    (Operations, "begin_landings"),
    (lake.BatchWriter, "publish"),
    (Operations, "finish_landings"),
    (lake, "durable"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "step"), STEPS, ids=[step for _, step in STEPS])
def test_death_around_each_step(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    step: str,
    after: bool,
) -> None:
    """Every boundary between two writes, not only those that a clock hits."""
    whole = starter(tmp_path / "whole")
    dying = starter(tmp_path / "dying")
    for workspace in (whole, dying):
        for name in ("a", "b"):
            write_events(
                workspace,
                f"{name}.ndjson",
                event(transaction_id=name),
                event(timestamp="2026-11-02T00:00:00Z"),
                event(timestamp="x"),
            )
    land(whole, as_of=AS_OF)
    original = getattr(owner, step)
    deaths = 0
    for fatal_call in [1, 2, 3, 5, 8, 13, 21, 34]:
        fatal = dying_at(fatal_call, original, after)
        monkeypatch.setattr(owner, step, fatal)
        try:
            land(dying, as_of=AS_OF)
        except KeyboardInterrupt:
            deaths += 1
            monkeypatch.setattr(owner, step, original)
            continue
        finally:
            monkeypatch.setattr(owner, step, original)
        break
    assert deaths > 0
    land(dying, as_of=AS_OF)
    assert lake_content(dying) == lake_content(whole)
