"""`meterhouse ui` as a process group: webserver, daemon, code server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_SECONDS = 300


@dataclass(frozen=True)
class DagsterUi:
    """A running UI over `workspace`."""

    url: str
    workspace: Path
    log: Path

    def graphql(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The `data` of an answer; an error in it fails the test."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = json.load(answer)
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data


@contextmanager
def start_ui(workspace: Path) -> Iterator[DagsterUi]:
    """Run the command on a free port until the block ends."""
    port = _free_port()
    log = workspace.parent / "ui.log"
    environment = {
        **os.environ,
        # dagster dev keeps its own files there; the repository stays clean.
        "TMPDIR": str(workspace.parent),
        "DO_NOT_TRACK": "1",
    }
    command = [str(Path(sys.executable).with_name("meterhouse")), "ui"]
    command += ["--workspace", str(workspace), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=workspace.parent,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        ui = DagsterUi(f"http://127.0.0.1:{port}", workspace, log)
        wait_for(lambda: _answers(ui, process), READY_SECONDS, ui)
        yield ui
    finally:
        _end(process)


def wait_for(done: Callable[[], bool], seconds: float, ui: DagsterUi) -> None:
    """Poll until done; late is a failure that shows the end of the server's log."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            said = ui.log.read_text(errors="replace")[-4000:]
            raise AssertionError(f"not done after {seconds} s\n{said}")
        time.sleep(0.5)


def _answers(ui: DagsterUi, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, ui.log.read_text(errors="replace")[-4000:]
    try:
        data = ui.graphql(
            "{ repositoriesOrError "
            "{ ... on RepositoryConnection { nodes { name } } } }",
            {},
        )
    except (urllib.error.URLError, ConnectionError):
        return False
    return bool(data["repositoriesOrError"].get("nodes"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then make it: a run may still be under way."""
    for how, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
