"""One call to Stripe: journalled before, repeated where that is safe, noted after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import stripe

from .journal import JournalRow, PublishJournal
from .retry import RetryPolicy, describe, outcome_of

PAGE = 100
_KEY_LENGTH = 255

Send = Callable[[Any, Any], Any]


def plain(answer: Any) -> dict[str, Any]:
    """The JSON of an SDK object's own answer, as Stripe sent it."""
    return cast("dict[str, Any]", json.loads(answer.last_response.body))


class Caller:
    """Calls on behalf of one invoice; ``row`` is its journal row, kept current."""

    def __init__(
        self,
        client: stripe.StripeClient,
        journal: PublishJournal,
        row: JournalRow,
        *,
        clock: Callable[[], datetime],
        retry: RetryPolicy,
    ) -> None:
        self.client = client
        self.journal = journal
        self.row = row
        self.clock = clock
        self.retry = retry
        self.sent = 0
        self.replayed = False

    def key(self, operation: str, content_hash: str, *extra: str) -> str:
        """The idempotency key of an operation: same intent, same key."""
        row = self.row
        text = ":".join(
            (
                row.environment,
                row.account,
                operation,
                row.invoice_id,
                content_hash[:16],
                f"g{row.generation}",
                f"a{row.attempt}",
                *extra,
            )
        )
        if len(text) <= _KEY_LENGTH:
            return text
        return hashlib.sha256(text.encode()).hexdigest()

    def call(
        self,
        operation: str,
        send: Send,
        *,
        stripe_id: str | None = None,
        part: str = "",
        keyed: bool = True,
    ) -> dict[str, Any]:
        """Send one request through ``send(client.v1, options)``; its JSON.

        Repeats with the same key on no answer, 409 and 429. Raises the SDK's error
        otherwise. ``replayed`` tells afterwards whether Stripe answered from its
        idempotency store.
        """
        parts = tuple(part for part in (stripe_id or "", part) if part)
        key = self.key(operation, self.row.content_hash, *parts) if keyed else None
        options = {"idempotency_key": key} if key else {}

        def once() -> dict[str, Any]:
            attempt = self.journal.started(
                self.row, operation, stripe_id=stripe_id, key=key, now=self.clock()
            )
            self.sent += 1
            try:
                answer = send(self.client.v1, options)
                found = plain(answer)
            except stripe.StripeError as error:
                answered = outcome_of(error) != "no_answer"
                self.journal.ended(
                    attempt,
                    f"http_{error.http_status}" if answered else "no_answer",
                    now=self.clock(),
                    request_id=error.request_id,
                    error=describe(error),
                )
                raise
            headers = answer.last_response.headers
            self.replayed = headers.get("Idempotent-Replayed") == "true"
            self.journal.ended(
                attempt,
                "ok",
                now=self.clock(),
                request_id=answer.last_response.request_id,
                stripe_id=stripe_id or found.get("id"),
            )
            return found

        return self.retry.retrying()(once)

    def pages(
        self,
        operation: str,
        send: Callable[[Any, dict[str, Any]], Any],
        params: Mapping[str, Any],
    ) -> Iterator[dict[str, Any]]:
        """Every object of a list, each page a journalled call."""

        def fetch(wanted: dict[str, Any]) -> dict[str, Any]:
            return self.call(
                operation, lambda v1, _options: send(v1, wanted), keyed=False
            )

        return page_through(fetch, params)


class Reader:
    """Reading calls that belong to no invoice: repeated, counted, not journalled."""

    def __init__(self, client: stripe.StripeClient, retry: RetryPolicy) -> None:
        self.client = client
        self.retry = retry
        self.sent = 0

    def call(self, send: Callable[[Any], Any]) -> dict[str, Any]:
        """Send one request through ``send(client.v1)``; its JSON."""

        def once() -> dict[str, Any]:
            self.sent += 1
            return plain(send(self.client.v1))

        return self.retry.retrying()(once)

    def pages(
        self, send: Callable[[Any, dict[str, Any]], Any], params: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Every object of a list; with ``ending_before``, oldest first."""
        return page_through(
            lambda wanted: self.call(lambda v1: send(v1, wanted)), params
        )


def page_through(
    fetch: Callable[[dict[str, Any]], dict[str, Any]], params: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Walk a list by its cursors.

    Newest first as Stripe lists; with ``ending_before`` away from that object towards
    the newest, so oldest first.
    """
    backwards = "ending_before" in params
    wanted = {**params, "limit": PAGE}
    while True:
        page = fetch(wanted)
        data: list[dict[str, Any]] = page["data"]
        yield from reversed(data) if backwards else data
        if not page["has_more"]:
            return
        if backwards:
            wanted = {**wanted, "ending_before": data[0]["id"]}
        else:
            wanted = {**wanted, "starting_after": data[-1]["id"]}
