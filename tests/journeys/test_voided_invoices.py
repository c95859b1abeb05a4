"""Voided invoices from the command to Stripe and back, over the built-in sandbox. Every
call costs 1 USD."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from tests.rating.metered import write, write_company
from tests.support import rows, run_all, run_until_close

# What Stripe has of the invoice when it is voided.
PROFILES = {
    "unsent": "mail",
    "held": "mail",
    "open": "mail",
    "paid": "cards",
    "kept": "mail",
}


def command(folder: Path, name: str, invoice: str) -> Any:
    return CliRunner().invoke(
        app,
        [name, invoice, "--reason", "wrong", "--actor", "ann"]
        + ["--workspace", str(folder)],
    )


def number_of(folder: Path, customer: str, status: str = "FINALIZED") -> str:
    [row] = rows(
        folder,
        "select invoice_number from invoicing.invoices "
        f"where customer_id = '{customer}' and status = '{status}'",
    )
    return str(row["invoice_number"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is closed; one invoice is voided before anything is sent, three after."""
    folder = tmp_path_factory.mktemp("voided") / "company"
    write_company(
        folder,
        [
            (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
            for name in PROFILES
        ],
    )
    write(
        folder,
        "customers",
        [
            {"customer_id": name, "name": name, "billing_profile_id": profile}
            for name, profile in PROFILES.items()
        ],
    )
    profile = {"stripe_account": "default", "auto_finalize": "true"}
    write(
        folder,
        "billing_profiles",
        [
            {
                **profile,
                "billing_profile_id": "cards",
                "collection_method": "charge_automatically",
                "is_default": "true",
            },
            {
                **profile,
                "billing_profile_id": "mail",
                "collection_method": "send_invoice",
                "days_until_due": "30",
            },
        ],
    )
    (folder / "events" / "october.ndjson").write_text(
        "".join(
            json.dumps(
                {
                    "transaction_id": name,
                    "customer_id": name,
                    "event_type": name,
                    "timestamp": "2026-10-10T12:00:00Z",
                }
            )
            + "\n"
            for name in PROFILES
        )
    )
    run_until_close(folder, "2026-11-02", backfill=True)
    given = [
        command(folder, "hold", number_of(folder, "held")),
        command(folder, "void", number_of(folder, "unsent")),
    ]
    run_all(folder, "2026-11-03")
    given += [
        command(folder, "void", number_of(folder, name))
        for name in ("held", "open", "paid")
    ]
    assert [done.exit_code for done in given] == [0] * 5, [x.output for x in given]
    run_all(folder, "2026-11-04")
    return folder


def test_stripe_follows_where_nobody_has_paid(folder: Path) -> None:
    found = rows(
        folder,
        "select invoices.customer_id, invoices.status, ours.publish_action, "
        "ours.external_status, ours.journal_state, ours.break_reason "
        "from invoicing.invoices as invoices "
        "inner join reconciliation.invoice_reconciliation as ours using (invoice_id) "
        "where invoices.status <> 'DRAFT'",
    )
    void = "void_here_paid_in_stripe"
    assert sorted(tuple(row.values()) for row in found) == [
        ("held", "VOID", "void", "SKIPPED", "voided", None),
        ("kept", "FINALIZED", "send", "FINALIZED", "published", None),
        ("open", "VOID", "void", "VOID", "voided", None),
        ("paid", "VOID", "void", "PAID", "published", void),
        # The customer was new: Stripe was asked whether it has the invoice.
        ("unsent", "VOID", "void", "SKIPPED", "voided", None),
    ]


def test_what_is_void_is_no_revenue(folder: Path) -> None:
    found = rows(
        folder,
        "select customer_id, parts.amount_minor from invoicing.invoice_line_parts "
        "as parts inner join invoicing.invoices using (invoice_id) "
        "where parts.status <> 'DRAFT'",
    )
    assert [tuple(row.values()) for row in found] == [("kept", 100)]


def test_the_next_run_finds_nothing_to_do(folder: Path) -> None:
    before = rows(folder, "select * from books.closes")
    run_all(folder, "2026-11-05")
    assert rows(folder, "select * from books.closes") == before
    assert len(rows(folder, "select * from books.voids")) == 4


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("nothing", "no invoice nothing in invoicing.invoices"),
        ("draft", "is a draft, which every run makes anew"),
        ("void", "was voided by ann already: wrong"),
    ],
)
def test_a_void_that_cannot_be_is_refused(folder: Path, named: str, said: str) -> None:
    if named != "nothing":
        named = number_of(folder, "open", named.upper())
    done = command(folder, "void", named)
    assert done.exit_code != 0
    assert said in " ".join(done.output.split())
