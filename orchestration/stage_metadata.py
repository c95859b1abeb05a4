"""What an operator sees on an asset after a run: rows, money totals, a chart."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import dagster as dg

from orchestration.billing_run import BillingRun

USAGE_KEY = dg.AssetKey(["metering", "metered_usage"])
INVOICES_KEY = dg.AssetKey(["invoicing", "invoices"])

# The column of a table that its money total adds up.
MONEY_COLUMNS = ("total_minor", "balance_minor", "stripe_subtotal", "amount_minor")


def describe_tables(
    run: BillingRun, keys: Sequence[dg.AssetKey]
) -> dict[dg.AssetKey, dict[str, Any]]:
    """Metadata of the tables among the assets, by asset key.

    `dagster/row_count`; `total_<currency>` in minor units as text (an integer beyond
    2^53 does not survive the page); a chart for usage and invoices.
    """
    if run.dbt_target != "duckdb" or not keys:
        return {}
    columns: dict[tuple[str, str], set[str]] = {}
    for row in run.warehouse.rows(
        "select c.table_schema, c.table_name, c.column_name "
        "from information_schema.columns as c "
        "inner join information_schema.tables as t "
        "on c.table_schema = t.table_schema and c.table_name = t.table_name "
        "where t.table_type = 'BASE TABLE'"
    ):
        table = (row["table_schema"], row["table_name"])
        columns.setdefault(table, set()).add(row["column_name"])
    facts: dict[dg.AssetKey, dict[str, Any]] = {}
    for key in keys:
        own = columns.get((key.path[0], key.path[-1]))
        if own:
            facts[key] = _table_facts(run, key, own)
    return facts


def _table_facts(
    run: BillingRun, key: dg.AssetKey, columns: set[str]
) -> dict[str, Any]:
    relation = ".".join(key.path)
    counted = run.warehouse.rows(f"select count(*) as row_count from {relation}")
    facts: dict[str, Any] = {"dagster/row_count": counted[0]["row_count"]}
    money = next((name for name in MONEY_COLUMNS if name in columns), None)
    if money and "currency" in columns:
        for row in run.warehouse.rows(
            f"select upper(currency) as currency, cast(sum({money}) as varchar) as total "
            f"from {relation} group by 1 order by 1"
        ):
            facts[f"total_minor_{row['currency']}"] = row["total"]
    if key == USAGE_KEY:
        facts["events_by_day"] = _chart(
            run,
            "select cast(event_date as varchar) as label, sum(event_count) as value "
            f"from {relation} group by 1 order by 1",
            "Events metered by day",
        )
    if key == INVOICES_KEY:
        facts["invoices_by_month"] = _chart(
            run,
            "select strftime(period_end - interval 1 day, '%Y-%m') || ' ' || currency "
            f"as label, sum(total_minor) as value from {relation} group by 1 order by 1",
            "Invoiced, minor units, by month and currency",
        )
    return facts


def _chart(run: BillingRun, query: str, title: str) -> dg.MarkdownMetadataValue:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = run.warehouse.rows(query)
    figure, axes = pyplot.subplots(figsize=(8, 3))
    labels = [row["label"] for row in rows]
    axes.bar(range(len(rows)), [float(row["value"]) for row in rows], color="#3b6ea5")
    step = max(1, len(rows) // 12)
    axes.set_xticks(range(0, len(rows), step), labels[::step], rotation=45, ha="right")
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    pyplot.close(figure)
    picture = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{picture})")
