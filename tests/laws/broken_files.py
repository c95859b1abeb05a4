"""Edits of a sound workspace's files, each with the laws that must notice."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pyarrow.parquet as pq

from tests.laws.broken_rows import Case
from tests.laws.house import House
from tests.laws.workspace import write_ops


def _lose_a_lake_file(house: House) -> None:
    """The file of epsilon's day, which gamma and acme share."""
    folder = house.workspace.lake_events / "event_date=2026-09-25"
    for path in folder.glob("*.parquet"):
        path.unlink()


def _read_one_row_more(house: House) -> None:
    rows = pq.read_table(house.workspace.ops / "landing_files.parquet").to_pylist()
    rows[0]["rows_read"] += 1
    write_ops(house.workspace, "landing_files", rows)


def _replace(table: str, old: str, new: str) -> Callable[[House], None]:
    def change(house: House) -> None:
        path = house.workspace.catalog / f"{table}.csv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def _instruct(
    amount: str,
    effective_at: str = "2026-10-05 00:00:00",
    currency: str = "USD",
    grant: str = "acme-commit",
) -> Callable[[House], None]:
    """A manual ledger entry that the command would have refused."""

    def change(house: House) -> None:
        found = house.rows(
            f"select segment_id from credits.credit_grants where grant_id = '{grant}'"
        )
        row: dict[str, object] = {
            "instruction_number": 1,
            "instruction_id": "i1",
            "kind": "manual_ledger_entry",
            "target_type": "credit_segment",
            "target_id": found[0][0] if found else "seg_gone",
            "actor": "ann",
            "reason": "why",
            "created_at": datetime(2026, 11, 2),
            "effective_at": datetime.fromisoformat(effective_at),
            "payload": json.dumps(
                {"details": {"amount": amount, "currency": currency}}
            ),
        }
        write_ops(house.workspace, "instructions", [row])

    return change


FILES = [
    Case(
        "an entry by hand takes more than was ever granted",
        {"check_manual_entries_fit"},
        _instruct("-60.01"),
    ),
    Case(
        "an entry by hand is of no segment",
        {"check_manual_entries_fit"},
        _instruct("1", grant="gone"),
    ),
    Case(
        "an entry by hand takes effect before its segment starts",
        {"check_manual_entries_fit"},
        _instruct("1", effective_at="2026-09-30 23:00:00"),
    ),
    Case(
        "an entry by hand is in another currency than its segment",
        {"check_manual_entries_fit"},
        _instruct("1", currency="EUR"),
    ),
    Case(
        "a lake file is lost",
        {"law_1_every_event_has_one_fate", "law_1_files_add_up"},
        _lose_a_lake_file,
    ),
    Case(
        "a row was read and is nowhere",
        {"law_1_files_add_up"},
        _read_one_row_more,
    ),
    Case(
        "a contract's billing day is edited in closed time",
        {"check_closed_boundaries_stand"},
        _replace("contracts", "MONTHLY,CONTRACT_START", "MONTHLY,FIRST_OF_MONTH"),
    ),
    Case(
        "what a commit costs is edited after it was billed",
        {"check_billed_purchases_stand"},
        _replace("invoice_schedules", "acme-commit,54,", "acme-commit,55,"),
    ),
    Case(
        "a billed purchase is moved to another day",
        {"check_billed_purchases_stand"},
        _replace("invoice_schedules", "54,2026-10-01", "54,2026-10-02"),
    ),
    Case(
        "a contract's end is moved into closed time",
        {"check_closed_boundaries_stand"},
        _replace("contracts", "2026-10-20T00:00Z", "2026-10-10T00:00Z"),
    ),
    Case(
        "a rate has lost its price steps",
        {"check_money_is_never_null"},
        _replace("rate_tiers", "usd-storage,", "usd-other,"),
    ),
    Case(
        "events of a dynamic price carry none",
        {"check_events_carry_their_price"},
        _replace(
            "rates",
            "flat,model=small|region=us,0.0000005",
            "dynamic,model=small|region=us,",
        ),
    ),
]
