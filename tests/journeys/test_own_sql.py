"""A workspace's own SQL: prices by computation, and a metric that is a model."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.billing_run import check_workspace
from orchestration.workspace import Workspace, WorkspaceError
from tests.support import rows, run_until_close

CATALOG = {
    "customers": "customer_id,name\nacme,Acme",
    "billable_metrics": (
        "metric_id,name,aggregation,aggregation_key,event_types,group_keys\n"
        "calls,Calls,COUNT,,call,model\n"
        "peak,Busiest hour,SQL,peak_calls,,model"
    ),
    "products": (
        "product_id,name,product_type,metric_id,pricing_group_keys\n"
        "calls,Calls,USAGE,calls,model\n"
        "peak,Busiest hour,USAGE,peak,model"
    ),
    "rate_cards": "rate_card_id,name,currency\nstandard,Standard,USD",
    "rates": (
        "rate_id,rate_card_id,product_id,price_model,pricing_group_values,unit_price,"
        "starting_at\npeak-a,standard,peak,flat,model=a,0.5,2026-09-01T00:00Z"
    ),
    "contracts": (
        "contract_id,customer_id,rate_card_id,starting_at\n"
        "acme-1,acme,standard,2026-09-01T00:00Z"
    ),
}

# Provider cost plus 20 %, as the page shows it: 0.10 + 20 % = 0.12 a call.
PAGE = Path(__file__).parents[2] / "docs" / "pricing.md"
COST_PLUS = PAGE.read_text(encoding="utf-8").split("```sql\n")[1].split("```")[0]

# The hour with most calls of a day, booked on the first hour of that day.
PEAK = """
select
    customer_id,
    cast(event_date as timestamp) as usage_hour,
    model,
    max(calls) as quantity
from (
    select
        customer_id, event_date, usage_hour,
        property_model as model, count(*) as calls
    from {{ ref('attributed_events') }}
    group by 1, 2, 3, 4
) as hours
group by 1, 2, 3
"""


def workspace(folder: Path) -> Path:
    (folder / "catalog").mkdir(parents=True)
    for name, text in CATALOG.items():
        (folder / "catalog" / f"{name}.csv").write_text(text + "\n")
    (folder / "models").mkdir()
    (folder / "models" / "cost_plus.sql").write_text(COST_PLUS)
    (folder / "models" / "peak_calls.sql").write_text(PEAK)
    (folder / "meterhouse.yml").write_text(
        "rate_models: [cost_plus]\nmetric_models: [peak_calls]\n"
    )
    (folder / "events").mkdir()
    hours = ["01T05:10", "01T05:20", "01T05:30", "01T09:00", "02T07:00"]
    (folder / "events" / "september.ndjson").write_text(
        "".join(
            f'{{"transaction_id":"e{number}","customer_id":"acme","event_type":"call",'
            f'"timestamp":"2026-09-{hour}:00Z","properties":{{"model":"a"}}}}\n'
            for number, hour in enumerate(hours)
        )
    )
    return folder


def test_computed_prices_and_sql_metrics_reach_the_invoice(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "acme")
    run_until_close(folder, "2026-10-02")
    lines = {
        row["product_id"]: (row["quantity"], row["amount"], row["amount_minor"])
        for row in rows(
            folder,
            "select * from invoicing.invoice_lines where status = 'FINALIZED'",
        )
    }
    # 5 calls at 0.12; busiest hours 3 (1 September) + 1 (2 September) at 0.50.
    assert lines == {
        "calls": (Decimal(5), Decimal("0.60"), 60),
        "peak": (Decimal(4), Decimal("2.00"), 200),
    }
    # dbt writes what it compiled beside its target, never over what its user wrote.
    assert (folder / "models" / "cost_plus.sql").read_text() == COST_PLUS
    assert (folder / "models" / "peak_calls.sql").read_text() == PEAK


def test_an_sql_metric_that_the_settings_do_not_name_is_refused(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "acme")
    (folder / "meterhouse.yml").write_text("rate_models: [cost_plus]\n")
    with pytest.raises(WorkspaceError, match="names no model of metric_models"):
        check_workspace(Workspace.load(folder))
