"""A correct price book, and mistakes that are made in it one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.catalog import check_catalog
from orchestration.workspace import Workspace

# File -> header and rows; a row may leave out its last cells.
PriceBook = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Edit:
    """In `file` the one row that starts with `row` becomes `new` ("" removes it); the
    message names `line` and `field` of that file, or of `at`."""

    file: str
    row: str
    new: str
    line: int
    field: str
    problem: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.file}-{self.problem}"

    def made_in(self, book: PriceBook) -> PriceBook:
        lines = list(book[self.file])
        (place,) = (n for n, line in enumerate(lines) if line.startswith(self.row))
        lines[place : place + 1] = self.new.splitlines()
        return {**book, self.file: lines}


def write(folder: Path, book: PriceBook) -> Workspace:
    (folder / "catalog").mkdir(parents=True)
    (folder / "meterhouse.yml").write_text("")
    for name, lines in book.items():
        cells = lines[0].count(",")
        padded = (line + "," * (cells - line.count(",")) for line in lines)
        path = folder / "catalog" / f"{name}.csv"
        path.write_text("".join(f"{line}\n" for line in padded))
    return Workspace.load(folder)


def assert_correct(folder: Path, book: PriceBook) -> None:
    problems = check_catalog(write(folder / "company", book))
    assert problems == [], "\n".join(map(str, problems))


def assert_one_message(folder: Path, book: PriceBook, edit: Edit) -> None:
    problems = check_catalog(write(folder / "company", edit.made_in(book)))
    shown = "\n".join(map(str, problems))
    assert len(problems) == 1, shown
    (found,) = problems
    assert found.file == f"catalog/{edit.at or edit.file}.csv", shown
    assert (found.row, found.field) == (edit.line, edit.field), shown
    assert edit.problem in found.problem, shown
    assert found.remedy, shown
