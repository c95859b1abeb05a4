"""Voided invoices, by the command that operators type and over three closes. Every call
costs 1 USD; the figures are worked out by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from tests.rating.metered import OCTOBER, append, write_company
from tests.support import copy_of, rows, run_until_close

NOVEMBER, DECEMBER = "2026-11-01T00:00Z", "2026-12-01T00:00Z"
# Day -> calls.
CALLS: Mapping[str, Mapping[str, int]] = {
    "acme": {"2026-10-10": 4, "2026-11-10": 9},
    "beta": {"2026-10-10": 3, "2026-11-10": 1},
    "gamma": {"2026-10-10": 4, "2026-11-10": 1},
    "delta": {"2026-10-10": 5, "2026-11-10": 4},
    "zeta": {"2026-10-10": 8, "2026-11-10": 1},
}
WELCOME = {
    "credit_id": "welcome",
    "customer_id": "acme",
    "name": "Welcome",
    "currency": "USD",
    "amount": "10",
    "starting_at": OCTOBER,
}
MONTHLY = {
    "recurring_commit_id": "monthly",
    "contract_id": "beta",
    "name": "Monthly",
    "grant_type": "CREDIT",
    "amount": "5",
    "starting_at": OCTOBER,
}
COMMITS = [
    {
        "commit_id": "promise",
        "contract_id": "gamma",
        "commit_type": "POSTPAID",
        "amount": "10",
        "starting_at": OCTOBER,
        "ending_before": DECEMBER,
    },
    {
        "commit_id": "halves",
        "contract_id": "delta",
        "commit_type": "PREPAID",
        "amount": "20",
        "starting_at": OCTOBER,
    },
    {
        "commit_id": "whole",
        "contract_id": "zeta",
        "commit_type": "PREPAID",
        "amount": "10",
        "starting_at": OCTOBER,
    },
]
SCHEDULES = [
    ("promise", "10", DECEMBER),
    ("halves", "12", OCTOBER),
    ("halves", "6", "2026-12-20T00:00Z"),
    ("whole", "10", OCTOBER),
]


def events(month: str) -> str:
    return "".join(
        json.dumps(
            {
                "transaction_id": f"{customer}-{day}-{number}",
                "customer_id": customer,
                "event_type": customer,
                "timestamp": f"{day}T12:00:00Z",
            }
        )
        + "\n"
        for customer, days in CALLS.items()
        for day, calls in days.items()
        if day.startswith(month)
        for number in range(calls)
    )


def void(folder: Path, invoice: str, reason: str = "wrong price") -> Any:
    """Type the command."""
    return CliRunner().invoke(
        app,
        ["void", invoice, "--reason", reason, "--actor", "ann"]
        + ["--workspace", str(folder)],
    )


def invoice_of(folder: Path, customer: str, kind: str, month: str) -> str:
    [row] = rows(
        folder,
        "select invoice_id from invoicing.invoices "
        f"where customer_id = '{customer}' and invoice_type = '{kind}' "
        f"and strftime(period_start, '%Y-%m') = '{month}'",
    )
    return str(row["invoice_id"])


def ledger(folder: Path, grant: str) -> list[tuple[str, int, str, str]]:
    return [
        (
            row["entry_type"].replace("AUTOMATED_INVOICE_", ""),
            row["amount_minor"],
            f"{row['effective_at']:%m-%d}",
            f"{row['posted_at']:%m-%d}" if row["posted_at"] else "pending",
        )
        for row in rows(
            folder,
            f"select * from credits.credit_ledger where grant_id = '{grant}' "
            "order by segment_id, entry_number",
        )
    ]


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October is closed, as of 2 November."""
    folder = tmp_path_factory.mktemp("voids") / "company"
    write_company(
        folder,
        [
            (name, {"metric_id": name, "aggregation": "COUNT", "event_types": name})
            for name in CALLS
        ],
    )
    append(folder, "credits", [WELCOME])
    append(folder, "recurring_commits", [MONTHLY])
    append(
        folder,
        "commits",
        [
            {
                "customer_id": commit["contract_id"],
                "name": commit["commit_id"],
                "currency": "USD",
                **commit,
            }
            for commit in COMMITS
        ],
    )
    append(
        folder,
        "invoice_schedules",
        [
            {"commit_id": commit, "amount": amount, "invoice_at": at}
            for commit, amount, at in SCHEDULES
        ],
    )
    (folder / "events" / "october.ndjson").write_text(events("2026-10"))
    run_until_close(folder, "2026-11-02T01:00", backfill=True)
    return folder


