"""The unit tests that stand beside the rules, in dbt_project/models/<stage>."""

from __future__ import annotations

from pathlib import Path

import yaml

from orchestration.dbt_runner import PROJECT_DIR, Dbt
from orchestration.workspace import Workspace
from tests.support import copy_of


def declared() -> set[str]:
    return {
        test["name"]
        for path in (PROJECT_DIR / "dbt_project" / "models").rglob("*unit_tests.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["unit_tests"]
    }


def test_every_rule_gives_the_figures_worked_out_by_hand(
    sample_workspace: Path, tmp_path: Path
) -> None:
    folder = copy_of(sample_workspace, tmp_path / "company")
    result = Dbt(Workspace.load(folder), variables={"as_of": "2026-11-02"}).unit_test()
    assert [(node.name, node.message) for node in result.failed] == []
    assert {node.name for node in result.nodes} >= declared()
    assert len(declared()) > 80
