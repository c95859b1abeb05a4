"""A `stripe.StripeClient` per account alias, and the throttle in front of Stripe.

Sandbox unless told otherwise. A key comes from the environment only, is checked
against the mode, and is handed to the SDK without being kept, shown or logged here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

import stripe
from pyrate_limiter import (
    AbstractBucket,
    BucketFactory,
    Duration,
    InMemoryBucket,
    Limiter,
    MonotonicClock,
    Rate,
    RateItem,
)

if TYPE_CHECKING:
    from .sandbox import Sandbox

Mode = Literal["sandbox", "test", "live"]

# Stripe allows 25/s per endpoint, live and test (fact 21); the rest is for others who
# use the same account.
REQUESTS_PER_SECOND = 20
# Stripe's own SDK default is 80 s. A timeout costs nothing but time: the key is kept.
TIMEOUT_SECONDS = 60

# Names of endpoints are lower case letters; ids have a digit or a capital in them.
_ID = re.compile(r"(?<=/)(?!v\d/)[^/]*[0-9A-Z][^/]*")
_SECRET = re.compile(r"\b([rs]k)_(test|live)_\w+")


class ClientError(Exception):
    """A client cannot be built: missing key, or a key that does not fit the mode."""


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Where an account's key is found. ``stripe_account`` is for Connect only."""

    key_env: str = "STRIPE_API_KEY"
    stripe_account: str | None = None


def redact(text: str) -> str:
    """The text without anything that looks like a Stripe key."""
    return _SECRET.sub(r"\1_\2_…", text)


def silence_telemetry() -> None:
    """The SDK's telemetry writes and sends an id of this machine; it has no switch
    per client."""
    stripe.enable_telemetry = False


def endpoint_of(method: str, url: str) -> str:
    """``POST /v1/invoices/*/finalize``: what Stripe counts requests by."""
    return f"{method.upper()} {_ID.sub('*', urlsplit(url).path)}"


class _EndpointBuckets(BucketFactory):
    """One bucket per endpoint, made when first used."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._clock = MonotonicClock()
        self._buckets: dict[str, AbstractBucket] = {}

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self._clock.now(), weight=weight)

    def get(self, item: RateItem) -> AbstractBucket:
        if item.name not in self._buckets:
            bucket = InMemoryBucket([self._rate])
            self.schedule_leak(bucket)
            self._buckets[item.name] = bucket
        return self._buckets[item.name]


class ThrottledClient(stripe.HTTPClient):
    """Any SDK transport, slowed to ``per_second`` requests per endpoint."""

    name = "requests"

    def __init__(
        self, inner: stripe.HTTPClient, *, per_second: int = REQUESTS_PER_SECOND
    ) -> None:
        super().__init__()
        self._inner = inner
        self._limiter = Limiter(_EndpointBuckets(Rate(per_second, Duration.SECOND)))

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Wait for a permit, then send."""
        self._limiter.try_acquire(endpoint_of(method, url))
        return self._inner.request(method, url, headers, post_data)

    def close(self) -> None:
        """Close the transport and stop the limiter's housekeeping."""
        self._limiter.close()
        cast("Any", self._inner).close()


def build_clients(
    accounts: Mapping[str, AccountSettings | Mapping[str, str]],
    *,
    mode: Mode = "sandbox",
    sandbox: Sandbox | None = None,
    environ: Mapping[str, str] | None = None,
    transport: Callable[[], stripe.HTTPClient] | None = None,
) -> dict[str, stripe.StripeClient]:
    """A client per account alias.

    ``mode="sandbox"`` never looks at the environment. ``"test"`` refuses live keys,
    ``"live"`` refuses test keys. Raises `ClientError` naming alias and variable,
    never the key.
    """
    silence_telemetry()
    if mode == "sandbox":
        if sandbox is None:
            raise ClientError("mode 'sandbox' needs a Sandbox to talk to")
        return {alias: sandbox.client(alias) for alias in accounts}
    if mode not in ("test", "live"):
        raise ClientError(f"unknown mode {mode!r}: sandbox, test or live")
    source = os.environ if environ is None else environ
    return {
        alias: _client(alias, _settings(alias, given), mode, source, transport)
        for alias, given in accounts.items()
    }


def _settings(
    alias: str, given: AccountSettings | Mapping[str, str]
) -> AccountSettings:
    if isinstance(given, AccountSettings):
        return given
    unknown = given.keys() - {"key_env", "stripe_account"}
    if unknown:
        raise ClientError(
            f"account {alias!r}: unknown setting {', '.join(sorted(unknown))};"
            " known: key_env, stripe_account"
        )
    return AccountSettings(**cast("dict[str, Any]", dict(given)))


def _client(
    alias: str,
    settings: AccountSettings,
    mode: Mode,
    environ: Mapping[str, str],
    transport: Callable[[], stripe.HTTPClient] | None,
) -> stripe.StripeClient:
    key = environ.get(settings.key_env, "").strip()
    where = f"account {alias!r}: environment variable {settings.key_env}"
    if not key:
        raise ClientError(f"{where} is not set")
    kind = re.match(r"[rs]k_(test|live)_\w+\Z", key)
    if kind is None:
        raise ClientError(f"{where} holds no Stripe secret or restricted key")
    if kind[1] != mode:
        hint = " (say mode 'live' to use it)" if kind[1] == "live" else ""
        raise ClientError(f"{where} holds a {kind[1]} key, the mode is {mode!r}{hint}")
    inner = transport() if transport else stripe.RequestsClient(timeout=TIMEOUT_SECONDS)
    return stripe.StripeClient(
        key,
        stripe_account=settings.stripe_account,
        http_client=ThrottledClient(inner),
        # The SDK would retry a stored 500 in vain and never retries a 429; the
        # publisher and the loader retry themselves and say so in the journal.
        max_network_retries=0,
    )
