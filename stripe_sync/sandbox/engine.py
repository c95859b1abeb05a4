"""The sandbox: accounts and keys, the request cycle, the clock."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import stripe
from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import Connection, Row

from . import customers, life, routes
from .client import InProcessClient
from .context import HOUR, Context, public
from .errors import ApiError
from .faults import FaultKind, FaultPlan, SimulatedDeath
from .store import (
    Store,
    accounts,
    api_keys,
    idempotency,
    make_id,
    objects,
    open_engine,
    payers,
    request_log,
    settings,
)
from .validation import parse_form

Answer = tuple[int, dict[str, str], str]

DEFAULT_START = datetime(2026, 1, 1, tzinfo=UTC)
_KEY_LIFETIME = 24 * HOUR
_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One line of the sandbox's request log."""

    seq: int
    at: datetime
    account_id: str | None
    method: str
    path: str
    status: int | None
    fault: str | None
    request_id: str | None
    idempotency_key: str | None
    replayed: bool


class Sandbox:
    """A stateful stand-in for Stripe.

    State lives in the SQLite file ``path`` and survives the process (``None``: in
    memory); each request is one transaction. The clock stands still unless moved by
    `advance` or `advance_to`, so the same calls give the same ids and timestamps.
    """

    def __init__(
        self, path: Path | str | None = None, *, start: datetime = DEFAULT_START
    ) -> None:
        self.path = Path(path) if path is not None else None
        self.faults = FaultPlan()
        self._engine = open_engine(self.path)
        self._lock = threading.RLock()
        with self._engine.begin() as connection:
            connection.execute(
                upsert(settings)
                .values(name="now", value=str(int(start.timestamp())))
                .on_conflict_do_nothing()
            )

    def __repr__(self) -> str:
        return f"Sandbox({str(self.path) if self.path else 'in memory'!r})"

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    # -- accounts, keys, customers ------------------------------------------------

    def api_key(
        self,
        account: str = "default",
        *,
        restricted: str | None = None,
        denied: Iterable[str] = (),
        platform: str | None = None,
    ) -> str:
        """A test key of an account, which is created at first mention.

        ``restricted`` names an ``rk_`` key whose ``denied`` routes ("POST
        /v1/payouts", a regular expression after the method) answer 403. An account
        with a ``platform`` can be acted on by the platform's key with the header
        ``Stripe-Account``.
        """
        account_id = self.account_id(account)
        key = (
            f"rk_test_sandbox_{account}_{restricted}"
            if restricted
            else f"sk_test_sandbox_{account}"
        )
        with self._lock, self._engine.begin() as connection:
            connection.execute(
                upsert(accounts)
                .values(
                    account_id=account_id,
                    alias=account,
                    platform=self.account_id(platform) if platform else None,
                )
                .on_conflict_do_nothing()
            )
            row = {
                "account_id": account_id,
                "denied": json.dumps(list(denied)),
            }
            connection.execute(
                upsert(api_keys)
                .values(key_hash=_digest(key), **row)
                .on_conflict_do_update(index_elements=["key_hash"], set_=row)
            )
        return key

    @staticmethod
    def account_id(account: str) -> str:
        """The ``acct_`` id of an alias."""
        return make_id("acct", account)

    def client(
        self, account: str = "default", *, key: str | None = None, **options: Any
    ) -> stripe.StripeClient:
        """The real SDK client, talking to this sandbox in process."""
        return stripe.StripeClient(
            key or self.api_key(account),
            http_client=InProcessClient(self),
            max_network_retries=0,
            **options,
        )

    def provision_customer(
        self,
        account: str,
        customer_id: str,
        *,
        name: str,
        email: str | None = None,
        payment_method: str | None = None,
        pays_after_days: int | None = None,
    ) -> str:
        """Make sure a customer of ours exists; its ``cus_`` id. Safe to repeat.

        ``payment_method`` is a test card, attached as default without the check at
        attaching: ``pm_card_chargeDeclined`` here is a card that was good once.
        ``pays_after_days`` lets the customer pay ``send_invoice`` invoices that long
        after finalization.
        """
        if payment_method and payment_method not in customers.TEST_CARDS:
            known = ", ".join(sorted(customers.TEST_CARDS))
            raise ValueError(f"payment_method {payment_method!r}; known: {known}")
        self.api_key(account)
        with self._lock, self._engine.begin() as connection:
            ctx = self._context(connection, self.account_id(account))
            found, _ = ctx.store.page(
                "customer",
                {"limit": 1},
                json_filters={"metadata.billing_customer_id": customer_id},
            )
            customer = (
                found[0]
                if found
                else customers.create_customer(
                    ctx,
                    {
                        "name": name,
                        "email": email,
                        "metadata": {"billing_customer_id": customer_id},
                    },
                )
            )
            self._set_card(ctx, customer["id"], payment_method)
            connection.execute(
                delete(payers).where(
                    payers.c.account_id == ctx.store.account_id,
                    payers.c.customer == customer["id"],
                )
            )
            if pays_after_days is not None:
                connection.execute(
                    insert(payers).values(
                        account_id=ctx.store.account_id,
                        customer=customer["id"],
                        pays_after_days=pays_after_days,
                    )
                )
        return str(customer["id"])

    @staticmethod
    def _set_card(ctx: Context, customer_id: str, card: str | None) -> None:
        customer = ctx.store.get("customer", customer_id)
        current = customer["invoice_settings"]["default_payment_method"]
        if card is None:
            return
        if current is not None:
            attached = ctx.store.get("payment_method", current)["card"]["last4"]
            if attached == customers.TEST_CARDS[card]["last4"]:
                return
        method = customers.attach(ctx, card, customer_id, unchecked=True)
        customer["invoice_settings"]["default_payment_method"] = method["id"]
        ctx.store.save(customer)
        ctx.emit("customer.updated", public(customer))

    # -- clock --------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The sandbox's present."""
        with self._lock, self._engine.begin() as connection:
            return datetime.fromtimestamp(self._now(connection), UTC)

    @staticmethod
    def _now(connection: Connection) -> int:
        return int(
            connection.execute(
                select(settings.c.value).where(settings.c.name == "now")
            ).scalar_one()
        )

    @staticmethod
    def _set_now(connection: Connection, moment: int) -> None:
        connection.execute(
            settings.update().where(settings.c.name == "now").values(value=str(moment))
        )

    def advance_to(self, moment: datetime) -> list[str]:
        """Move the clock and do all that falls due, in order; says what was done.

        The clock never runs back: an earlier moment changes nothing.
        """
        until = int(moment.timestamp())
        done: list[str] = []
        last: tuple[int, str, str] | None = None
        with self._lock:
            while True:
                with self._engine.begin() as connection:
                    now = self._now(connection)
                    if until < now:
                        return done
                    due = life.next_due(connection, until)
                    if due is None:
                        self._set_now(connection, until)
                        return done
                    if due == last:
                        raise RuntimeError(f"the sandbox does not get past {due}")
                    last = due
                    at, account_id, object_id = due
                    at = max(at, now)
                    self._set_now(connection, at)
                    done.append(life.act(connection, at, account_id, object_id))

    def advance(self, step: timedelta) -> list[str]:
        """`advance_to` the present plus ``step``."""
        return self.advance_to(self.now + step)

    # -- looking inside (tests, demo) ---------------------------------------------

    def objects(self, kind: str, account: str = "default") -> list[dict[str, Any]]:
        """All stored objects of a kind, oldest first, as Stripe would show them
        (invoices without their lines)."""
        with self._lock, self._engine.begin() as connection:
            store = Store(connection, self.account_id(account))
            return [public(item) for item in store.all(kind)]

    def requests(self) -> list[LoggedRequest]:
        """The request log, oldest first."""
        with self._lock, self._engine.begin() as connection:
            rows = connection.execute(select(request_log).order_by(request_log.c.seq))
            return [
                LoggedRequest(
                    seq=row.seq,
                    at=datetime.fromtimestamp(row.at, UTC),
                    account_id=row.account_id,
                    method=row.method,
                    path=row.path,
                    status=row.status,
                    fault=row.fault,
                    request_id=row.request_id,
                    idempotency_key=row.idempotency_key,
                    replayed=bool(row.replayed),
                )
                for row in rows
            ]

    # -- the request cycle --------------------------------------------------------

    def handle(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: str | bytes | None,
    ) -> Answer | None:
        """Answer one HTTP request: (status, headers, JSON text).

        ``None`` is a connection that ended without an answer. Raises
        `SimulatedDeath` where the fault plan says so.
        """
        method = method.upper()
        sent = {name.lower(): value for name, value in headers.items()}
        text = body.decode() if isinstance(body, bytes) else body or ""
        with self._lock:
            fault = self.faults.next(method, path)
            if fault == "die_before":
                raise SimulatedDeath(f"before {method} {path}")
            if fault == "drop_before":
                with self._engine.begin() as connection:
                    self._log(connection, sent, method, path, fault=fault)
                return None
            with self._engine.begin() as connection:
                answer = self._answer(
                    connection, method, path, query, sent, text, fault
                )
            if fault == "die_after":
                raise SimulatedDeath(f"after {method} {path}")
            return None if fault == "drop_after" else answer

    def _answer(
        self,
        connection: Connection,
        method: str,
        path: str,
        query: str,
        sent: dict[str, str],
        text: str,
        fault: FaultKind | None,
    ) -> Answer:
        replayed = False
        account_id: str | None = None
        request_id = "req_none"
        extra: dict[str, str] = {}
        try:
            account_id = self._authenticate(connection, method, path, sent)
            ctx = self._context(connection, account_id)
            request_id = ctx.store.new_ids("req")[0]
            ctx.request_id = request_id
            ctx.idempotency_key = sent.get("idempotency-key")
            _raise_early(fault)
            status, payload, replayed = self._execute(
                ctx, method, path, parse_form(query or text), fault
            )
        except ApiError as error:
            status, payload = error.status, json.dumps(error.body())
            if error.status == 429:
                limited = "lock_timeout" if error.code else "global-rate"
                extra["Stripe-Rate-Limited-Reason"] = limited
        self._log(
            connection,
            sent,
            method,
            path,
            account_id=account_id,
            status=status,
            fault=fault,
            request_id=request_id,
            replayed=replayed,
        )
        answer_headers = {
            "Content-Type": "application/json",
            "Request-Id": request_id,
            "Stripe-Version": sent.get("stripe-version", stripe.api_version),
            **extra,
        }
        if "idempotency-key" in sent:
            answer_headers["Idempotency-Key"] = sent["idempotency-key"]
        if replayed:
            answer_headers["Idempotent-Replayed"] = "true"
        return status, answer_headers, payload

    def _context(self, connection: Connection, account_id: str) -> Context:
        return Context(Store(connection, account_id), self._now(connection))

    def _authenticate(
        self, connection: Connection, method: str, path: str, sent: dict[str, str]
    ) -> str:
        scheme, _, key = sent.get("authorization", "").partition(" ")
        row: Row[Any] | None = None
        if scheme == "Bearer" and key:
            row = connection.execute(
                select(api_keys).where(api_keys.c.key_hash == _digest(key))
            ).one_or_none()
        if row is None:
            raise ApiError(401, "Invalid API Key provided.", executed=False)
        if any(_denies(rule, method, path) for rule in json.loads(row.denied)):
            raise ApiError(
                403,
                "The provided key does not have the required permissions for this"
                " endpoint.",
                code="more_permissions_required",
                executed=False,
            )
        wanted = sent.get("stripe-account")
        if wanted in (None, row.account_id):
            return str(row.account_id)
        connected = connection.execute(
            select(accounts.c.account_id).where(
                accounts.c.account_id == wanted, accounts.c.platform == row.account_id
            )
        ).scalar_one_or_none()
        if connected is None:
            raise ApiError(
                403,
                "The provided key does not have access to this account.",
                code="account_invalid",
                executed=False,
            )
        return str(connected)

    def _execute(
        self,
        ctx: Context,
        method: str,
        path: str,
        raw: dict[str, Any],
        fault: FaultKind | None,
    ) -> tuple[int, str, bool]:
        route, ids = routes.find(method, path)
        key = ctx.idempotency_key if method == "POST" else None
        fingerprint = _digest(json.dumps([method, path, raw], sort_keys=True))
        if key is not None:
            stored = self._stored(ctx, key, fingerprint)
            if stored is not None:
                return stored.status, stored.body, True
        params = route.check(raw)
        expand = params.pop("expand", [])
        kept: ApiError | None = None
        try:
            with ctx.store.savepoint():
                if fault == "error_before":
                    raise _server_error()
                try:
                    shown = route.handler(
                        ctx, params, **{n: unquote(v) for n, v in ids.items()}
                    )
                except ApiError as error:
                    if not error.keep:
                        raise
                    kept = error
                else:
                    for name in expand:
                        routes.expand(ctx, shown, name)
            if fault == "error_after":
                kept = _server_error()
            status, body = (
                (kept.status, json.dumps(kept.body()))
                if kept
                else (200, json.dumps(shown))
            )
        except ApiError as error:
            if not error.executed:
                raise
            status, body = error.status, json.dumps(error.body())
        if key is not None:
            ctx.store.connection.execute(
                insert(idempotency).values(
                    account_id=ctx.store.account_id,
                    key=key,
                    fingerprint=fingerprint,
                    status=status,
                    body=body,
                    request_id=ctx.request_id,
                    created=ctx.now,
                )
            )
        return status, body, False

    @staticmethod
    def _stored(ctx: Context, key: str, fingerprint: str) -> Row[Any] | None:
        if len(key) > _KEY_LENGTH:
            raise ApiError(
                400,
                f"Idempotency keys can have up to {_KEY_LENGTH} characters.",
                type="idempotency_error",
                executed=False,
            )
        where = (
            idempotency.c.account_id == ctx.store.account_id,
            idempotency.c.key == key,
        )
        row = ctx.store.connection.execute(
            select(idempotency).where(*where)
        ).one_or_none()
        if row is None:
            return None
        if ctx.now - row.created >= _KEY_LIFETIME:
            ctx.store.connection.execute(delete(idempotency).where(*where))
            return None
        if row.fingerprint != fingerprint:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same"
                " parameters they were first used with.",
                type="idempotency_error",
                executed=False,
            )
        return row

    def _log(
        self,
        connection: Connection,
        sent: Mapping[str, str],
        method: str,
        path: str,
        *,
        fault: str | None,
        account_id: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        replayed: bool = False,
    ) -> None:
        connection.execute(
            insert(request_log).values(
                at=self._now(connection),
                account_id=account_id,
                method=method,
                path=path,
                status=status,
                fault=fault,
                request_id=request_id,
                idempotency_key=sent.get("idempotency-key"),
                replayed=int(replayed),
            )
        )

    def digest(self) -> str:
        """A hash over all stored objects: two demos must give the same one."""
        with self._lock, self._engine.begin() as connection:
            rows = connection.execute(
                select(objects.c.account_id, objects.c.id, objects.c.payload).order_by(
                    objects.c.account_id, objects.c.id
                )
            )
            return _digest(json.dumps([tuple(row) for row in rows]))


def _raise_early(fault: FaultKind | None) -> None:
    if fault == "rate_limit":
        raise ApiError(429, "Too many requests.", executed=False)
    if fault == "lock_timeout":
        raise ApiError(
            429,
            "This object cannot be accessed right now because another API request or"
            " Stripe process is currently accessing it.",
            code="lock_timeout",
            executed=False,
        )
    if fault == "conflict":
        raise ApiError(
            409,
            "There is currently another in-progress request using this Idempotent Key.",
            type="idempotency_error",
            code="idempotency_key_in_use",
            executed=False,
        )


def _server_error() -> ApiError:
    return ApiError(500, "An unknown error occurred.", type="api_error")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _denies(rule: str, method: str, path: str) -> bool:
    verb, _, pattern = rule.partition(" ")
    return verb.upper() in (method, "*") and bool(re.match(pattern, path))
