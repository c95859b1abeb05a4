"""docs/credits.md is billed, each of its sections as a contract of its own."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import check_workspace
from orchestration.workspace import Workspace
from tests.rating.billed_page import sections, write_page
from tests.support import rows, run_until_close

PAGE = Path(__file__).parents[2] / "docs" / "credits.md"
TOLD = {
    heading: {name: rows for name, rows in blocks.items() if name != "total"}
    for heading, blocks in sections(PAGE, "draws").items()
}
TO_PAY = {
    heading: Decimal(blocks["total"][0]["to_pay"])
    for heading, blocks in sections(PAGE, "draws").items()
}
DRAWS = """
select
    invoices.customer_name,
    grants.grant_id,
    strftime(grants.starting_at, '%Y-%m-%d') as starts,
    products.product_name,
    lines.presentation_group_values,
    sum(draws.amount_minor) as drawn_minor
from credits.credit_drawdowns as draws
inner join credits.credit_grants as grants using (segment_id)
inner join invoicing.invoice_lines as lines using (line_id)
inner join invoicing.invoices as invoices on lines.invoice_id = invoices.invoice_id
inner join staging.stg_catalog__products as products using (product_id)
group by all
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is over; its drafts are not yet closed."""
    folder = tmp_path_factory.mktemp("credits") / "company"
    write_page(folder, TOLD, "draws")
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", backfill=True)
    return folder


@pytest.fixture(scope="module")
def drawn(company: Path) -> dict[str, list[Any]]:
    """Heading -> (grant, its start, line, user, amount)."""
    found: dict[str, list[Any]] = {}
    for row in rows(company, DRAWS):
        found.setdefault(row["customer_name"], []).append(
            (
                row["grant_id"].split("-", 1)[1],
                row["starts"],
                row["product_name"],
                json.loads(row["presentation_group_values"]).get("user", ""),
                Decimal(int(row["drawn_minor"])).scaleb(-2),
            )
        )
    return found


@pytest.mark.parametrize("heading", TOLD)
def test_each_draw_of_the_page_is_what_is_drawn(
    heading: str, drawn: dict[str, list[Any]]
) -> None:
    told = [
        (row["grant"], row["from"], row["line"], row.get("user", ""), row["amount"])
        for row in TOLD[heading]["draws"]
    ]
    assert sorted(drawn[heading]) == sorted((*row[:4], Decimal(row[4])) for row in told)


@pytest.mark.parametrize("heading", TOLD)
def test_the_rest_is_to_pay(heading: str, company: Path) -> None:
    found = rows(
        company,
        "select total from invoicing.invoices "
        f"where customer_name = $${heading}$$ and period_end = timestamp '2026-11-01'",
    )
    assert [row["total"] for row in found] == [TO_PAY[heading]]
