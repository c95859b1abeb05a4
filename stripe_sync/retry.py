"""Which answers of Stripe mean "again", and how often."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import stripe
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from .clients import redact

Outcome = Literal["no_answer", "busy", "definitive"]


@dataclass(frozen=True)
class RetryPolicy:
    """How one request is repeated with the *same* idempotency key.

    Only for "no answer", 409 and 429: there the first try may still be running.
    """

    tries: int = 5
    first_wait: float = 0.5
    longest_wait: float = 20.0
    sleep: Callable[[float], None] = time.sleep

    def retrying(self) -> Retrying:
        """The tenacity controller for one request."""
        return Retrying(
            retry=retry_if_exception(is_repeatable),
            stop=stop_after_attempt(self.tries),
            wait=wait_exponential_jitter(self.first_wait, self.longest_wait),
            sleep=self.sleep,
            reraise=True,
        )


def outcome_of(error: stripe.StripeError) -> Outcome:
    """What an SDK exception says about the request's fate.

    An answer cut short arrives as an error with a 2xx status or none: no answer.
    """
    status = error.http_status
    if status is None or status < 400:
        return "no_answer"
    return "busy" if status in (409, 429) else "definitive"


def is_repeatable(error: BaseException) -> bool:
    """May the same request, same key, simply be sent again?"""
    return isinstance(error, stripe.StripeError) and outcome_of(error) != "definitive"


def describe(error: stripe.StripeError) -> str:
    """``http_400 parameter_unknown: …`` without secrets."""
    outcome = outcome_of(error)
    status = "no_answer" if outcome == "no_answer" else f"http_{error.http_status}"
    code = f" {error.code}" if error.code else ""
    return redact(f"{status}{code}: {error.user_message or type(error).__name__}")
