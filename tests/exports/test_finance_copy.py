"""finance.duckdb and the files: whole, exact, and never in anybody's way."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.finance import EXPORT_PREFIX, TABLES, publish
from orchestration.workspace import Workspace
from tests.support import copy_of, rows

MODELS = Path(__file__).resolve().parents[2] / "dbt_project" / "models" / "exports"
EXPORTS = sorted(path.stem.removeprefix(EXPORT_PREFIX) for path in MODELS.glob("*.sql"))
BUILD_QUERY = "select build_id from ops.build"

# Processes of their own: in one process DuckDB hands out the file it has open already.
READER = """
import sys, duckdb
path, query = sys.argv[1:]
con = duckdb.connect(path, read_only=True)
for line in sys.stdin:
    if line.strip() == "reopen":
        con.close()
        con = duckdb.connect(path, read_only=True)
    print(con.execute(query).fetchall()[0][0], flush=True)
"""
WRITER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
con.execute("begin")
con.execute("update ops.build set build_id = 'unfinished'")
print("holds", flush=True)
sys.stdin.read()
"""
PUBLISHER = """
import sys
from orchestration.finance import publish
from orchestration.workspace import Workspace
workspace = Workspace.load(sys.argv[1])
print("ready", flush=True)
while True:
    publish(workspace)
"""


class Process:
    """A Python process that is talked to line by line."""

    def __init__(self, script: str, *arguments: object) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def ask(self, line: str) -> str:
        assert self.child.stdin
        self.child.stdin.write(f"{line}\n")
        self.child.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline().strip()

    def end(self) -> None:
        self.child.kill()
        self.child.communicate()


