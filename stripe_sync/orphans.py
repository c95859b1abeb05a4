"""What we left at Stripe and forgot: reported, and deleted only on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import stripe

from .calls import Reader
from .gate import ENV, INVOICE_ID
from .journal import JournalRow, PublishJournal
from .publisher import utc_now
from .retry import RetryPolicy
from .rows import Orphan


def sweep_orphans(
    *,
    client: stripe.StripeClient,
    account: str,
    journal: PublishJournal,
    environment: str,
    clock: Callable[[], datetime] = utc_now,
    older_than: timedelta = timedelta(hours=24),
    delete: bool = False,
    retry: RetryPolicy | None = None,
) -> list[Orphan]:
    """Own drafts and own pending items that no journal row accounts for.

    "Own" means metadata of this ``environment``: what others put there is neither
    reported nor touched. With ``delete`` they are removed as well. Raises the SDK's
    errors.
    """
    reader = Reader(client, retry or RetryPolicy())
    rows = {row.invoice_id: row for row in journal.rows() if row.account == account}
    before = clock() - older_than
    drafts = reader.pages(
        lambda v1, wanted: v1.invoices.list(wanted), {"status": "draft"}
    )
    items = reader.pages(
        lambda v1, wanted: v1.invoice_items.list(wanted), {"pending": True}
    )
    found = [
        *_orphans(account, environment, rows, before, "invoice", list(drafts)),
        *_orphans(account, environment, rows, before, "invoiceitem", list(items)),
    ]
    return [_deleted(reader, orphan) for orphan in found] if delete else found


def _orphans(
    account: str,
    environment: str,
    rows: dict[str, JournalRow],
    before: datetime,
    kind: Literal["invoice", "invoiceitem"],
    items: list[dict[str, Any]],
) -> list[Orphan]:
    found = []
    for item in items:
        marks = item["metadata"] or {}
        stamp = item["created"] if kind == "invoice" else item["date"]
        created = datetime.fromtimestamp(stamp, UTC)
        if marks.get(ENV) != environment or created > before:
            continue
        row = rows.get(marks.get(INVOICE_ID, ""))
        reason = _reason(row, item["id"], kind)
        if reason:
            found.append(
                Orphan(
                    account=account,
                    object_type=kind,
                    object_id=item["id"],
                    invoice_id=marks.get(INVOICE_ID),
                    created=created,
                    reason=reason,
                )
            )
    return found


def _reason(row: JournalRow | None, object_id: str, kind: str) -> str | None:
    if kind == "invoiceitem":
        # Our lines are born on their draft, never pending.
        return "pending_item: left by a deleted draft or taken off one"
    if row is None:
        return "no_journal_row"
    if row.stripe_invoice_id is None:
        return None  # its answer was lost; the next publish adopts it
    if row.stripe_invoice_id != object_id:
        return f"another_stands: the journal names {row.stripe_invoice_id}"
    return None


def _deleted(reader: Reader, orphan: Orphan) -> Orphan:
    service = "invoices" if orphan.object_type == "invoice" else "invoice_items"
    try:
        reader.call(lambda v1: getattr(v1, service).delete(orphan.object_id))
    except stripe.InvalidRequestError as error:
        if error.http_status != 404:
            raise
    return replace(orphan, deleted=True)