@pytest.fixture(scope="module")
def voided(october: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four invoices of October and a purchase are voided, then the books are closed in
    the middle of November, with the laws: nothing but voids is due."""
    folder = copy_of(october, tmp_path_factory.mktemp("voided") / "company")
    given = [
        void(folder, invoice_of(folder, customer, kind, "2026-10"))
        for customer, kind in (
            ("acme", "USAGE"),
            ("beta", "USAGE"),
            ("gamma", "USAGE"),
            ("delta", "SCHEDULED"),
            ("zeta", "SCHEDULED"),
        )
    ]
    assert [done.exit_code for done in given] == [0] * 5, [x.output for x in given]
    (folder / "events" / "november.ndjson").write_text(events("2026-11"))
    run_until_close(folder, "2026-11-15", schema_tests=True, backfill=True)
    return folder


@pytest.fixture(scope="module")
def november(voided: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """November is closed."""
    folder = copy_of(voided, tmp_path_factory.mktemp("november") / "company")
    run_until_close(folder, "2026-12-02", schema_tests=True, backfill=True)
    return folder


def test_a_void_alone_is_closed(october: Path, voided: Path) -> None:
    assert (
        rows(
            voided,
            "select invoice_count, ledger_entry_count from books.closes "
            "where as_of = timestamp '2026-11-15'",
        )
        # acme 1, beta 2, gamma 1, delta 1, zeta 1.
        == [{"invoice_count": 0, "ledger_entry_count": 6}]
    )
    assert rows(
        voided, "select distinct actor, reason, voided_at from books.voids"
    ) == [
        {
            "actor": "ann",
            "reason": "wrong price",
            "voided_at": rows(october, "select max(as_of) as t from books.closes")[0][
                "t"
            ],
        }
    ]


def test_what_comes_back_is_drawn_by_the_next_period(november: Path) -> None:
    # 10 less 4: 6, and 4 back: 10. November's 9 are all covered.
    assert ledger(november, "welcome") == [
        ("CREDIT_SEGMENT_START", 1000, "10-01", "11-02"),
        ("CREDIT_DEDUCTION", -400, "11-01", "11-02"),
        ("CREDIT_CREDITED", 400, "11-01", "11-15"),
        ("CREDIT_DEDUCTION", -900, "12-01", "12-02"),
    ]


def test_drafts_draw_on_it_at_once(voided: Path) -> None:
    assert ledger(voided, "welcome")[2:] == [
        ("CREDIT_CREDITED", 400, "11-01", "11-15"),
        ("CREDIT_DEDUCTION", -900, "12-01", "pending"),
    ]


def test_what_comes_back_to_an_ended_segment_expires(november: Path) -> None:
    # 5 less 3: 2 expired with October; the 3 that come back follow at once.
    assert ledger(november, "monthly:2026-10-01") == [
        ("CREDIT_SEGMENT_START", 500, "10-01", "11-02"),
        ("CREDIT_DEDUCTION", -300, "11-01", "11-02"),
        ("CREDIT_EXPIRATION", -200, "11-01", "11-02"),
        ("CREDIT_CREDITED", 300, "11-01", "11-15"),
        ("CREDIT_EXPIRATION", -300, "11-01", "11-15"),
    ]


def test_a_promise_is_owed_again(november: Path) -> None:
    # 10 less 4, and 4 back; November counts 1, and 9 are invoiced.
    assert ledger(november, "promise") == [
        ("POSTPAID_COMMIT_INITIAL_BALANCE", 1000, "10-01", "11-02"),
        ("POSTPAID_COMMIT_DEDUCTION", -400, "11-01", "11-02"),
        ("POSTPAID_COMMIT_MANUAL", 400, "11-01", "11-15"),
        ("POSTPAID_COMMIT_DEDUCTION", -100, "12-01", "12-02"),
        ("POSTPAID_COMMIT_TRUEUP", -900, "12-01", "12-02"),
    ]


def test_a_void_purchase_withdraws_its_share(november: Path) -> None:
    # 12 of 18 asked for: round(20 x 12 / 18) = 13.33 of the 15 that October left. 1.67
    # are left for November's 4 calls.
    assert ledger(november, "halves") == [
        ("PREPAID_COMMIT_SEGMENT_START", 2000, "10-01", "11-02"),
        ("PREPAID_COMMIT_DEDUCTION", -500, "11-01", "11-02"),
        ("PREPAID_COMMIT_CANCELED", -1333, "11-02", "11-15"),
        ("PREPAID_COMMIT_DEDUCTION", -167, "12-01", "12-02"),
    ]
    # All of it is void, and 2 are left.
    assert ledger(november, "whole") == [
        ("PREPAID_COMMIT_SEGMENT_START", 1000, "10-01", "11-02"),
        ("PREPAID_COMMIT_DEDUCTION", -800, "11-01", "11-02"),
        ("PREPAID_COMMIT_CANCELED", -200, "11-02", "11-15"),
    ]


def test_a_void_trueup_is_let_go(november: Path, tmp_path: Path) -> None:
    folder = copy_of(november, tmp_path / "company")
    given = void(folder, invoice_of(folder, "gamma", "TRUEUP", "2026-10"), "a goodwill")
    assert given.exit_code == 0, given.output
    # A run of the very instant of the last close: a close of its own all the same.
    run_until_close(folder, "2026-12-02")
    assert rows(
        folder,
        "select count(*) as closes, count(distinct close_id) as ids from books.closes",
    ) == [{"closes": 4, "ids": 4}]
    before = ledger(november, "promise")
    assert Counter(ledger(folder, "promise")) - Counter(before) == Counter(
        [
            ("POSTPAID_COMMIT_MANUAL", 900, "12-01", "12-02"),
            ("POSTPAID_COMMIT_EXPIRATION", -900, "12-01", "12-02"),
        ]
    )
    # The promise is not invoiced again.
    assert [
        row["status"]
        for row in rows(
            folder,
            "select status from invoicing.invoices where invoice_type = 'TRUEUP'",
        )
    ] == ["VOID"]
