"""The preflight of the price book: is the catalog what it must be?

The columns are declared once, in dbt_project/models/staging/_catalog__sources.yml.
This module reads that declaration and checks every CSV file against it: structure,
types, values, references. What holds between rows stands in catalog_rules.py. Nothing
here computes a price.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import duckdb
import pyarrow as pa
import yaml

from orchestration import catalog_rules
from orchestration.catalog_findings import Findings
from orchestration.duck import connect
from orchestration.grain import ON_IT, Grain, finer_than, grain_of_days, is_on
from orchestration.landing import readers, sql
from orchestration.landing.mapping import PROPERTY_PATTERN
from orchestration.workspace import (
    ID_PATTERN,
    SETTINGS_FILE,
    Problem,
    Workspace,
    nearest,
)

DBT_PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"
DECLARATION = DBT_PROJECT / "models" / "staging" / "_catalog__sources.yml"
CURRENCIES = DBT_PROJECT / "seeds" / "currencies.csv"


@dataclass(frozen=True)
class Column:
    """A declared column; `meta` holds the flags explained in the declaration."""

    name: str
    description: str
    data_type: str
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        return bool(self.meta.get("required"))

    @property
    def kind(self) -> str:
        return str(self.meta.get("kind", ""))


@dataclass(frozen=True)
class CatalogTable:
    """A declared table, one CSV file."""

    name: str
    description: str
    columns: tuple[Column, ...]
    required: bool
    key: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"catalog/{self.name}.csv"


@cache
def declaration() -> tuple[CatalogTable, ...]:
    """The tables of the catalog in the order of the declaration."""
    source = yaml.safe_load(DECLARATION.read_text(encoding="utf-8"))["sources"][0]
    return tuple(
        CatalogTable(
            name=table["name"],
            description=table["description"],
            columns=tuple(
                Column(
                    column["name"],
                    column["description"],
                    column["data_type"],
                    column.get("config", {}).get("meta", {}),
                )
                for column in table["columns"]
            ),
            required=table["config"]["meta"]["required"],
            key=tuple(table["config"]["meta"]["key"]),
        )
        for table in source["tables"]
    )


def catalog_hash(workspace: Workspace) -> str:
    """Hex SHA-256 over the names and contents of the catalog's CSV files, as dbt
    computes it too (macros/mounts.sql)."""
    return combined_hash(file_hashes(workspace))


def file_hashes(workspace: Workspace) -> dict[str, str]:
    """File name of each of the catalog's CSV files -> hex SHA-256 of its content."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in workspace.catalog.glob("*.csv")
    }


def combined_hash(hashes: Mapping[str, str]) -> str:
    """`catalog_hash` of files of which name and hash are known."""
    parts = [f"{name}:{hashes[name]}" for name in sorted(hashes)]
    return hashlib.sha256(",".join(parts).encode()).hexdigest()


def check_catalog(workspace: Workspace) -> list[Problem]:
    """Every mistake in the catalog, or an empty list.

    At most 20 rows are listed of each kind of mistake, and then their number. Rules
    between rows are looked at only when every file has its columns and whole rows.
    Reads only.
    """
    with connect(memory_limit="2GB") as con:
        settings = workspace.settings
        findings = Findings(con, settings.metric_models, settings.metering_grain)
        findings.problems += _unknown_files(workspace)
        present = {
            table.name: _load(workspace, table, findings) for table in declaration()
        }
        if findings.problems:
            return findings.problems
        _load_lists(con)
        for table in declaration():
            if con.execute(f"from {sql.name(table.name)} limit 1").fetchone():
                _check_columns(findings, table, present[table.name])
                _check_key(findings, table)
        catalog_rules.check(findings)
        findings.problems += _settings_problems(workspace, con)
        return findings.problems


def _unknown_files(workspace: Workspace) -> Iterator[Problem]:
    known = {table.name: table for table in declaration()}
    files = {path.stem for path in workspace.catalog.glob("*.csv")}
    for name in sorted(files - set(known)):
        yield Problem(
            f"catalog/{name}.csv",
            0,
            "",
            "there is no such catalog table",
            nearest(name, known),
        )
    for name, table in known.items():
        if table.required and name not in files:
            yield Problem(
                table.file,
                0,
                "",
                "the file is missing",
                "Create it with the columns "
                + ", ".join(c.name for c in table.columns if c.required)
                + ".",
            )


