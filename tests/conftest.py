"""Warehouses are built once a session; a test that changes one takes a copy."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from orchestration.billing_run import BillingRun, copy_operations, land_usage
from orchestration.demo import enter_by_hand
from orchestration.sample_company import SampleCompany, generate, stage
from orchestration.workspace import Workspace
from tests import standing_views
from tests.rating.metered import write_company
from tests.support import instant, made_once, run_all

CLOSINGS = ("2026-09-02", "2026-10-02", "2026-11-02")


@pytest.fixture(autouse=True)
def _sandbox_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a Stripe key, whatever the environment holds."""
    monkeypatch.delenv("STRIPE_API_KEY", raising=False)


@pytest.fixture(scope="session", autouse=True)
def _views_of_another_company(tmp_path_factory: pytest.TempPathFactory) -> None:
    def make(folder: Path) -> None:
        metric = {"metric_id": "acme", "aggregation": "COUNT", "event_types": "acme"}
        company = folder / "company"
        write_company(company, [("acme", metric)])
        (company / "events" / "call.ndjson").write_text(
            '{"transaction_id": "1", "customer_id": "acme", "event_type": "acme", '
            '"timestamp": "2026-09-01T12:00:00Z"}'
        )
        run = BillingRun(Workspace.load(company), instant(CLOSINGS[0]))
        land_usage(run)
        copy_operations(run)
        run.dbt.build((), ("resource_type:test",)).raise_for_failures()
        standing_views.keep_views_alone(company / "warehouse.duckdb")

    standing_views.leave()
    standing_views.lend(
        lambda: (
            made_once(tmp_path_factory, "views", make) / "company" / "warehouse.duckdb"
        )
    )


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleCompany:
    """Three months of the sample company, 10 k events; the truth lies beside them."""

    def make(folder: Path) -> None:
        made = generate(folder / "data", events=10_000)
        (folder / "sample.pickle").write_bytes(pickle.dumps(made))

    folder = made_once(tmp_path_factory, "sample", make)
    made: SampleCompany = pickle.loads((folder / "sample.pickle").read_bytes())
    return made


@pytest.fixture(scope="session")
def sample_workspace(
    sample: SampleCompany, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sample company as the demo leaves it: three closes, published, loaded back.
    Read only."""

    def make(folder: Path) -> None:
        for closing in CLOSINGS:
            stage(sample.directory, folder, instant(closing))
            run_all(folder, closing)
            enter_by_hand(Workspace.load(folder), instant(closing))

    return made_once(tmp_path_factory, "company", make)
