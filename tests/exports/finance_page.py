"""Reads docs/finance.md and docs/ledger.md: questions, and answers as they show them.

A question is a ```sql block; its answer is the Markdown table that follows. The page
shows values the way `cell_text` writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from orchestration.finance import TABLES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "finance.md"
LEDGER_PAGE = PAGE.with_name("ledger.md")
FENCE = "```"
NO_ROWS = "*(no rows)*"


@dataclass(frozen=True)
class Question:
    """A query of the page and the lines that answer it.

    `title` is the nearest heading; `start` and `end` are the answer's lines in the
    page, counted from 0, `end` exclusive; equal when there is no answer.
    """

    title: str
    sql: str
    answer: str
    start: int
    end: int


@dataclass(frozen=True)
class Answer:
    """What a query says: column names, their alignment, rows of Python values."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Any, ...], ...]

    def records(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def questions(page: Path = PAGE) -> list[Question]:
    """The page's ```sql blocks in their order, each with its answer."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found = []
    title = ""
    for number, line in enumerate(lines):
        if line.startswith("#"):
            title = line.lstrip("# ")
        if line == f"{FENCE}sql":
            closing = lines.index(FENCE, number)
            start, end = _answer_span(lines, closing + 1)
            found.append(
                Question(
                    title,
                    "\n".join(lines[number + 1 : closing]),
                    "\n".join(lines[start:end]),
                    start,
                    end,
                )
            )
    return found


def _answer_span(lines: Sequence[str], after: int) -> tuple[int, int]:
    start = after
    while start < len(lines) and not lines[start]:
        start += 1
    end = start
    while end < len(lines) and (lines[end].startswith("|") or lines[end] == NO_ROWS):
        end += 1
    return (start, end) if end > start else (after, after)


def ask(finance: Path, sql: str) -> Answer:
    """Run a query on a finance.duckdb, read only and in UTC."""
    with duckdb.connect(str(finance), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        cursor = con.execute(sql)
        description = cursor.description or []
        return Answer(
            tuple(column[0] for column in description),
            tuple(_is_number(str(column[1])) for column in description),
            tuple(tuple(row) for row in cursor.fetchall()),
        )


def shuffle(finance: Path, target: Path) -> None:
    """A copy with the rows of every table in another order."""
    with duckdb.connect(str(target)) as con:
        con.execute(f"attach '{finance}' as original (read_only)")
        for schema, tables in TABLES.items():
            con.execute(f"create schema {schema}")
            for table in tables:
                con.execute(
                    f"create table {schema}.{table} as "
                    f"select t.* from original.{schema}.{table} as t "
                    "order by md5(cast(t as varchar))"
                )


def _is_number(type_name: str) -> bool:
    return type_name.upper().startswith(
        ("BIGINT", "DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "INTEGER", "NUMBER")
    )


def table_text(answer: Answer) -> str:
    """The answer as a Markdown table, padded so that it reads well as plain text.

    Numbers stand to the right. No row at all is said in words.
    """
    if not answer.rows:
        return NO_ROWS
    cells = [answer.columns, *(tuple(map(cell_text, row)) for row in answer.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(row, widths, answer.numeric) for row in cells]
    rules = [
        "-" * (width - 1) + ":" if right else "-" * width
        for width, right in zip(widths, answer.numeric, strict=True)
    ]
    lines.insert(1, f"| {' | '.join(rules)} |")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    return f"| {' | '.join(padded)} |"


def cell_text(value: Any) -> str:
    """One value as the page shows it.

    NULL is an empty cell. A decimal is exact: zeros at its end go, down to two places.
    Instants are UTC to the minute; finer ones keep their seconds.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return _decimal_text(value)
    if isinstance(value, datetime):
        return str(value) if value.second or value.microsecond else f"{value:%F %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        raise TypeError(f"{value!r} is binary floating point; money never is")
    return str(value).replace("|", "\\|")


def _decimal_text(value: Decimal) -> str:
    whole, _, fraction = f"{value:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def rendered(finance: Path, page: Path = PAGE) -> str:
    """The page's text with every answer as `finance` gives it now."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for question in reversed(questions(page)):
        fresh = table_text(ask(finance, question.sql)).splitlines()
        if question.start == question.end:
            fresh = ["", *fresh]
        lines[question.start : question.end] = fresh
    return "\n".join(lines) + "\n"


def documented_tables(page: Path = PAGE) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tables of the page's list (`schema.table`) with the columns of their grain."""
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3 and "." in cells[0]:
            grain = tuple(part.strip("` ") for part in cells[1].split(","))
            yield cells[0].strip("`"), grain
