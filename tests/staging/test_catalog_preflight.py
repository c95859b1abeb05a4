"""Each mistake in the price book gives one message that names its place."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from catalog_mistakes import CONTRACT, MISTAKES, RATE, Mistake
from price_mistakes import PRICE_MISTAKES
from staging_helpers import starter, tree_digest

from orchestration.catalog import (
    catalog_hash,
    check_catalog,
    declaration,
)
from orchestration.workspace import Workspace

FOLLOWS = "is not in catalog/|no such customer in the catalog"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return starter(tmp_path_factory.mktemp("pristine") / "company")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return starter(tmp_path / "company")


@pytest.mark.parametrize(
    "mistake", [*MISTAKES, *PRICE_MISTAKES], ids=lambda mistake: mistake.name
)
def test_each_mistake_gives_one_message(workspace: Workspace, mistake: Mistake) -> None:
    if mistake.first:
        file, old, new = mistake.first
        earlier = workspace.catalog / f"{file}.csv"
        earlier.write_text(earlier.read_text().replace(old, new, 1))
    path = workspace.catalog / f"{mistake.file}.csv"
    if mistake.old is None:
        path.write_text(mistake.new)
    else:
        text = path.read_text()
        assert mistake.old in text
        path.write_text(text.replace(mistake.old, mistake.new, 1))
    if mistake.name == "grant_on_another_contract":
        customers = workspace.catalog / "customers.csv"
        customers.write_text(customers.read_text() + "beta,Beta,,,\n")
    before = tree_digest(workspace.directory)

    problems = check_catalog(workspace)

    shown = "\n".join(str(problem) for problem in problems)
    mine = [p for p in problems if mistake.problem in p.problem]
    assert len(mine) == 1, shown
    (found,) = mine
    assert found.file == f"catalog/{mistake.at or mistake.file}.csv"
    assert (found.row, found.field) == (mistake.row, mistake.field)
    assert mistake.remedy in found.remedy
    assert found.remedy
    # Nothing else is reported, but for rows elsewhere that named what is now wrong.
    others = [p for p in problems if p is not found]
    assert all(re.search(FOLLOWS, other.problem) for other in others), shown
    assert tree_digest(workspace.directory) == before


def test_the_starter_is_correct(pristine: Workspace) -> None:
    assert check_catalog(pristine) == []


def test_a_missing_required_file_is_named(workspace: Workspace) -> None:
    (workspace.catalog / "rates.csv").unlink()
    (problem,) = check_catalog(workspace)
    assert (problem.file, problem.problem) == (
        "catalog/rates.csv",
        "the file is missing",
    )
    assert "unit_price" not in problem.remedy and "rate_card_id" in problem.remedy


def test_optional_files_may_be_missing(workspace: Workspace) -> None:
    (workspace.catalog / "credits.csv").unlink()
    assert check_catalog(workspace) == []


def test_text_that_is_not_utf8_is_named_by_row(workspace: Workspace) -> None:
    path = workspace.catalog / "customers.csv"
    path.write_bytes(path.read_bytes().replace(b"Robotics", b"Robotics \xe9"))
    (problem,) = check_catalog(workspace)
    assert (problem.file, problem.row) == ("catalog/customers.csv", 2)
    assert "not UTF-8" in problem.problem


def test_a_byte_order_mark_and_windows_newlines_are_accepted(
    workspace: Workspace,
) -> None:
    for path in workspace.catalog.glob("*.csv"):
        content = path.read_bytes().replace(b"\n", b"\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + content)
    assert check_catalog(workspace) == []


def test_rows_are_line_numbers_behind_blank_and_long_rows(
    workspace: Workspace,
) -> None:
    path = workspace.catalog / "customers.csv"
    path.write_text('customer_id,name\n\nacme,"Acme\nRobotics"\nbe ta,Beta\n')
    (problem,) = check_catalog(workspace)
    assert (problem.row, problem.field) == (5, "customer_id")


def test_at_most_twenty_rows_of_a_kind_are_listed(workspace: Workspace) -> None:
    path = workspace.catalog / "customers.csv"
    rows = "".join(f"customer {i},Name,,,\n" for i in range(50))
    path.write_text(path.read_text() + rows)
    problems = check_catalog(workspace)
    assert len(problems) == 21
    assert problems[-1].problem == "and 30 more rows like these"


def test_adjacent_windows_do_not_overlap(workspace: Workspace) -> None:
    rates = workspace.catalog / "rates.csv"
    ended = f"{RATE}2026-11-01T00:00:00Z"
    later = RATE.replace("tokens-small", "later").replace("-10-", "-11-")
    rates.write_text(rates.read_text().replace(RATE, f"{ended}\n{later}"))
    contracts = workspace.catalog / "contracts.csv"
    first = "acme-0,acme,standard,x,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,,\n"
    contracts.write_text(contracts.read_text().replace(CONTRACT, first + CONTRACT))
    assert check_catalog(workspace) == []


def test_settings_must_name_what_the_catalog_has(workspace: Workspace) -> None:
    text = workspace.settings_file.read_text().replace("    acme:", "    acne:")
    workspace.settings_file.write_text(text.replace("USD", "USX"))
    problems = check_catalog(Workspace.load(workspace.directory))
    assert [(p.file, p.field) for p in problems] == [
        ("meterhouse.yml", "currency_default"),
        ("meterhouse.yml", "sandbox.customers.acne"),
    ]


def test_the_hash_follows_names_and_contents(workspace: Workspace) -> None:
    before = catalog_hash(workspace)
    assert catalog_hash(workspace) == before
    path = workspace.catalog / "credits.csv"
    text = path.read_text()
    path.write_text(text.replace("Welcome", "Hello"))
    changed = catalog_hash(workspace)
    path.write_text(text)
    assert changed != before == catalog_hash(workspace)
    path.rename(workspace.catalog / "commits.csv")
    assert catalog_hash(workspace) != before


def test_every_declared_column_says_what_it_is() -> None:
    tables = {table.name: table for table in declaration()}
    for table in tables.values():
        names = [column.name for column in table.columns]
        assert set(table.key) <= set(names)
        for column in table.columns:
            assert column.description.endswith(".")
            if reference := column.meta.get("references"):
                target, key = reference.split(".")
                assert tables[target].key[0] == key


def test_a_large_catalog_takes_seconds(workspace: Workspace) -> None:
    count = 20_000
    customers = "".join(f"c{i},Customer {i},,alias{i},cards\n" for i in range(count))
    contracts = "".join(
        f"k{i},c{i},standard,x,2026-10-01T00:00:00Z,,,\n" for i in range(count)
    )
    rates = "".join(
        f"r{i},standard,tokens,flat,model=m{i},1,2026-10-01T00:00:00Z,\n"
        for i in range(count)
    )
    for name, rows in (
        ("customers", customers),
        ("contracts", contracts),
        ("rates", rates),
    ):
        path = workspace.catalog / f"{name}.csv"
        path.write_text(path.read_text() + rows)
    begun = time.perf_counter()
    assert check_catalog(workspace) == []
    assert time.perf_counter() - begun < 20