def _load(workspace: Workspace, table: CatalogTable, findings: Findings) -> set[str]:
    """Read one CSV file into a table of texts with its line numbers.

    Returns the names of the columns that the file has. Each declared column is there
    twice: as text, and under its name with a trailing "_" in its declared type (NULL
    where the text is not of that type).
    """
    path = workspace.catalog / f"{table.name}.csv"
    header: list[str] = []
    chunks: list[pa.Table] = []
    if path.exists():
        header = [] if not path.stat().st_size else readers.csv_header(path, ",")
        findings.problems += _header_problems(table, header)
        with readers.open_bytes(path) as stream:
            readers.skip_bom(stream)
            stream.readline()
            position = readers.Position(line=1)
            chunks += readers.read_csv(stream, position, len(header), ",")
    names = {name: header.index(name) + 1 for name in header}
    empty = pa.table({"line": pa.array([], pa.int64())})
    rows = pa.concat_tables(chunks) if chunks else empty
    findings.con.register("rows", rows)
    _broken_rows(findings, table, header, bool(chunks))
    texts = []
    for column in table.columns:
        text = "cast(null as varchar)"
        if column.name in names and chunks:
            text = f"nullif(cells[{names[column.name]}], '')"
        texts.append(f"{text} as {sql.name(column.name)}")
    cells = "coalesce(cells, string_split(raw, ','))" if chunks else "null"
    typed = ", ".join(
        f"{_typed(column)} as {sql.name(column.name + '_')}" for column in table.columns
    )
    findings.con.execute(
        f"""
        create table {sql.name(table.name)} as
        with split as (select line, {cells} as cells from rows),
        texts as (select line, {", ".join(texts)} from split)
        select *, {typed} from texts
        """
    )
    findings.con.unregister("rows")
    return set(names)


def _header_problems(table: CatalogTable, header: list[str]) -> Iterator[Problem]:
    known = [column.name for column in table.columns]
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield Problem(table.file, 1, name, "the column stands twice", "Name it once.")
    for name in dict.fromkeys(header):
        if name not in known:
            shown = f"unknown column '{name}'" if name else "a column without a name"
            yield Problem(table.file, 1, name, shown, nearest(name, known))
    for column in table.columns:
        if column.required and column.name not in header:
            yield Problem(
                table.file,
                1,
                column.name,
                "the required column is missing",
                f"Add it: {column.description}",
            )


def _broken_rows(
    findings: Findings, table: CatalogTable, header: list[str], has_rows: bool
) -> None:
    if not has_rows:
        return
    findings.rows(
        table.file,
        "",
        "select line, broken from rows where broken is not null",
        "the row can't be read: {0}",
        "Save the file as UTF-8 CSV, with quotes closed.",
    )
    findings.rows(
        table.file,
        "",
        "select line, len(coalesce(cells, string_split(raw, ','))) as found "
        f"from rows where broken is null and found <> {len(header)}",
        f"{{0}} cells in a row of {len(header)} columns",
        'Give every column a cell; put cells that hold commas in quotes ("a, b").',
    )


_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_NUMBER = r"-?[0-9]+(\.[0-9]+)?"
_INTEGER = r"-?[0-9]{1,9}"
_MOMENT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|\+00:00)?)?"
)


def _typed(column: Column) -> str:
    name = sql.name(column.name)
    if match := _DECIMAL.fullmatch(column.data_type):
        exact = _exact(int(match[1]), int(match[2]))
        return (
            f"case when regexp_full_match({name}, {sql.text(exact)}) "
            f"then try_cast({name} as {column.data_type}) end"
        )
    if column.data_type == "integer":
        return (
            f"case when regexp_full_match({name}, {sql.text(_INTEGER)}) "
            f"then try_cast({name} as integer) end"
        )
    if column.data_type == "boolean":
        return f"case lower({name}) when 'true' then true when 'false' then false end"
    if column.data_type == "timestamp":
        local = rf"regexp_replace(replace({name}, 'T', ' '), '(Z|\+00:00)$', '')"
        return (
            f"case when regexp_full_match({name}, {sql.text(_MOMENT)}) then "
            f"try_cast(case when length({local}) = 16 then {local} || ':00' "
            f"else {local} end as timestamp) end"
        )
    return name


