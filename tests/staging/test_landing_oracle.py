"""The landing's SQL against a small Python of its own, on random input."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.landing import sql
from orchestration.landing.normalize import normalize
from orchestration.landing.readers import csv_cells

QUICK = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)


OPEN: list[duckdb.DuckDBPyConnection] = []


@pytest.fixture(scope="module", autouse=True)
def connection() -> Iterator[None]:
    """One connection for all examples: opening one takes longer than a query."""
    with duckdb.connect(config={"threads": 1}) as con:
        OPEN.append(con)
        yield
        OPEN.clear()


def evaluated(expression: str, values: list[str]) -> list[Any]:
    """`expression` over the column v of `values`, in one query."""
    query = f"select {expression} from (select unnest($1::varchar[]) as v)"
    return [row[0] for row in OPEN[0].execute(query, [values]).fetchall()]


# --- instants ---------------------------------------------------------------------


def instant_oracle(text: str) -> datetime | None:
    match = re.fullmatch(
        r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
        r"([Zz]|[+-]\d\d:?\d\d)?",
        text,
        re.ASCII,
    )
    if not match or match[1] < "1970":
        return None
    micro = int(((match[7] or "") + "000000")[:6])
    try:
        local = datetime(*(int(match[i]) for i in range(1, 7)), micro)  # type: ignore[arg-type]
    except ValueError:
        return None
    zone = match[8]
    if zone is None or zone in "Zz":
        return local
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        return None
    shift = timedelta(hours=hours, minutes=minutes)
    return local + shift if zone[0] == "-" else local - shift


two = st.integers(0, 99).map("{:02}".format)
near = st.builds(
    "{}-{}-{}{}{}:{}:{}{}{}".format,
    st.sampled_from(["2026", "2024", "1970", "1969", "0000", "26"]),
    st.sampled_from(["01", "02", "04", "11", "12", "13", "00", "2"]),
    st.sampled_from(["01", "28", "29", "30", "31", "32", "00"]),
    st.sampled_from(["T", " ", "t", "", "_"]),
    st.sampled_from(["00", "23", "24", "9"]),
    st.sampled_from(["00", "59", "60"]),
    st.sampled_from(["00", "59", "60"]),
    st.sampled_from(["", ".", ".5", ".000001", ".1234567", ".999999999", ",5"]),
    st.sampled_from(["", "Z", "z", "+00:00", "-07:30", "+0530", "+24:00", "+1", " "]),
)


@QUICK
@given(st.lists(st.one_of(near, st.text(max_size=30)), min_size=1, max_size=20))
def test_instants(texts: list[str]) -> None:
    texts = [text for text in texts if "\x00" not in text]
    found = evaluated(sql.instant("v", "rfc3339"), texts)
    assert found == [instant_oracle(text) for text in texts]


@QUICK
@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),
    st.integers(-23 * 60, 23 * 60),
)
def test_every_instant_survives_its_text(moment: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    local = moment + timedelta(minutes=minutes)
    text = f"{local:%Y-%m-%dT%H:%M:%S.%f}{zone}"
    text = text.rjust(len("2026-11-19T10:00:00.000000+00:00"), "0")
    expected = moment if local.year >= 1970 else None
    assert evaluated(sql.instant("v", "rfc3339"), [text]) == [expected]


@QUICK
@given(st.lists(st.integers(-5, 10**18), min_size=1, max_size=20))
def test_epochs(numbers: list[int]) -> None:
    for unit, scale in (("seconds", 1), ("millis", 1000), ("micros", 10**6)):
        found = evaluated(sql.instant("v", f"epoch_{unit}"), list(map(str, numbers)))
        for number, instant in zip(numbers, found, strict=True):
            if 0 <= number < 253402300800 * scale and number < 10**17:
                since = timedelta(microseconds=number * 10**6 // scale)
                assert instant == datetime(1970, 1, 1) + since
            else:
                assert instant is None


# --- numbers ----------------------------------------------------------------------


WIDE = Context(prec=200)


def number_oracle(text: str) -> bool:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return False
    value = Decimal(text)
    whole = abs(int(value))
    return whole < 10**19 and value.quantize(Decimal("1e-12"), context=WIDE) == value


digits = st.text("0123456789", min_size=0, max_size=25)
numberish = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-", "+", " ", "000"]),
    digits,
    st.sampled_from(["", ".", "e"]),
    digits,
)


@QUICK
@given(st.lists(numberish, min_size=1, max_size=30))
def test_exact_numbers(texts: list[str]) -> None:
    pattern = sql.text(sql.EXACT_NUMBER)
    found = evaluated(f"regexp_full_match(v, {pattern})", texts)
    assert found == [number_oracle(text) for text in texts]
    exact = [text for text, good in zip(texts, found, strict=True) if good]
    cast = evaluated("cast(v as decimal(31, 12))", exact)
    assert cast == [Decimal(text) for text in exact]


# --- JSON -------------------------------------------------------------------------

names = st.one_of(st.text(max_size=5), st.sampled_from(["a", ":", '"', "{", "1"]))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from([":5,", '":5', "{", "]", ",}", "1e5", "\\", "a:1", "null"]),
)
documents = st.recursive(
    st.dictionaries(names, scalars, max_size=4),
    lambda inner: st.dictionaries(
        names, st.one_of(scalars, inner, st.lists(scalars, max_size=3)), max_size=4
    ),
    max_leaves=8,
)
written = st.builds(
    lambda value, ascii_only, spaced: json.dumps(
        value,
        ensure_ascii=ascii_only,
        separators=(" , ", " : ")
        if spaced == 2
        else ((", ", ": ") if spaced else None),
    ),
    documents,
    st.booleans(),
    st.integers(0, 2),
)


@QUICK
@given(st.lists(written, min_size=1, max_size=10))
def test_the_quick_way_reads_what_python_reads(lines: list[str]) -> None:
    """Where SQL does not ask for Python, both must give the same document."""
    lines = [line for line in lines if line.isprintable()]
    expression = f"cast(json_extract({sql.quoted_scalars('v')}, '$') as varchar)"
    for line, quick in zip(lines, evaluated(expression, lines), strict=True):
        slow, reason = normalize(line)
        if quick is None:
            continue
        assert reason is None
        assert scalars_of(quick) == scalars_of(slow or "")


def scalars_of(text: str) -> Any:
    """The document without what lists hold: a list is rejected whole anyway."""
    return json.loads(text, object_hook=lambda d: {
        k: "list" if isinstance(v, list) else v for k, v in d.items()
    })  # fmt: skip


@QUICK
@given(st.lists(st.text(alphabet='{}[]":,0 1e.-a\\n', max_size=15), max_size=20))
def test_the_quick_way_never_takes_what_is_not_json(lines: list[str]) -> None:
    for line, quick in zip(
        lines, evaluated(sql.quoted_scalars("v"), lines), strict=True
    ):
        if quick is not None:
            document, reason = normalize(line)
            assert document is not None or reason == "duplicate_key", line


@QUICK
@given(st.dictionaries(names, scalars, max_size=4))
def test_python_keeps_exact_text(value: dict[str, Any]) -> None:
    line = json.dumps(value)
    document, reason = normalize(line)
    bad = any(
        (isinstance(v, float) and (v != v or abs(v) == float("inf")))
        or (isinstance(v, str) and not encodable(v))
        for v in value.values()
    ) or not all(encodable(key) for key, v in value.items() if v is not None)
    if bad:
        assert (document, reason) == (None, "unparsable")
        return
    assert document is not None
    found = json.loads(document)
    assert set(found) == {key for key, v in value.items() if v is not None}
    for key, text in found.items():
        original = value[key]
        if isinstance(original, bool):
            assert text == ("true" if original else "false")
        elif isinstance(original, int | float):
            assert Decimal(text) == Decimal(repr(original))
        else:
            assert text == original


def encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


# --- CSV --------------------------------------------------------------------------


@QUICK
@given(st.lists(st.text(alphabet='ab",; \n', max_size=6), min_size=1, max_size=5))
def test_csv_records(cells: list[str]) -> None:
    record = ",".join(
        '"' + cell.replace('"', '""') + '"' if set(cell) & set('",\n') else cell
        for cell in cells
    )
    if record:
        assert csv_cells(record, ",") == cells
