"""The sample company, from files to paid invoices, against what its generator knows."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from orchestration.sample_company import SampleCompany
from tests.support import rows


def test_metered_quantities_are_the_truth(
    sample: SampleCompany, sample_workspace: Path
) -> None:
    """Every customer and metric, to the last of twelve decimals, of the months whose
    latest straggler had arrived by the last run."""
    truth = json.loads(sample.truth_path.read_text())
    metered = {
        (row["customer_id"], row["metric_id"], row["month"]): row["quantity"]
        for row in rows(
            sample_workspace,
            "select customer_id, metric_id, strftime(usage_hour, '%Y-%m') as month, "
            "sum(quantity) as quantity from metering.metered_usage "
            "where (metric_id, key_set) in (select metric_id, min(key_set) "
            "from metering.metered_usage group by 1) "
            "and usage_hour < timestamp '2026-10-01' group by 1, 2, 3",
        )
    }
    expected: dict[tuple[str, str, str], Decimal] = {}
    for total in truth["totals"]:
        if total["month"] >= "2026-10":
            continue
        key = (total["customer_id"], total["metric_id"], total["month"])
        expected[key] = expected.get(key, Decimal(0)) + Decimal(total["quantity"])
    assert metered == expected


def test_every_story_of_the_demo_has_its_status(sample_workspace: Path) -> None:
    found = rows(
        sample_workspace,
        "select external_status, is_overdue, is_paid_late, break_reason "
        "from reconciliation.invoice_reconciliation",
    )
    statuses = {row["external_status"] for row in found}
    assert {"PAID", "PAYMENT_FAILED", "DRAFT", "FINALIZED"} <= statuses
    assert any(row["is_paid_late"] for row in found)
    assert [row for row in found if row["break_reason"]] == []


def test_late_usage_of_closed_months_has_an_amount(sample_workspace: Path) -> None:
    late = rows(sample_workspace, "select * from invoicing.late_usage")
    assert late
    assert all(row["is_reproduced"] for row in late)
    assert all(row["correction_minor"] is not None for row in late)
    assert any(row["correction_minor"] > 0 for row in late)
