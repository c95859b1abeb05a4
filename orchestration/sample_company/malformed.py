"""Rows that no landing may accept, made from well-formed ones.

Each is wrong in exactly one way, so that the reason it is rejected for is not open to
debate. `truth.json` counts them under the names used here: the landing's reasons, and
two names for rows that it rejects as timestamp_invalid and properties_not_flat.
"""

from __future__ import annotations

from dataclasses import dataclass, field

EventRow = dict[str, str | None]

# A rejected row must not use up its id: these arrive corrected some days later.
FIXED_LATER = "rejected_then_fixed"
TORN_PROPERTIES = "properties_unparsable"

_KINDS = (
    "timestamp_invalid",
    "missing_field",
    "transaction_id_invalid",
    "number_invalid",
    "properties_not_flat",
    "timestamp_in_future",
    "timestamp_too_old",
)

_BAD_TIMESTAMPS = (
    "yesterday",
    "2026-02-30T10:00:00Z",
    "2026-13-01T00:00:00Z",
    "T12:00",
)
_BAD_NUMBERS = ("twelve", "NaN", "1.2.3", "12,5", "0x1F")
_NESTED = (
    '{"model":"nw-small","usage":{"input_tokens":"5"}}',
    '{"model":"nw-small","region":["us","eu"]}',
)
_MISSING: tuple[EventRow, ...] = (
    {"customer_id": None},
    {"event_type": None},
    {"timestamp": None},
    {"transaction_id": ""},
)
_NOT_JSON = (
    '{"transaction_id":"evt-torn","customer_id":"customer-0001","event_ty',
    "2026-08-01 00:00:00 INFO usage exporter restarted",
    '{"transaction_id":"evt-glued"}{"transaction_id":"evt-glued"}',
)


@dataclass
class Malformed:
    """Malformed rows of one file.

    rows are events in the canonical columns; lines are text that is not JSON, which
    only a line format can carry. kinds counts both.
    """

    rows: list[EventRow] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str) -> None:
        """Count one row of a kind."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1


def spoil(base: list[EventRow], first: int, *, by_line: bool) -> Malformed:
    """Spoil well-formed rows; `first` is the running number of the first of them.

    by_line: the file format has lines, so one in eight becomes an unparsable line;
    in a columnar file its properties are unparsable instead.
    """
    spoilt = Malformed()
    for number, row in enumerate(base, start=first):
        turn, position = divmod(number, len(_KINDS) + 1)
        if position == len(_KINDS):
            if by_line:
                spoilt.lines.append(_NOT_JSON[turn % len(_NOT_JSON)])
                spoilt.count("unparsable")
            else:
                torn = '{"model":"nw-small","input_tokens'
                row.update(transaction_id=f"evt-bad-{number:08d}", properties=torn)
                spoilt.rows.append(row)
                spoilt.count(TORN_PROPERTIES)
            continue
        kind = _KINDS[position]
        row["transaction_id"] = f"evt-bad-{number:08d}"
        _break(row, kind, turn)
        spoilt.rows.append(row)
        spoilt.count(kind)
    return spoilt


def _break(row: EventRow, kind: str, turn: int) -> None:
    timestamp = row["timestamp"] or ""
    match kind:
        case "timestamp_invalid":
            row["timestamp"] = _BAD_TIMESTAMPS[turn % len(_BAD_TIMESTAMPS)]
        case "missing_field":
            row.update(_MISSING[turn % len(_MISSING)])
        case "transaction_id_invalid":
            row["transaction_id"] = "x" * 129
        case "number_invalid":
            # On storage only: one metric reads it, so nothing else is in doubt.
            number = _BAD_NUMBERS[turn % len(_BAD_NUMBERS)]
            row["event_type"] = "storage.snapshot"
            row["properties"] = (
                f'{{"region":"us","project":"project-1","gb_hours":"{number}"}}'
            )
        case "properties_not_flat":
            row["event_type"] = "llm.completion"
            row["properties"] = _NESTED[turn % len(_NESTED)]
        case "timestamp_in_future":
            row["timestamp"] = f"{int(timestamp[:4]) + 5}-06-01T00:00:00Z"
        case "timestamp_too_old":
            # Years back: even a backfill, which accepts it, finds no contract there.
            row["timestamp"] = f"{int(timestamp[:4]) - 3}-06-01T00:00:00Z"


def misdate(base: list[EventRow], spoilt: Malformed) -> None:
    """Add first tries with an unreadable timestamp; the corrected rows come later."""
    for row in base:
        row["timestamp"] = "not a timestamp"
        spoilt.rows.append(row)
        spoilt.count(FIXED_LATER)
