"""Generates the sample company, one arrival day after the other."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.sample_company import enterprise, malformed
from orchestration.sample_company.catalog import (
    COMPANY,
    write_catalog,
    write_settings,
)
from orchestration.sample_company.draws import (
    Draws,
    EventSource,
    concatenate,
)
from orchestration.sample_company.render import (
    EVENT_SCHEMA,
    Renderer,
    late,
    resent,
)
from orchestration.sample_company.roles import all_customers
from orchestration.sample_company.shape import (
    MILLIS_PER_DAY,
    Shape,
    close_day,
    effective_lag,
    instant,
)
from orchestration.sample_company.truth import Tally
from orchestration.sample_company.writers import EventFile, FileFormat

# Days by which late events come late; the last one is far past a month's close.
_LATE_LAGS = (1, 2, 3, 5, 9)
_MARKER = ".sample"


@dataclass(frozen=True)
class _Resend:
    """A way in which senders repeat themselves."""

    kind: str
    lag: int
    changed: bool = False
    restamped: bool = False


_RESENDS = (
    _Resend("same_day", 0),
    _Resend("same_day_changed", 0, changed=True),
    _Resend("days_later", 2),
    _Resend("days_later_changed", 6, changed=True, restamped=True),
)
_LONGEST_LAG = max(*_LATE_LAGS, *(resend.lag for resend in _RESENDS))


@dataclass(frozen=True)
class SampleCompany:
    """A generated sample.

    start and end bound the usage, half-open; rows is what all files hold together;
    files are in the order of arrival. `truth` is the content of truth_path.
    """

    directory: Path
    name: str
    start: date
    end: date
    rows: int
    files: tuple[Path, ...]
    truth_path: Path
    truth: dict[str, Any]

    @property
    def counts(self) -> dict[str, Any]:
        """Exact counts per kind of row."""
        counts: dict[str, Any] = self.truth["counts"]
        return counts

    @property
    def closes(self) -> tuple[datetime, ...]:
        """When each calendar month of the sample may close: its end plus 24 h."""
        return tuple(
            instant(close_day(date.fromisoformat(f"{month}-01")))
            for month in self.truth["months"]
        )


def generate(
    directory: Path,
    *,
    events: int = 1_000_000,
    seed: int = 20260801,
    start: str | date = "2026-08-01",
    months: int = 3,
    customers: int = 40,
    file_format: FileFormat = "parquet",
    days: int | None = None,
    models: int = 3,
    regions: int = 3,
    service_tiers: int = 3,
    projects: int = 6,
    chunk_rows: int = 500_000,
) -> SampleCompany:
    """Write catalog, events, meterhouse.yml and .sample/truth.json below a directory.

    The same arguments give the same rows and the same catalog, byte for byte.

    events: distinct well-formed events, 1,000 to 200 M; duplicates and malformed rows
        come on top (about 1.2 %), and the few of the enterprise of docs/ledger.md.
    start: first day of a month. days: length of the span instead of `months`.
    customers: 16 to 100,000, without that enterprise. models, regions, service_tiers,
        projects: cardinality of the dimensions (models without the preview and the
        nightly one).
    chunk_rows: most events held in memory at a time; no influence on the rows.

    Raises ValueError for an argument out of range, FileExistsError where the
    directory holds a catalog or events that are not a sample.
    """
    first_day = date.fromisoformat(start) if isinstance(start, str) else start
    if file_format not in ("parquet", "ndjson"):
        raise ValueError("file_format must be 'parquet' or 'ndjson'")
    if chunk_rows < 1:
        raise ValueError("chunk_rows must be at least 1")
    shape = Shape(
        events=events,
        seed=seed,
        start=first_day,
        months=months,
        customers=customers,
        days=days,
        models=models,
        regions=regions,
        service_tiers=service_tiers,
        projects=projects,
    )
    _make_room(directory)
    people = all_customers(shape)
    write_catalog(directory, shape, people)
    write_settings(directory, people)
    source = EventSource(shape, people)
    tally = Tally(shape, people)
    files: list[dict[str, Any]] = []
    with duckdb.connect() as connection:
        renderer = Renderer(shape, people, connection)
        for number in range(shape.day_count + _LONGEST_LAG):
            arrivals = _ArrivalDay(source, renderer, tally, number, chunk_rows)
            record = arrivals.write(directory, file_format, connection)
            if record is not None:
                files.append(record)
    truth = _truth(shape, file_format, files, tally)
    truth_path = directory / _MARKER / "truth.json"
    truth_path.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return SampleCompany(
        directory=directory,
        name=COMPANY,
        start=shape.start,
        end=shape.end,
        rows=truth["counts"]["rows"],
        files=tuple(directory / record["path"] for record in files),
        truth_path=truth_path,
        truth=truth,
    )


def _make_room(directory: Path) -> None:
    """Clear away an earlier sample; refuse to touch anything else."""
    marker = directory / _MARKER
    occupied = [
        path
        for name in ("catalog", "events", "meterhouse.yml")
        if (path := directory / name).exists()
    ]
    if occupied and not marker.is_dir():
        raise FileExistsError(
            f"{occupied[0]} exists and is not a sample; choose an empty directory"
        )
    # The marker comes first, so that a sample cut short can be cleared away as well.
    marker.mkdir(parents=True, exist_ok=True)
    for name in ("catalog", "events"):
        shutil.rmtree(directory / name, ignore_errors=True)


class _ArrivalDay:
    """Everything received on one day: one file."""

    def __init__(
        self,
        source: EventSource,
        renderer: Renderer,
        tally: Tally,
        number: int,
        chunk_rows: int,
    ) -> None:
        self._source = source
        self._renderer = renderer
        self._tally = tally
        self._number = number
        self._chunk_rows = chunk_rows
        self._shape = source.shape
        self._day = self._shape.start + timedelta(days=number)
        self._happens = number < self._shape.day_count
        self.counts: Counter[str] = Counter()

    def write(
        self,
        directory: Path,
        file_format: FileFormat,
        connection: duckdb.DuckDBPyConnection,
    ) -> dict[str, Any] | None:
        """Write the file; its record for the truth, or None if nothing arrived."""
        day = self._day
        path = (
            Path("events")
            / f"{day:%Y}"
            / f"{day:%m}"
            / f"events-{day.isoformat()}.{file_format}"
        )
        pieces = self._pieces(file_format)
        first = next(pieces, None)
        if first is None:
            return None
        with EventFile(directory / path, file_format, connection) as file:
            self._put(file, first)
            for piece in pieces:
                self._put(file, piece)
        return {
            "path": path.as_posix(),
            "arrival_date": day.isoformat(),
            **dict(sorted(self.counts.items())),
        }

    def _put(self, file: EventFile, piece: pa.Table | list[str]) -> None:
        if isinstance(piece, list):
            file.write_lines(piece)
        else:
            file.write(piece)
        self.counts["rows"] += len(piece)

    def _pieces(self, file_format: FileFormat) -> Iterator[pa.Table | list[str]]:
        # A re-sent event stands behind its original: the first one to land wins.
        if self._happens:
            yield from self._malformed(by_line=file_format == "ndjson")
            yield from self._on_time()
        stragglers = [*self._late(), *self._resent()]
        if stragglers:
            yield self._renderer.render(concatenate(stragglers))
        yield from self._by_hand()

    def _malformed(self, *, by_line: bool) -> Iterator[pa.Table | list[str]]:
        shape, number = self._shape, self._number
        low, high = (int(shape.malformed_offsets[number + step]) for step in (0, 1))
        places = np.arange(high - low, dtype=np.int64)
        places = places * shape.day_events(number) // max(1, high - low)
        misdated = self._source.late_positions(number)[::3]
        positions = np.concatenate([places, misdated])
        if not len(positions):
            return
        drawn = self._source.draw(number, positions)
        rows: list[malformed.EventRow] = self._renderer.render(drawn).to_pylist()
        spoilt = malformed.spoil(rows[: len(places)], low, by_line=by_line)
        malformed.misdate(rows[len(places) :], spoilt)
        for kind, count in spoilt.kinds.items():
            self.counts[f"rejected.{kind}"] += count
        if spoilt.rows:
            yield pa.Table.from_pylist(spoilt.rows, schema=EVENT_SCHEMA)
        if spoilt.lines:
            yield spoilt.lines

    def _on_time(self) -> Iterator[pa.Table]:
        total = self._shape.day_events(self._number)
        for low in range(0, total, self._chunk_rows):
            high = min(low + self._chunk_rows, total)
            positions = self._source.positions(self._number, low, high)
            drawn = self._source.draw(self._number, positions)
            self._accept(self._number, drawn, "on_time")
            yield self._renderer.render(drawn)

    def _by_hand(self) -> Iterator[pa.Table]:
        rows = enterprise.events_of(self._shape, self._day) if self._happens else []
        if rows:
            self.counts["accepted.by_hand"] += len(rows)
            yield pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)

    def _accept(self, happened: int, drawn: Draws, kind: str) -> None:
        day = self._shape.start + timedelta(days=happened)
        month = self._shape.month_starts.index(day.replace(day=1))
        self._tally.add(month, drawn)
        self.counts[f"accepted.{kind}"] += len(drawn)

    def _earlier_day(self, lag: int) -> int | None:
        """The day whose events `lag` days late arrive today."""
        happened = self._number - lag
        return happened if 0 <= happened < self._shape.day_count else None

    def _late(self) -> Iterator[Draws]:
        for actual in _LATE_LAGS:
            happened = self._earlier_day(actual)
            if happened is None:
                continue
            day = self._shape.start + timedelta(days=happened)
            kind = "late_after_close" if self._day >= close_day(day) else "late"
            positions = self._source.late_positions(happened)
            turns = (np.arange(len(positions)) + happened) % len(_LATE_LAGS)
            lags = np.array([effective_lag(day, lag) for lag in _LATE_LAGS])[turns]
            chosen = positions[lags == actual]
            if len(chosen):
                drawn = late(self._source.draw(happened, chosen), actual)
                self._accept(happened, drawn, kind)
                yield drawn

    def _resent(self) -> Iterator[Draws]:
        for turn, resend in enumerate(_RESENDS):
            for actual in sorted({resend.lag, min(resend.lag, 1)}):
                happened = self._earlier_day(actual)
                if happened is None:
                    continue
                day = self._shape.start + timedelta(days=happened)
                if effective_lag(day, resend.lag) != actual:
                    continue
                positions = self._source.resent_positions(happened)
                turns = (np.arange(len(positions)) + happened) % len(_RESENDS)
                chosen = positions[turns == turn]
                if not len(chosen):
                    continue
                self.counts[f"duplicates.{resend.kind}"] += len(chosen)
                yield resent(
                    self._source.draw(happened, chosen),
                    lag_days=actual,
                    changed=resend.changed,
                    restamped=resend.restamped,
                    day_end_ms=self._source.day_start_ms(happened) + MILLIS_PER_DAY,
                )


def _truth(
    shape: Shape, file_format: FileFormat, files: list[dict[str, Any]], tally: Tally
) -> dict[str, Any]:
    sums: Counter[str] = Counter()
    for record in files:
        sums.update({key: n for key, n in record.items() if isinstance(n, int)})

    def group(prefix: str) -> dict[str, int]:
        names = sorted(key for key in sums if key.startswith(f"{prefix}."))
        return {name.removeprefix(f"{prefix}."): sums[name] for name in names}

    accepted, duplicates, rejected = map(group, ("accepted", "duplicates", "rejected"))
    return {
        "company": COMPANY,
        "seed": shape.seed,
        "events": shape.events,
        "customers": shape.customers,
        "file_format": file_format,
        "start": shape.start.isoformat(),
        "end": shape.end.isoformat(),
        "months": [month.strftime("%Y-%m") for month in shape.month_starts],
        "counts": {
            "rows": sums["rows"],
            "accepted": sum(accepted.values()),
            "duplicates": sum(duplicates.values()),
            "rejected": sum(rejected.values()),
            "accepted_by_kind": accepted,
            "duplicates_by_kind": duplicates,
            "rejected_by_kind": rejected,
            "of_accepted": tally.counts(),
        },
        "accepted_by_event_date": {
            day.isoformat(): shape.day_events(number)
            + len(enterprise.events_of(shape, day))
            for number in range(shape.day_count)
            for day in (shape.start + timedelta(days=number),)
        },
        "files": files,
        "totals": tally.totals(),
    }
