"""Closed time stands: no rebuild, no materialization and no price edit moves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.laws.house import PROJECT, House
from tests.laws.workspace import SECOND_AS_OF

_CLOSED = (
    "select invoice_id, total_minor, content_hash, close_id from invoicing.invoices"
    " where status = 'FINALIZED' order by invoice_id"
)
_DRAFTS = (
    "select customer_id, total_minor from invoicing.invoices"
    " where status = 'DRAFT' order by customer_id"
)


def test_full_refresh_leaves_the_books_alone(house: House) -> None:
    books, closed, drafts = house.books(), house.rows(_CLOSED), house.rows(_DRAFTS)
    house.build(as_of=SECOND_AS_OF, arguments=["--full-refresh"])
    assert house.books() == books
    assert house.rows(_CLOSED) == closed
    assert house.rows(_DRAFTS) == drafts


def test_switching_a_materialization_leaves_the_books_alone(
    house: House, tmp_path: Path
) -> None:
    books, closed, drafts = house.books(), house.rows(_CLOSED), house.rows(_DRAFTS)
    project = tmp_path / "project"
    project.mkdir()
    (project / "dbt_project").symlink_to(PROJECT / "dbt_project")
    (project / "profiles.yml").write_text((PROJECT / "profiles.yml").read_text())
    text = (PROJECT / "dbt_project.yml").read_text()
    tables = "      +schema: invoicing\n      +materialized: table\n"
    assert tables in text
    views = tables.replace("table", "view")
    (project / "dbt_project.yml").write_text(text.replace(tables, views))

    house.build(
        as_of=SECOND_AS_OF,
        arguments=["--select", "path:dbt_project/models/invoicing"],
        project=project,
    )

    [(kind,)] = house.rows(
        "select table_type from information_schema.tables"
        " where table_schema = 'invoicing' and table_name = 'invoices'"
    )
    assert kind == "VIEW"
    assert house.books() == books
    assert house.rows(_CLOSED) == closed
    assert house.rows(_DRAFTS) == drafts


def test_a_price_edit_reaches_drafts_and_never_closed_invoices(house: House) -> None:
    """acme's November: 10,000 x 0.0000005 = 0.005 -> 1 cent; now x 0.005 = 50.00."""
    books, closed = house.books(), house.rows(_CLOSED)
    assert ("acme", 11) in house.rows(_DRAFTS)
    rates = house.workspace.catalog / "rates.csv"
    text = rates.read_text()
    assert "region=us,0.0000005," in text
    rates.write_text(text.replace("region=us,0.0000005,", "region=us,0.005,"))

    house.build(
        as_of=SECOND_AS_OF,
        arguments=["--select", "stg_catalog__rates+", "--exclude", "tag:reader+"],
    )
    house.build(as_of=SECOND_AS_OF, arguments=["--select", "invoices"])

    assert house.books() == books
    assert house.rows(_CLOSED) == closed
    assert ("acme", 5010) in house.rows(_DRAFTS)
    late = house.rows(
        "select product_id, correction_minor, is_reproduced from invoicing.late_usage"
        " order by product_id"
    )
    # Late usage is priced as it would have been then.
    assert late == [("requests", 5, True), ("tokens", 40, True)]


def test_closing_twice_closes_once(house: House) -> None:
    books = house.books()
    house.close(as_of=SECOND_AS_OF)
    assert house.books() == books


def _nothing_is_too_young_to_close(house: House) -> None:
    house.execute("update invoicing.draft_invoices set is_closable = true")


def test_drafts_of_another_instant_are_not_closed(house: House) -> None:
    books = house.books()
    _nothing_is_too_young_to_close(house)
    with pytest.raises(AssertionError, match="draft tables were built as"):
        house.close(as_of="2026-11-02T01:00Z")
    assert house.books() == books


def test_drafts_of_another_catalog_are_not_closed(house: House) -> None:
    """Their prices would be frozen beside invoices that they did not make."""
    books = house.books()
    _nothing_is_too_young_to_close(house)
    rates = house.workspace.catalog / "rates.csv"
    rates.write_text(rates.read_text().replace("0.0000005,", "0.005,"))
    with pytest.raises(AssertionError, match="draft tables were built as"):
        house.close(as_of=SECOND_AS_OF)
    assert house.books() == books


def test_an_instant_before_the_last_close_closes_nothing(house: House) -> None:
    """An entry is due, and no draft invoice tells that the build was another one."""
    books = house.books()
    house.execute(
        "delete from invoicing.draft_invoices;"
        "insert into credits.draft_ledger_entries by name"
        " select 'le_due' as entry_id, 'CREDIT_MANUAL' as entry_type, grant_id,"
        " segment_id, customer_id, currency, 1 as amount_minor,"
        " true as posts_at_close, starting_at as effective_at"
        " from credits.credit_grants where grant_id = 'acme-commit'"
    )
    with pytest.raises(AssertionError, match="read-only preview"):
        house.close(as_of="2026-10-30T00:00Z")
    assert house.books() == books


def test_rows_of_a_dead_close_are_invisible(house: House) -> None:
    """An engine without transactions can leave rows whose header was never written."""
    closed, drafts = house.rows(_CLOSED), house.rows(_DRAFTS)
    house.execute(
        "insert into books.invoices by name select * replace ('cl_dead' as close_id,"
        " 'inv_dead' as invoice_id) from books.invoices limit 1;"
        "insert into books.invoice_lines by name select * replace"
        " ('cl_dead' as close_id, 'inv_dead' as invoice_id)"
        " from books.invoice_lines limit 1"
    )
    house.build(
        as_of=SECOND_AS_OF,
        arguments=["--select", "stg_books__invoices+1", "stg_books__invoice_lines+1"],
    )
    assert house.rows(_CLOSED) == closed
    assert house.rows(_DRAFTS) == drafts
