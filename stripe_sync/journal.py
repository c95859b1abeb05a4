"""The publish journal: what we meant to do to Stripe, written before we did it."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import filelock
from sqlalchemy import Engine, func, insert, select, update

from .rows import InvoiceRequest, PublishState
from .tables import metadata, publish_attempts, publish_journal


class CustomerLocked(Exception):
    """Another publisher is at work on this customer."""


class JournalError(Exception):
    """The journal was asked for something that cannot be."""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One invoice's row; the columns of `tables.publish_journal`."""

    account: str
    invoice_id: str
    environment: str
    customer_id: str
    stripe_customer_id: str | None
    content_hash: str
    generation: int
    attempt: int
    state: PublishState
    stripe_invoice_id: str | None
    stripe_number: str | None
    stripe_status: str | None
    hosted_invoice_url: str | None
    currency: str
    subtotal_minor: int | None
    total_minor: int | None
    tax_minor: int | None
    first_try_at: datetime
    attempt_started_at: datetime
    published_at: datetime | None
    last_error: str | None
    request_id: str | None
    updated_at: datetime


_COLUMNS = [publish_journal.c[field.name] for field in fields(JournalRow)]


class PublishJournal:
    """Rows of ``publish_journal`` and ``publish_attempts`` in the operations store.

    Each method is one committed transaction: a row says what is about to happen, and
    survives the process that wrote it. ``lock_dir`` holds one lock file per customer;
    beside a SQLite file it is found by itself. The operating system frees a dead
    publisher's locks; publishers on two machines need a shared folder.
    """

    def __init__(self, engine: Engine, *, lock_dir: Path | None = None) -> None:
        self.engine = engine
        metadata.create_all(engine)
        self._lock_dir = lock_dir or _beside(engine)
        self._thread_locks: defaultdict[str, threading.Lock] = defaultdict(
            threading.Lock
        )

    # -- reading ------------------------------------------------------------------

    def get(self, account: str, invoice_id: str) -> JournalRow | None:
        """One invoice's row."""
        with self.engine.connect() as connection:
            row = connection.execute(
                select(*_COLUMNS).where(*_key(account, invoice_id))
            ).one_or_none()
        return None if row is None else JournalRow(**row._mapping)

    def rows(self) -> list[JournalRow]:
        """All rows, by account and invoice id."""
        with self.engine.connect() as connection:
            found = connection.execute(
                select(*_COLUMNS).order_by(
                    publish_journal.c.account, publish_journal.c.invoice_id
                )
            )
            return [JournalRow(**row._mapping) for row in found]

    def knows_customer(self, account: str, stripe_customer_id: str) -> bool:
        """Whether any invoice of this customer ever reached Stripe.

        False for a new customer, and for every customer when the journal was lost.
        """
        statement = select(func.count()).where(
            publish_journal.c.account == account,
            publish_journal.c.stripe_customer_id == stripe_customer_id,
            publish_journal.c.stripe_invoice_id.is_not(None),
        )
        with self.engine.connect() as connection:
            return bool(connection.execute(statement).scalar_one())

    def attempts(self, account: str, invoice_id: str) -> list[dict[str, Any]]:
        """Every request made for an invoice, oldest first."""
        statement = (
            select(publish_attempts)
            .where(
                publish_attempts.c.account == account,
                publish_attempts.c.invoice_id == invoice_id,
            )
            .order_by(publish_attempts.c.attempt_id)
        )
        with self.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(statement)]

    def done(self, row: JournalRow, operation: str, stripe_id: str) -> bool:
        """Whether an operation on a Stripe object was answered with success."""
        statement = select(func.count()).where(
            publish_attempts.c.account == row.account,
            publish_attempts.c.invoice_id == row.invoice_id,
            publish_attempts.c.operation == operation,
            publish_attempts.c.stripe_id == stripe_id,
            publish_attempts.c.outcome == "ok",
        )
        with self.engine.connect() as connection:
            return bool(connection.execute(statement).scalar_one())

    # -- writing ------------------------------------------------------------------

    def intend(
        self,
        request: InvoiceRequest,
        content_hash: str,
        *,
        environment: str,
        now: datetime,
        state: PublishState = "intent",
        error: str | None = None,
    ) -> JournalRow:
        """Insert the first row of an invoice."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(publish_journal).values(
                    account=request.account,
                    invoice_id=request.invoice_id,
                    environment=environment,
                    customer_id=request.customer_id,
                    stripe_customer_id=request.stripe_customer_id or None,
                    content_hash=content_hash,
                    generation=1,
                    attempt=1,
                    state=state,
                    currency=request.currency,
                    subtotal_minor=request.subtotal_minor,
                    first_try_at=now,
                    attempt_started_at=now,
                    last_error=error,
                    updated_at=now,
                )
            )
        return self._must_get(request.account, request.invoice_id)

    def change(self, row: JournalRow, *, now: datetime, **values: Any) -> JournalRow:
        """Set columns of a row; the row as it is then."""
        with self.engine.begin() as connection:
            connection.execute(
                update(publish_journal)
                .where(*_key(row.account, row.invoice_id))
                .values(updated_at=now, **values)
            )
        return self._must_get(row.account, row.invoice_id)

    def next_attempt(self, row: JournalRow, *, now: datetime) -> JournalRow:
        """New idempotency keys, because the old ones have a stored answer or are
        about to be forgotten by Stripe."""
        return self.change(
            row, now=now, attempt=row.attempt + 1, attempt_started_at=now
        )

    def reopen(
        self, account: str, invoice_id: str, *, reason: str, now: datetime
    ) -> JournalRow:
        """Let an invoice that was voided at Stripe be published anew.

        For an explicit operator decision only: raises `JournalError` for an unknown
        invoice. The next publish makes a new Stripe invoice (generation + 1) and
        still refuses if the old one is not void.
        """
        row = self.get(account, invoice_id)
        if row is None:
            raise JournalError(f"{account}/{invoice_id} was never published")
        return self.change(
            row,
            now=now,
            state="intent",
            generation=row.generation + 1,
            stripe_invoice_id=None,
            stripe_number=None,
            stripe_status=None,
            hosted_invoice_url=None,
            published_at=None,
            last_error=f"reopened: {reason}",
        )

    def started(
        self,
        row: JournalRow,
        operation: str,
        *,
        stripe_id: str | None,
        key: str | None,
        now: datetime,
    ) -> int:
        """Note a request about to be sent; its number."""
        with self.engine.begin() as connection:
            result = connection.execute(
                insert(publish_attempts).values(
                    account=row.account,
                    invoice_id=row.invoice_id,
                    operation=operation,
                    stripe_id=stripe_id,
                    idempotency_key=key,
                    generation=row.generation,
                    attempt=row.attempt,
                    requested_at=now,
                )
            )
        primary_key = result.inserted_primary_key
        assert primary_key is not None
        return int(primary_key[0])

    def ended(
        self,
        attempt_id: int,
        outcome: str,
        *,
        now: datetime,
        request_id: str | None = None,
        error: str | None = None,
        stripe_id: str | None = None,
    ) -> None:
        """Note the answer to a request."""
        values: dict[str, Any] = {
            "outcome": outcome,
            "answered_at": now,
            "request_id": request_id,
            "error": error,
        }
        if stripe_id is not None:
            values["stripe_id"] = stripe_id
        with self.engine.begin() as connection:
            connection.execute(
                update(publish_attempts)
                .where(publish_attempts.c.attempt_id == attempt_id)
                .values(**values)
            )

    def _must_get(self, account: str, invoice_id: str) -> JournalRow:
        row = self.get(account, invoice_id)
        if row is None:
            raise JournalError(f"{account}/{invoice_id} vanished from the journal")
        return row

    # -- one writer per customer --------------------------------------------------

    @contextmanager
    def lock(
        self, account: str, stripe_customer_id: str, *, timeout: float = 60.0
    ) -> Iterator[None]:
        """Hold a customer; Stripe answers 429 ``lock_timeout`` to two writers.

        Raises `CustomerLocked` after ``timeout`` seconds.
        """
        name = hashlib.sha256(f"{account}|{stripe_customer_id}".encode()).hexdigest()
        who = f"{account}/{stripe_customer_id}"
        if self._lock_dir is None:
            lock = self._thread_locks[name]
            if not lock.acquire(timeout=timeout):
                raise CustomerLocked(who)
            try:
                yield
            finally:
                lock.release()
            return
        self._lock_dir.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(self._lock_dir / f"{name[:32]}.lock")
        try:
            held.acquire(timeout=timeout)
        except filelock.Timeout:
            raise CustomerLocked(who) from None
        try:
            yield
        finally:
            held.release()


def _key(account: str, invoice_id: str) -> tuple[Any, ...]:
    return (
        publish_journal.c.account == account,
        publish_journal.c.invoice_id == invoice_id,
    )


def _beside(engine: Engine) -> Path | None:
    """A folder next to a SQLite file; memory needs none, servers must be told."""
    if engine.dialect.name != "sqlite":
        raise JournalError(
            f"a journal on {engine.dialect.name} needs lock_dir, a folder that all"
            " publishers share"
        )
    database = engine.url.database
    if not database or database == ":memory:":
        return None
    return Path(f"{database}.locks")
