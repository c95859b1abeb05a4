"""The gate: everything that can be known to be wrong before the first request.

And what will be sent, with the hash that names it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from .currencies import MAXIMUM_CHARGE, SUPPORTED, granularity, minimum_charge
from .rows import InvoiceRequest, LineRequest

LINES_PER_INVOICE = 250
LINE_DESCRIPTION = 5_000
INVOICE_DESCRIPTION = 1_500
METADATA_KEYS, METADATA_KEY, METADATA_VALUE = 50, 40, 500

ENV, INVOICE_ID, LINE_ID = "billing_env", "billing_invoice_id", "billing_line_id"
CONTENT_HASH, GENERATION = "billing_content_hash", "billing_generation"

_METHODS = ("charge_automatically", "send_invoice")


def line_metadata(
    request: InvoiceRequest, line: LineRequest, environment: str
) -> dict[str, str]:
    """A line's metadata as sent: the caller's plus the three keys we find it by."""
    return {
        **line.metadata,
        ENV: environment,
        INVOICE_ID: request.invoice_id,
        LINE_ID: line.line_id,
    }


def invoice_metadata(
    request: InvoiceRequest, environment: str, content_hash: str, generation: int
) -> dict[str, str]:
    """An invoice's metadata as sent."""
    return {
        **request.metadata,
        ENV: environment,
        INVOICE_ID: request.invoice_id,
        CONTENT_HASH: content_hash,
        GENERATION: str(generation),
    }