def _exact(precision: int, scale: int) -> str:
    """Numbers that need no rounding in decimal(precision, scale)."""
    return rf"-?0*[0-9]{{1,{precision - scale}}}(\.[0-9]{{1,{scale}}}0*)?"


def _load_lists(con: duckdb.DuckDBPyConnection) -> None:
    """What kinds of values are checked against: currencies and time zones."""
    con.execute("create table known_currencies (code varchar, exponent integer)")
    if CURRENCIES.exists():
        con.execute(
            "insert into known_currencies select currency, minor_unit_exponent from "
            f"read_csv({sql.text(str(CURRENCIES))}, header = true, all_varchar = true)"
        )
    names = sorted(available_timezones())
    zones = pa.table({"code": names, "grain": [grain_of_days(n) for n in names]})
    con.register("zones", zones)
    con.execute("create table known_time_zones as select code, grain from zones")
    con.unregister("zones")


def _check_columns(findings: Findings, table: CatalogTable, given: set[str]) -> None:
    """The checks of single cells: counted in one pass, listed where any fails."""
    checks: list[tuple[str, str, str, str]] = []
    for column in table.columns:
        if column.name in given:
            _check_column(checks, column, findings.grain)
    if checks:
        counts = ", ".join(f"count(*) filter (where {check[1]})" for check in checks)
        source = sql.name(table.name)
        found = findings.con.execute(f"select {counts} from {source}").fetchone() or ()
        for count, (name, condition, problem, remedy) in zip(
            found, checks, strict=True
        ):
            if count:
                query = f"select line, {sql.name(name)} from {source} where {condition}"
                findings.rows(table.file, name, query, problem, remedy)
    for column in table.columns:
        reference = column.meta.get("references")
        if reference and column.name in given:
            findings.references(table, column.name, reference, is_list=_is_list(column))


def _check_column(
    checks: list[tuple[str, str, str, str]], column: Column, grain: Grain
) -> None:
    """Append (column, SQL of what is wrong, problem, remedy)."""
    name = sql.name(column.name)
    typed = sql.name(column.name + "_")

    def find(condition: str, problem: str, remedy: str) -> None:
        checks.append((column.name, condition, problem, remedy))

    if column.required:
        find(f"{name} is null", "the cell is blank", column.description)
    blanks = rf"regexp_matches({name}, '^\s|\s$')"
    tidy = f"{name} is not null and not {blanks}"
    # A free text may have blanks around it; anywhere else they hide a mismatch.
    if column.kind or column.data_type != "varchar" or "values" in column.meta:
        find(blanks, "'{0}' has blanks around it", "Remove them.")
    if column.data_type != "varchar":
        _check_type(find, column, tidy, name, typed, grain)
    if values := column.meta.get("values"):
        listed = ", ".join(sql.text(value) for value in values)
        find(
            f"{tidy} and {name} not in ({listed})",
            "'{0}' is not allowed",
            "Allowed: " + ", ".join(values) + ".",
        )
    _check_kind(find, column, tidy, name)


def _is_list(column: Column) -> bool:
    return column.kind in ("list", "property_list")


