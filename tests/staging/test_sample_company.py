"""The sample company: deterministic, as large as asked for, and its truth is true."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.catalog import check_catalog
from orchestration.landing import land
from orchestration.sample_company import (
    SampleCompany,
    arrivals_until,
    enterprise,
    generate,
    stage,
)
from orchestration.sample_company.draws import Draws
from orchestration.sample_company.render import Renderer
from orchestration.workspace import Workspace

COLUMNS = [
    "transaction_id",
    "customer_id",
    "event_type",
    "timestamp",
    "properties",
    "received_at",
]
# Events of the enterprise, and their meters.
HOURS = {"gpu.session": "gpu_hours", "training.run": "training_hours"}
OF_ENTERPRISE = re.compile(rb"northgate|gpu_hours|training_hours")
SMALL: dict[str, Any] = {"events": 3_000, "days": 12, "file_format": "ndjson"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> SampleCompany:
    directory = tmp_path_factory.mktemp("ndjson")
    return generate(directory, events=10_000, file_format="ndjson")


@pytest.fixture(scope="module")
def columnar(tmp_path_factory: pytest.TempPathFactory) -> SampleCompany:
    return generate(tmp_path_factory.mktemp("parquet"), events=10_000)


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def catalog(company: SampleCompany, table: str) -> list[dict[str, str]]:
    path = company.directory / "catalog" / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


# --- a second road to the truth: plain Python over the files ---


class Rejected(Exception):
    """The row is not an event."""


def rows_of(path: Path) -> Iterator[dict[str, Any] | None]:
    """Rows as sent; None where a line is not JSON."""
    if path.suffix == ".parquet":
        yield from pq.read_table(path).to_pylist()
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line, parse_float=Decimal, parse_int=Decimal)
        except json.JSONDecodeError:
            yield None


def instant_of(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def event_of(row: dict[str, Any] | None, arrival: datetime) -> dict[str, Any]:
    """A checked event with its instant, or Rejected."""
    if row is None:
        raise Rejected("unparsable")
    if any(row.get(name) is None for name in COLUMNS[:5]):
        raise Rejected("missing field")
    if not 1 <= len(row["transaction_id"]) <= 128:
        raise Rejected("transaction id")
    try:
        happened = instant_of(row["timestamp"])
        properties = row["properties"]
        if isinstance(properties, str):
            properties = json.loads(properties, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise Rejected(str(error)) from None
    if any(isinstance(value, dict | list) for value in properties.values()):
        raise Rejected("not flat")
    landed = arrival + timedelta(days=1)
    if not landed - timedelta(days=34) <= happened <= landed + timedelta(hours=1):
        raise Rejected("out of range")
    for key in ("input_tokens", "output_tokens", "gb_hours"):
        if key in properties:
            try:
                properties[key] = Decimal(properties[key])
            except InvalidOperation:
                raise Rejected("not a number") from None
            if not properties[key].is_finite():
                raise Rejected("not a number")
    return {**row, "happened": happened, "properties": properties}


def usage_of(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Decimal]]:
    """Metric, group and quantity for every metric that the event counts for."""
    values = event["properties"]
    if event["event_type"] == "llm.completion":
        group = {key: values.get(key) for key in ("model", "region", "service_tier")}
        yield "input_tokens", group, values["input_tokens"]
        yield "output_tokens", group, values["output_tokens"]
        if values.get("status") == "ok" and "dry_run" not in values:
            yield "api_requests", {}, Decimal(1)
        if values.get("status") in ("error", "rate_limited"):
            yield "failed_requests", {}, Decimal(1)
    elif event["event_type"] == "storage.snapshot":
        place = {key: values[key] for key in ("region", "project")}
        yield "storage_gb_hours", place, values["gb_hours"]
    elif event["event_type"] in HOURS:
        yield HOURS[event["event_type"]], {}, Decimal(values["hours"])


def recount(company: SampleCompany) -> tuple[Counter[str], dict[Any, Decimal]]:
    customers: dict[str, str] = {}
    for row in catalog(company, "customers"):
        for reference in (row["customer_id"], *row["ingest_aliases"].split("|")):
            customers[reference] = row["customer_id"]
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    totals: dict[Any, Decimal] = defaultdict(Decimal)
    for path in sorted(company.directory.rglob("events-*")):
        arrival = instant_of(path.name.removeprefix("events-")[:10])
        for sent in rows_of(path):
            counts["rows"] += 1
            try:
                event = event_of(sent, arrival)
            except Rejected:
                counts["rejected"] += 1
                continue
            if event["transaction_id"] in seen:
                counts["duplicates"] += 1
                continue
            seen.add(event["transaction_id"])
            counts["accepted"] += 1
            counts[f"{event['happened']:%Y-%m-%d}"] += 1
            customer = customers.get(event["customer_id"])
            if customer is None:
                counts["unknown_customer"] += 1
                continue
            for metric, group, quantity in usage_of(event):
                month = f"{event['happened']:%Y-%m}"
                totals[customer, metric, month, tuple(group.items())] += quantity
    return counts, {key: total for key, total in totals.items() if total}


@pytest.mark.parametrize("file_format", ["lines", "columnar"])
def test_truth_equals_a_plain_python_pass(
    file_format: str, request: pytest.FixtureRequest
) -> None:
    company: SampleCompany = request.getfixturevalue(file_format)

    counts, totals = recount(company)

    for kind in ("rows", "accepted", "duplicates", "rejected"):
        assert company.counts[kind] == counts[kind], kind
    for day, count in company.truth["accepted_by_event_date"].items():
        assert counts[day] == count, day
    unknown = company.counts["of_accepted"]["unknown_customer"]
    assert unknown == counts["unknown_customer"] > 0
    claimed = {
        (
            entry["customer_id"],
            entry["metric_id"],
            entry["month"],
            tuple(entry["group"].items()),
        ): Decimal(entry["quantity"])
        for entry in company.truth["totals"]
    }
    assert len(claimed) > 3_000
    assert claimed == totals


def test_counts_add_up_and_every_trap_is_there(
    lines: SampleCompany, columnar: SampleCompany
) -> None:
    for company in (lines, columnar):
        counts = company.counts
        # Six sessions a month are laid down by hand.
        assert counts["accepted"] == 10_000 + counts["accepted_by_kind"]["by_hand"]
        assert counts["accepted_by_kind"]["by_hand"] == 18
        parts = counts["accepted"] + counts["duplicates"] + counts["rejected"]
        assert counts["rows"] == company.rows == parts
        for kind in ("accepted", "duplicates", "rejected"):
            assert sum(counts[f"{kind}_by_kind"].values()) == counts[kind]
        assert sum(file["rows"] for file in company.truth["files"]) == company.rows
        assert set(counts["accepted_by_kind"]) == {
            "on_time",
            "late",
            "late_after_close",
            "by_hand",
        }
        assert len(counts["duplicates_by_kind"]) == 4
        assert len(counts["rejected_by_kind"]) == 9
        assert all(count > 0 for count in counts["of_accepted"].values())
        assert 0.008 < counts["duplicates"] / counts["rows"] < 0.012
    assert "unparsable" in lines.counts["rejected_by_kind"]
    assert "properties_unparsable" in columnar.counts["rejected_by_kind"]


def test_truth_on_disk_is_the_returned_one(lines: SampleCompany) -> None:
    assert json.loads(lines.truth_path.read_text(encoding="utf-8")) == lines.truth
    assert list(lines.files) == sorted(lines.directory.rglob("events-*"))


def test_parquet_columns_are_all_text(columnar: SampleCompany) -> None:
    for path in columnar.files[:3]:
        schema = pq.read_schema(path)
        assert schema.names == COLUMNS
        assert {str(field.type) for field in schema} == {"string"}


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    first = generate(tmp_path / "first", **SMALL)
    second = generate(tmp_path / "second", **SMALL)
    other = generate(tmp_path / "other", seed=7, **SMALL)

    assert contents(first.directory) == contents(second.directory)
    assert contents(first.directory) != contents(other.directory)


def test_generating_again_replaces_the_sample(tmp_path: Path) -> None:
    generate(tmp_path, **{**SMALL, "days": 20})
    again = generate(tmp_path, **SMALL)
    fresh = generate(tmp_path.with_name("fresh"), **SMALL)

    assert contents(again.directory) == contents(fresh.directory)


def test_memory_is_bounded_by_the_chunk_and_rows_do_not_depend_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generate(tmp_path / "whole", **SMALL)
    sizes: list[int] = []
    render = Renderer.render

    def watched(self: Renderer, events: Draws) -> Any:
        sizes.append(len(events))
        return render(self, events)

    monkeypatch.setattr(Renderer, "render", watched)
    pieces = generate(tmp_path / "pieces", chunk_rows=50, **SMALL)

    assert max(sizes) <= 50 and len(sizes) > 60
    assert contents(pieces.directory) == contents(whole.directory)


def test_the_enterprise_is_beside_all_others(
    lines: SampleCompany, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it every other line of events and catalog is the same."""
    monkeypatch.setattr(enterprise, "USAGE", {})
    monkeypatch.setattr(enterprise, "catalog_rows", lambda shape: {})
    alone = generate(tmp_path, events=10_000, file_format="ndjson")

    found = contents(lines.directory)
    own = 0
    for name, text in contents(alone.directory).items():
        if name.startswith((".sample", "meterhouse")):
            continue
        sent = found[name].splitlines()
        others = [line for line in sent if not OF_ENTERPRISE.search(line)]
        assert others == text.splitlines(), name
        own += len(sent) - len(others)
    # 18 events; its customer, card, contracts and products with prices and meters;
    # three commits, seven rows of their invoices, and a credit.
    assert own == 18 + 1 + 1 + 2 + 3 * 2 + 3 + 7 + 1


