"""Load-back: what Stripe says happened.

Events are the signal that something changed; the object, fetched again with the
pinned API version, is the truth. So neither the order nor the repetition of events
matters. A sweep finds what events cannot tell any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe

from .calls import Reader
from .cursors import Cursor, CursorStore, SqlCursorStore
from .publisher import utc_now
from .retry import RetryPolicy
from .rows import LoadCounts, RawEvent, RawObject
from .sinks import ParquetSink, Sink

__all__ = [
    "EVENT_TYPES",
    "Cursor",
    "CursorStore",
    "ParquetSink",
    "Sink",
    "SqlCursorStore",
    "load_back",
]

# At most 20 names fit into one request.
EVENT_TYPES = (
    "invoice.created",
    "invoice.updated",
    "invoice.finalized",
    "invoice.finalization_failed",
    "invoice.sent",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.payment_failed",
    "invoice.overdue",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.deleted",
    "invoice_payment.paid",
    "credit_note.created",
    "credit_note.voided",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.closed",
    "payout.paid",
)

EVENTS_KEPT = timedelta(days=30)
OVERLAP = timedelta(hours=1)
SWEEP_EVERY = timedelta(hours=24)
SWEEP_WINDOW = timedelta(days=90)
UNSETTLED = ("draft", "open", "uncollectible")

# Secrets that would let a reader of the lake act on a payment.
_SECRETS = ("client_secret", "confirmation_secret")
# Signed links that differ at every fetch: kept, but no reason for a new version.
_VOLATILE = ("hosted_invoice_url", "invoice_pdf", "receipt_url")
_BATCH = 2_000


def load_back(
    *,
    client: stripe.StripeClient,
    account: str,
    cursors: CursorStore,
    sink: Sink,
    clock: Callable[[], datetime] = utc_now,
    sweep: bool | None = None,
    retry: RetryPolicy | None = None,
) -> LoadCounts:
    """Bring the lake up to date with one account.

    ``sweep=None`` sweeps when it must (first load, cursor unknown or older than 30
    days) and once a day; ``True`` always, ``False`` only when it must. Safe to kill
    and repeat: the cursor moves only after the sink has committed. Raises the SDK's
    errors; nothing is lost then.
    """
    return _Load(
        Reader(client, retry or RetryPolicy()), account, cursors, sink, clock
    ).run(sweep)


class _Load:
    def __init__(
        self,
        reader: Reader,
        account: str,
        cursors: CursorStore,
        sink: Sink,
        clock: Callable[[], datetime],
    ) -> None:
        self.reader = reader
        self.account = account
        self.cursors = cursors
        self.sink = sink
        self.clock = clock
        self.pending: dict[tuple[str, str], dict[str, Any]] = {}
        self.done: set[tuple[str, str]] = set()
        self.unsettled: dict[str, bool] = {}
        self.old_open: list[str] = []
        self.fetched = 0
        self.written = 0

    def run(self, sweep: bool | None) -> LoadCounts:
        started = self.clock()
        cursor = self.cursors.load(self.account)
        reason = _sweep_reason(cursor, started, sweep)
        events, newest, unknown = self._events(cursor, started)
        reason = reason or ("cursor_unknown" if unknown else None)
        known = self.sink.known_events(self.account, (e["id"] for e in events))
        fresh = [event for event in events if event["id"] not in known]
        # The sweep first: it fetches by the page what events name one by one.
        if reason:
            self._sweep(cursor, started)
        for event in fresh:
            self._follow(event)
        self._flush(0)
        written = self.sink.write_events([self._raw_event(e, started) for e in fresh])
        # Objects, then events, then the cursor: an event that is kept has had its
        # objects fetched, whatever dies in between.
        moved = self._moved(cursor, newest, started, swept=bool(reason))
        self.cursors.save(self.account, moved, now=started)
        return LoadCounts(
            account=self.account,
            events_seen=len(events),
            events_written=written,
            objects_fetched=self.fetched,
            objects_written=self.written,
            requests=self.reader.sent,
            swept=bool(reason),
            sweep_reason=reason,
            cursor=moved.last_event_id,
        )

    # -- events -------------------------------------------------------------------

    def _events(
        self, cursor: Cursor, started: datetime
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None, bool]:
        """New events, oldest first; the newest as Stripe orders them; and whether
        the cursor was unknown to Stripe."""
        found: dict[str, dict[str, Any]] = {}
        unknown = False
        since = started - EVENTS_KEPT
        if cursor.last_event_id and not _expired(cursor, started):
            try:
                for event in self._list_events(ending_before=cursor.last_event_id):
                    found[event["id"]] = event
                since = max(since, (cursor.watermark or started) - OVERLAP)
            except stripe.InvalidRequestError as error:
                if error.param != "ending_before" and error.http_status != 404:
                    raise
                unknown = True
        elif cursor.watermark and not cursor.last_event_id:
            since = max(since, cursor.watermark - OVERLAP)
        # Events that became visible late stand before the cursor.
        late = list(self._list_events(created={"gte": int(since.timestamp())}))
        for event in reversed(late):
            found.setdefault(event["id"], event)
        events = sorted(found.values(), key=lambda e: int(e["created"]))
        return events, late[0] if late else None, unknown

    def _list_events(self, **params: Any) -> Iterable[dict[str, Any]]:
        return self.reader.pages(
            lambda v1, wanted: v1.events.list(wanted),
            {"types": list(EVENT_TYPES), **params},
        )

    def _moved(
        self,
        cursor: Cursor,
        newest: dict[str, Any] | None,
        started: datetime,
        *,
        swept: bool,
    ) -> Cursor:
        last_id, watermark = cursor.last_event_id, cursor.watermark or started
        if newest is not None:
            last_id, watermark = newest["id"], _instant(newest["created"])
        still = {key for key, unsettled in self.unsettled.items() if unsettled}
        return Cursor(
            last_event_id=last_id,
            watermark=watermark,
            last_swept_at=started if swept else cursor.last_swept_at,
            open_invoices=(cursor.open_invoices - self.unsettled.keys()) | still,
        )

    def _raw_event(self, event: dict[str, Any], loaded_at: datetime) -> RawEvent:
        return RawEvent(
            account=self.account,
            event_id=event["id"],
            created=_instant(event["created"]),
            event_type=event["type"],
            api_version=event.get("api_version") or "",
            object_id=event["data"]["object"].get("id") or "",
            payload=_json(_without(event, _SECRETS)),
            loaded_at=loaded_at,
        )

    def _follow(self, event: dict[str, Any]) -> None:
        """Fetch anew what the event is about."""
        item = event["data"]["object"]
        kind = item["object"]
        if kind == "payout":
            self._payout(item["id"])
        elif kind == "charge":
            self._charges_of(item["payment_intent"])
        elif kind == "dispute":
            self._charges_of(item.get("payment_intent"))
        elif kind == "invoice":
            self._invoice(item["id"])
        elif item.get("invoice"):
            self._invoice(item["invoice"])

    # -- objects ------------------------------------------------------------------

    def _keep(self, item: dict[str, Any]) -> None:
        key = (item["object"], item["id"])
        self.done.add(key)
        self.pending[key] = item
        self.fetched += 1
        self._flush(_BATCH)

    def _flush(self, at_least: int) -> None:
        if len(self.pending) <= at_least:
            return
        now = self.clock()
        rows = [self._raw_object(item, now) for item in self.pending.values()]
        self.written += self.sink.write_objects(rows)
        self.pending.clear()

    def _raw_object(self, item: dict[str, Any], now: datetime) -> RawObject:
        kept = _without(item, _SECRETS)
        hashed = _json(_without(kept, _VOLATILE))
        return RawObject(
            account=self.account,
            object_type=item["object"],
            object_id=item["id"],
            fetched_at=now,
            payload_hash=hashlib.sha256(hashed.encode()).hexdigest(),
            payload=_json(kept),
        )

    def _invoice(self, invoice_id: str) -> None:
        if ("invoice", invoice_id) in self.done:
            return
        try:
            invoice = self.reader.call(lambda v1: v1.invoices.retrieve(invoice_id))
        except stripe.InvalidRequestError as error:
            if error.http_status != 404:
                raise
            # A deleted draft: say so, or the last version would stay a draft for ever.
            self.unsettled[invoice_id] = False
            self._keep({"id": invoice_id, "object": "invoice", "deleted": True})
            return
        self._keep_invoice(invoice)
        if invoice["status"] != "draft":
            self._payments_of(invoice_id)

    def _keep_invoice(self, invoice: dict[str, Any]) -> None:
        """Keep an invoice with all its lines; Stripe sends only the first ones."""
        lines = invoice["lines"]
        if lines["has_more"]:
            lines["data"] = list(
                self.reader.pages(
                    lambda v1, wanted: v1.invoices.line_items.list(
                        invoice["id"], wanted
                    ),
                    {},
                )
            )
            lines["has_more"] = False
        self.unsettled[invoice["id"]] = invoice["status"] in UNSETTLED
        self._keep(invoice)

    def _payments_of(self, invoice_id: str) -> None:
        payments = self.reader.pages(
            lambda v1, wanted: v1.invoice_payments.list(wanted),
            {"invoice": invoice_id},
        )
        for payment in list(payments):
            self._keep(payment)
            if payment["payment"]["type"] == "payment_intent":
                self._intent(payment["payment"]["payment_intent"])

    def _intent(self, intent_id: str) -> None:
        if ("payment_intent", intent_id) not in self.done:
            self._keep(
                self.reader.call(lambda v1: v1.payment_intents.retrieve(intent_id))
            )
            self._charges_of(intent_id)

    def _charges_of(self, intent_id: str | None) -> None:
        """All charges of an intent, the declined ones too, and what they booked."""
        if intent_id is None:
            return
        charges = self.reader.pages(
            lambda v1, wanted: v1.charges.list(wanted), {"payment_intent": intent_id}
        )
        for charge in list(charges):
            self._keep(charge)
            booked = charge["balance_transaction"]
            if booked and ("balance_transaction", booked) not in self.done:
                self._booking(booked)

    def _booking(self, transaction_id: str) -> None:
        self._keep(
            self.reader.call(
                lambda v1: v1.balance_transactions.retrieve(transaction_id)
            )
        )

    def _payout(self, payout_id: str) -> None:
        if ("payout", payout_id) in self.done:
            return
        self._keep(self.reader.call(lambda v1: v1.payouts.retrieve(payout_id)))
        booked = self.reader.pages(
            lambda v1, wanted: v1.balance_transactions.list(wanted),
            {"payout": payout_id},
        )
        for item in list(booked):
            self._keep(item)

    # -- sweep --------------------------------------------------------------------

    def _sweep(self, cursor: Cursor, started: datetime) -> None:
        oldest = int((started - SWEEP_WINDOW).timestamp())
        window = {"created": {"gte": oldest}}
        # `created` never moves, so windows alone miss an old invoice that is paid
        # today: hence the open ones, and those that were open when last seen.
        listed: list[dict[str, Any]] = [{"status": status} for status in UNSETTLED]
        for params in (*listed, window):
            self._sweep_list("invoices", params, old=oldest)
        for invoice_id in sorted(cursor.open_invoices):
            self._invoice(invoice_id)
        # Their payment objects are as old as they are, so no window shows them.
        for invoice_id in self.old_open:
            self._payments_of(invoice_id)
        for service in (
            "invoice_payments",
            "payment_intents",
            "charges",
            "balance_transactions",
            "payouts",
        ):
            self._sweep_list(service, window)

    def _sweep_list(
        self, service: str, params: dict[str, Any], *, old: int = 0
    ) -> None:
        found = self.reader.pages(
            lambda v1, wanted: getattr(v1, service).list(wanted), params
        )
        for item in list(found):
            if (item["object"], item["id"]) in self.done:
                continue
            if item["object"] == "invoice":
                self._keep_invoice(item)
                if item["status"] != "draft" and item["created"] < old:
                    self.old_open.append(item["id"])
            else:
                self._keep(item)


def _sweep_reason(cursor: Cursor, now: datetime, sweep: bool | None) -> str | None:
    if cursor.last_swept_at is None:
        return "first_load"
    if _expired(cursor, now):
        return "cursor_expired"
    if sweep:
        return "asked"
    if sweep is None and now - cursor.last_swept_at >= SWEEP_EVERY:
        return "daily"
    return None


def _expired(cursor: Cursor, now: datetime) -> bool:
    return cursor.watermark is not None and now - cursor.watermark > EVENTS_KEPT


def _instant(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _json(item: Any) -> str:
    return json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _without(item: Any, names: tuple[str, ...]) -> Any:
    """The same JSON without some fields, at any depth."""
    if isinstance(item, dict):
        return {k: _without(v, names) for k, v in item.items() if k not in names}
    if isinstance(item, list):
        return [_without(entry, names) for entry in item]
    return item
