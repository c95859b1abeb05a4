"""The sandbox over HTTP, for clients that are not this process.

::

    app = make_app(Sandbox("stripe_sandbox.sqlite"))
    uvicorn.run(app, host="127.0.0.1", port=12111)
    stripe.StripeClient(key, base_addresses={"api": "http://127.0.0.1:12111"})
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .engine import Sandbox
from .faults import SimulatedDeath


def make_app(sandbox: Sandbox) -> ASGIApp:
    """An ASGI application that answers for ``sandbox``. Bind it to 127.0.0.1 only."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        try:
            answer = await run_in_threadpool(
                sandbox.handle,
                request.method,
                request.url.path,
                request.url.query,
                dict(request.headers),
                body,
            )
        except SimulatedDeath:
            # The caller cannot be killed from here; it sees a broken connection.
            answer = None
        if answer is None:
            await _break_off(send)
            return
        status, headers, text = answer
        payload = text.encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (name.lower().encode(), value.encode())
                    for name, value in headers.items()
                ]
                + [(b"content-length", str(len(payload)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": payload})

    return app


async def _break_off(send: Send) -> None:
    """An answer cut short: a server error would look like an answer of Stripe."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", b"1000"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionAbortedError("ordered by the fault plan")