def test_files_arrive_month_by_month(lines: SampleCompany, tmp_path: Path) -> None:
    closes = [datetime(2026, month, 2, tzinfo=UTC) for month in (9, 10, 11)]
    assert list(lines.closes) == closes

    staged = [stage(lines.directory, tmp_path, close) for close in closes]

    assert [path.name for path in staged[0]][0::31] == [
        "events-2026-08-01.ndjson",
        "events-2026-09-01.ndjson",
    ]
    assert staged[1][0].name == "events-2026-09-02.ndjson"
    assert not set(staged[0]) & set(staged[1])
    everything = arrivals_until(lines.directory, closes[-1])
    assert sum(map(len, staged)) == len(everything) < len(lines.files)
    assert stage(lines.directory, tmp_path, closes[-1]) == []
    assert contents(tmp_path / "events") == {
        path.relative_to(lines.directory / "events").as_posix(): path.read_bytes()
        for path in everything
    }
    assert contents(tmp_path / "catalog") == contents(lines.directory / "catalog")


@pytest.mark.parametrize("hour", [0, 23])
def test_a_day_arrives_when_it_is_over(lines: SampleCompany, hour: int) -> None:
    arrived = arrivals_until(lines.directory, datetime(2026, 8, 3, hour, tzinfo=UTC))
    assert [path.stem for path in arrived] == [
        "events-2026-08-01",
        "events-2026-08-02",
    ]


