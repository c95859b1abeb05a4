"""Foreign files by mapping, the Azure trace among them, and tables as a source."""

from __future__ import annotations

import csv
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from staging_helpers import AS_OF, ROOT, event, landed, rejected, starter, write_events

from orchestration.catalog import check_catalog
from orchestration.landing import land
from orchestration.workspace import Workspace, WorkspaceError

EXAMPLE = ROOT / "examples" / "azure_llm"
TRACE = Path(
    os.environ.get(
        "METERHOUSE_AZURE_TRACE", "/work/shared/data/AzureLLMInferenceTrace_conv.csv"
    )
)
MONTH_LATER = datetime(2023, 12, 2, tzinfo=UTC)

FIELDS = """
    fields:
      transaction_id: {template: "{file}/{row}"}
      customer_id: who
      event_type: {constant: completion}
      timestamp: at
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return starter(tmp_path / "company")


def mapped(workspace: Workspace, mapping: str) -> Workspace:
    """The workspace with a mapping file."""
    (workspace.directory / "mapping.yml").write_text(mapping)
    workspace.settings_file.write_text("events: {mapping: mapping.yml}\n")
    return Workspace.load(workspace.directory)


def azure(directory: Path, trace: Path) -> Workspace:
    shutil.copytree(EXAMPLE, directory)
    (directory / "events").mkdir()
    shutil.copy(trace, directory / "events" / "AzureLLMInferenceTrace_conv.csv")
    return Workspace.load(directory)


def expected_of_trace(trace: Path) -> dict[str, tuple[str, str, datetime, str, str]]:
    """The documented rule in plain Python."""
    with trace.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = {}
    for number, row in enumerate(rows):
        # Seven digits after the second, the last cut off.
        instant = datetime.strptime(row["TIMESTAMP"][:26], "%Y-%m-%d %H:%M:%S.%f")
        expected[f"AzureLLMInferenceTrace_conv.csv#{number + 1}"] = (
            f"azure-{number % 8 + 1:02}",
            ("gpt-large", "gpt-small")[number // 8 % 2],
            instant,
            row["ContextTokens"],
            row["GeneratedTokens"],
        )
    return expected


def check_trace(directory: Path, trace: Path) -> None:
    workspace = azure(directory, trace)
    assert check_catalog(workspace) == []
    summary = land(workspace, as_of=MONTH_LATER, backfill=True)
    expected = expected_of_trace(trace)
    assert (summary.rows_read, summary.rows_rejected) == (len(expected), 0)
    assert {
        row["transaction_id"]: (
            row["customer_ref"],
            row["property_model"],
            row["event_at"],
            row["property_context_tokens"],
            row["property_generated_tokens"],
        )
        for row in landed(workspace)
    } == expected


def test_the_azure_example_by_its_documented_rule(tmp_path: Path) -> None:
    """On 100 rows in the file's own form: CRLF, 7 digits, no newline at the end."""
    rows = [
        f"2023-11-16 18:{i // 60:02}:{i % 60:02}.{i * 99991 % 10**7:07},{i * 7},{i}"
        for i in range(100)
    ]
    trace = tmp_path / "trace.csv"
    text = "\r\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows])
    trace.write_bytes(text.encode())
    check_trace(tmp_path / "company", trace)


@pytest.mark.skipif(not TRACE.exists(), reason=f"{TRACE} is not on this machine")
def test_the_azure_trace_lands_as_it_stands(tmp_path: Path) -> None:
    check_trace(tmp_path / "company", TRACE)