def content_hash(request: InvoiceRequest, environment: str) -> str:
    """SHA-256 over canonical JSON of everything sent.

    ``held`` and ``auto_finalize`` are left out: they decide when the draft becomes an
    invoice, not what it says.
    """
    content = {
        "version": 1,
        "account": request.account,
        "customer": request.stripe_customer_id,
        "currency": request.currency,
        "collection_method": request.collection_method,
        "days_until_due": request.days_until_due,
        "description": request.description,
        "metadata": {**request.metadata, ENV: environment},
        "lines": [
            {
                "line_id": line.line_id,
                "amount": line.amount_minor,
                "description": line.description,
                "start": _epoch(line.period_start),
                "end": _epoch(line.period_end),
                "metadata": dict(line.metadata),
            }
            for line in ordered(request)
        ],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def ordered(request: InvoiceRequest) -> list[LineRequest]:
    """The lines in the order they are sent."""
    return sorted(request.lines, key=lambda line: (line.position, line.line_id))


def line_params(
    request: InvoiceRequest, line: LineRequest, environment: str
) -> dict[str, Any]:
    """One entry of ``add_lines``. Amounts only: how Stripe rounds quantity × price is
    not documented (fact 3)."""
    params: dict[str, Any] = {
        "amount": line.amount_minor,
        "period": {"start": _epoch(line.period_start), "end": _epoch(line.period_end)},
        "metadata": line_metadata(request, line, environment),
    }
    if line.description:
        params["description"] = line.description
    return params


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def gate(
    request: InvoiceRequest,
    *,
    environment: str,
    accounts: Container[str],
    refuse_below_minimum: bool = False,
) -> list[str]:
    """Every reason not to send a request, each ``name: words``; empty = may be sent.

    Looks at the request only: no clock, no network, no journal. A total below
    Stripe's minimum charge passes unless ``refuse_below_minimum``: Stripe then marks
    the invoice paid and moves the amount to the customer's balance.
    """
    reasons = [
        *_header_reasons(request, environment, accounts),
        *_metadata_reasons(
            "invoice", request.metadata, invoice_metadata(request, "", "", 0)
        ),
    ]
    for line in request.lines:
        reasons += _line_reasons(request, line, environment)
    repeated = Counter(line.line_id for line in request.lines)
    reasons += [
        f"line_id_repeated: {line_id} stands {times} times"
        for line_id, times in sorted(repeated.items())
        if times > 1
    ]
    amounts = [request.subtotal_minor, *(line.amount_minor for line in request.lines)]
    if all(_is_integer(amount) for amount in amounts):
        reasons += _total_reasons(request, refuse_below_minimum)
    return reasons


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _header_reasons(
    request: InvoiceRequest, environment: str, accounts: Container[str]
) -> list[str]:
    reasons = []
    if request.account not in accounts:
        reasons.append(f"account_unknown: no client for account {request.account!r}")
    if not request.stripe_customer_id:
        reasons.append(
            f"customer_not_mapped: {request.customer_id} has no Stripe customer"
        )
    if request.currency not in SUPPORTED:
        reasons.append(
            f"currency_unknown: {request.currency!r} (lower case, known to Stripe)"
        )
    if request.collection_method not in _METHODS:
        reasons.append(
            f"collection_method_unknown: {request.collection_method!r} is not one of"
            f" {', '.join(_METHODS)}"
        )
    sends = request.collection_method == "send_invoice"
    if sends and request.days_until_due is None:
        reasons.append("days_until_due_missing: send_invoice needs it")
    if not sends and request.days_until_due is not None:
        reasons.append("days_until_due_unexpected: only send_invoice takes it")
    if request.days_until_due is not None and request.days_until_due < 0:
        reasons.append(f"days_until_due_negative: {request.days_until_due}")
    if len(request.description) > INVOICE_DESCRIPTION:
        reasons.append(
            f"description_too_long: {len(request.description)} characters,"
            f" at most {INVOICE_DESCRIPTION}"
        )
    for name, ours in ((ENV, environment), (INVOICE_ID, request.invoice_id)):
        given = request.metadata.get(name, ours)
        if given != ours:
            reasons.append(f"metadata_contradicts: {name} is {given!r}, not {ours!r}")
    if not _is_integer(request.subtotal_minor):
        reasons.append(
            f"amount_not_integer: subtotal_minor is {request.subtotal_minor!r}"
        )
    return reasons


def _line_reasons(
    request: InvoiceRequest, line: LineRequest, environment: str
) -> list[str]:
    where = f"line {line.line_id}"
    reasons = []
    if not _is_integer(line.amount_minor):
        reasons.append(f"amount_not_integer: {where} has {line.amount_minor!r}")
    elif line.amount_minor % granularity(request.currency):
        reasons.append(
            f"amount_too_fine: {where} has {line.amount_minor} {request.currency},"
            f" not a multiple of {granularity(request.currency)}"
        )
    if len(line.description) > LINE_DESCRIPTION:
        reasons.append(
            f"description_too_long: {where} has {len(line.description)} characters,"
            f" at most {LINE_DESCRIPTION}"
        )
    if line.period_start.tzinfo is None or line.period_end.tzinfo is None:
        reasons.append(f"period_without_zone: {where}")
    elif line.period_end < line.period_start:
        reasons.append(f"period_backwards: {where} ends before it starts")
    ours = line_metadata(request, line, environment)
    for name in (ENV, INVOICE_ID, LINE_ID):
        given = line.metadata.get(name, ours[name])
        if given != ours[name]:
            reasons.append(
                f"metadata_contradicts: {where}: {name} is {given!r},"
                f" not {ours[name]!r}"
            )
    return reasons + _metadata_reasons(where, line.metadata, ours)


def _metadata_reasons(
    where: str, given: Mapping[str, str], sent: Mapping[str, str]
) -> list[str]:
    reasons = []
    if len(sent) > METADATA_KEYS:
        reasons.append(
            f"metadata_too_many: {where} would carry {len(sent)} keys with ours,"
            f" at most {METADATA_KEYS}"
        )
    for key, value in given.items():
        if len(key) > METADATA_KEY:
            reasons.append(f"metadata_key_too_long: {where}: {key[:50]!r}…")
        if not isinstance(value, str):
            reasons.append(f"metadata_not_text: {where}: {key} is {value!r}")
        elif len(value) > METADATA_VALUE:
            reasons.append(
                f"metadata_value_too_long: {where}: {key} has {len(value)} characters"
            )
    return reasons


def _total_reasons(request: InvoiceRequest, refuse_below_minimum: bool) -> list[str]:
    reasons = []
    count, total = len(request.lines), sum(line.amount_minor for line in request.lines)
    if count == 0:
        reasons.append("no_lines: an invoice needs at least one line")
    if count > LINES_PER_INVOICE:
        reasons.append(
            f"too_many_lines: {count} lines, Stripe takes {LINES_PER_INVOICE};"
            " aggregate in the warehouse first"
        )
    if count != request.line_count:
        reasons.append(f"line_count_differs: {request.line_count} said, {count} given")
    if total != request.subtotal_minor:
        reasons.append(
            f"subtotal_differs: {request.subtotal_minor} said, lines add up to {total}"
        )
    if total < 0:
        reasons.append(
            f"total_negative: {total}; carried to the next invoice, never published"
        )
    automatic = request.collection_method == "charge_automatically"
    if automatic and total > MAXIMUM_CHARGE:
        reasons.append(
            f"above_maximum_charge: {total}, one charge carries {MAXIMUM_CHARGE};"
            " use send_invoice"
        )
    smallest = minimum_charge(request.currency)
    if refuse_below_minimum and 0 < total < smallest:
        reasons.append(f"below_minimum_charge: {total}, Stripe charges from {smallest}")
    return reasons
