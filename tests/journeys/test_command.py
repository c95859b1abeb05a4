"""The command as its users type it, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from orchestration.cli import app
from tests.support import copy_of

METERHOUSE = Path(sys.executable).with_name("meterhouse")


def meterhouse(*arguments: str) -> subprocess.CompletedProcess[str]:
    # A live key in the environment must make no difference to the sandbox.
    environment = {**os.environ, "STRIPE_API_KEY": "sk_live_never_used"}
    return subprocess.run(
        [str(METERHOUSE), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=600,
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter workspace, before its first run."""
    folder = tmp_path_factory.mktemp("command") / "acme"
    made = meterhouse("init", str(folder))
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def started(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of(fresh, tmp_path_factory.mktemp("started") / "acme")
    done = meterhouse("run", "--workspace", str(folder))
    assert done.returncode == 0, done.stderr
    assert "Invoices" in done.stdout
    assert "never_used" not in done.stdout + done.stderr
    return folder


def test_the_starter_workspace_is_billed(started: Path) -> None:
    with duckdb.connect(str(started / "finance.duckdb"), read_only=True) as con:
        invoices = con.execute(
            "select status, sum(usage_minor) from invoicing.invoices "
            "where line_count > 0 and usage_minor > 0 group by 1"
        ).fetchall()
    # 1.2 M small at 0.000002 = 2.40; 1 M large at 0.00001 and 250 k at 0.000008 =
    # 12.00; 4 requests at 0.001 = 0.004, rounded to 0.00; in dollars, as cents. Near
    # the start of a month a part of it belongs to the month before.
    assert sum(total for _, total in invoices) in range(1_440, 1_470)


def test_a_run_leaves_the_repository_alone(started: Path) -> None:
    repository = Path(__file__).parents[2]
    status = subprocess.run(
        ["git", "status", "--porcelain", "--ignored", "target", "logs", "workspace"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (started / "warehouse.duckdb").exists()
    assert str(started.name) not in status.stdout


def test_status_and_reconcile_speak_of_the_last_run(started: Path) -> None:
    status = meterhouse("status", "--workspace", str(started))
    assert status.returncode == 0
    assert "Last build" in status.stdout


def command(*arguments: str) -> Result:
    """The command in this process, where Dagster starts once for all of them."""
    return CliRunner().invoke(app, arguments)


def test_close_publish_and_reconcile_one_by_one(started: Path, tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    shutil.copytree(started, folder)
    later = f"{datetime.now(UTC) + timedelta(days=62):%Y-%m-%dT00:00Z}"
    before = closes(folder)
    assert command("close", "-w", str(folder), "--as-of", later).exit_code == 0
    assert closes(folder) == before + 1
    invoice_id = billed_invoice(folder)
    decided = ("-w", str(folder), "--reason", "check", "--actor", "ann")
    assert command("hold", "inv_unknown", *decided).exit_code == 1
    held = command("hold", invoice_id, *decided)
    assert held.exit_code == 0, held.stderr
    assert command("publish", "-w", str(folder), "--as-of", later).exit_code == 0
    assert command("load", "-w", str(folder), "--as-of", later).exit_code == 0
    assert external_status(folder, invoice_id) == "DRAFT"
    assert command("release", invoice_id, *decided).exit_code == 0
    assert command("publish", "-w", str(folder), "--as-of", later).exit_code == 0
    assert command("load", "-w", str(folder), "--as-of", later).exit_code == 0
    assert external_status(folder, invoice_id) == "PAID"
    too_late = command("hold", invoice_id, *decided)
    assert too_late.exit_code == 1 and "sent already" in too_late.stderr
    reconciled = command("reconcile", "-w", str(folder), "--as-of", later)
    assert reconciled.exit_code == 0


def warehouse_value(folder: Path, query: str) -> Any:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()[0][0]


def closes(folder: Path) -> int:
    return int(warehouse_value(folder, "select count(*) from books.closes"))


def billed_invoice(folder: Path) -> str:
    return str(
        warehouse_value(
            folder, "select invoice_id from books.invoices order by total_minor desc"
        )
    )


def external_status(folder: Path, invoice_id: str) -> str:
    return str(
        warehouse_value(
            folder,
            "select external_status from reconciliation.invoice_reconciliation "
            f"where invoice_id = '{invoice_id}'",
        )
    )


BAD_WORKSPACES = {
    "missing file": (
        lambda folder: (folder / "catalog/rates.csv").unlink(),
        "catalog/rates.csv",
    ),
    "unknown column": (
        lambda folder: edit(folder, "customers.csv", "email", "e_mail"),
        "e_mail",
    ),
    "unknown product": (
        lambda folder: edit(folder, "rates.csv", "standard,tokens", "standard,token"),
        "'token' is not in catalog/products.csv",
    ),
    "overlapping windows": (
        lambda folder: append(folder, "rates.csv", again="requests"),
        "overlap",
    ),
    "impossible date": (
        lambda folder: edit(folder, "credits.csv", "-01T", "-32T"),
        "catalog/credits.csv",
    ),
    "empty events": (
        lambda folder: [path.unlink() for path in (folder / "events").iterdir()],
        "there is no usage to land",
    ),
}


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / "catalog" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def append(folder: Path, name: str, again: str) -> None:
    path = folder / "catalog" / name
    line = next(line for line in path.read_text().splitlines() if line[:8] == again)
    path.write_text(path.read_text() + line.replace(again, f"{again}-2", 1) + "\n")


@pytest.mark.parametrize("mistake", BAD_WORKSPACES)
def test_a_bad_workspace_stops_with_one_message_and_nothing_written(
    mistake: str, fresh: Path, tmp_path: Path
) -> None:
    folder = copy_of(fresh, tmp_path / "acme")
    spoil, message = BAD_WORKSPACES[mistake]
    spoil(folder)
    before = tree(folder)
    done = meterhouse("run", "--workspace", str(folder))
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert message in said
    assert "Traceback" not in said
    assert tree(folder) == before


def test_a_folder_that_is_not_there_is_bad_input() -> None:
    done = meterhouse("run", "--workspace", "/nowhere/at/all")
    assert done.returncode == 2
    assert "meterhouse init" in done.stderr


def test_the_demo_never_empties_a_folder_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    done = meterhouse("demo", "--directory", str(tmp_path))
    assert done.returncode == 2
    assert (tmp_path / "mine.txt").read_text() == "keep"
