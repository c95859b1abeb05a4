"""Wall time, processor time and memory of one process, and how they are shown."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Wall and processor seconds and peak resident megabytes of one process."""

    wall: float
    cpu: float
    peak_mb: float


def measure(command: list[str]) -> Figure:
    """Run a command to its end; raises when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Figure(
        time.perf_counter() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )


def header() -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return (
        f"{machine}, Python {platform.python_version()}\n\n"
        "| events | what | wall s | cpu s | peak MB | ratio to bare (wall) |"
        " ratio to bare (cpu) |\n|---|---|---|---|---|---|---|"
    )


def row(events: str, what: str, figure: Figure, bare: Figure) -> str:
    return (
        f"| {events} | {what} | {figure.wall:.1f} | {figure.cpu:.1f} "
        f"| {figure.peak_mb:.0f} | {figure.wall / bare.wall:.1f} "
        f"| {figure.cpu / bare.cpu:.1f} |"
    )
