"""What several test folders share: a whole run without Dagster's start-up time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from orchestration.billing_run import (
    BEFORE_CLOSE,
    READERS,
    BillingRun,
    build_after_load,
    check_workspace,
    close_books,
    copy_operations,
    land_usage,
    load_stripe,
    publish_finance_copy,
    publish_invoices,
)
from orchestration.warehouse import Warehouse
from orchestration.workspace import Workspace
from tests.standing_views import borrow


def instant(text: str) -> datetime:
    """`2026-11-02` or `2026-11-02T05:00` as aware UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder that `make` fills once for all workers of a run; read it, or copy it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / name, base / f"{name}.done"
    with FileLock(base / f"{name}.lock"):
        if not done.exists():
            # What a killed worker left is not half trusted.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def run_until_close(
    folder: Path, as_of: str, *, schema_tests: bool = False, **settings: Any
) -> BillingRun:
    """Land, build, close and build the readers: everything that dbt computes, with the
    laws and checks. The tests of single columns, a tenth of a run's time, are for the
    journeys and the random companies."""
    run = BillingRun(Workspace.load(folder), instant(as_of), **settings)
    borrow(run.workspace.warehouse)
    _until_close(run, () if schema_tests else ("test_type:generic",))
    return run


def run_all(folder: Path, as_of: str, **settings: Any) -> BillingRun:
    """The steps of `meterhouse run`, in its order."""
    run = BillingRun(Workspace.load(folder), instant(as_of), **settings)
    _until_close(run)
    publish_invoices(run)
    load_stripe(run)
    copy_operations(run)
    build_after_load(run)
    publish_finance_copy(run)
    return run


def _until_close(run: BillingRun, left_out: Sequence[str] = ()) -> None:
    check_workspace(run.workspace)
    land_usage(run)
    copy_operations(run)
    run.dbt.build(
        BEFORE_CLOSE,
        (*READERS, "tag:law_after_publish", *left_out),
        full_refresh=run.full_refresh,
    ).raise_for_failures()
    if not run.is_preview:
        close_books(run)
    run.dbt.build(READERS, left_out).raise_for_failures()


def rows(folder: Path, query: str) -> list[dict[str, Any]]:
    """Rows of the workspace's warehouse."""
    return Warehouse(Workspace.load(folder)).rows(query)


def copy_of(folder: Path, target: Path) -> Path:
    """A workspace to change, from one that others read."""
    shutil.copytree(folder, target, symlinks=True)
    return target


def minor(amount: Decimal, exponent: int = 2) -> int:
    """Half away from zero, written apart from the SQL."""
    scaled = amount.copy_abs().scaleb(exponent)
    whole = int(scaled // 1)
    if scaled - whole >= Decimal("0.5"):
        whole += 1
    return -whole if amount < 0 else whole