def test_unpivot_makes_several_events_of_a_row(workspace: Workspace) -> None:
    workspace = mapped(
        workspace,
        """
files:
  - match: "*.csv"
    csv: {delimiter: ";"}
    fields:
      transaction_id: {template: "{id}-{variant}"}
      customer_id: who
      event_type: {template: "tokens_{variant}"}
      timestamp: {column: at, format: epoch_millis}
    properties: {model: {constant: small}}
    unpivot:
      - {name: in, properties: {tokens: tokens_in}}
      - {name: out, properties: {tokens: tokens_out}, fields: {event_type: kind}}
""",
    )
    (workspace.events / "a.csv").write_text(
        "id;who;at;tokens_in;tokens_out;kind\n"
        "a;acme;1795082400123;5;6;made\n"
        "b;acme;never;7;;made\n"
    )
    summary = land(workspace, as_of=AS_OF)
    assert (summary.rows_read, summary.rows_landed, summary.rows_rejected) == (4, 2, 2)
    assert [
        (
            row["landing_row"],
            row["transaction_id"],
            row["event_type"],
            row["event_at"],
            json.loads(row["properties"]),
        )
        for row in landed(workspace)
    ] == [
        (number, f"a-{name}", kind, datetime(2026, 11, 19, 10, 0, 0, 123000),
         {"model": "small", "tokens": tokens})
        for number, name, kind, tokens in (
            (3, "in", "tokens_in", "5"), (4, "out", "made", "6"),
        )
    ]  # fmt: skip
    assert [row["landing_row"] for row in rejected(workspace)] == [5, 6]
    assert {row["raw"] for row in rejected(workspace)} == {"b;acme;never;7;;made"}


def test_json_paths_and_choices(workspace: Workspace) -> None:
    mapping = """
files:
  - match: "api/*.ndjson"
    fields:
      transaction_id: req.id
      customer_id: {choose: [acme, beta, gamma], by: {column: user}}
      event_type: {constant: completion}
      timestamp: {column: ts, format: epoch_seconds}
    properties: {tokens: req.usage.tokens, model: {choose: [x, y], by: row}}
"""
    workspace = mapped(workspace, mapping)
    (workspace.events / "api").mkdir()
    lines = [
        {"req": {"id": f"r{i}", "usage": {"tokens": 1.25}}, "user": f"u{i % 2}",
         "ts": 1795082400 + i}
        for i in range(4)
    ]  # fmt: skip
    text = "\n".join(json.dumps(line) for line in lines)
    (workspace.events / "api" / "a.ndjson").write_text(text)
    write_events(workspace, "plain.ndjson", event(transaction_id="canonical"))
    land(workspace, as_of=AS_OF)
    rows = landed(workspace)
    assert [row["transaction_id"] for row in rows] == [
        "r0", "r1", "r2", "r3", "canonical",
    ]  # fmt: skip
    assert [row["property_model"] for row in rows[:4]] == ["x", "y", "x", "y"]
    assert {row["property_tokens"] for row in rows[:4]} == {"1.25"}
    customers = [row["customer_ref"] for row in rows[:4]]
    # A hash of the user: the same user is always the same customer.
    assert customers[:2] == customers[2:]
    assert set(customers) <= {"acme", "beta", "gamma"}


def test_a_blank_column_in_a_template_is_a_missing_field(workspace: Workspace) -> None:
    workspace = mapped(workspace, f'files:\n  - match: "*.csv"{FIELDS}'.replace(
        "{file}/{row}", "{id}/{row}"))  # fmt: skip
    (workspace.events / "a.csv").write_text(
        "id,who,at\n,acme,2026-11-19T10:00:00Z\nx,acme,2026-11-19T10:00:00Z\n"
    )
    summary = land(workspace, as_of=AS_OF)
    assert summary.rejects_by_reason == {"missing_field": 1}
    assert landed(workspace)[0]["transaction_id"] == "x/2"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (f'files:\n  - match: "*.csv"{FIELDS}', "events/a.csv has no such column"),
        ("files: []", "mapping.yml, files"),
        ('files:\n  - match: "*"\n    fields: {}', "does not say what transaction_id"),
        (f'files:\n  - match: "*"\n    field: x{FIELDS}', "Did you mean 'fields'?"),
        (
            f'files:\n  - match: "*"{FIELDS}'.replace("constant", "constnt"),
            "Did you mean 'constant'?",
        ),
        (
            f'files:\n  - match: "*"{FIELDS}    properties: {{"a b": x}}',
            "is not allowed",
        ),
    ],
)
def test_a_bad_mapping_stops_the_run(
    workspace: Workspace, mapping: str, words: str
) -> None:
    (workspace.events / "a.csv").write_text("id,whom,at\n")
    workspace = mapped(workspace, mapping)
    with pytest.raises(WorkspaceError) as caught:
        land(workspace, as_of=AS_OF)
    assert words in str(caught.value)
    assert "mapping.yml" in str(caught.value)
    assert not workspace.lake.exists() and not workspace.operations_file.exists()


