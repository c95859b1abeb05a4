"""docs/limits.md is billed, each of its sections as a contract of its own."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.billing_run import check_workspace
from orchestration.workspace import Workspace
from tests.rating.billed_page import event, sections, write_page
from tests.support import copy_of, rows, run_until_close

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
TOLD = sections(PAGE, "invoice")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is closed."""
    folder = tmp_path_factory.mktemp("limits") / "company"
    write_page(folder, TOLD, "invoice")
    check_workspace(Workspace.load(folder))
    run_until_close(folder, "2026-11-02T01:00", backfill=True)
    return folder


@pytest.fixture(scope="module")
def billed(company: Path) -> dict[str, list[Any]]:
    """Heading -> (line, exact amount) in the order of the invoice."""
    found: dict[str, list[Any]] = {}
    for line in rows(
        company,
        "select invoices.customer_name, lines.line_name, lines.amount "
        "from invoicing.invoice_lines as lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        "where invoices.period_end = timestamp '2026-11-01' "
        "and invoices.status = 'FINALIZED' "
        "order by invoices.invoice_id, lines.line_number",
    ):
        found.setdefault(line["customer_name"], []).append(
            (line["line_name"], line["amount"])
        )
    return found


@pytest.mark.parametrize("heading", TOLD)
def test_each_invoice_of_the_page_is_what_is_billed(
    heading: str, billed: dict[str, list[Any]]
) -> None:
    told = TOLD[heading]["invoice"]
    assert billed[heading] == [(row["line"], Decimal(row["amount"])) for row in told]


def test_stripe_is_told_each_line(company: Path, billed: dict[str, list[Any]]) -> None:
    """In cents, in the order of the invoice, with a total of 60.00."""
    assert billed
    told = rows(
        company,
        "select lines.line_type, lines.stripe_amount, lines.description "
        "from publishing.stripe_invoice_line_requests as lines "
        "inner join invoicing.invoices as invoices using (invoice_id) "
        "where invoices.customer_name = 'A composite' order by lines.position",
    )
    assert [tuple(row.values()) for row in told] == [
        ("usage", 1000, "Calls - quantity 100"),
        ("usage", 4000, "Tokens - quantity 200"),
        ("composite", 750, "Support"),
        ("minimum", 250, "Minimum of A composite"),
    ]


def test_a_closed_month_is_rated_again_on_its_own_discounts_and_limits(
    company: Path, billed: dict[str, list[Any]]
) -> None:
    """The catalog has none of them any more when 40 tokens, 10.00, come late for "One
    invoice": 110 - 20 = 90, less 10 % 81.00 instead of 72.00, and the minimum lacks
    150 - 131 = 19.00 instead of 28.00.

    Of "The first charges" 20 tokens, 5.00, come before all the rest: with 15.00 of
    tokens the 20.00 are used up. Calls lose half of 8.00 and of 2.00: 4 + 7 = 11.00
    instead of 8.50.

    40 tokens of "A composite at list prices" are 10.00 at list, 4.00 to pay: 1.50 and
    0.60 of support.
    """
    assert billed
    late = copy_of(company, company.parent / "late")
    for name in (
        *("discounts", "maximums", "minimums"),
        *("overrides", "override_specifiers"),
    ):
        (late / "catalog" / f"{name}.csv").unlink()
    customers = {heading: f"c{number}" for number, heading in enumerate(TOLD)}
    one, first = customers["One invoice"], customers["The first charges"]
    listed = customers["A composite at list prices"]
    (late / "events" / "late.ndjson").write_text(
        event(one, "tokens", "2026-10-20T10:30Z", "40")
        + event(first, "tokens", "2026-10-05T09:00Z", "20")
        + event(listed, "tokens", "2026-10-20T10:30Z", "40")
    )

    run_until_close(late, "2026-11-03T01:00")

    found = {
        (row["customer_id"], row["product_id"]): row
        for row in rows(late, "select * from invoicing.late_usage")
    }
    assert all(row["is_reproduced"] for row in found.values())
    assert {key: row["correction_minor"] for key, row in found.items()} == {
        (one, "tokens"): 900,
        (one, None): -900,
        (first, "tokens"): 0,
        (first, "calls"): 250,
        (listed, "tokens"): 400,
        (listed, "list_support"): 150,
        (listed, "paid_support"): 60,
    }
