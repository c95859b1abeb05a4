"""Warehouses are built once a session; a test that changes one takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.sample_company import SampleCompany, generate, stage
from tests.support import instant, run_all

CLOSINGS = ("2026-09-02", "2026-10-02", "2026-11-02")


@pytest.fixture(autouse=True)
def _sandbox_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a Stripe key, whatever the environment holds."""
    monkeypatch.delenv("STRIPE_API_KEY", raising=False)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleCompany:
    """Three months of the sample company, 10 k events; the truth lies beside them."""
    return generate(tmp_path_factory.mktemp("sample"), events=10_000)


@pytest.fixture(scope="session")
def sample_workspace(
    sample: SampleCompany, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sample company after three closes, published, loaded back. Read only."""
    folder = tmp_path_factory.mktemp("company")
    for closing in CLOSINGS:
        stage(sample.directory, folder, instant(closing))
        run_all(folder, closing)
    return folder
