"""What a handler works with: the store, the clock, the events it causes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stripe import api_version as API_VERSION

from .store import Store

HOUR, DAY = 3_600, 86_400

# Handlers keep what Stripe does not show under this key; `public` drops it.
PRIVATE = "_sandbox"


@dataclass
class Context:
    """One request, or one step of the clock (then without a request id)."""

    store: Store
    now: int
    request_id: str | None = None
    idempotency_key: str | None = None

    def emit(self, kind: str, *snapshots: dict[str, Any], **changes: Any) -> None:
        """Record one event per snapshot; ``previous`` = the attributes that changed."""
        ids = self.store.new_ids("evt", len(snapshots)) if snapshots else []
        previous = changes.get("previous")
        events = []
        for event_id, snapshot in zip(ids, snapshots, strict=True):
            data: dict[str, Any] = {"object": snapshot}
            if previous:
                data["previous_attributes"] = previous
            events.append(
                {
                    "id": event_id,
                    "object": "event",
                    "api_version": API_VERSION,
                    "created": self.now,
                    "data": data,
                    "livemode": False,
                    "pending_webhooks": 0,
                    "request": {
                        "id": self.request_id,
                        "idempotency_key": self.idempotency_key,
                    },
                    "type": kind,
                }
            )
        self.store.insert(*events)


def public(item: Mapping[str, Any]) -> dict[str, Any]:
    """The object as Stripe shows it."""
    return {key: value for key, value in item.items() if key != PRIVATE}


def private(item: dict[str, Any]) -> dict[str, Any]:
    """The sandbox's own notes on an object, kept with it."""
    notes: dict[str, Any] = item.setdefault(PRIVATE, {})
    return notes


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``previous_attributes``: the old values of the top-level fields that moved."""
    return {
        key: value
        for key, value in old.items()
        if key != PRIVATE and new.get(key) != value
    }


def list_of(
    url: str, data: list[dict[str, Any]], has_more: bool, **extra: Any
) -> dict[str, Any]:
    """Stripe's list envelope."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url, **extra}


Handler = Callable[..., dict[str, Any]]
