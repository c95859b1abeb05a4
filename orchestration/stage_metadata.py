"""What an operator sees on an asset after a run: rows, money totals, a chart."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from orchestration.billing_run import BillingRun
from orchestration.warehouse import Warehouse

USAGE_KEY = dg.AssetKey(["metering", "metered_usage"])
INVOICES_KEY = dg.AssetKey(["invoicing", "invoices"])

# The column of a table that its money total adds up, the first that it has.
MONEY_COLUMNS = ("total_minor", "balance_minor", "stripe_subtotal", "amount_minor")

INK = "#33415c"
BAR = "#3b6ea5"


def describe_tables(
    run: BillingRun, keys: Sequence[dg.AssetKey]
) -> dict[dg.AssetKey, dict[str, Any]]:
    """Metadata of the tables among the assets, by asset key; views are not counted.

    `dagster/row_count`; `total_minor_<CURRENCY>` as text (an integer beyond 2^53 does
    not survive the page); a chart for usage and invoices. Asks the warehouse three
    questions in all, whatever the number of tables: each opens the file anew.
    """
    if run.dbt_target != "duckdb" or not keys:
        return {}
    columns = _columns(run.warehouse)
    tables = {key: ".".join(key.path) for key in keys if ".".join(key.path) in columns}
    facts: dict[dg.AssetKey, dict[str, Any]] = {key: {} for key in tables}
    for key, rows in _row_counts(run.warehouse, tables).items():
        facts[key]["dagster/row_count"] = rows
    for key, currency, total in _money_totals(run.warehouse, tables, columns):
        facts[key][f"total_minor_{currency}"] = total
    if USAGE_KEY in tables:
        facts[USAGE_KEY]["events_by_day"] = usage_chart(run.warehouse)
    if INVOICES_KEY in tables:
        facts[INVOICES_KEY]["invoiced_by_month"] = invoices_chart(run.warehouse)
    return facts


def _columns(warehouse: Warehouse) -> dict[str, set[str]]:
    """Column names by schema.table."""
    found: dict[str, set[str]] = {}
    for row in warehouse.rows(
        "select schema_name || '.' || table_name as relation, column_name "
        "from duckdb_columns() "
        "where (schema_name, table_name) in "
        "(select (schema_name, table_name) from duckdb_tables())"
    ):
        found.setdefault(row["relation"], set()).add(row["column_name"])
    return found


def _row_counts(
    warehouse: Warehouse, tables: Mapping[dg.AssetKey, str]
) -> dict[dg.AssetKey, int]:
    if not tables:
        return {}
    counted = warehouse.rows(
        " union all ".join(
            f"select '{relation}' as relation, count(*) as row_count from {relation}"
            for relation in tables.values()
        )
    )
    counts = {row["relation"]: row["row_count"] for row in counted}
    return {key: counts[relation] for key, relation in tables.items()}


def _money_totals(
    warehouse: Warehouse,
    tables: Mapping[dg.AssetKey, str],
    columns: Mapping[str, set[str]],
) -> list[tuple[dg.AssetKey, str, str]]:
    """(key, currency, total in minor units as text) of tables that hold money."""
    queries = []
    for relation in tables.values():
        own = columns[relation]
        money = next((name for name in MONEY_COLUMNS if name in own), None)
        if money and "currency" in own:
            # A balance in a pricing unit is no money; the conversion of one is.
            is_money = (
                " where pricing_unit_id is null"
                if relation.startswith("credits.")
                and "pricing_unit_id" in own
                and "rating_basis" not in own
                else ""
            )
            queries.append(
                f"select '{relation}' as relation, upper(currency) as currency, "
                f"cast(sum({money}) as varchar) as total from {relation}{is_money} "
                "group by 2"
            )
    if not queries:
        return []
    keys = {relation: key for key, relation in tables.items()}
    totals = warehouse.rows(" union all ".join(queries) + " order by 1, 2")
    return [(keys[row["relation"]], row["currency"], row["total"]) for row in totals]


def usage_chart(warehouse: Warehouse) -> dg.MarkdownMetadataValue:
    """Events metered by day, over all customers."""
    days = warehouse.rows(
        "select cast(event_date as varchar) as label, sum(event_count) as value "
        "from metering.metered_usage group by 1 order by 1"
    )
    return _chart("Events metered by day", {"": days})


def invoices_chart(warehouse: Warehouse) -> dg.MarkdownMetadataValue:
    """Invoice totals by month, a panel per currency: no sum over currencies."""
    rows = warehouse.rows(
        "select invoices.currency, "
        "strftime(period_end - interval 1 day, '%Y-%m') as label, "
        "sum(total_minor) as value, any_value(minor_unit_exponent) as exponent "
        "from invoicing.invoices as invoices "
        "inner join staging.currencies as currencies "
        "on invoices.currency = currencies.currency "
        "group by 1, 2 order by 1, 2"
    )
    panels: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        value = Decimal(row["value"]).scaleb(-row["exponent"])
        panels.setdefault(row["currency"], []).append({**row, "value": value})
    return _chart("Invoiced by month, drafts included", panels)


def _chart(
    title: str, panels: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dg.MarkdownMetadataValue:
    """Bars, a panel each, as a picture in the metadata. The figure is drawn without
    pyplot, which costs a second to import."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = max(1, len(panels))
    figure = Figure(figsize=(8, 3), layout="tight")
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=INK)
    for number, (name, rows) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, count, number)
        labels = [row["label"] for row in rows]
        # A picture, not an account: floats only here.
        axes.bar(range(len(rows)), [float(row["value"]) for row in rows], color=BAR)
        step = max(1, len(rows) * count // 12)
        axes.set_xticks(
            range(0, len(rows), step), labels[::step], rotation=45, ha="right"
        )
        axes.set_title(name, fontsize="medium", color=INK)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.tick_params(labelsize="small", colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    picture = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{picture})")
