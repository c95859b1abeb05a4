"""Errors the sandbox answers with, in Stripe's own shape."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An HTTP error answer.

    ``executed`` tells the idempotency store whether execution had begun: only then
    is the answer kept and replayed (Stripe keeps 4xx and 500, not validation
    failures, 401 or 429). ``keep`` keeps what the handler wrote before it failed: a
    declined charge leaves traces.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = True,
        keep: bool = False,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.executed = executed
        self.keep = keep
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The JSON answer."""
        error: dict[str, Any] = {"message": self.message, "type": self.type}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code}"
        if self.param:
            error["param"] = self.param
        return {"error": {**error, **self.extra}}


def invalid(
    message: str, *, code: str | None = None, param: str | None = None
) -> ApiError:
    """A 400 found before execution began: never stored for a key."""
    return ApiError(400, message, code=code, param=param, executed=False)


def refused(
    message: str, *, code: str | None = None, param: str | None = None
) -> ApiError:
    """A 400 found while executing: stored for the idempotency key."""
    return ApiError(400, message, code=code, param=param)


def missing(kind: str, object_id: str, *, param: str = "id") -> ApiError:
    """404: no such object in this account."""
    return ApiError(
        404, f"No such {kind}: '{object_id}'", code="resource_missing", param=param
    )
