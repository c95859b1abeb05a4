"""Which candidate events land and which are rejected, as SQL.

The checks stand in a fixed order and the first that fails names the reason, so that
the same row always gets the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestration.landing import sql
from orchestration.landing.usage_keys import UsageKeys

LONGEST_ID = 128
FUTURE_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True)
class Limits:
    """Instants (UTC) that events are accepted between; oldest None = any age."""

    landed_at: datetime
    oldest: datetime | None

    @classmethod
    def of(cls, as_of: datetime, window_days: int, backfill: bool) -> Limits:
        landed_at = as_of.astimezone(UTC)
        oldest = None if backfill else landed_at - timedelta(days=window_days)
        return cls(landed_at, oldest)


def property_column(key: str) -> str:
    return f"property_{key}"


def staged_columns(keys: UsageKeys) -> list[tuple[str, str]]:
    """(name, type) of the table in which a file's rows wait to be written."""
    return [
        ("landing_row", "bigint"),
        ("transaction_id", "varchar"),
        ("customer_ref", "varchar"),
        ("event_type", "varchar"),
        ("event_at", "timestamp"),
        ("received_at", "timestamp"),
        ("properties", "varchar"),
        *[(property_column(key), "varchar") for key in keys.properties],
        ("problem", "struct(field varchar, reason varchar, remedy varchar)"),
        ("raw", "varchar"),
    ]


def judged(
    candidates: str, raw: str, is_json: bool, keys: UsageKeys, limits: Limits
) -> str:
    """Select the staged columns; `problem` is NULL for events that land.

    `candidates` are the CTEs of `interpret.fields`, `raw` the SQL of the row whole,
    `is_json` says that a record is itself the JSON that may have needed repair.
    """
    flat = [
        f"json_extract_string(properties, {sql.text(sql.json_path(key))}) "
        f"as {sql.name(property_column(key))}"
        for key in keys.properties
    ]
    with_flat = "".join(f", {column}" for column in flat)
    cases = " ".join(
        f"when {condition} then {_problem(field, reason, remedy)}"
        for condition, field, reason, remedy in _checks(is_json, keys, limits)
    )
    names = ", ".join(
        sql.name(name) for name, _ in staged_columns(keys) if name not in _COMPUTED
    )
    return f"""
        with {candidates},
        checked as (
            select
                *,
                broken is null and (repair is null or not {is_json}) and not coalesce(
                    regexp_full_match(properties, {sql.text(sql.FLAT_OBJECT)}), false
                ) as not_flat
            from candidates
        ),
        keyed as (
            select
                * replace (case when not not_flat then properties end as properties),
                json_keys(case when not not_flat then properties end) as property_keys
            from checked
        ),
        flat as (select *{with_flat} from keyed),
        problems as (select *, case {cases} end as problem from flat)
        select
            {names},
            problem,
            case when problem is not null then {raw} end as raw
        from problems
    """


_COMPUTED = ("problem", "raw")


def _checks(
    is_json: bool, keys: UsageKeys, limits: Limits
) -> Iterator[tuple[str, str, str, str]]:
    """(condition, field, reason, remedy), the first that holds decides."""
    yield (
        "broken is not null",
        "",
        "unparsable",
        "The record can't be read: {broken}. Send it again as one whole record.",
    )
    yield (
        f"repair = 'unparsable' and {is_json}",
        "",
        "unparsable",
        "The line is not a JSON object. Send one whole object per line.",
    )
    yield (
        "repair = 'duplicate_key' or duplicate_keys "
        "or len(property_keys) <> list_unique(property_keys)",
        "",
        "duplicate_key",
        "A key stands twice in one object. Send each key once.",
    )
    for field, column in (
        ("transaction_id", "transaction_id"),
        ("customer_id", "customer_ref"),
        ("event_type", "event_type"),
        ("timestamp", "event_text"),
    ):
        yield (
            f"{column} is null",
            field,
            "missing_field",
            f"Send the event again with {field}.",
        )
    for field, column in (
        ("transaction_id", "transaction_id"),
        ("customer_id", "customer_ref"),
        ("event_type", "event_type"),
    ):
        # Objects and lists also end up here: no id begins with a bracket.
        yield (
            f"length({column}) > {LONGEST_ID} "
            rf"or regexp_matches({column}, '[\x00-\x1f\x7f]|^[{{\[]')",
            field,
            f"{field}_invalid",
            f"Send {field} as text of 1 to {LONGEST_ID} printable characters.",
        )
    newest = limits.landed_at + FUTURE_TOLERANCE
    for field, words, column in (
        ("timestamp", "event_text", "event_at"),
        ("received_at", "received_text", "received_at"),
    ):
        yield (
            f"{words} is not null and {column} is null",
            field,
            "timestamp_invalid",
            "Send a date and time that exist, as in 2026-10-31T23:59:59.5Z "
            "(RFC 3339, 1970 or later).",
        )
        yield (
            f"{column} > {_timestamp(newest)}",
            field,
            "timestamp_in_future",
            f"{field} is more than an hour after the run's {_shown(limits.landed_at)}."
            " Correct the sender's clock and send the event again.",
        )
    if limits.oldest is not None:
        yield (
            f"event_at < {_timestamp(limits.oldest)}",
            "timestamp",
            "timestamp_too_old",
            f"The event is older than {_shown(limits.oldest)}, the oldest that this "
            "run accepts. Send it again and run with --backfill.",
        )
    yield (
        "not_flat",
        "properties",
        "properties_not_flat",
        "Send properties as one object of plain values, without objects or lists "
        "inside.",
    )
    for key, included, excluded in keys.numbers:
        column = sql.name(property_column(key))
        applies = ""
        for operator, event_types in (("in", included), ("not in", excluded)):
            types = ", ".join(sql.text(item) for item in event_types or ())
            applies += f" and event_type {operator} ({types})" if types else ""
        yield (
            f"not regexp_full_match({column}, {sql.text(sql.NUMBER)}){applies}",
            f"properties.{key}",
            "number_invalid",
            "Send a plain decimal number as in 1234.5, without blanks, signs other "
            "than -, or exponents.",
        )
        yield (
            f"not regexp_full_match({column}, {sql.text(sql.EXACT_NUMBER)}){applies}",
            f"properties.{key}",
            "number_not_exact",
            "Send at most 19 digits before the decimal point and 12 after it; "
            "quantities are never rounded.",
        )


def _problem(field: str, reason: str, remedy: str) -> str:
    before, mark, after = remedy.partition("{broken}")
    words = sql.text(before)
    if mark:
        words += f" || broken || {sql.text(after)}"
    return (
        f"{{'field': {sql.text(field)}, 'reason': {sql.text(reason)}, "
        f"'remedy': {words}}}"
    )


def _timestamp(moment: datetime) -> str:
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return f"timestamp {sql.text(plain.isoformat(sep=' '))}"


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