def _check_type(
    find: Any, column: Column, tidy: str, name: str, typed: str, grain: Grain
) -> None:
    wrong = f"{tidy} and {typed} is null"
    if match := _DECIMAL.fullmatch(column.data_type):
        precision, scale = int(match[1]), int(match[2])
        number = f"regexp_full_match({name}, {sql.text(_NUMBER)})"
        find(
            f"{wrong} and not {number}",
            "'{0}' is not a decimal number",
            "Write it as in 1234.5, without signs, blanks or thousands separators.",
        )
        find(
            f"{wrong} and {number}",
            "'{0}' has too many digits and is never rounded",
            f"At most {precision - scale} digits before and {scale} after the point.",
        )
    elif column.data_type == "integer":
        find(wrong, "'{0}' is not a whole number", "Write it as in 30.")
    elif column.data_type == "boolean":
        find(wrong, "'{0}' is neither true nor false", "Write true or false.")
    elif column.data_type == "timestamp":
        shaped = f"regexp_full_match({name}, {sql.text(_MOMENT)})"
        find(
            f"{wrong} and not {shaped}",
            "'{0}' is not an instant in UTC",
            "Write it as in 2026-11-01T00:00:00Z.",
        )
        find(
            f"{wrong} and {shaped}",
            "'{0}' is a date or time that does not exist",
            "Correct the day, the month or the hour.",
        )
    if column.meta.get("on_grain"):
        _check_grain(find, typed, grain)
    if (minimum := column.meta.get("minimum")) is not None:
        find(f"{typed} < {minimum}", "'{0}' is too small", f"At least {minimum}.")
    if (maximum := column.meta.get("maximum")) is not None:
        find(f"{typed} > {maximum}", "'{0}' is too large", f"At most {maximum}.")
    if (above := column.meta.get("above")) is not None:
        find(f"{typed} <= {above}", "'{0}' is too small", f"More than {above}.")


def _check_grain(find: Any, typed: str, grain: Grain) -> None:
    """An instant off the grain, told with the coarsest grain that it would need."""
    wrong = f"not ({is_on(grain, typed)})"
    remedy = f"The metering grain is {grain}: correct the instant"
    for finer in finer_than(grain):
        find(
            f"{wrong} and {is_on(finer, typed)}",
            f"'{{0}}' is not {ON_IT[grain]}",
            f"{remedy}, or set metering_grain: {finer} in {SETTINGS_FILE}.",
        )
        wrong += f" and not ({is_on(finer, typed)})"
    find(wrong, f"'{{0}}' is not {ON_IT[grain]}", f"{remedy}.")


_PROPERTY_RULE = (
    "Property names begin with a letter or _ and hold letters, digits and _ "
    "(at most 64)."
)


def _check_kind(find: Any, column: Column, tidy: str, name: str) -> None:
    items = f"string_split({name}, '|')"
    safe = sql.text(PROPERTY_PATTERN)

    def without(expression: str, condition: str) -> str:
        return f"len(list_filter({expression}, lambda item: {condition})) > 0"

    if column.kind == "id":
        find(
            f"{tidy} and not regexp_matches({name}, {sql.text(ID_PATTERN)})",
            "'{0}' is not an id",
            "Ids have 1 to 128 letters, digits and _ . : -",
        )
    elif column.kind == "email":
        find(
            rf"{tidy} and not regexp_full_match({name}, '[^@\s]+@[^@\s]+')",
            "'{0}' is not an e-mail address",
            "Write it as in billing@example.com.",
        )
    elif column.kind in ("currency", "time_zone"):
        plural = "known_currencies" if column.kind == "currency" else "known_time_zones"
        what = (
            "an ISO 4217 currency code"
            if column.kind == "currency"
            else ("an IANA time zone")
        )
        example = "USD" if column.kind == "currency" else "Europe/Berlin"
        find(
            f"{tidy} and (select count(*) from {plural}) > 0 "
            f"and {name} not in (select code from {plural})",
            f"'{{0}}' is not {what}",
            f"Write it as in {example}.",
        )
    elif column.kind == "property":
        wrong = f"not regexp_matches({name}, {safe})"
        find(f"{tidy} and {wrong}", "'{0}' is not a safe property name", _PROPERTY_RULE)
    if column.kind in ("list", "property_list", "compound_keys", "key_values"):
        find(
            f"{tidy} and ("
            + without(items, r"item = '' or item <> trim(item)")
            + f" or len({items}) <> list_unique({items}))",
            "'{0}' has a blank, padded or repeated item",
            'Separate items by "|" alone, each once.',
        )
    if column.kind in ("property_list", "compound_keys"):
        names = f"string_split_regex({name}, '[|+]')"
        if column.kind == "property_list":
            names = items
        unsafe = f"item <> '' and not regexp_matches(item, {safe})"
        find(
            f"{tidy} and " + without(names, unsafe),
            "'{0}' holds what is not a safe property name",
            _PROPERTY_RULE,
        )
    if column.kind == "key_values":
        pair = sql.text(PROPERTY_PATTERN.removesuffix("$") + "=[^=|]+$")
        keys = f"list_transform({items}, lambda item: split_part(item, '=', 1))"
        find(
            f"{tidy} and ("
            + without(items, f"not regexp_matches(item, {pair})")
            + f" or len({keys}) <> list_unique({keys}))",
            "'{0}' is not a list of key=value",
            "Write it as in model=gpt-large|region=us, each key once.",
        )


