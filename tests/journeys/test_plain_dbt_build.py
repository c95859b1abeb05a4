"""dbt by hand is as good as the command, for everything that dbt computes."""

from __future__ import annotations

from pathlib import Path

from orchestration.dbt_runner import Dbt
from orchestration.workspace import Workspace
from tests.standing_views import made_anew
from tests.support import copy_of, rows

TABLES = (
    "select table_schema || '.' || table_name as name from information_schema.tables "
    "where table_schema in ('metering', 'rating', 'credits', 'invoicing', "
    "'publishing', 'payments', 'reconciliation') "
    "and table_type = 'BASE TABLE' order by 1"
)


def contents(folder: Path) -> dict[str, list[dict[str, object]]]:
    return {
        table["name"]: rows(folder, f"select * from {table['name']} order by all")
        for table in rows(folder, TABLES)
    }


def test_a_plain_build_gives_the_same_rows(
    sample_workspace: Path, tmp_path: Path
) -> None:
    folder = copy_of(sample_workspace, tmp_path / "company")
    before = contents(folder)
    # The command built its drafts before its last close and dbt builds them after it,
    # so rating and drafts hold other periods; what people read is compared.
    plain = Dbt(Workspace.load(folder), variables={"as_of": "2026-11-02T00:00Z"})
    with made_anew():
        plain.build().raise_for_failures()
    after = contents(folder)
    facts = [
        name
        for name in before
        if name.split(".")[0]
        in {"metering", "publishing", "payments", "reconciliation"}
        or name in {"invoicing.invoices", "invoicing.invoice_lines"}
        or name in {"invoicing.invoice_sub_lines", "credits.credit_ledger"}
        or name in {"credits.credit_balances", "credits.credit_balance_snapshots"}
        or name == "credits.credit_runway"
    ]
    assert len(facts) > 12
    for name in facts:
        assert after[name] == before[name], name


def test_building_twice_and_from_nothing_changes_no_row(
    sample_workspace: Path, tmp_path: Path
) -> None:
    folder = copy_of(sample_workspace, tmp_path / "company")
    plain = Dbt(Workspace.load(folder), variables={"as_of": "2026-11-02T00:00Z"})
    plain.build().raise_for_failures()
    once = contents(folder)
    books = rows(folder, "select * from books.closes order by as_of")
    with made_anew():
        plain.build(full_refresh=True).raise_for_failures()
    assert contents(folder) == once
    assert rows(folder, "select * from books.closes order by as_of") == books
