"""sqlfluff passes over what it can't render, and still says that all is well."""

from __future__ import annotations

import importlib


def test_sqlfluff_knows_the_projects_macros() -> None:
    context = importlib.import_module("dbt_project.lint_context")
    assert "1" in str(context.to_minor("1", "100"))
