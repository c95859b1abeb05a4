"""A real month: 19,366 requests of a public LLM trace, billed as the file stands.

Every invoice and line is computed a second time here, in plain Decimal from the CSV.
The test runs where METERHOUSE_AZURE_TRACE names the file (.ci/run sets it).
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support import minor, rows, run_all

TRACE = os.environ.get("METERHOUSE_AZURE_TRACE", "")
EXAMPLE = Path(__file__).parents[2] / "examples" / "azure_llm"

CUSTOMERS = [f"azure-0{number}" for number in range(1, 9)]
MODELS = ["gpt-large", "gpt-small"]
GENERATED_PRICES = {"gpt-large": Decimal("0.00006"), "gpt-small": Decimal("0.000002")}
# Upper bound (inclusive) and price of each step of the context tokens.
CONTEXT_STEPS = [
    (Decimal(1_000_000), Decimal("0.00003")),
    (Decimal(2_000_000), Decimal("0.000025")),
    (None, Decimal("0.00002")),
]


def context_amount(tokens: Decimal) -> Decimal:
    amount, below = Decimal(0), Decimal(0)
    for upper, price in CONTEXT_STEPS:
        top = tokens if upper is None else min(tokens, upper)
        amount += max(top - below, Decimal(0)) * price
        below = upper or below
    return amount


def expected_lines(trace: Path) -> dict[tuple[str, str, str], int]:
    """Minor amount by customer, product and group values."""
    context: dict[str, Decimal] = defaultdict(Decimal)
    generated: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with trace.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            customer = CUSTOMERS[number % 8]
            model = MODELS[number // 8 % 2]
            context[customer] += Decimal(row["ContextTokens"])
            generated[customer, model] += Decimal(row["GeneratedTokens"])
    lines = {
        (customer, "context_tokens", "{}"): minor(context_amount(tokens))
        for customer, tokens in context.items()
    }
    for (customer, model), tokens in generated.items():
        group = f'{{"model":"{model}"}}'
        lines[customer, "generated_tokens", group] = minor(
            tokens * GENERATED_PRICES[model]
        )
    return lines


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("azure") / "workspace"
    shutil.copytree(EXAMPLE, folder)
    (folder / "events").mkdir()
    shutil.copy(TRACE, folder / "events" / "AzureLLMInferenceTrace_conv.csv")
    run_all(folder, "2023-12-02", backfill=True)
    return folder


@pytest.mark.skipif(not TRACE, reason="METERHOUSE_AZURE_TRACE names no file")
def test_every_line_of_every_invoice(billed: Path) -> None:
    lines = {
        (row["customer_id"], row["product_id"], row["pricing_group_values"]): row[
            "amount_minor"
        ]
        for row in rows(
            billed,
            "select invoices.customer_id, lines.* "
            "from invoicing.invoice_lines as lines "
            "inner join invoicing.invoices as invoices "
            "on lines.invoice_id = invoices.invoice_id "
            "where invoices.status = 'FINALIZED'",
        )
    }
    assert lines == expected_lines(Path(TRACE))


@pytest.mark.skipif(not TRACE, reason="METERHOUSE_AZURE_TRACE names no file")
def test_every_request_is_metered_and_every_invoice_paid(billed: Path) -> None:
    counted = rows(
        billed,
        "select sum(first_metered_event_count) as events from metering.metered_usage",
    )
    assert counted[0]["events"] == 19_366
    paid = rows(
        billed,
        "select external_status, count(*) as invoices "
        "from reconciliation.invoice_reconciliation group by 1",
    )
    assert paid == [{"external_status": "PAID", "invoices": 8}]
