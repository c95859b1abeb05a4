"""Every law is green on a sound workspace, and red as soon as its money is wrong.

The queries are the very SQL that dbt compiled for the tests; that dbt fails where they
find rows is shown once, because a dbt run costs seconds and a query a millisecond.
"""

from __future__ import annotations

import duckdb
import pytest

from tests.laws.broken_files import FILES
from tests.laws.broken_rows import STATEMENTS, Case
from tests.laws.house import House
from tests.laws.workspace import SECOND_AS_OF

Compiled = dict[str, str]


@pytest.fixture(scope="module")
def law_results(closed_house: House) -> dict[str, tuple[str, str]]:
    """Name of each law and check -> its status and compiled SQL, on sound data."""
    results = closed_house.law_results(as_of=SECOND_AS_OF)
    closed_house.restore()
    return results


@pytest.fixture(scope="module")
def compiled(law_results: dict[str, tuple[str, str]]) -> Compiled:
    return {name: sql for name, (_status, sql) in law_results.items()}


def red(house: House, compiled: Compiled) -> set[str]:
    """Laws and checks whose query finds rows."""
    with duckdb.connect(str(house.workspace.warehouse), read_only=True) as warehouse:
        found = {
            name: warehouse.execute(compiled[name]).fetchone() for name in compiled
        }
    return {name for name, row in found.items() if row}


def test_every_law_is_green_on_sound_data(
    law_results: dict[str, tuple[str, str]],
) -> None:
    assert {name: status for name, (status, _) in law_results.items()} == {
        name: "pass" for name in law_results
    }
    assert len(law_results) >= 26


def test_every_law_is_broken_by_some_case_here(compiled: Compiled) -> None:
    broken = set().union(*(case.red for case in [*STATEMENTS, *FILES]))
    assert set(compiled) - broken == set()


@pytest.mark.parametrize("case", STATEMENTS, ids=str)
def test_law_goes_red(house: House, compiled: Compiled, case: Case) -> None:
    house.execute(case.change)
    assert red(house, compiled) == case.red


@pytest.mark.parametrize("case", FILES, ids=str)
def test_law_goes_red_over_files(house: House, compiled: Compiled, case: Case) -> None:
    case.change(house)
    assert red(house, compiled) == case.red


def test_dbt_fails_where_the_query_finds_rows(house: House, compiled: Compiled) -> None:
    broken = STATEMENTS[6:9] + STATEMENTS[16:17]
    for case in broken:
        house.execute(case.change)
    expected = red(house, compiled)
    assert len(expected) == 3
    results = house.law_results(as_of=SECOND_AS_OF)
    failed = {name for name, (status, _) in results.items() if status == "fail"}
    assert failed == expected
    stored = "test_failures.law_3_invoice_equals_its_lines"
    assert house.rows(f"select count(*) from {stored}") == [(1,)]
