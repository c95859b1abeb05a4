"""How far load-back has read, per account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine, delete, insert, select

from .tables import load_cursors, load_open_invoices, metadata


@dataclass(frozen=True, slots=True)
class Cursor:
    """``watermark`` is the time of the newest event read; ``open_invoices`` the ids
    last seen as draft, open or uncollectible."""

    last_event_id: str | None = None
    watermark: datetime | None = None
    last_swept_at: datetime | None = None
    open_invoices: frozenset[str] = field(default_factory=frozenset)


class CursorStore(Protocol):
    """Keeps cursors; ``save`` is called only after the sink has committed."""

    def load(self, account: str) -> Cursor:
        """The account's cursor, an empty one at first."""
        ...

    def save(self, account: str, cursor: Cursor, *, now: datetime) -> None:
        """Replace the account's cursor in one transaction."""
        ...


class SqlCursorStore:
    """Cursors in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        metadata.create_all(engine)

    def load(self, account: str) -> Cursor:
        """The account's cursor, an empty one at first."""
        with self.engine.connect() as connection:
            row = connection.execute(
                select(load_cursors).where(load_cursors.c.account == account)
            ).one_or_none()
            if row is None:
                return Cursor()
            ids = connection.execute(
                select(load_open_invoices.c.stripe_invoice_id).where(
                    load_open_invoices.c.account == account
                )
            )
            return Cursor(
                last_event_id=row.last_event_id,
                watermark=row.watermark,
                last_swept_at=row.last_swept_at,
                open_invoices=frozenset(entry[0] for entry in ids),
            )

    def save(self, account: str, cursor: Cursor, *, now: datetime) -> None:
        """Replace the account's cursor in one transaction."""
        with self.engine.begin() as connection:
            for table in (load_cursors, load_open_invoices):
                connection.execute(delete(table).where(table.c.account == account))
            connection.execute(
                insert(load_cursors).values(
                    account=account,
                    last_event_id=cursor.last_event_id,
                    watermark=cursor.watermark,
                    last_swept_at=cursor.last_swept_at,
                    updated_at=now,
                )
            )
            rows = _rows(account, cursor.open_invoices)
            if rows:
                connection.execute(insert(load_open_invoices), rows)


def _rows(account: str, ids: Iterable[str]) -> list[dict[str, str]]:
    return [{"account": account, "stripe_invoice_id": each} for each in sorted(ids)]