def test_staging_leaves_an_edited_catalog_alone(
    lines: SampleCompany, tmp_path: Path
) -> None:
    stage(lines.directory, tmp_path, lines.closes[0])
    (tmp_path / "catalog" / "rates.csv").write_text("edited", encoding="utf-8")

    stage(lines.directory, tmp_path, lines.closes[1])

    assert (tmp_path / "catalog" / "rates.csv").read_text() == "edited"


def test_late_usage_misses_its_close_but_not_the_window(lines: SampleCompany) -> None:
    """Landing at each close only must reject nothing that a daily run accepts."""
    missed = 0
    for path in lines.files:
        day = instant_of(path.name.removeprefix("events-")[:10])
        # The first close after the file's day is when a monthly run lands it.
        second = day.replace(day=2)
        following = (second + timedelta(days=31)).replace(day=2)
        landing = second if day < second else following
        for row in rows_of(path):
            try:
                event = event_of(row, day)
            except Rejected:
                continue
            assert event["happened"] >= landing - timedelta(days=34)
            month = event["happened"].replace(day=1, hour=0, minute=0, second=0)
            close = (month + timedelta(days=32)).replace(day=2, microsecond=0)
            missed += day >= close
    assert missed >= lines.counts["accepted_by_kind"]["late_after_close"] >= 5


def test_a_rejected_row_comes_again_corrected(lines: SampleCompany) -> None:
    misdated, accepted = set(), set()
    for path in lines.files:
        for row in rows_of(path):
            if row and row.get("timestamp") == "not a timestamp":
                assert row["transaction_id"] not in accepted
                misdated.add(row["transaction_id"])
            elif row:
                accepted.add(row.get("transaction_id"))
    count = lines.counts["rejected_by_kind"]["rejected_then_fixed"]
    assert len(misdated) == count > 10
    assert misdated <= accepted


