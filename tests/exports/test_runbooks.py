"""Runbooks are read in a hurry: what they tell to type must exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from orchestration.cli import app
from tests.exports.finance_page import PAGE, ask, questions

RUNBOOKS = sorted((PAGE.parent / "runbooks").glob("*.md"))
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_command_of_the_page_exists(page: Path) -> None:
    typed = re.findall(
        r"(?:^|`)meterhouse ([a-z][a-z-]*)([^\n`#]*)",
        page.read_text(encoding="utf-8"),
        re.M,
    )
    assert typed
    for name, arguments in typed:
        known = {option for each in COMMANDS[name].params for option in each.opts}
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", arguments)) <= known


@pytest.mark.parametrize("page", [*RUNBOOKS, PAGE], ids=lambda page: page.stem)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve()
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    return {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_query_of_the_page_runs(sample_workspace: Path, page: Path) -> None:
    """On finance's copy; rows that break a law stand in the warehouse alone."""
    for question in questions(page):
        if "test_failures." not in question.sql:
            assert ask(sample_workspace / "finance.duckdb", question.sql).columns
