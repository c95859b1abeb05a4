"""What is refused before the first request, each reason by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from stripe_desk import ENVIRONMENT, JULY, Desk, line, request_for

from stripe_sync.gate import content_hash, gate
from stripe_sync.rows import InvoiceRequest, LineRequest

GOOD = request_for("cus_1", [500, 300])


def reasons(request: InvoiceRequest, **options: Any) -> list[str]:
    found = gate(request, environment=ENVIRONMENT, accounts={"default"}, **options)
    return sorted({reason.split(":")[0] for reason in found})


def with_line(**changes: Any) -> InvoiceRequest:
    return replace(GOOD, lines=(GOOD.lines[0], replace(GOOD.lines[1], **changes)))


def of_lines(count: int, amount: int = 1, **changes: Any) -> InvoiceRequest:
    return request_for("cus_1", [amount] * count, **changes)


def test_a_good_request_passes() -> None:
    assert reasons(GOOD) == []
    assert reasons(of_lines(250)) == []


# The largest values that pass stand beside the smallest that do not.
REFUSED: dict[str, tuple[InvoiceRequest, list[str]]] = {
    "account": (replace(GOOD, account="emea"), ["account_unknown"]),
    "customer": (replace(GOOD, stripe_customer_id=""), ["customer_not_mapped"]),
    "currency": (replace(GOOD, currency="xxx"), ["currency_unknown"]),
    "upper case currency": (replace(GOOD, currency="USD"), ["currency_unknown"]),
    "method": (
        replace(GOOD, collection_method="invoice"),
        ["collection_method_unknown"],
    ),
    "terms missing": (
        replace(GOOD, collection_method="send_invoice"),
        ["days_until_due_missing"],
    ),
    "terms unexpected": (
        replace(GOOD, days_until_due=30),
        ["days_until_due_unexpected"],
    ),
    "terms negative": (
        replace(GOOD, collection_method="send_invoice", days_until_due=-1),
        ["days_until_due_negative"],
    ),
    "float subtotal": (replace(GOOD, subtotal_minor=800.0), ["amount_not_integer"]),
    "boolean subtotal": (replace(GOOD, subtotal_minor=True), ["amount_not_integer"]),
    "float line": (with_line(amount_minor=300.0), ["amount_not_integer"]),
    "text line": (with_line(amount_minor="300"), ["amount_not_integer"]),
    "subtotal": (replace(GOOD, subtotal_minor=801), ["subtotal_differs"]),
    "line count": (replace(GOOD, line_count=3), ["line_count_differs"]),
    "no lines": (of_lines(0), ["no_lines"]),
    "251 lines": (of_lines(251), ["too_many_lines"]),
    "same line twice": (
        replace(
            GOOD, lines=(GOOD.lines[0], replace(GOOD.lines[1], line_id="line-0001"))
        ),
        ["line_id_repeated"],
    ),
    "negative total": (request_for("cus_1", [100, -101]), ["total_negative"]),
    "too large a charge": (
        request_for("cus_1", [100_000_000]),
        ["above_maximum_charge"],
    ),
    "ISK with aurar": (
        request_for("cus_1", [150], currency="isk"),
        ["amount_too_fine"],
    ),
    "KWD to the fils": (
        request_for("cus_1", [1501], currency="kwd"),
        ["amount_too_fine"],
    ),
    "long description": (
        replace(GOOD, description="x" * 1501),
        ["description_too_long"],
    ),
    "long line description": (
        with_line(description="x" * 5001),
        ["description_too_long"],
    ),
    "naive period": (
        with_line(period_start=datetime(2026, 7, 1), period_end=datetime(2026, 7, 2)),
        ["period_without_zone"],
    ),
    "backward period": (
        with_line(period_end=JULY - timedelta(seconds=1)),
        ["period_backwards"],
    ),
    "other environment": (
        replace(GOOD, metadata={"billing_env": "production"}),
        ["metadata_contradicts"],
    ),
    "other invoice on a line": (
        with_line(metadata={"billing_invoice_id": "inv-9999"}),
        ["metadata_contradicts"],
    ),
    "47 keys and our 4": (
        replace(GOOD, metadata={f"k{n}": "v" for n in range(47)}),
        ["metadata_too_many"],
    ),
    "48 keys and our 3 on a line": (
        with_line(metadata={f"k{n}": "v" for n in range(48)}),
        ["metadata_too_many"],
    ),
    "long key": (
        replace(GOOD, metadata={"k" * 41: "v"}),
        ["metadata_key_too_long"],
    ),
    "long value": (
        with_line(metadata={"k": "v" * 501}),
        ["metadata_value_too_long"],
    ),
    "number as value": (replace(GOOD, metadata={"k": 1}), ["metadata_not_text"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_for_its_reason_and_no_other(name: str) -> None:
    request, expected = REFUSED[name]
    assert reasons(request) == expected


PASSES = {
    "46 keys and our 4": replace(GOOD, metadata={f"k{n}": "v" for n in range(46)}),
    "47 keys and our 3": with_line(metadata={f"k{n}": "v" for n in range(47)}),
    "key of 40, value of 500": replace(GOOD, metadata={"k" * 40: "v" * 500}),
    "largest charge": request_for("cus_1", [99_999_999]),
    "larger, by bank transfer": request_for(
        "cus_1", [100_000_000], collection_method="send_invoice", days_until_due=0
    ),
    "descriptions at the limit": replace(
        with_line(description="x" * 5000), description="x" * 1500
    ),
    "total of nothing": request_for("cus_1", [100, -100]),
    "JPY": request_for("cus_1", [151], currency="jpy"),
    "KWD in tens": request_for("cus_1", [1500], currency="kwd"),
    "one second": with_line(period_start=JULY, period_end=JULY),
}


@pytest.mark.parametrize("name", PASSES)
def test_the_nearest_good_value_passes(name: str) -> None:
    assert reasons(PASSES[name]) == []


def test_below_the_minimum_only_when_asked() -> None:
    small = request_for("cus_1", [49])
    assert reasons(small) == []
    assert reasons(small, refuse_below_minimum=True) == ["below_minimum_charge"]
    enough = request_for("cus_1", [50])
    assert reasons(enough, refuse_below_minimum=True) == []


def test_all_reasons_are_named_at_once() -> None:
    bad = replace(GOOD, currency="xxx", account="emea", line_count=9)
    assert reasons(bad) == ["account_unknown", "currency_unknown", "line_count_differs"]


def test_a_refused_request_sends_nothing_and_is_journalled(
    desk: Desk, make_request: Callable[..., InvoiceRequest]
) -> None:
    bad = make_request([500], subtotal_minor=499)
    result = desk.publish_one(bad)
    assert (result.state, result.requests) == ("refused", 0)
    assert result.error is not None and result.error.startswith("subtotal_differs")
    assert desk.sandbox.requests() == []
    [row] = desk.journal.rows()
    assert (row.state, row.stripe_invoice_id) == ("refused", None)
    assert row.last_error == result.error
    # Once put right, it goes out.
    assert desk.publish_one(make_request([500])).state == "published"


def changed(**changes: Any) -> InvoiceRequest:
    return replace(GOOD, **changes)


def relined(**changes: Any) -> InvoiceRequest:
    lines: tuple[LineRequest, ...] = (line(1, 500, **changes), GOOD.lines[1])
    return replace(GOOD, lines=lines)


@pytest.mark.parametrize(
    "other",
    [
        changed(currency="eur"),
        changed(stripe_customer_id="cus_2"),
        changed(description="Usage"),
        changed(collection_method="send_invoice", days_until_due=30),
        changed(metadata={**GOOD.metadata, "billing_contract_id": "c"}),
        relined(amount_minor=501),
        relined(description="other"),
        relined(line_id="line-x"),
        relined(period_end=datetime(2026, 7, 30, tzinfo=UTC)),
        relined(metadata={"billing_product_id": "storage"}),
        replace(GOOD, lines=(line(3, 500, line_id="line-0001"), GOOD.lines[1])),
    ],
)
def test_whatever_is_sent_is_in_the_hash(other: InvoiceRequest) -> None:
    assert content_hash(other, ENVIRONMENT) != content_hash(GOOD, ENVIRONMENT)


def test_holding_is_not_in_the_hash() -> None:
    held = replace(GOOD, held=True, auto_finalize=False)
    assert content_hash(held, ENVIRONMENT) == content_hash(GOOD, ENVIRONMENT)
    # Nor is the order in which the same positions happen to arrive.
    shuffled = replace(GOOD, lines=GOOD.lines[::-1])
    assert content_hash(shuffled, ENVIRONMENT) == content_hash(GOOD, ENVIRONMENT)
