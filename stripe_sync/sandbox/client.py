"""The SDK's transport, wired straight to a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import stripe
from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from .engine import Sandbox


# The SDK leaves this constructor without types.
_dropped: Any = stripe.APIConnectionError


class InProcessClient(stripe.HTTPClient):
    """An HTTP client without HTTP: ``stripe.StripeClient(key, http_client=...)``."""

    name = "meterhouse-sandbox"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Hand the request to the engine; a dropped connection raises as in life."""
        parts = urlsplit(url)
        answer = self._sandbox.handle(
            method, parts.path, parts.query, headers or {}, post_data
        )
        if answer is None:
            raise _dropped("The sandbox dropped the connection.", should_retry=True)
        status, answer_headers, body = answer
        # The SDK looks headers up in lower case, as `requests` allows.
        return body, status, CaseInsensitiveDict(answer_headers)

    def close(self) -> None:
        """Nothing is open here; the sandbox outlives its clients."""
