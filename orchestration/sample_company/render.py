"""Turns drawn events into the text that senders would have sent."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.sample_company.draws import UNKNOWN, Draws
from orchestration.sample_company.roles import Customer
from orchestration.sample_company.shape import MILLIS_PER_DAY, Integers, Shape

# The canonical plain columns, all text so that malformed values survive.
EVENT_COLUMNS = (
    "transaction_id",
    "customer_id",
    "event_type",
    "timestamp",
    "properties",
    "received_at",
)
EVENT_SCHEMA = pa.schema([(name, pa.string()) for name in EVENT_COLUMNS])

EVENT_TYPES = ("llm.completion", "storage.snapshot", "auth.login")
STATUSES = ("ok", "error", "rate_limited")  # STATUS_ABSENT is the code past the end
# Ids that no customer has; the second looks like an alias someone forgot to enter.
UNKNOWN_REFS = ("customer-9999x", "org-pending", "test-account")

_ISO = "%Y-%m-%dT%H:%M:%S.%g"

# Numbers leave as exact text: whole part, then the fraction where there is one.
# Every second sender quotes its numbers, the others send JSON numbers.
_RENDER = f"""
with numbers as (
    select
        *,
        case when number_style = 0 then '"' else '' end as quote,
        (input_tokens // 100)::varchar
            || case
                when input_tokens % 100 = 0 then ''
                else '.' || lpad((input_tokens % 100)::varchar, 2, '0')
            end as input_text,
        (output_tokens // 100)::varchar as output_text,
        (gb_hours // 1000000)::varchar || '.'
            || lpad((gb_hours % 1000000)::varchar, 6, '0') as storage_text
    from chunk
)

select
    'evt-' || lpad(lower(to_hex(transaction)), 16, '0') as transaction_id,
    customer_id,
    event_type,
    case
        when stamp_style = 0
            then strftime(event_at + interval 2 hours, '{_ISO}') || '+02:00'
        when stamp_style = 1 then strftime(event_at, '{_ISO}')
        else strftime(event_at, '{_ISO}') || 'Z'
    end as timestamp,
    case event_type
        when 'llm.completion' then
            '{{"model":"' || model || '"'
            || coalesce(',"region":"' || region || '"', '')
            || ',"service_tier":"' || service_tier
            || '","input_tokens":' || quote || input_text || quote
            || ',"output_tokens":' || quote || output_text || quote
            || coalesce(',"status":"' || status || '"', '')
            || case when dry_run = 1 then ',"dry_run":"true"' else '' end
            || '}}'
        when 'storage.snapshot' then
            '{{"region":"' || region || '","project":"' || project
            || '","gb_hours":' || quote || storage_text || quote || '}}'
        else '{{"method":"sso"}}'
    end as properties,
    case
        when stamp_style != 2 then strftime(received_at, '{_ISO}') || 'Z'
    end as received_at
from numbers
"""


class Renderer:
    """Renders events for one company on a DuckDB connection passed in."""

    def __init__(
        self,
        shape: Shape,
        customers: list[Customer],
        connection: duckdb.DuckDBPyConnection,
    ) -> None:
        self._shape = shape
        self._connection = connection
        # Reference number: the customer id, its aliases at fixed places behind it.
        references: list[str] = []
        self._first_reference = np.empty(len(customers), np.int64)
        for item in customers:
            self._first_reference[item.number] = len(references)
            references += [item.customer_id, *item.aliases]
        self._unknown_reference = len(references)
        self._references = pa.array([*references, *UNKNOWN_REFS])
        self._alias_counts = np.array([len(item.aliases) for item in customers])

    def render(self, events: Draws) -> pa.Table:
        """The events in EVENT_SCHEMA, in the same order."""
        shape = self._shape
        chunk = pa.table(
            {
                "transaction": events.transaction,
                "customer_id": self._references.take(self._reference_of(events)),
                "event_type": _labels(events.kind, EVENT_TYPES),
                "event_at": pa.array(events.event_ms, pa.timestamp("ms")),
                "received_at": pa.array(events.received_ms, pa.timestamp("ms")),
                "model": _labels(events.model, shape.model_names),
                "region": _labels(events.region, shape.region_names),
                "service_tier": _labels(events.service_tier, shape.tier_names),
                "project": _labels(events.project, shape.project_names),
                "status": _labels(events.status, STATUSES),
                "dry_run": events.dry_run,
                "number_style": events.number_style,
                "stamp_style": events.stamp_style,
                "input_tokens": events.input_tokens,
                "output_tokens": events.output_tokens,
                "gb_hours": events.gb_hours,
            }
        )
        self._connection.register("chunk", chunk)
        rendered = self._connection.sql(_RENDER).to_arrow_table()
        self._connection.unregister("chunk")
        return rendered.cast(EVENT_SCHEMA)

    def _reference_of(self, events: Draws) -> Integers:
        known = np.maximum(events.customer, 0)
        # Customers with aliases use one for three events in ten.
        alias = np.where(
            events.by_alias < 300,
            1 + events.by_alias % np.maximum(self._alias_counts[known], 1),
            0,
        )
        reference = self._first_reference[known] + np.minimum(
            alias, self._alias_counts[known]
        )
        unknown = self._unknown_reference + events.by_alias % len(UNKNOWN_REFS)
        return np.where(events.customer == UNKNOWN, unknown, reference)


def _labels(codes: Integers, names: tuple[str, ...]) -> pa.Array:
    """Names by code; a code past the end is NULL, meaning: not sent."""
    return pa.array([*names, None], pa.string()).take(np.minimum(codes, len(names)))


def late(events: Draws, lag_days: int) -> Draws:
    """The same events, received days later."""
    return replace(events, received_ms=events.received_ms + lag_days * MILLIS_PER_DAY)


def resent(
    events: Draws, *, lag_days: int, changed: bool, restamped: bool, day_end_ms: int
) -> Draws:
    """The same ids a second time, at least a minute or `lag_days` later.

    changed: with other quantities; restamped: the sender put the time of the second
    try on it, which moves the event to another day.
    """
    received = events.received_ms + lag_days * MILLIS_PER_DAY
    if lag_days == 0:
        received = np.minimum(received + 60_000, day_end_ms - 1)
    again = replace(events, received_ms=received)
    if restamped:
        again = replace(again, event_ms=events.event_ms + lag_days * MILLIS_PER_DAY)
    if changed:
        again = replace(
            again,
            input_tokens=events.input_tokens * 2 + 100,
            output_tokens=events.output_tokens + 700,
            gb_hours=events.gb_hours + 1,
        )
    return again
