"""Rows that cross the border of ``stripe_sync``: plain frozen dataclasses.

Rows in come from the warehouse's publishing tables, rows out go to the operations
store and the lake. Amounts are integers in the currency's minor unit, instants are
timezone-aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

CollectionMethod = Literal["charge_automatically", "send_invoice"]
PublishState = Literal[
    "intent",
    "drafted",
    "published",
    "failed",
    "refused",
    "held",
    "voiding",
    "voided",
]


@dataclass(frozen=True, slots=True)
class LineRequest:
    """One line of an invoice as Stripe will be told.

    ``period_end`` is inclusive, as Stripe wants it: the caller already took one
    second off the warehouse's half-open end.
    """

    line_id: str
    position: int
    amount_minor: int
    description: str
    period_start: datetime
    period_end: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InvoiceRequest:
    """One closed invoice to publish.

    ``auto_finalize=False`` (profile) and ``held=True`` (operator) both leave the
    invoice a Stripe draft with all its lines; neither is part of the content hash,
    so a later release finalizes the same draft.
    """

    invoice_id: str
    account: str
    customer_id: str
    stripe_customer_id: str
    currency: str
    collection_method: str
    days_until_due: int | None
    auto_finalize: bool
    held: bool
    description: str
    metadata: Mapping[str, str]
    subtotal_minor: int
    line_count: int
    lines: tuple[LineRequest, ...]


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What became of one request in this run.

    ``state`` is ``published``, ``held``, ``voided``, ``failed`` or ``refused``;
    ``error`` is a machine name followed by ``: `` and words, or several joined by
    ``; ``. ``requests`` counts the calls this run made for the invoice (0 = nothing
    to do).
    A request whose content changed after publication is ``refused`` while the
    journal keeps saying ``published``.
    """

    invoice_id: str
    account: str
    state: PublishState
    stripe_invoice_id: str | None = None
    stripe_number: str | None = None
    hosted_url: str | None = None
    stripe_status: str | None = None
    subtotal_minor: int | None = None
    total_minor: int | None = None
    tax_minor: int | None = None
    generation: int = 1
    attempt: int = 1
    error: str | None = None
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something of ours at Stripe that no journal row accounts for."""

    account: str
    object_type: Literal["invoice", "invoiceitem"]
    object_id: str
    invoice_id: str | None
    created: datetime
    reason: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class RawObject:
    """One version of a Stripe object as re-fetched; ``payload`` is canonical JSON."""

    account: str
    object_type: str
    object_id: str
    fetched_at: datetime
    payload_hash: str
    payload: str


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One Stripe event: a signal of change, never the truth about the object."""

    account: str
    event_id: str
    created: datetime
    event_type: str
    api_version: str
    object_id: str
    payload: str
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class LoadCounts:
    """What one load-back did; ``swept`` says whether the full sweep ran and why."""

    account: str
    events_seen: int = 0
    events_written: int = 0
    objects_fetched: int = 0
    objects_written: int = 0
    requests: int = 0
    swept: bool = False
    sweep_reason: str | None = None
    cursor: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The counts as a flat mapping, for run metadata."""
        return {name: getattr(self, name) for name in self.__slots__}