def test_a_missing_mapping_file_is_named(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", event())
    workspace.settings_file.write_text("events: {mapping: mappings.yml}\n")
    with pytest.raises(WorkspaceError, match="mappings.yml: the file is missing"):
        land(Workspace.load(workspace.directory), as_of=AS_OF)


COLUMNS = (
    "transaction_id varchar, customer_id integer, event_type varchar, "
    '"timestamp" timestamptz, tokens decimal(9, 3), at_row bigint'
)


def table_workspace(workspace: Workspace, *, cursor: bool) -> Workspace:
    database = workspace.directory / "product.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute(f'create table "usage" ({COLUMNS})')
    named = ", cursor: at_row" if cursor else ""
    workspace.settings_file.write_text(
        f"events: {{table: {{duckdb: product.duckdb, table: main.usage{named}}}}}\n"
    )
    return Workspace.load(workspace.directory)


def add_rows(workspace: Workspace, *rows: tuple[str, int]) -> None:
    with duckdb.connect(str(workspace.directory / "product.duckdb")) as con:
        for transaction, at in rows:
            con.execute(
                'insert into "usage" values '
                "(?, 42, 'completion', '2026-11-19 10:00:00.5+00', 1.5, ?)",
                [transaction, at],
            )


@pytest.mark.parametrize("cursor", [True, False])
def test_a_table_lands_each_row_once(workspace: Workspace, cursor: bool) -> None:
    workspace = table_workspace(workspace, cursor=cursor)
    add_rows(workspace, ("a", 1), ("b", 2), ("b", 2))
    first = land(workspace, as_of=AS_OF)
    assert (first.rows_read, first.rows_landed) == (3, 3)
    assert land(workspace, as_of=AS_OF).files == 0
    # A row that shares the last cursor and comes later is not lost.
    add_rows(workspace, ("c", 2), ("d", 3), ("b", 2))
    later = AS_OF + timedelta(hours=1)
    assert land(workspace, as_of=later).rows_landed == 3
    assert land(workspace, as_of=later).files == 0
    add_rows(workspace, ("e", 3))
    assert land(workspace, as_of=later).rows_landed == 1
    rows = landed(workspace)
    assert sorted(row["transaction_id"] for row in rows) == sorted("abbcdbe")
    assert {row["customer_ref"] for row in rows} == {"42"}
    assert {row["event_at"] for row in rows} == {
        datetime(2026, 11, 19, 10, 0, 0, 500000)
    }
    assert {Decimal(row["property_tokens"]) for row in rows} == {Decimal("1.5")}
    assert rows[0]["source_file"] == "table:product.duckdb:main.usage"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ("duckdb: none.duckdb, table: main.usage", "events.table.duckdb"),
        ("duckdb: product.duckdb, table: main.usages", "events.table.table"),
        (
            "duckdb: product.duckdb, table: main.usage, cursor: at",
            "events.table.cursor",
        ),
    ],
)
def test_a_table_that_is_not_there(
    workspace: Workspace, settings: str, field: str
) -> None:
    workspace = table_workspace(workspace, cursor=False)
    workspace.settings_file.write_text(f"events: {{table: {{{settings}}}}}\n")
    with pytest.raises(WorkspaceError) as caught:
        land(Workspace.load(workspace.directory), as_of=AS_OF)
    (problem,) = caught.value.messages
    assert (problem.file, problem.field) == ("meterhouse.yml", field)
    assert not workspace.lake.exists() and not workspace.operations_file.exists()
