"""Clients: sandbox unless told otherwise, keys that stay secret, a throttle."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe_desk import ENVIRONMENT, PATIENT, Desk, request_for

from stripe_sync.clients import (
    AccountSettings,
    ClientError,
    ThrottledClient,
    build_clients,
    endpoint_of,
    redact,
)
from stripe_sync.publisher import publish
from stripe_sync.sandbox import InProcessClient, Sandbox

TEST_KEY, LIVE_KEY = "sk_test_abc123SECRET", "sk_live_abc123SECRET"
ACCOUNTS = {"default": AccountSettings("THE_KEY")}


class Answers(stripe.HTTPClient):
    """Answers every request with an account, and remembers how it was asked."""

    name = "answers"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, str]] = []

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Any, post_data: Any = None
    ) -> tuple[str, int, dict[str, str]]:
        self.seen.append(dict(headers))
        return '{"id": "acct_1", "object": "account"}', 200, {}

    def close(self) -> None:
        pass


def built(mode: Any, key: str, answers: Answers | None = None) -> stripe.StripeClient:
    transport = answers or Answers()
    made = build_clients(
        ACCOUNTS, mode=mode, environ={"THE_KEY": key}, transport=lambda: transport
    )
    return made["default"]


def test_the_sandbox_is_used_whatever_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THE_KEY", LIVE_KEY)
    monkeypatch.setenv("STRIPE_API_KEY", LIVE_KEY)
    sandbox = Sandbox()
    client = build_clients(ACCOUNTS, sandbox=sandbox)["default"]
    client.v1.customers.create({"name": "Acme"})
    assert len(sandbox.objects("customer")) == 1


@pytest.mark.parametrize(
    ("mode", "key", "words"),
    [
        ("test", "", "THE_KEY is not set"),
        ("test", "pk_test_abc", "no Stripe secret or restricted key"),
        ("test", LIVE_KEY, "say mode 'live'"),
        ("live", TEST_KEY, "holds a test key"),
        ("production", LIVE_KEY, "unknown mode"),
    ],
)
def test_a_key_must_fit_the_mode_and_is_never_shown(
    mode: Any, key: str, words: str
) -> None:
    with pytest.raises(ClientError) as caught:
        built(mode, key)
    assert words in str(caught.value)
    assert "SECRET" not in repr(caught.value)


def test_a_sandbox_must_be_given() -> None:
    with pytest.raises(ClientError, match="needs a Sandbox"):
        build_clients(ACCOUNTS)


def test_settings_may_be_a_mapping_with_known_keys() -> None:
    made = build_clients(
        {"emea": {"key_env": "EMEA", "stripe_account": "acct_9"}},
        mode="test",
        environ={"EMEA": "rk_test_x"},
        transport=Answers,
    )
    assert list(made) == ["emea"]
    with pytest.raises(ClientError, match="unknown setting api_key"):
        build_clients({"a": {"api_key": "x"}}, mode="test", environ={})


def test_live_works_when_said_out_loud() -> None:
    answers = Answers()
    built("live", LIVE_KEY, answers).v1.accounts.retrieve_current()
    assert answers.seen[0]["Authorization"] == f"Bearer {LIVE_KEY}"


def test_no_telemetry_and_no_retry_by_the_sdk() -> None:
    stripe.enable_telemetry = True
    answers = Answers()
    client = built("test", TEST_KEY, answers)
    for _ in range(2):
        client.v1.accounts.retrieve_current()
    for headers in answers.seen:
        assert "X-Stripe-Client-Telemetry" not in headers
        assert "telemetry_id" not in headers["X-Stripe-Client-User-Agent"]

    class Dead(Answers):
        def request(self, *args: Any, **kwargs: Any) -> Any:
            super().request(*args, **kwargs)
            raise stripe.APIConnectionError("gone", should_retry=True)

    dead = Dead()
    with pytest.raises(stripe.APIConnectionError):
        built("test", TEST_KEY, dead).v1.accounts.retrieve_current()
    assert len(dead.seen) == 1


def test_no_telemetry_file_is_written(tmp_path: Path) -> None:
    code = """
from stripe_sync.clients import build_clients
from stripe_sync.sandbox import Sandbox
client = build_clients({"default": {}}, sandbox=Sandbox())["default"]
client.v1.customers.list()
"""
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=Path(__file__).parents[2],
        env={"HOME": str(tmp_path), "PATH": "", "XDG_CONFIG_HOME": str(tmp_path / "c")},
    )
    assert list(tmp_path.rglob("*")) == []


def test_the_key_is_in_no_log_and_no_journal(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = desk.sandbox.api_key("emea", restricted="writer", denied=["POST /v1/"])
    client = stripe.StripeClient(key, http_client=InProcessClient(desk.sandbox))
    customer = desk.sandbox.provision_customer("emea", "acme", name="Acme")
    [result] = publish(
        [request_for(customer, [100], account="emea")],
        clients={"emea": client},
        journal=desk.journal,
        environment=ENVIRONMENT,
        clock=lambda: desk.sandbox.now,
        policy=PATIENT,
    )
    assert result.state == "failed" and str(result.error).startswith("http_403")
    attempts = desk.journal.attempts("emea", "inv-0001")
    everything = caplog.text + repr((result, client, desk.journal.rows(), attempts))
    assert key not in everything and "rk_test" not in everything


def test_keys_are_redacted_from_errors() -> None:
    text = f"bad key {LIVE_KEY}, and rk_test_zzz9."
    assert redact(text) == "bad key sk_live_…, and rk_test_…."


@pytest.mark.parametrize(
    ("method", "url", "endpoint"),
    [
        ("post", "https://api.stripe.com/v1/invoices", "POST /v1/invoices"),
        ("get", "https://x/v1/invoices/in_1Ab2?expand[0]=a", "GET /v1/invoices/*"),
        (
            "post",
            "https://x/v1/invoices/in_1/add_lines",
            "POST /v1/invoices/*/add_lines",
        ),
        ("get", "https://x/v1/invoice_payments", "GET /v1/invoice_payments"),
        ("get", "https://x/v1/balance_transactions", "GET /v1/balance_transactions"),
    ],
)
def test_requests_are_counted_per_endpoint(
    method: str, url: str, endpoint: str
) -> None:
    assert endpoint_of(method, url) == endpoint


def test_the_throttle_slows_one_endpoint_not_the_others() -> None:
    client = ThrottledClient(Answers(), per_second=4)
    base = "https://api.stripe.com/v1"
    started = time.monotonic()
    for number in range(4):
        client.request("post", f"{base}/invoices/in_{number}/finalize", {})
        client.request("get", f"{base}/invoices/in_{number}", {})
    assert time.monotonic() - started < 0.5
    client.request("post", f"{base}/invoices/in_9/finalize", {})
    assert time.monotonic() - started > 0.9
    client.close()


def test_the_sandbox_is_not_throttled() -> None:
    client = build_clients({"default": {}}, sandbox=Sandbox())["default"]
    started = time.monotonic()
    for _ in range(60):
        client.v1.accounts.retrieve_current()
    assert time.monotonic() - started < 2.5  # 3 s at 20 per second
