"""docs/credits.md is billed, each of its sections as a contract of its own."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import check_workspace
from orchestration.ledger_entry import KIND, TARGET_TYPE
from orchestration.operations import Operations
from orchestration.resources import parse_instant
from orchestration.workspace import Workspace
from tests.rating.billed_page import START, sections, write_page
from tests.support import instant, rows, run_until_close

PAGE = Path(__file__).parents[2] / "docs" / "credits.md"
TOLD = {
    heading: {
        name: rows
        for name, rows in blocks.items()
        if name not in ("total", "entries", "invoices")
    }
    for heading, blocks in sections(PAGE, "draws").items()
}
ENTRIES = [
    (f"c{number}-{row['grant']}", row)
    for number, blocks in enumerate(sections(PAGE, "draws").values())
    for row in blocks.get("entries", [])
]
TO_PAY = {
    heading: {row.get("child", ""): Decimal(row["to_pay"]) for row in blocks["total"]}
    for heading, blocks in sections(PAGE, "draws").items()
}
OTHER_INVOICES = {
    heading: blocks["invoices"]
    for heading, blocks in sections(PAGE, "draws").items()
    if "invoices" in blocks
}
DRAWS = """
select
    invoices.customer_name,
    invoices.customer_id,
    grants.grant_id,
    strftime(grants.starting_at, '%Y-%m-%d') as starts,
    products.product_name,
    lines.presentation_group_values,
    sum(draws.amount_minor) as drawn_minor
from (
    select line_id, segment_id, amount_minor from credits.credit_drawdowns
    union all
    select line_id, segment_id, amount_minor from staging.stg_books__credit_drawdowns
) as draws
inner join credits.credit_grants as grants using (segment_id)
inner join invoicing.invoice_lines as lines using (line_id)
inner join invoicing.invoices as invoices on lines.invoice_id = invoices.invoice_id
inner join staging.stg_catalog__products as products using (product_id)
group by all
"""


def enter_by_hand(workspace: Workspace) -> None:
    """Entries for credits of one segment, which need no run to be known."""
    operations = Operations.open(workspace)
    for credit, row in ENTRIES:
        named = hashlib.sha256(f"CREDIT|{credit}|1".encode()).hexdigest()
        operations.add_instruction(
            kind=KIND,
            target_type=TARGET_TYPE,
            target_id=f"seg_{named[:24]}",
            actor="jo@example.com",
            reason="why",
            created_at=instant("2026-10-01"),
            effective_at=parse_instant(row["effective_at"] or START),
            details={"amount": row["amount"], "currency": "USD"},
        )
    operations.close()


def section_of(customer: str) -> str:
    return customer.partition("-")[0]


def child_of(customer: str) -> str:
    return customer.partition("-")[2]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is over; its drafts are not yet closed. What rolls over is drawn on from
    the second run on."""
    folder = tmp_path_factory.mktemp("credits") / "company"
    write_page(folder, TOLD, "draws")
    check_workspace(Workspace.load(folder))
    enter_by_hand(Workspace.load(folder))
    run_until_close(folder, "2026-11-01T01:00", backfill=True)
    run_until_close(folder, "2026-11-01T02:00", backfill=True)
    return folder


@pytest.fixture(scope="module")
def drawn(company: Path) -> dict[str, list[Any]]:
    """Heading -> (grant, its start, child, line, user, amount)."""
    found: dict[str, list[Any]] = {}
    for row in rows(company, DRAWS):
        found.setdefault(row["customer_name"], []).append(
            (
                row["grant_id"].replace(f"{section_of(row['customer_id'])}-", ""),
                row["starts"],
                child_of(row["customer_id"]),
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
        (
            row["grant"],
            row["from"],
            row.get("child", ""),
            row["line"],
            row.get("user", ""),
            Decimal(row["amount"]),
        )
        for row in TOLD[heading]["draws"]
    ]
    assert sorted(drawn[heading]) == sorted(told)


@pytest.mark.parametrize("heading", TOLD)
def test_the_rest_is_to_pay(heading: str, company: Path) -> None:
    found = rows(
        company,
        "select customer_id, total from invoicing.invoices "
        f"where customer_name = $${heading}$$ and invoice_type = 'USAGE' "
        "and period_end = timestamp '2026-11-01'",
    )
    to_pay = {child_of(row["customer_id"]): row["total"] for row in found}
    assert to_pay == TO_PAY[heading]


@pytest.mark.parametrize("heading", TOLD)
def test_no_other_invoice_is_due_than_the_page_says(
    heading: str, company: Path
) -> None:
    found = rows(
        company,
        "select invoice_type, strftime(issued_at, '%Y-%m-%d') as issued, total "
        "from invoicing.invoices "
        f"where customer_name = $${heading}$$ and invoice_type <> 'USAGE' "
        "order by issued_at, invoice_type",
    )
    assert [tuple(row.values()) for row in found] == [
        (row["type"], row["on"], Decimal(row["total"]))
        for row in OTHER_INVOICES.get(heading, [])
    ]