@pytest.fixture
def company(sample_workspace: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy to change; the quote in its path is on purpose."""
    yield copy_of(sample_workspace, tmp_path / "finance's company")


def change(company: Path, statement: str) -> None:
    """Change the warehouse, as a run would between two publishes."""
    with duckdb.connect(str(company / "warehouse.duckdb")) as con:
        con.execute(statement)


def ask(company: Path, query: str) -> list[tuple[object, ...]]:
    """Ask the copy."""
    with duckdb.connect(str(company / "finance.duckdb"), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        return con.execute(query).fetchall()


def published(company: Path) -> dict[str, bytes]:
    """Everything that finance may have open, byte by byte."""
    files = [company / "finance.duckdb", *sorted((company / "exports").iterdir())]
    return {path.name: path.read_bytes() for path in files}


def leftovers(company: Path) -> list[str]:
    found = [*company.glob("*finance*"), *(company / "exports").iterdir()]
    expected = {"finance.duckdb"} | {
        f"{name}.{ending}" for name in EXPORTS for ending in ("csv", "parquet")
    }
    return sorted(path.name for path in found if path.name not in expected)


def test_the_copy_has_every_row_of_the_warehouse(sample_workspace: Path) -> None:
    for schema, tables in TABLES.items():
        for table in tables:
            query = f"select count(*), sum(hash(t)) from {schema}.{table} as t"
            assert ask(sample_workspace, query) == [
                tuple(row.values()) for row in rows(sample_workspace, query)
            ], f"{schema}.{table}"


def test_every_export_model_has_its_files(sample_workspace: Path) -> None:
    assert EXPORTS == [
        "credit_balances",
        "credit_ledger",
        "invoice_lines",
        "invoice_reconciliation",
        "invoices",
        "payments",
    ]
    assert sorted(path.name for path in (sample_workspace / "exports").iterdir()) == [
        f"{name}.{ending}" for name in EXPORTS for ending in ("csv", "parquet")
    ]


@pytest.mark.parametrize("name", EXPORTS)
def test_csv_and_parquet_are_the_rows_of_the_model(
    sample_workspace: Path, name: str
) -> None:
    """Text of the CSV beside the values of the Parquet file: equal to the last digit,
    no exponent, in the same order."""
    query = f"select * from exports.{EXPORT_PREFIX}{name} order by all"
    model = [tuple(row.values()) for row in rows(sample_workspace, query)]
    with duckdb.connect() as con:
        path = sample_workspace / "exports" / f"{name}.parquet"
        parquet = con.execute(f"select * from '{path}'").fetchall()
        names = [column[0] for column in con.description or ()]
    assert parquet == model
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        header, *texts = csv.reader(file)
    assert header == names
    assert texts == [[_csv_text(value) for value in row] for row in model]


def _csv_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def test_amounts_are_exact_in_every_form(sample_workspace: Path) -> None:
    """No column of the copy or of a Parquet file is binary floating point. (DuckDB
    would write a sum of bigints, a hugeint, to Parquet as one.)"""
    floating = "('DOUBLE', 'FLOAT', 'HUGEINT')"
    assert (
        ask(
            sample_workspace,
            "select table_name, column_name from duckdb_columns() "
            f"where not internal and data_type in {floating}",
        )
        == []
    )
    with duckdb.connect() as con:
        for name in EXPORTS:
            path = sample_workspace / "exports" / f"{name}.parquet"
            assert (
                con.execute(
                    f"select name from parquet_schema('{path}') "
                    "where type in ('DOUBLE', 'FLOAT')"
                ).fetchall()
                == []
            )


def test_older_duckdb_can_read_the_copy_and_nobody_writes_it(
    sample_workspace: Path,
) -> None:
    """BI tools bring a DuckDB that is older than ours; tried by hand with 1.1.3."""
    assert ask(
        sample_workspace,
        "select tags['storage_version'] from duckdb_databases() "
        "where database_name = 'finance'",
    ) == [("v1.0.0+",)]
    assert (sample_workspace / "finance.duckdb").stat().st_mode & 0o222 == 0


def test_an_open_reader_keeps_the_old_copy_and_blocks_nothing(company: Path) -> None:
    reader = Process(READER, company / "finance.duckdb", BUILD_QUERY)
    try:
        before = reader.ask("query")
        change(company, "update ops.build set build_id = 'second'")
        publish(Workspace.load(company))
        assert reader.ask("query") == before != "second"
        assert ask(company, BUILD_QUERY) == [("second",)]
        assert reader.ask("reopen") == "second"
    finally:
        reader.end()
    assert leftovers(company) == []


def test_files_are_replaced_whole_for_an_open_reader(company: Path) -> None:
    path = company / "exports" / "invoices.csv"
    with path.open(encoding="utf-8") as old:
        first = old.readline()
        change(company, "delete from invoicing.invoices")
        publish(Workspace.load(company))
        rest = old.readlines()
    assert rest
    assert path.read_text(encoding="utf-8") == first


def test_the_copy_is_read_while_a_run_writes_the_warehouse(company: Path) -> None:
    writer = Process(WRITER, company / "warehouse.duckdb")
    try:
        assert writer.hear() == "holds"
        assert ask(company, "select count(*) from invoicing.invoices") != [(0,)]
        assert ask(company, BUILD_QUERY) != [("unfinished",)]
        before = published(company)
        with pytest.raises(duckdb.IOException, match="lock"):
            publish(Workspace.load(company))
    finally:
        writer.end()
    assert published(company) == before
    assert leftovers(company) == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("drop table reconciliation.invoice_reconciliation cascade", "does not exist"),
        (
            # The last file: everything else is written by then.
            "create or replace view exports.export_payments as "
            "select error('the disk is full') as payment_id",
            "the disk is full",
        ),
    ],
)
def test_a_failed_publish_leaves_what_was_there(
    company: Path, statement: str, message: str
) -> None:
    before = published(company)
    change(company, "update ops.build set build_id = 'second'")
    change(company, statement)
    with pytest.raises(duckdb.Error, match=message):
        publish(Workspace.load(company))
    assert published(company) == before
    assert leftovers(company) == []


def test_a_killed_publish_leaves_a_whole_copy_and_the_next_cleans_up(
    company: Path,
) -> None:
    moments = random.Random(2026)
    whole = ask(company, "select count(*), sum(total) from invoicing.invoices")
    for _ in range(4):
        publisher = Process(PUBLISHER, company)
        assert publisher.hear() == "ready"
        time.sleep(moments.uniform(0.05, 1.2))
        publisher.end()
        assert (
            ask(company, "select count(*), sum(total) from invoicing.invoices") == whole
        )
        for name in EXPORTS:
            assert (company / "exports" / f"{name}.csv").stat().st_size > 0
    # Whatever moment they died at, this is what is left at the worst.
    (company / ".finance.duckdb.new").write_bytes(b"half a file")
    (company / ".finance.duckdb.new.wal").write_bytes(b"half a log")
    (company / "exports" / ".invoices.csv.new").write_bytes(b"half a line")
    publish(Workspace.load(company))
    assert leftovers(company) == []
    assert ask(company, "select count(*), sum(total) from invoicing.invoices") == whole


def test_descriptions_come_along(company: Path) -> None:
    change(company, "comment on table invoicing.invoices is 'What''s owed.'")
    change(company, "comment on column invoicing.invoices.total is 'Before tax.'")
    change(company, "comment on view staging.stg_currencies is 'Minor units.'")
    publish(Workspace.load(company))
    assert ask(
        company,
        "select table_name, comment from duckdb_tables() "
        "where table_name in ('invoices', 'stg_currencies') order by 1",
    ) == [("invoices", "What's owed."), ("stg_currencies", "Minor units.")]
    assert ask(
        company,
        "select comment from duckdb_columns() "
        "where table_name = 'invoices' and column_name = 'total'",
    ) == [("Before tax.",)]
