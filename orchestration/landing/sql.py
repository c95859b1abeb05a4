"""SQL fragments shared by the landing: literals, instants, exact numbers, JSON."""

from __future__ import annotations

from collections.abc import Iterable


def text(value: str) -> str:
    """A SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """A quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def json_path(column: str) -> str:
    """The JSON path of a column; dots step into nested objects."""
    return "$" + "".join(f'."{part}"' for part in column.split("."))


# DuckDB reads JSON numbers as doubles. Numbers are therefore put into quotes before
# anything parses them. A pattern on the raw line is safe only where `":` can't stand
# inside a string and the JSON is strict; lines outside that (escapes, null,
# exponents, strings beginning with ":", blanks before ":", NaN, trailing commas)
# take the slow way through Python (normalize.py), which gives the same text.
_NEEDS_PYTHON = (
    r"\\"
    r'|[:,{\[]\s*":'
    r'|"\s+:'
    r'|":\s*-?[^"0-9tf{\[\s-]'
    r'|":\s*-?[0-9.]+[eE]'
    r"|,\s*[}\]]"
    r"|^\s*[^{\s]"
)
_SCALAR = r'":\s*(-?[0-9][0-9.]*|true|false)'


def quoted_scalars(json: str) -> str:
    """`json` with every number and boolean as a string; NULL = needs Python."""
    return (
        f"case when {json} is null or regexp_matches({json}, {text(_NEEDS_PYTHON)}) "
        f"or not json_valid({json}) then null "
        f"when regexp_matches({json}, {text(_SCALAR)}) "
        rf"""then regexp_replace({json}, {text(_SCALAR)}, '":"\1"', 'g') """
        f"else {json} end"
    )


# A minified object whose values are all strings.
FLAT_OBJECT = r'\{(?:"(?:[^"\\]|\\.)*":"(?:[^"\\]|\\.)*",?)*\}'


def json_object(pairs: Iterable[tuple[str, str]]) -> str:
    """A JSON object of text values; a NULL value leaves its key out.

    `pairs` are (key, SQL expression of type varchar).
    """
    members = [
        f"{text(chr(34) + key + chr(34) + ':')} || to_json({value})"
        for key, value in pairs
    ]
    if not members:
        return "'{}'"
    return "'{' || concat_ws(',', " + ", ".join(members) + ") || '}'"


_INSTANT = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?"
)
_FIRST_EPOCH_SECOND, _LAST_EPOCH_SECOND = 0, 253402300799  # 1970 .. 9999


def instant(value: str, form: str) -> str:
    """A UTC timestamp, or NULL where the text is not one.

    `form` is rfc3339 (offset honoured, none = UTC, digits after the sixth decimal
    cut off) or epoch_seconds, epoch_millis, epoch_micros (whole numbers).
    """
    if form != "rfc3339":
        per_second = {"seconds": 1, "millis": 1000, "micros": 1_000_000}
        scale = per_second[form.removeprefix("epoch_")]
        number = f"try_cast({value} as bigint)"
        return (
            f"case when regexp_full_match({value}, '[0-9]{{1,17}}') and {number} "
            f"between {_FIRST_EPOCH_SECOND} and {(_LAST_EPOCH_SECOND + 1) * scale - 1} "
            f"then make_timestamp({number} * {1_000_000 // scale}) end"
        )
    tail = f"substr({value}, 20)"
    # DuckDB's own cast is lenient ("2026-1-2", "epoch"), hence the pattern first; the
    # cast then finds the impossible dates. Years before 1970 are never usage.
    local = (
        f"try_cast(substr({value}, 1, 10) || ' ' || substr({value}, 12, 8) "
        "as timestamp)"
    )
    digits = rf"regexp_extract({tail}, '^\.([0-9]+)', 1)"
    micros = f"coalesce(try_cast(rpad(substr({digits}, 1, 6), 6, '0') as bigint), 0)"
    offset = rf"regexp_extract({tail}, '([+-][0-9]{{2}}):?[0-9]{{2}}$', 1)"
    minutes = f"cast(right({value}, 2) as bigint)"
    shift = (
        f"case when {offset} = '' then 0 else "
        f"(abs(cast({offset} as bigint)) * 60 + {minutes}) "
        f"* case when {offset}[1] = '-' then -1 else 1 end end"
    )
    return (
        f"case when regexp_full_match({value}, {text(_INSTANT)}) "
        f"and substr({value}, 1, 4) >= '1970' then {local} "
        f"+ to_microseconds({micros}) - to_minutes({shift}) end"
    )


# quantity decimal(31,12): 19 digits before the point, 12 after it. Zeros at either
# end change nothing.
NUMBER = r"-?[0-9]+(\.[0-9]+)?"
EXACT_NUMBER = r"-?0*[0-9]{1,19}(\.[0-9]{1,12}0*)?"


def as_text(column: str, type_name: str) -> str:
    """A typed column (Parquet, table) as the text a CSV file would hold.

    Doubles become their shortest exact text in plain notation, instants RFC 3339 in
    UTC cut to microseconds.
    """
    kind = type_name.upper()
    if kind in ("VARCHAR", "JSON", "UUID") or kind.startswith("ENUM"):
        return f"cast({column} as varchar)"
    if kind == "TIMESTAMP_NS":
        moment = f"make_timestamp(epoch_ns({column}) // 1000)"
        return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind == "TIMESTAMP WITH TIME ZONE":
        moment = f"make_timestamp(epoch_us({column}))"
        return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        moment = f"cast({column} as timestamp)"
        return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind in ("DOUBLE", "FLOAT"):
        shown = f"cast({column} as varchar)"
        exact = f"try_cast({shown} as decimal(38,12))"
        plain = rf"regexp_replace(cast({exact} as varchar), '\.?0+$', '')"
        return (
            f"case when {shown} like '%e%' and cast({exact} as {kind}) = {column} "
            f"then {plain} else {shown} end"
        )
    return f"cast({column} as varchar)"
