"""What leaves for finance, replaced whole at the end of each run."""

import dagster as dg

from orchestration.billing_run import exclusive, publish_finance_copy
from orchestration.dbt_assets import POOL
from orchestration.resources import MeterhouseResource


@dg.asset(
    key=dg.AssetKey(["exports", "finance_copy"]),
    group_name="exports",
    deps=[
        dg.AssetKey(["exports", f"export_{name}"])
        for name in (
            "invoices",
            "invoice_lines",
            "credit_ledger",
            "credit_balances",
            "payments",
            "invoice_reconciliation",
        )
    ],
    description="finance.duckdb and the Parquet and CSV files: no reader ever waits.",
    owners=["team:billing"],
    kinds={"duckdb", "parquet", "csv"},
    pool=POOL,
)
def finance_copy(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> dg.MaterializeResult:
    run = meterhouse.billing_run(context)
    if run.is_preview:
        return dg.MaterializeResult(metadata={"said": "a preview is not published"})
    with exclusive(run.workspace):
        counts = publish_finance_copy(run)
    return dg.MaterializeResult(metadata={"tables": len(counts), **counts})
