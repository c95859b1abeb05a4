"""`meterhouse diff` on worked examples: the lines an edit changes, and nothing written.

The small workspace of the laws, as of 25 October with that day's close made: gamma's
last invoice is in the books, October is open for acme, beta and delta. Before an edit:

    acme  tokens, small, us     4.5 M at 0.0000005                           2.25 USD
    acme  storage, us           10 at 0.023 + 90.5 at 0.0205 = 2.08525       2.09 USD
    beta  tokens, large, us     900,000 + 333,333 at 0.0003 = 369.9999       370  JPY
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestration.billing_run import RunRefused, exclusive
from orchestration.cli import app
from orchestration.dbt_runner import DbtError
from orchestration.draft_diff import DraftDiff, LineChange, diff_drafts, write_csv
from orchestration.run_report import print_diff
from orchestration.workspace import Workspace
from tests.journeys.test_own_sql import workspace as workspace_with_own_sql
from tests.laws.house import House
from tests.laws.workspace import (
    FIRST_AS_OF,
    FIRST_LANDING,
    SECOND_LANDING,
    create,
    land,
)
from tests.support import copy_of, run_until_close

AS_OF = "2026-10-25T00:00Z"
DRAFTS = ["--exclude", "tag:reader+", "path:dbt_project/models/exports"]

Edited = Callable[..., Path]


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two closes, and October drafted as of the second."""
    scratch = tmp_path_factory.mktemp("diff")
    house = House(create(scratch / "workspace"), scratch)
    for landing, as_of in ((FIRST_LANDING, FIRST_AS_OF), (SECOND_LANDING, AS_OF)):
        land(house.workspace, landing)
        house.build(as_of=as_of, arguments=DRAFTS)
        house.close(as_of=as_of)
    with exclusive(house.workspace):
        pass  # The lock file that every run leaves.
    return house


@pytest.fixture
def edited(drafted: House, tmp_path: Path) -> Edited:
    """A copy of the workspace with `old` in a file of its catalog become `new`."""

    def edit(file: str = "rates", old: str = "", new: str = "") -> Path:
        folder = copy_of(drafted.directory, tmp_path / "workspace")
        path = folder / "catalog" / f"{file}.csv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new) if old else text + new)
        return folder

    return edit


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file; folders have none."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(folder.rglob("*"))
    }


def diff(folder: Path) -> tuple[DraftDiff, set[str]]:
    """The differences and the models built for them; the workspace stays as it is."""
    before, built = tree(folder), set()
    found = diff_drafts(Workspace.load(folder), lambda node: built.add(node.name))
    assert tree(folder) == before
    return found, built


def money(found: DraftDiff) -> list[tuple[str, str, str, str, str, str]]:
    """Customer, line, groups, old, new and difference as they are printed."""
    return [
        (
            change.customer_id,
            change.line_name,
            change.groups,
            "" if change.old is None else str(change.old),
            "" if change.new is None else str(change.new),
            str(change.difference),
        )
        for change in found.changes
    ]


def test_edited_prices_show_in_the_open_drafts_alone(edited: Edited) -> None:
    """A dearer price, a new tier, a rate removed, and a contract that ends before."""
    folder = edited("rates", "small|region=us,0.0000005,", "small|region=us,0.000001,")
    rate = "jpy-large-us,jpy,tokens,flat,model=large|region=us,0.0003,2026-08-01T00:00Z"
    for file, old, new in (
        ("rates", f"{rate},,\n", ""),
        (
            "rate_tiers",
            "usd-storage,10,,0.0205\n",
            "usd-storage,10,50,0.0205\nusd-storage,50,,0.01\n",
        ),
        (
            "contracts",
            "delta-1,delta,usd,Delta idle,2026-09-01T00:00Z,",
            "delta-1,delta,usd,Delta idle,2026-09-01T00:00Z,2026-10-01T00:00Z",
        ),
    ):
        path = folder / "catalog" / f"{file}.csv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    found, built = diff(folder)
    # 4.5 M at 0.000001 = 4.50. acme's commit is used up by other lines either way.
    # gamma used 2.7 M of the same price, all of it in closed periods: no line.
    # 10 x 0.023 + 40 x 0.0205 + 50.5 x 0.01 = 0.23 + 0.82 + 0.505 = 1.555, to 1.56.
    assert sorted(money(found)) == [
        ("acme", "Storage", "region=us", "2.09", "1.56", "-0.53"),
        ("acme", "Tokens", "model=small, region=us", "2.25", "4.50", "2.25"),
        ("beta", "Tokens", "model=large, region=us", "370", "", "-370"),
        ("delta", "Requests", "", "0.00", "", "0.00"),
    ]
    assert found.changed_files == ("contracts.csv", "rate_tiers.csv", "rates.csv")
    # acme 80.30 + 2.25 + 2.09 + 0.53 - 60.00 - 0.05 = 25.12, delta 0.00.
    totals = [(t.currency, str(t.old), str(t.new), t.vanished) for t in found.totals]
    assert totals == [("JPY", "370", "0", 1), ("USD", "25.12", "26.84", 1)]
    assert (found.invoices_appeared, found.invoices_vanished) == (0, 1)
    assert not found.notes
    # Prices do not decide what is metered.
    assert "rated_usage" in built and "metered_usage" not in built


