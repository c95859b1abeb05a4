"""Tables that ``stripe_sync`` owns in the operations store (SQLAlchemy Core).

Instants are stored as naive UTC and handed out timezone-aware.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware instant, kept as naive UTC on every database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: instants must carry a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

# One row per invoice and account: the truth about what we did to Stripe.
# state: intent | drafted | held | published | failed | refused | voiding | voided
publish_journal = Table(
    "publish_journal",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("invoice_id", String(128), primary_key=True),
    Column("environment", String(64), nullable=False),
    Column("customer_id", String(128), nullable=False),
    Column("stripe_customer_id", String(64)),
    Column("content_hash", String(64), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stripe_invoice_id", String(64)),
    Column("stripe_number", String(64)),
    Column("stripe_status", String(16)),
    Column("hosted_invoice_url", Text),
    Column("currency", String(8), nullable=False),
    Column("subtotal_minor", BigInteger),
    Column("total_minor", BigInteger),
    Column("tax_minor", BigInteger),
    Column("first_try_at", UtcDateTime, nullable=False),
    Column("attempt_started_at", UtcDateTime, nullable=False),
    Column("published_at", UtcDateTime),
    Column("last_error", Text),
    Column("request_id", String(64)),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_publish_journal_customer", "account", "stripe_customer_id"),
)

# One row per request, inserted before it is sent: outcome NULL = we never learnt.
# outcome: ok | no_answer | http_<status>
publish_attempts = Table(
    "publish_attempts",
    metadata,
    Column("attempt_id", Integer, primary_key=True, autoincrement=True),
    Column("account", String(64), nullable=False),
    Column("invoice_id", String(128), nullable=False),
    Column("operation", String(32), nullable=False),
    Column("stripe_id", String(64)),
    Column("idempotency_key", String(255)),
    Column("generation", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("outcome", String(16)),
    Column("request_id", String(64)),
    Column("error", Text),
    Index("ix_publish_attempts_invoice", "account", "invoice_id"),
)

# One row per account: how far load-back has read.
load_cursors = Table(
    "load_cursors",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("last_event_id", String(64)),
    Column("watermark", UtcDateTime),
    Column("last_swept_at", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
)

# Invoices last seen in a state that can still change without a new object: what a
# sweep must ask for one by one when they have left the list of open invoices.
load_open_invoices = Table(
    "load_open_invoices",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("stripe_invoice_id", String(64), primary_key=True),
)