def _check_key(findings: Findings, table: CatalogTable) -> None:
    names = ", ".join(sql.name(column) for column in table.key)
    required = {column.name for column in table.columns if column.required}
    filled = " and ".join(
        f"{sql.name(column)} is not null" for column in table.key if column in required
    )
    findings.rows(
        table.file,
        ", ".join(table.key),
        f"""
        select line, concat_ws(', ', {names}), first_line
        from (
            select *,
                min(line) over (partition by {names}) as first_line
            from {sql.name(table.name)} where {filled or "true"}
        ) where line <> first_line
        """,
        "'{0}' stands already in row {1}",
        "Give every row its own key, or remove one of the two.",
    )


def _settings_problems(
    workspace: Workspace, con: duckdb.DuckDBPyConnection
) -> Iterator[Problem]:
    """Names in meterhouse.yml and in the catalog must fit together."""
    currency = workspace.settings.currency_default
    codes = {row[0] for row in con.execute("from known_currencies").fetchall()}
    if currency is not None and codes and currency not in codes:
        yield Problem(
            SETTINGS_FILE,
            0,
            "currency_default",
            f"'{currency}' is not an ISO 4217 currency code",
            "Write it as in USD.",
        )
    accounts = workspace.settings.stripe.accounts
    profiles = con.execute(
        "select line, stripe_account from billing_profiles "
        "where stripe_account is not null order by line"
    ).fetchall()
    for line, account in profiles:
        if account not in accounts:
            yield Problem(
                "catalog/billing_profiles.csv",
                line,
                "stripe_account",
                f"meterhouse.yml has no Stripe account '{account}'",
                nearest(account, accounts),
            )
    for customer in sorted(workspace.settings.sandbox.customers):
        query = "select 1 from customers where customer_id = ?"
        if not con.execute(query, [customer]).fetchone():
            yield Problem(
                SETTINGS_FILE,
                0,
                f"sandbox.customers.{customer}",
                "there is no such customer in the catalog",
                "Name a customer_id of catalog/customers.csv.",
            )


def describe() -> str:
    """The declaration as Markdown, one table per CSV file (for docs/workspace.md)."""
    parts: list[str] = []
    for table in declaration():
        need = "required" if table.required else "optional"
        parts += [f"### catalog/{table.name}.csv ({need})", "", table.description, ""]
        parts += [f"One row per {' + '.join(f'`{name}`' for name in table.key)}.", ""]
        parts += ["| column | type | what it says |", "|---|---|---|"]
        for column in table.columns:
            star = "\\*" if column.required else ""
            notes = "".join(f" {note}" for note in _notes(column))
            parts.append(
                f"| `{column.name}`{star} | {_type_words(column)} "
                f"| {column.description.replace('|', '&#124;')}{notes} |"
            )
        parts.append("")
    return "\n".join(parts)


_KINDS = {
    "id": "id",
    "property": "property name",
    "list": "list",
    "property_list": "list of property names",
    "compound_keys": "list of property names",
    "key_values": "list of key=value",
    "currency": "currency code",
    "time_zone": "time zone",
    "email": "e-mail address",
}


def _type_words(column: Column) -> str:
    if column.data_type != "varchar":
        return column.data_type
    return _KINDS.get(column.kind, "text")


def _notes(column: Column) -> Iterator[str]:
    meta = column.meta
    if "values" in meta:
        yield "One of " + ", ".join(f"`{value}`" for value in meta["values"]) + "."
    if "references" in meta:
        yield f"Refers to `{meta['references']}`."
    if "minimum" in meta:
        yield f"At least {meta['minimum']}."
    if "above" in meta:
        yield f"More than {meta['above']}."
    if "default" in meta:
        default = meta["default"]
        shown = str(default).lower() if isinstance(default, bool) else default
        yield f"Blank means `{shown}`."