def test_an_added_product_brings_lines(edited: Edited) -> None:
    folder = edited("products", new="archive,Archive,USAGE,storage,,\n")
    rates = folder / "catalog" / "rates.csv"
    rates.write_text(
        rates.read_text() + "usd-archive,usd,archive,flat,,0.002,2026-08-01T00:00Z,,\n"
    )
    found, built = diff(folder)
    # acme's 100.5 GB at 0.002 = 0.201; delta is idle: a line of nothing is a line.
    assert money(found) == [
        ("acme", "Archive", "", "", "0.20", "0.20"),
        ("delta", "Archive", "", "", "0.00", "0.00"),
    ]
    assert found.changed_files == ("products.csv", "rates.csv")
    # Storage was metered by region only: products decide by which keys.
    assert "metered_usage" in built


def test_a_price_that_is_computed(tmp_path: Path) -> None:
    folder = workspace_with_own_sql(tmp_path / "acme")
    run_until_close(folder, "2026-09-15")
    with exclusive(Workspace.load(folder)):
        pass  # The lock file that every run leaves.
    model = folder / "models" / "cost_plus.sql"
    model.write_text(model.read_text().replace("1.2", "1.5"))
    found, _ = diff(folder)
    # 5 calls at 0.10 + 20 % = 0.60; at 0.10 + 50 % = 0.75.
    assert money(found) == [("acme", "Calls", "model=a", "0.60", "0.75", "0.15")]
    assert found.changed_files == ()


def test_an_edit_that_moves_closed_time_is_refused_as_in_a_run(edited: Edited) -> None:
    folder = edited("contracts", ",2026-10-20T00:00Z,", ",2026-12-20T00:00Z,")
    before = tree(folder)
    with pytest.raises(DbtError, match="check_closed_boundaries_stand"):
        diff_drafts(Workspace.load(folder))
    assert tree(folder) == before


def test_drafts_older_than_metering_are_said_to_be(
    drafted: House, edited: Edited, tmp_path: Path
) -> None:
    folder = edited()
    house = House(Workspace.load(folder), tmp_path)
    house.parsed = drafted.parsed
    # A step after the run (loading Stripe, say) is a build of its own.
    house.build(as_of="2026-10-26T00:00Z", arguments=["--select", "stg_ops__build"])
    found, _ = diff(folder)
    assert (found.changes, found.notes) == ((), ())
    assert found.as_of == datetime(2026, 10, 25, tzinfo=UTC)
    house.build(as_of="2026-10-26T00:00Z", arguments=["--select", "metered_usage"])
    found, _ = diff(folder)
    assert "older than the last step" in found.notes[0]


def test_the_command_says_that_nothing_changes(edited: Edited) -> None:
    folder = edited()
    before = tree(folder)
    done = CliRunner().invoke(app, ["diff", "-w", str(folder), "--exit-code"])
    assert done.exit_code == 0, done.output
    assert "No open draft changes." in done.stdout
    assert tree(folder) == before


def test_the_command_writes_every_difference_to_a_file(
    edited: Edited, tmp_path: Path
) -> None:
    folder = edited("rate_tiers", "usd-storage,10,,0.0205", "usd-storage,10,,0.03")
    file = tmp_path / "diff.csv"
    before = tree(folder)
    ending = ["diff", str(folder), "--output", str(file)]
    assert CliRunner().invoke(app, ending).exit_code == 0
    assert CliRunner().invoke(app, [*ending, "--exit-code"]).exit_code == 1
    assert tree(folder) == before
    [row] = csv.DictReader(io.StringIO(file.read_text()))
    # 10 x 0.023 + 90.5 x 0.03 = 0.23 + 2.715 = 2.945, half away from zero.
    assert (row["old"], row["new"], row["difference"]) == ("2.09", "2.95", "0.86")
    assert (row["contract_id"], row["currency"]) == ("acme-1", "USD")
    assert row["period_start"] == "2026-10-01T00:00:00Z"


def test_a_broken_catalog_ends_like_a_run(edited: Edited) -> None:
    folder = edited("rates", "usd-small-us,usd,", "usd-small-us,euro,")
    before = tree(folder)
    done = CliRunner().invoke(app, ["diff", str(folder)])
    assert done.exit_code == 2
    # The file's fifth line; the header is the first.
    assert "catalog/rates.csv, row 5, rate_card_id: " in done.stderr
    assert tree(folder) == before


def test_without_a_run_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    workspace = create(tmp_path / "workspace")
    before = tree(tmp_path)
    with pytest.raises(RunRefused, match="Run first: meterhouse run -w"):
        diff_drafts(workspace)
    assert tree(tmp_path) == before


def test_fifty_lines_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    def change(number: int) -> LineChange:
        return LineChange(
            customer_id=f"customer-{number:02}",
            contract_id="c",
            invoice_id="inv",
            period_start=datetime(2026, 10, 1, tzinfo=UTC),
            period_end=datetime(2026, 11, 1, tzinfo=UTC),
            line_type="usage",
            product_id="p",
            line_name="P",
            pricing_group_values="{}",
            presentation_group_values="{}",
            segment_id=None,
            currency="USD",
            pricing_unit_id=None,
            old=Decimal("1.00"),
            new=Decimal("2.00"),
        )

    changes = tuple(change(number) for number in range(53))
    found = DraftDiff(datetime(2026, 10, 25, tzinfo=UTC), changes, (), 0, 0, (), ())
    shown = Console(file=io.StringIO(), width=160, record=True)
    print_diff(shown, found)
    text = shown.export_text()
    assert "customer-49" in text and "customer-50" not in text
    assert "3 smaller differences are not shown" in text
    write_csv(found, tmp_path / "all.csv")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 53
