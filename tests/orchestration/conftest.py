"""Workspaces and runs for the tests of the glue between Dagster and the steps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.billing_run import BillingRun, copy_operations, land_usage
from orchestration.execution import (
    BILLING_JOB,
    USAGE_JOB,
    RunSettings,
    dagster_home,
    execute,
)
from orchestration.sample_company import SampleCompany, stage
from orchestration.workspace import Workspace
from tests.orchestration.server import DagsterUi, start_ui
from tests.support import copy_of, instant, made_once

NORMAL_AS_OF = "2026-11-03"


@pytest.fixture(scope="session")
def definitions() -> dg.Definitions:
    """The asset graph, loaded where there is no workspace."""
    before = os.environ.get("METERHOUSE_WORKSPACE")
    os.environ["METERHOUSE_WORKSPACE"] = "/nonexistent/workspace"
    try:
        from orchestration.definitions import defs

        return defs()
    finally:
        os.environ.pop("METERHOUSE_WORKSPACE")
        if before:
            os.environ["METERHOUSE_WORKSPACE"] = before


@pytest.fixture(scope="session")
def normal_run(
    sample_workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A day after the last close, both jobs as `meterhouse run` executes them. Its
    Dagster history tells what they said."""
    folder = copy_of(sample_workspace, tmp_path_factory.mktemp("runs") / "company")
    settings = RunSettings(Workspace.load(folder), instant(NORMAL_AS_OF))
    execute(settings, [USAGE_JOB, BILLING_JOB])
    return folder


@pytest.fixture
def history(normal_run: Path) -> Iterator[dg.DagsterInstance]:
    """What Dagster recorded of the normal run."""
    home = dagster_home(Workspace.load(normal_run))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture(scope="session")
def metered_workspace(
    sample: SampleCompany, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Three months landed and metered, none of them closed."""

    def make(folder: Path) -> None:
        stage(sample.directory, folder, instant("2026-11-02"))
        run = BillingRun(Workspace.load(folder), instant("2026-11-02"), backfill=True)
        land_usage(run)
        copy_operations(run)
        run.dbt.build(
            ("staging", "+stg_catalog__rates", "+stg_currencies", "metering")
        ).raise_for_failures()

    return made_once(tmp_path_factory, "metered", make)


@pytest.fixture(scope="session")
def ui(
    metered_workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DagsterUi]:
    """`meterhouse ui` over a copy of the metered workspace: webserver, daemon, code."""
    folder = copy_of(metered_workspace, tmp_path_factory.mktemp("ui") / "company")
    with start_ui(folder) as running:
        yield running