@pytest.mark.parametrize(("file_format", "days"), [("ndjson", 8), ("parquet", 34)])
def test_landing_at_each_close_finds_what_the_truth_says(
    tmp_path: Path, file_format: Any, days: int
) -> None:
    company = generate(
        tmp_path / "sample", events=3_000, days=days, file_format=file_format
    )
    workspace = tmp_path / "workspace"
    landed = 0
    reasons: Counter[str] = Counter()
    # The last one brings in what arrives after the sample's own months.
    for close in (*company.closes, company.closes[-1] + timedelta(days=30)):
        stage(company.directory, workspace, close)
        summary = land(Workspace.load(workspace), as_of=close)
        landed += summary.rows_landed
        reasons.update(summary.rejects_by_reason)

    expected = Counter(company.counts["rejected_by_kind"])
    expected["timestamp_invalid"] += expected.pop("rejected_then_fixed")
    expected["properties_not_flat"] += expected.pop("properties_unparsable", 0)
    assert reasons == expected
    assert landed == company.counts["accepted"] + company.counts["duplicates"]


def test_catalog_passes_the_preflight(
    lines: SampleCompany, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert check_catalog(Workspace.load(lines.directory)) == []
    large = generate(
        tmp_path_factory.mktemp("large"),
        events=5_000,
        days=2,
        customers=1_500,
        models=7,
        regions=4,
        service_tiers=2,
        projects=20,
    )
    assert check_catalog(Workspace.load(large.directory)) == []
    assert len(catalog(large, "customers")) == 1_500 + 1
    groups = [entry["group"] for entry in large.truth["totals"]]
    assert {
        len({group.get(key) for group in groups} - {None})
        for key in (
            "model",
            "region",
            "service_tier",
            "project",
        )
    } == {9, 4, 2, 20}


def test_catalog_shows_the_cases_the_demo_needs(lines: SampleCompany) -> None:
    rates = catalog(lines, "rates")
    changes = {row["ending_before"] for row in rates if row["ending_before"]}
    assert changes == {"2026-09-15T00:00:00Z", "2026-10-10T14:00:00Z"}
    assert {row["currency"] for row in catalog(lines, "rate_cards")} == {
        "USD",
        "EUR",
        "JPY",
    }
    unentitled = {row["product_id"] for row in rates if row["entitled"] == "false"}
    assert "failed_requests" in unentitled
    contracts = catalog(lines, "contracts")
    assert {row["billing_day"] for row in contracts} == {
        "FIRST_OF_MONTH",
        "CONTRACT_START",
    }
    starts = {row["starting_at"] for row in contracts}
    assert {"2026-08-15T00:00:00Z", "2026-09-11T09:00:00Z"} <= starts
    assert "2026-10-20T18:00:00Z" in {row["ending_before"] for row in contracts}
    settings = yaml.safe_load((lines.directory / "meterhouse.yml").read_text())
    profiles = {
        row["customer_id"]: row["billing_profile_id"]
        for row in catalog(lines, "customers")
    }
    paying = settings["sandbox"]["customers"]
    assert {
        item["pays_after_days"]: profiles[customer]
        for customer, item in paying.items()
        if "pays_after_days" in item
    } == {10: "invoice30", 40: "invoice30"}
    declined = [c for c, item in paying.items() if "payment_method" in item]
    assert [profiles[customer] for customer in declined] == [""]
    assert "drafts" in profiles.values()


def test_requests_reach_every_tier(lines: SampleCompany) -> None:
    first, second = (
        Decimal(row["tier_end"]) for row in catalog(lines, "rate_tiers")[:2]
    )
    months = [
        Decimal(entry["quantity"])
        for entry in lines.truth["totals"]
        if entry["metric_id"] == "api_requests"
    ]
    assert min(months) < first < second < max(months)
    assert any(first < month < second for month in months)


def test_totals_are_left_out_of_large_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "orchestration.sample_company.truth.MAX_EVENTS_WITH_TOTALS", 2_999
    )
    company = generate(tmp_path, **SMALL)
    assert company.truth["totals"] is None
    assert company.counts["accepted"] == 3_000 + 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"events": 999}, "events must be between"),
        ({"customers": 15}, "customers must be between"),
        ({"customers": 100_001}, "customers must be between"),
        ({"months": 0}, "months must be between"),
        ({"days": 0}, "days must be between"),
        ({"models": 2}, "models must be between"),
        ({"start": "2026-08-02"}, "first day of a month"),
        ({"file_format": "csv"}, "file_format"),
        ({"chunk_rows": 0}, "chunk_rows"),
    ],
)
def test_bad_arguments_write_nothing(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate(tmp_path, **{**SMALL, **arguments})
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_workspace_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "catalog" / "customers.csv"
    kept.parent.mkdir()
    kept.write_text("mine", encoding="utf-8")

    with pytest.raises(FileExistsError, match="not a sample"):
        generate(tmp_path, **SMALL)

    assert contents(tmp_path) == {"catalog/customers.csv": b"mine"}
