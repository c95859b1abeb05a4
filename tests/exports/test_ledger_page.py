"""docs/ledger.md tells the truth: every query runs, every answer is what it says.

What the page tells is laid down by hand, and is the same in a sample company of any
size. After a change of the figures look at the difference
and run `python -m tests.exports.render_finance_page`.
"""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.demo import START
from orchestration.sample_company import correction
from tests.exports.finance_page import (
    LEDGER_PAGE,
    Question,
    ask,
    questions,
    shuffle,
    table_text,
)

QUESTIONS = questions(LEDGER_PAGE)
NAMES = [f"{number}-{q.title[:30]}" for number, q in enumerate(QUESTIONS)]


@pytest.fixture(scope="module")
def finance(sample_workspace: Path) -> Path:
    """What finance has after the demo's three months."""
    return sample_workspace / "finance.duckdb"


@pytest.fixture(scope="module")
def other_order(finance: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("order") / "finance.duckdb"
    shuffle(finance, path)
    return path


@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES)
def test_the_answer_is_what_the_query_says(finance: Path, question: Question) -> None:
    assert question.answer
    assert table_text(ask(finance, question.sql)) == question.answer


@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES)
def test_the_order_of_the_answer_is_no_accident(
    other_order: Path, question: Question
) -> None:
    assert table_text(ask(other_order, question.sql)) == question.answer


def test_every_posted_entry_is_on_the_page(finance: Path) -> None:
    """The ledger of the customer has no entry that the page leaves out."""
    posted = ask(
        finance,
        "select grant_id, entry_type from credits.credit_ledger "
        "where customer_id = 'northgate' and entry_state = 'posted'",
    ).rows
    told = [
        tuple(cell.strip() for cell in line.strip("|").split("|")[1:3])
        for question in QUESTIONS
        if "ledger.posted_at = " in question.sql
        for line in question.answer.splitlines()[2:]
    ]
    assert sorted(told) == sorted(posted)
    pending = "select 1 from credits.credit_ledger where customer_id = 'northgate'"
    assert len(ask(finance, pending).rows) == len(posted)


def test_the_entry_by_hand_is_the_demos() -> None:
    (command,) = re.findall(
        r"^(meterhouse ledger-entry .*?)\n```",
        LEDGER_PAGE.read_text(encoding="utf-8"),
        flags=re.S | re.M,
    )
    _, _, grant, *options = shlex.split(command.replace("\\\n", ""))
    said = dict(zip(options[::2], options[1::2], strict=True))
    given = correction(START)
    assert (grant, said) == (
        given.grant_id,
        {
            "--amount": given.amount,
            "--effective-at": f"{given.effective_at:%Y-%m-%dT%H:%MZ}",
            "--reason": given.reason,
            "--actor": given.actor,
        },
    )
    assert datetime(2026, 9, 15, tzinfo=UTC) == given.effective_at
