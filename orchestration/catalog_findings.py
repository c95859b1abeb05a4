"""Collecting what is wrong in the catalog: queries in, problems out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import duckdb

from orchestration.grain import Grain
from orchestration.landing import sql
from orchestration.workspace import Problem

LISTED = 20
# What a blank end means, in comparisons.
FOREVER = "timestamp '9999-12-31'"
# Below this similarity (Jaro-Winkler) a suggestion would only confuse.
ALIKE = 0.8


class _Table(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def file(self) -> str: ...


class Findings:
    """The problems found so far, at most LISTED rows of each kind."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        metric_models: Sequence[str] = (),
        grain: Grain = "hour",
    ) -> None:
        self.con = con
        self.metric_models = metric_models
        self.grain = grain
        self.problems: list[Problem] = []

    def rows(
        self, file: str, field: str, query: str, problem: str, remedy: str
    ) -> None:
        """A problem for each row of `query`.

        Its first column is the line; the others fill {0}, {1} ... in `problem` and
        `remedy`.
        """
        found = self.con.execute(
            "select *, count(*) over () from (" + query + ") as found "
            f"order by all limit {LISTED}"
        ).fetchall()
        for line, *values, _ in found:
            self.add(file, line, field, problem, remedy, values)
        if found and (more := int(found[0][-1]) - len(found)) > 0:
            self.problems.append(
                Problem(file, 0, field, f"and {more} more rows like these", remedy)
                if "{" not in remedy
                else Problem(file, 0, field, f"and {more} more rows like these", "")
            )

    def add(
        self,
        file: str,
        line: int,
        field: str,
        problem: str,
        remedy: str,
        values: list[Any],
    ) -> None:
        shown = [str(value) for value in values]
        self.problems.append(
            Problem(file, line, field, problem.format(*shown), remedy.format(*shown))
        )

    def references(
        self, table: _Table, column: str, reference: str, *, is_list: bool
    ) -> None:
        """Every value (of a list: every item) must be in the column referred to."""
        target, key = reference.split(".")
        name = sql.name(column)
        item = f"unnest(string_split({name}, '|'))" if is_list else name
        missing = self.con.execute(
            f"select count(*) from (select {item} as item from {sql.name(table.name)} "
            f"where {name} is not null) as used anti join {sql.name(target)} as known "
            f"on used.item = known.{sql.name(key)} where used.item <> ''"
        ).fetchone()
        if missing == (0,):
            return
        self.rows(
            table.file,
            column,
            f"""
            with used as (
                select line, trim({item}) as item from {sql.name(table.name)}
                where {name} is not null
            ),
            unknown as (
                select line, item from used
                where item <> '' and item not in (
                    select {sql.name(key)} from {sql.name(target)}
                    where {sql.name(key)} is not null
                )
                order by line limit 100000
            ),
            first_ones as (select distinct item from unknown limit {LISTED}),
            alike as (
                select
                    first_ones.item,
                    max_by(
                        known.{sql.name(key)},
                        jaro_winkler_similarity(known.{sql.name(key)}, first_ones.item)
                    ) as best
                from first_ones, {sql.name(target)} as known
                where jaro_winkler_similarity(known.{sql.name(key)}, first_ones.item)
                    >= {ALIKE}
                group by all
            )
            select
                unknown.line,
                unknown.item,
                coalesce('Did you mean ''' || alike.best || '''?',
                    'Add it there, or correct it.')
            from unknown left join alike on unknown.item = alike.item
            """,
            f"'{{0}}' is not in catalog/{target}.csv",
            "{1}",
        )
