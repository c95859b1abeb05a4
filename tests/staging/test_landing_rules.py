"""What lands, what is rejected and why, whatever the file's format."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from staging_helpers import AS_OF, event, landed, rejected, starter, write_events

from orchestration.landing import land
from orchestration.workspace import Workspace, WorkspaceError


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return starter(tmp_path / "company")


def properties(**changes: Any) -> dict[str, Any]:
    return event(properties=changes)


REJECTS: list[tuple[str, str | dict[str, Any], str, str]] = [
    ("half a line", '{"transaction_id":"t-1"', "", "unparsable"),
    ("a list", "[1,2]", "", "unparsable"),
    ("not JSON at all", "hello", "", "unparsable"),
    ("NaN", '{"transaction_id": NaN}', "", "unparsable"),
    ("trailing comma", '{"transaction_id": "a",}', "", "unparsable"),
    ("key twice", '{"transaction_id":"a","transaction_id":"b"}', "", "duplicate_key"),
    ("property twice", '{"properties":{"a":1,"a":2}}', "", "duplicate_key"),
    ("no id", event(transaction_id=None), "transaction_id", "missing_field"),
    ("blank id", event(transaction_id=""), "transaction_id", "missing_field"),
    (
        "long id",
        event(transaction_id="x" * 129),
        "transaction_id",
        "transaction_id_invalid",
    ),
    (
        "id with a newline",
        event(transaction_id="a\nb"),
        "transaction_id",
        "transaction_id_invalid",
    ),
    ("no customer", event(customer_id=None), "customer_id", "missing_field"),
    ("null customer", '{"transaction_id":"a","customer_id":null}', "customer_id",
     "missing_field"),
    ("customer is an object", event(customer_id={"a": 1}), "customer_id",
     "customer_id_invalid"),
    ("no type", event(event_type=None), "event_type", "missing_field"),
    ("no timestamp", event(timestamp=None), "timestamp", "missing_field"),
    ("30 February", event(timestamp="2026-02-30T00:00:00Z"), "timestamp",
     "timestamp_invalid"),
    ("hour 24", event(timestamp="2026-11-19T24:00:00Z"), "timestamp",
     "timestamp_invalid"),
    ("leap second", event(timestamp="2026-11-19T23:59:60Z"), "timestamp",
     "timestamp_invalid"),
    ("date only", event(timestamp="2026-11-19"), "timestamp", "timestamp_invalid"),
    ("epoch seconds", event(timestamp=1795082400), "timestamp", "timestamp_invalid"),
    ("a word", event(timestamp="epoch"), "timestamp", "timestamp_invalid"),
    ("before 1970", event(timestamp="1969-12-31T23:59:59Z"), "timestamp",
     "timestamp_invalid"),
    ("in the future", event(timestamp="2026-11-20T13:00:01Z"), "timestamp",
     "timestamp_in_future"),
    ("too old", event(timestamp="2026-10-17T11:59:59Z"), "timestamp",
     "timestamp_too_old"),
    ("received nonsense", event(received_at="x"), "received_at", "timestamp_invalid"),
    ("nested", properties(a={"b": 1}), "properties", "properties_not_flat"),
    ("list inside", properties(a=[1]), "properties", "properties_not_flat"),
    ("text as properties", event(properties="a"), "properties",
     "properties_not_flat"),
    ("JSON in a text", event(properties='{"a":"b"}'), "properties",
     "properties_not_flat"),
    ("not a number", properties(tokens="many"), "properties.tokens",
     "number_invalid"),
    ("a true number", properties(tokens=True), "properties.tokens",
     "number_invalid"),
    ("a padded number", properties(tokens=" 5"), "properties.tokens",
     "number_invalid"),
    ("an exponent in text", properties(tokens="1e3"), "properties.tokens",
     "number_invalid"),
    ("a huge exponent", '{"transaction_id":"t","customer_id":"a","event_type":'
     '"completion","timestamp":"2026-11-19T10:00:00Z","properties":'
     '{"tokens":1e999999999}}', "properties.tokens", "number_invalid"),
    ("13 decimals", properties(tokens="1.0000000000001"), "properties.tokens",
     "number_not_exact"),
    ("20 digits", properties(tokens="12345678901234567890"), "properties.tokens",
     "number_not_exact"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [case[1:] for case in REJECTS],
    ids=[case[0] for case in REJECTS],
)
def test_rejects_are_kept_whole_with_their_place(
    workspace: Workspace, line: str | dict[str, Any], field: str, reason: str
) -> None:
    raw = line if isinstance(line, str) else json.dumps(line)
    good = json.dumps(event(transaction_id="good"))
    (workspace.events / "a.ndjson").write_text(f"{good}\n\n{raw}\n")

    summary = land(workspace, as_of=AS_OF)

    assert (summary.rows_read, summary.rows_landed, summary.rows_rejected) == (2, 1, 1)
    assert summary.rejects_by_reason == {reason: 1}
    (row,) = rejected(workspace)
    assert row["raw"] == raw
    assert (row["source_file"], row["landing_row"]) == ("events/a.ndjson", 3)
    assert (row["field"], row["reason"]) == (field, reason)
    assert row["remedy"]
    (kept,) = landed(workspace)
    assert kept["transaction_id"] == "good"


def test_backfill_accepts_events_of_any_age(workspace: Workspace) -> None:
    old = event(timestamp="2020-01-01T00:00:00Z")
    write_events(workspace, "a.ndjson", old)
    assert land(workspace, as_of=AS_OF, backfill=True).new_event_dates == [
        date(2020, 1, 1)
    ]


def test_the_edges_of_the_window_land(workspace: Workspace) -> None:
    write_events(
        workspace,
        "a.ndjson",
        event(timestamp="2026-11-20T13:00:00Z"),
        event(timestamp="2026-10-17T12:00:00Z"),
        event(timestamp="2026-10-17T14:00:00+02:00"),
    )
    assert land(workspace, as_of=AS_OF).rows_landed == 3


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-19T10:00:00Z", datetime(2026, 11, 19, 10)),
        ("2026-11-19 10:00:00", datetime(2026, 11, 19, 10)),
        ("2026-11-19t10:00:00z", datetime(2026, 11, 19, 10)),
        ("2026-11-19T10:00:00+05:30", datetime(2026, 11, 19, 4, 30)),
        ("2026-11-19T01:00:00-00:30", datetime(2026, 11, 19, 1, 30)),
        ("2026-11-19T00:30:00+01:00", datetime(2026, 11, 18, 23, 30)),
        ("2026-11-19T10:00:00.5Z", datetime(2026, 11, 19, 10, 0, 0, 500000)),
        ("2026-11-19T10:00:00.1234569", datetime(2026, 11, 19, 10, 0, 0, 123456)),
    ],
)
def test_instants_become_utc(workspace: Workspace, text: str, instant: Any) -> None:
    write_events(workspace, "a.ndjson", event(timestamp=text, received_at=text))
    land(workspace, as_of=AS_OF)
    (row,) = landed(workspace)
    assert row["event_at"] == row["received_at"] == instant
    assert row["event_date"] == instant.date()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("5", "5"),
        ("-0.50", "-0.50"),
        ("12345678901234567.123456", "12345678901234567.123456"),
        ("0.1", "0.1"),
        ("1E3", "1000"),
        ("2.5e-3", "0.0025"),
        ('"007.50"', "007.50"),
        ("9223372036854775807123" + ".0", None),
    ],
)
def test_numbers_keep_their_exact_text(
    workspace: Workspace, number: str, text: str | None
) -> None:
    line = json.dumps(properties(tokens="@")).replace('"@"', number)
    (workspace.events / "a.ndjson").write_text(line)
    land(workspace, as_of=AS_OF)
    if text is None:
        assert rejected(workspace)[0]["reason"] == "number_not_exact"
        return
    (row,) = landed(workspace)
    assert row["property_tokens"] == text
    assert json.loads(row["properties"]) == {"tokens": text}


def test_a_number_is_asked_for_only_where_it_is_added_up(workspace: Workspace) -> None:
    write_events(
        workspace, "a.ndjson", event(event_type="login", properties={"tokens": "n/a"})
    )
    assert land(workspace, as_of=AS_OF).rows_landed == 1


def test_properties_are_flat_text_and_nulls_are_absent(workspace: Workspace) -> None:
    write_events(
        workspace,
        "a.ndjson",
        properties(a=1, b=True, c=None, d='x": {"y', e="ünï"),
        event(properties=None, model="large", region="us"),
    )
    land(workspace, as_of=AS_OF)
    one, two = landed(workspace)
    assert json.loads(one["properties"]) == {
        "a": "1",
        "b": "true",
        "d": 'x": {"y',
        "e": "ünï",
    }
    assert json.loads(two["properties"]) == {"model": "large", "region": "us"}
    assert two["property_model"] == "large"


def test_cloud_events(workspace: Workspace) -> None:
    cloud = {
        "specversion": "1.0",
        "id": "1",
        "source": "/eu",
        "type": "completion",
        "subject": "acme-prod",
        "time": "2026-11-19T10:00:00Z",
        "datacontenttype": "application/json",
        "data": {"model": "large", "tokens": 7},
    }
    write_events(
        workspace, "a.ndjson", cloud, cloud | {"source": "/us"}, cloud | {"id": ""}
    )
    land(workspace, as_of=AS_OF)
    rows = landed(workspace)
    # The specification makes an event unique by source and id together.
    assert [row["transaction_id"] for row in rows] == ["/eu#1", "/us#1"]
    assert rows[0]["customer_ref"] == "acme-prod"
    assert json.loads(rows[0]["properties"]) == {"model": "large", "tokens": "7"}
    assert rejected(workspace)[0]["field"] == "transaction_id"


NAMES = ["transaction_id", "customer_id", "event_type", "timestamp", "received_at"]


def written(workspace: Workspace, form: str) -> None:
    """The same three events, the second of them bad, in one of the formats."""
    rows = [
        event(transaction_id=f"t-{i}", received_at="2026-11-19T11:00:00Z",
              timestamp=stamp, properties={"model": "a,\"b\"", "tokens": "1.50"})
        for i, stamp in enumerate(
            ["2026-11-19T10:00:00Z", "2026-12-19T10:00:00Z", "2026-11-18T10:00:00Z"]
        )
    ]  # fmt: skip
    path = workspace.events / f"usage.{form}"
    base = form.removesuffix(".gz")
    if base in ("ndjson", "jsonl"):
        content = "\r\n".join(json.dumps(row) for row in rows)
    elif base == "json":
        content = json.dumps(rows, indent=2)
    elif base == "csv":
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*NAMES, "model", "tokens"])
            for row in rows:
                writer.writerow(
                    [row[name] for name in NAMES] + list(row["properties"].values())
                )
        content = path.read_text()
        path.unlink()
    else:
        flat = [{**row, **row["properties"]} for row in rows]
        for row in flat:
            del row["properties"]
            row["timestamp"] = datetime.fromisoformat(row["timestamp"])
        pq.write_table(pa.Table.from_pylist(flat), path)
        return
    data = content.encode()
    path.write_bytes(gzip.compress(data) if form.endswith(".gz") else data)


FORMS = ["ndjson", "jsonl", "json", "csv", "ndjson.gz", "csv.gz", "json.gz", "parquet"]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_same_events(workspace: Workspace, form: str) -> None:
    written(workspace, form)
    summary = land(workspace, as_of=AS_OF)
    assert (summary.rows_read, summary.rows_landed, summary.rows_rejected) == (3, 2, 1)
    assert summary.new_event_dates == [date(2026, 11, 18), date(2026, 11, 19)]
    rows = landed(workspace)
    assert [
        (
            row["transaction_id"],
            row["customer_ref"],
            row["event_type"],
            row["event_at"],
            row["received_at"],
            json.loads(row["properties"]),
            row["property_model"],
            row["property_tokens"],
        )
        for row in rows
    ] == [
        (
            f"t-{i}",
            "acme",
            "completion",
            datetime(2026, 11, day, 10),
            datetime(2026, 11, 19, 11),
            {"model": 'a,"b"', "tokens": "1.50"},
            'a,"b"',
            "1.50",
        )
        for i, day in ((0, 19), (2, 18))
    ]
    (bad,) = rejected(workspace)
    assert bad["reason"] == "timestamp_in_future"
    assert "t-1" in bad["raw"]


def test_the_lake_has_the_columns_of_the_contract(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", event())
    land(workspace, as_of=AS_OF)
    with duckdb.connect() as con:
        for pattern in ("1-0", "_schema"):
            described = con.execute(
                f"describe from read_parquet('{workspace.lake_events}/*/{pattern}"
                ".parquet', hive_partitioning = false)"
            ).fetchall()
            assert [(row[0], row[1]) for row in described] == [
                ("landing_sequence", "BIGINT"),
                ("landing_row", "BIGINT"),
                ("transaction_id", "VARCHAR"),
                ("customer_ref", "VARCHAR"),
                ("event_type", "VARCHAR"),
                ("event_at", "TIMESTAMP"),
                ("received_at", "TIMESTAMP"),
                ("landed_at", "TIMESTAMP"),
                ("source_file", "VARCHAR"),
                ("properties", "VARCHAR"),
                ("property_model", "VARCHAR"),
                ("property_tokens", "VARCHAR"),
            ]
    for folder in ("rejects", "stripe/objects", "stripe/events"):
        assert (
            pq.read_metadata(workspace.lake / folder / "_schema.parquet").num_rows == 0
        )
    (row,) = landed(workspace)
    assert row["received_at"] == row["landed_at"] == AS_OF.replace(tzinfo=None)
    # event_date = the day of event_at is the folder's name.
    assert row["event_date"] == row["event_at"].date()


CSV_HEAD = "transaction_id,customer_id,event_type,timestamp,tokens\n"
CSV_ROW = "{0},acme,completion,2026-11-19T10:00:00Z,{1}\n"


def test_csv_records_that_can_not_be_read(workspace: Workspace) -> None:
    """A quote that stays open takes its own line down and no other."""
    good = [CSV_ROW.format(f"t-{i}", i) for i in range(4)]
    text = (
        CSV_HEAD + good[0] + '"open,acme\n' + good[1] + "too,few\n" + good[2]
        + CSV_ROW.format('"a\nb"', 7) + CSV_ROW.format('x"y', 8) + good[3]
    )  # fmt: skip
    (workspace.events / "a.csv").write_text(text)
    summary = land(workspace, as_of=AS_OF)
    assert (summary.rows_read, summary.rows_landed) == (9, 4)
    assert [row["transaction_id"] for row in landed(workspace)] == [
        "t-0", "t-1", "t-2", "t-3",
    ]  # fmt: skip
    # The open quote pairs with the next one, so that the record over two lines is
    # taken line by line as well; no event is made up from a piece of it.
    assert [row["raw"].split(",")[0] for row in rejected(workspace)] == [
        '"open', "too", '"a', 'b"', 'x"y',
    ]  # fmt: skip


def test_an_open_quote_in_a_long_file(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.landing import readers

    monkeypatch.setattr(readers, "LONGEST_RECORD", 2000)
    monkeypatch.setattr(readers, "CHUNK_BYTES", 5000)
    rows = [CSV_ROW.format(f"t-{i}", i) for i in range(500)]
    text = CSV_HEAD + "".join(rows[:250]) + '"open\n' + "".join(rows[250:])
    (workspace.events / "a.csv").write_text(text)
    summary = land(workspace, as_of=AS_OF)
    assert (summary.rows_landed, summary.rows_rejected) == (500, 1)
    (bad,) = rejected(workspace)
    assert (bad["raw"], bad["landing_row"]) == ('"open', 252)
    assert [row["landing_row"] for row in landed(workspace)][249:251] == [251, 253]


def test_small_chunks_change_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.landing import readers, run

    lines = [json.dumps(event(transaction_id=f"t-{i}")) for i in range(100)]
    lines[40:50] = ["", "nonsense", "", '{"a":1e5}', ""] * 2
    other = starter(tmp_path / "other")
    for each in (workspace, other):
        (each.events / "a.ndjson").write_text("\n".join(lines))
    land(workspace, as_of=AS_OF)
    monkeypatch.setattr(readers, "CHUNK_BYTES", 777)
    monkeypatch.setattr(run, "PART_ROWS", 30)
    land(other, as_of=AS_OF)
    assert landed(workspace) == landed(other)
    assert rejected(workspace) == rejected(other)


def test_bytes_that_are_not_utf8_are_rejected_with_their_value(
    workspace: Workspace,
) -> None:
    good = json.dumps(event()).encode()
    (workspace.events / "a.ndjson").write_bytes(good + b'\n{"a":"\xff"}\n')
    assert land(workspace, as_of=AS_OF).rejects_by_reason == {"unparsable": 1}
    assert rejected(workspace)[0]["raw"] == '{"a":"\\xff"}'


def test_doubles_in_parquet_become_their_shortest_text(workspace: Workspace) -> None:
    base = event()
    del base["properties"]
    values = [0.1, 1e17, 1.5e-7, 3.0]
    pq.write_table(
        pa.Table.from_pylist(
            [base | {"transaction_id": str(i), "tokens": v}
             for i, v in enumerate(values)]
        ),
        workspace.events / "a.parquet",
    )  # fmt: skip
    land(workspace, as_of=AS_OF)
    assert [row["property_tokens"] for row in landed(workspace)] == [
        "0.1", "100000000000000000", "0.00000015", "3.0",
    ]  # fmt: skip


def test_a_file_without_its_columns_stops_the_run_before_anything_is_written(
    workspace: Workspace,
) -> None:
    (workspace.events / "a.csv").write_text("id,customer_id,timestamp\n1,acme,x\n")
    write_events(workspace, "b.ndjson", event())
    with pytest.raises(WorkspaceError) as caught:
        land(workspace, as_of=AS_OF)
    assert [(p.file, p.field) for p in caught.value.messages] == [
        ("events/a.csv", "transaction_id"),
        ("events/a.csv", "event_type"),
    ]
    assert not workspace.lake.exists() and not workspace.operations_file.exists()


# Without its time: the bytes name the test, and workers must agree on names.
TORN_GZIP = gzip.compress(b"x" * 9999, mtime=0)[:-9]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.tsv", b"x", "'.tsv' can't be read"),
        ("a.parquet", b"not parquet", "can't be read as parquet"),
        ("a.ndjson.gz", b"not gzip", "can't be read as ndjson"),
        ("a.ndjson.gz", TORN_GZIP, "can't be read as ndjson"),
        ("a.csv", b"a,a\n1,2\n", "stands twice"),
    ],
)
def test_files_that_can_not_be_read_stop_the_run(
    workspace: Workspace, name: str, content: bytes, words: str
) -> None:
    (workspace.events / name).write_bytes(content)
    with pytest.raises(WorkspaceError) as caught:
        land(workspace, as_of=AS_OF)
    assert words in str(caught.value) and f"events/{name}" in str(caught.value)
    assert not workspace.lake.exists() and not workspace.operations_file.exists()


@pytest.mark.parametrize("content", [None, b""])
def test_no_usage_at_all_is_said_once(
    workspace: Workspace, content: bytes | None
) -> None:
    if content is not None:
        (workspace.events / "a.ndjson").write_bytes(content)
    with pytest.raises(WorkspaceError) as caught:
        land(workspace, as_of=AS_OF)
    (problem,) = caught.value.messages
    assert problem.problem == "there is no usage to land"
    assert not workspace.lake.exists() and not workspace.operations_file.exists()


def test_hidden_files_and_notes_are_left_alone(workspace: Workspace) -> None:
    write_events(workspace, "a.ndjson", event())
    (workspace.events / "README.md").write_text("notes")
    (workspace.events / ".part").write_text("x")
    (workspace.events / "_tmp.csv").write_text("x")
    assert land(workspace, as_of=AS_OF).files == 1
