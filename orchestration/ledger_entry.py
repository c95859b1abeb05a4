"""Manual ledger entries: what an operator gives to a grant, or takes from it, by hand.

Recorded as an instruction that every later run reads (dbt_project/models/rating/
manual_entries.sql). Looked at here, while somebody is there to correct it, is what a
run would stop at.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.billing_run import RunRefused, exclusive
from orchestration.grain import LENGTHS, ON_IT
from orchestration.operations import Operations
from orchestration.warehouse import Warehouse, last_run
from orchestration.workspace import Workspace

KIND = "manual_ledger_entry"
TARGET_TYPE = "credit_segment"
# 15 digits before the point: any sum of entries fits 64 bits of minor units.
AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]+)?")
# 64 bits of smallest parts, as macros/money.sql has it.
HELD = 9 * 10**18
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Segment:
    """An access segment as the last run knew it; instants are aware UTC."""

    segment_id: str
    grant_id: str
    currency: str
    pricing_unit_id: str | None
    exponent: int
    amount_minor: int
    starting_at: datetime
    ending_before: datetime | None

    @property
    def unit(self) -> str:
        """What the segment is in: its pricing unit, or its currency."""
        return self.pricing_unit_id or self.currency

    def money(self, minor: int) -> str:
        """Minor units, or smallest parts of the pricing unit, as text: `12.50 USD`."""
        return f"{self.units(minor)} {self.unit}"

    def units(self, minor: int) -> str:
        """The same in whole units, as decimal text."""
        return f"{Decimal(minor).scaleb(-self.exponent):f}"


@dataclass(frozen=True)
class LedgerEntry:
    """An entry that stands: `is_new` unless it had been instructed before.

    `balance_minor` is what the segment has then, by posted and instructed entries.
    """

    instruction_id: str
    segment: Segment
    amount_minor: int
    balance_minor: int
    effective_at: datetime
    is_new: bool


@dataclass(frozen=True, order=True)
class _Movement:
    """A change of a balance, in the order of macros/credits.sql, entry_order."""

    effective_at: datetime
    place: int
    amount_minor: int


def enter(
    workspace: Workspace,
    segment: str,
    amount: str,
    reason: str,
    actor: str,
    effective_at: datetime | None = None,
) -> LedgerEntry:
    """Record a signed amount, in whole units of what the segment is in, for a segment
    named by its id or by the id of a grant that has one; effective at the segment's
    start if not said.

    An entry with the amount, instant and reason of an earlier one is that one, whoever
    gave it and whenever. Dated at the last build or close, whichever is later, so that
    the next run hears of it and no earlier one does.

    Raises:
        RunRefused: the entry can't stand; the text says what would be right.
    """
    for name, said in (("reason", reason), ("actor", actor)):
        if not said.strip():
            raise RunRefused(f"--{name} is blank: an entry of the ledger says it")
    with exclusive(workspace):
        warehouse = Warehouse(workspace)
        found = _segment(warehouse, segment)
        minor = _minor(amount, found)
        moment = _moment(workspace, effective_at or found.starting_at, found)
        operations = Operations.open(workspace)
        try:
            return _record(
                operations, warehouse, found, minor, moment, reason.strip(), actor
            )
        finally:
            operations.close()


def _record(
    operations: Operations,
    warehouse: Warehouse,
    segment: Segment,
    minor: int,
    moment: datetime,
    reason: str,
    actor: str,
) -> LedgerEntry:
    details = {"amount": segment.units(minor), "currency": segment.currency}
    if segment.pricing_unit_id:
        details["pricing_unit_id"] = segment.pricing_unit_id
    instructed = operations.instructions(
        kind=KIND, target_type=TARGET_TYPE, target_id=segment.segment_id
    )
    movements = _movements(warehouse, segment, instructed)
    balance = sum(movement.amount_minor for movement in movements)
    for earlier in instructed:
        if (earlier["effective_at"], earlier["reason"]) == (moment, reason) and earlier[
            "payload"
        ]["details"] == details:
            return LedgerEntry(
                earlier["instruction_id"], segment, minor, balance, moment, False
            )
    _refuse_overdraft(segment, movements, _manual(moment, minor))
    instruction_id = operations.add_instruction(
        kind=KIND,
        target_type=TARGET_TYPE,
        target_id=segment.segment_id,
        actor=actor,
        reason=reason,
        created_at=last_run(warehouse),
        effective_at=moment,
        before={"balance": segment.units(balance)},
        after={"balance": segment.units(balance + minor)},
        details=details,
    )
    return LedgerEntry(instruction_id, segment, minor, balance + minor, moment, True)


def _segment(warehouse: Warehouse, named: str) -> Segment:
    try:
        rows = warehouse.rows_or_none(
            "select segment_id, grant_id, grant_type, grants.currency, "
            "grants.pricing_unit_id, "
            "coalesce(units.decimal_places, minor_unit_exponent) as exponent, "
            "amount_minor, starting_at, ending_before "
            "from credits.credit_grants as grants "
            "inner join staging.stg_currencies as currencies "
            "on grants.currency = currencies.currency "
            "left join staging.stg_catalog__pricing_units as units "
            "on grants.pricing_unit_id = units.pricing_unit_id "
            "order by starting_at, segment_id"
        )
    except duckdb.BinderException as error:
        raise RunRefused(
            "the last run was of an earlier version: meterhouse run first"
        ) from error
    if rows is None:
        raise RunRefused(
            "there is no run yet whose grants could be looked at: meterhouse run first"
        )
    found = [row for row in rows if row["segment_id"] == named]
    found = found or [row for row in rows if row["grant_id"] == named]
    if not found:
        known = {str(row[name]) for row in rows for name in ("segment_id", "grant_id")}
        near = difflib.get_close_matches(named, sorted(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "that table lists them"
        raise RunRefused(
            f"the last run knows no segment or grant {named} "
            f"(credits.credit_grants): {hint}"
        )
    if len(found) > 1:
        choice = ", ".join(
            f"{row['segment_id']} ({row['grant_type']}, {row['starting_at']:%Y-%m-%d})"
            for row in found
        )
        raise RunRefused(f"{named} has {len(found)} segments, name one: {choice}")
    row = found[0]
    return Segment(
        row["segment_id"],
        row["grant_id"],
        row["currency"],
        row["pricing_unit_id"],
        int(row["exponent"]),
        int(row["amount_minor"]),
        row["starting_at"].replace(tzinfo=UTC),
        row["ending_before"] and row["ending_before"].replace(tzinfo=UTC),
    )


def _minor(amount: str, segment: Segment) -> int:
    if not AMOUNT.fullmatch(amount.strip()):
        raise RunRefused(
            f"the amount {amount!r} is no decimal number: write it like 25 or -12.50"
        )
    scaled = Decimal(amount.strip()).scaleb(segment.exponent)
    if scaled == 0:
        raise RunRefused(
            "the amount is zero: an entry gives (+) or takes (-) something"
        )
    if scaled != int(scaled):
        raise RunRefused(
            f"the amount {amount} is finer than {segment.unit}, "
            f"which has {segment.exponent} decimal places"
        )
    if abs(scaled) >= HELD:
        raise RunRefused(
            f"the amount {amount} is more than a balance in {segment.unit} can hold"
        )
    return int(scaled)


def _moment(workspace: Workspace, moment: datetime, segment: Segment) -> datetime:
    end = segment.ending_before
    if moment < segment.starting_at or (end is not None and moment >= end):
        until = f"before {_shown(end)}" if end else "without an end"
        raise RunRefused(
            f"{_shown(moment)} is outside of the segment: it takes effect from "
            f"{_shown(segment.starting_at)}, {until}"
        )
    grain = workspace.settings.metering_grain
    if (moment - EPOCH) % LENGTHS[grain]:
        raise RunRefused(
            f"{_shown(moment)} is off the metering grain: an entry takes effect "
            f"{ON_IT[grain]}"
        )
    return moment


def _movements(
    warehouse: Warehouse, segment: Segment, instructed: list[dict[str, Any]]
) -> list[_Movement]:
    """What the books say of the segment, its start, and what was instructed since."""
    try:
        posted = warehouse.rows(
            "select entry_type, source_id, amount_minor, effective_at "
            "from books.ledger_entries as entries "
            "inner join books.closes as closes on entries.close_id = closes.close_id "
            f"where segment_id = '{segment.segment_id}'"
        )
    except duckdb.BinderException as error:
        raise RunRefused(
            "the books are of an earlier version: meterhouse run brings them up to date"
        ) from error
    kinds = {str(row["entry_type"]) for row in posted}
    if any(kind.endswith("EXPIRATION") for kind in kinds):
        raise RunRefused(
            f"{segment.segment_id} has ended and what was left is posted as expired: "
            "give a new credit"
        )
    movements = [
        _Movement(
            row["effective_at"].replace(tzinfo=UTC),
            _place(str(row["entry_type"]), int(row["amount_minor"])),
            int(row["amount_minor"]),
        )
        for row in posted
    ]
    if not any(kind.endswith("SEGMENT_START") for kind in kinds):
        movements.append(_Movement(segment.starting_at, 1, segment.amount_minor))
    sources = {row["source_id"] for row in posted}
    for earlier in instructed:
        if earlier["instruction_id"] not in sources:
            units = Decimal(earlier["payload"]["details"]["amount"])
            movements.append(
                _manual(earlier["effective_at"], int(units.scaleb(segment.exponent)))
            )
    return movements


def _refuse_overdraft(
    segment: Segment, movements: list[_Movement], entry: _Movement
) -> None:
    """At its instant and ever after the segment must have what the entry takes."""
    left = sum(one.amount_minor for one in movements if one <= entry)
    lowest = left
    for one in sorted(one for one in movements if one > entry):
        left += one.amount_minor
        lowest = min(lowest, left)
    if entry.amount_minor < 0 and -entry.amount_minor > lowest:
        raise RunRefused(
            f"the entry takes {segment.money(-entry.amount_minor)}, more than the "
            f"{segment.money(max(lowest, 0))} that {segment.segment_id} has left from "
            f"{_shown(entry.effective_at)} on, by what is posted and instructed"
        )


def _place(entry_type: str, minor: int) -> int:
    if entry_type.endswith("SEGMENT_START"):
        return 1
    if entry_type.endswith("CREDITED"):
        return 2
    if entry_type.endswith("DEDUCTION"):
        return 3
    return 4 if minor > 0 else 5


def _manual(moment: datetime, minor: int) -> _Movement:
    return _Movement(moment, _place("MANUAL", minor), minor)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"
