"""Each dispatched macro pair on values that engines treat differently, side by side."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.dbt_runner import PROJECT_DIR
from orchestration.spark import session
from orchestration.workspace import Workspace
from tests.engines.conftest import NASTY_NAME, NASTY_PROJECTS, without_spark
from tests.support import minor

pytestmark = [pytest.mark.spark, without_spark]

NUMBER = "^-?[0-9]{1,19}([.][0-9]{1,12}0*)?$"
LARGEST_QUANTITY = Decimal("9999999999999999999.999999999999")
LARGEST_PRICE = Decimal("999999.999999999999")
LARGEST_AMOUNT = Decimal("99999999999999999999.999999999999")
TINY = Decimal("0.000000000001")

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("quantity", pa.decimal128(31, 12)),
        ("tier_start", pa.decimal128(31, 12)),
        ("tier_end", pa.decimal128(31, 12)),
        ("is_volume_like", pa.bool_()),
        ("holds_line_quantity", pa.bool_()),
        ("packed", pa.decimal128(31, 12)),
        ("unit_price", pa.decimal128(18, 12)),
        ("amount", pa.decimal128(32, 12)),
        ("wide", pa.decimal128(32, 12)),
        ("amount_minor", pa.int64()),
        ("factor", pa.int32()),
        ("unit", pa.decimal128(5, 4)),
        ("flag", pa.bool_()),
        ("text", pa.string()),
        ("pairs", pa.string()),
        ("cell", pa.string()),
        ("document", pa.string()),
        ("epoch", pa.string()),
        ("instant", pa.timestamp("us")),
        ("day", pa.date32()),
        ("steps", pa.int32()),
    ]
)

REST = "rest_of_step('instant', usage_step('instant'))"
# name: the macro as a model calls it. The relation is called `tiers`, because the macro
# of price steps names it so.
EXPRESSIONS = {
    "is_number": f"matches('text', '{NUMBER}')",
    "parsed": "parse_quantity('text')",
    "trimmed": "trim_text('text')",
    "quoted": "json_quote('text')",
    "hash": "sha256_text('text')",
    "json_value": "json_text('document', 'key')",
    "json_inner": "json_path_text('document', 'outer', 'inner')",
    "json_lines": "json_line_count('document')",
    "key_values": "key_values_json('pairs')",
    "list_length": "list_size('cell')",
    "allowed": "list_allows('cell', 'text')",
    "micros": "epoch_micros('instant')",
    "from_seconds": "from_epoch_seconds('epoch')",
    "months_on": "add_months('instant', 'steps')",
    "hours_on": "add_hours('instant', 'steps * 24')",
    "days_on": "add_days('day', 'steps')",
    "seconds_on": "add_seconds('instant', -1)",
    "month": "month_text('instant')",
    "date": "date_text('instant')",
    "whole": "to_quantity(truncate_quantity('quantity'))",
    "price": "multiply_price('quantity', 'unit_price')",
    "in_step": "quantity_in_step('quantity', 'tier_start', 'tier_end')",
    "in_tier": "is_in_tier('quantity')",
    "packages_begun": "whole_packages('packed', 'factor', \"'up'\")",
    "packages_full": "whole_packages('packed', 'factor', \"'down'\")",
    "quotient": "integer_divide('cast(steps as bigint)', '7')",
    "mean": "average('quantity', 'cast(factor + 2 as bigint)')",
    "level": (
        "units_to_quantity(divide_rounded("
        f"quantity_units('amount') ~ ' * ' ~ {REST}, '3600000000'))"
    ),
    "share": (
        "share_of_time('amount', "
        "seconds_of(usage_step('instant'), 'instant'), wide_integer('3600'))"
    ),
    "rest": REST,
    "apart": "steps_between(add_hours('instant', '7'), 'instant')",
    "minutes_on": "add_minutes('instant', 'steps * 15')",
    "hour": "usage_step('instant')",
    "quarter": "quarter_hour('instant')",
    "minor": "to_minor('amount', 'factor')",
    "floored": "floor_minor('amount', 'factor')",
    "major": "from_minor('amount_minor', 'unit')",
    "parts": "to_parts('unit_price', 'steps', 'text')",
    "placed": "round_to_places('amount', 'steps')",
    "smallest": "unit_of_places('steps')",
    "decimal": "decimal_text('wide')",
    "short": "short_decimal_text('wide')",
    "id_of": "hash_id('x', ['text', decimal_text('wide')])",
    "content": (
        "content_text([['text', 'text'], ['id', 'integer'], ['wide', 'decimal'], "
        "['instant', 'instant'], ['flag', 'boolean'], ['unit_price', 'decimal']])"
    ),
}

TEXTS = (
    *NASTY_PROJECTS,
    NASTY_NAME,
    "12",
    "-12.5",
    "12\n",
    " 12",
    "1e3",
    "+1",
    ".5",
    "0.000000000001",
    "0.0000000000001",
    "1.1234567890120000",
    "9999999999999999999.999999999999",
    "10000000000000000000",
    "-0",
    "٣",
    "\u00a0hard space\u2003",
    "a|b",
    "b",
    None,
)
PAIRS = (
    "a=1|b=2",
    " b = x | a = y ",
    "k=v=w",
    'k=O\'Hara|j=say "hi"|b=back\\slash',
    "Z=1|a=2|ä=3|é=4|A=5",
    "k=東京🚀",
    "k=\u00a0v",
    "",
    None,
)
CELLS = ("a|b|c", "b", "", "é|ü|東京", "O'Hara|back\\slash", None)
INSTANTS = (
    "2026-01-31 00:00:00",
    "2024-02-29 23:59:59.999999",
    "2026-12-31 23:59:59.999999",
    "2026-03-29 01:30:00",
    "2026-11-01 01:30:00",
    "2026-10-25 02:30:00.000001",
    "1969-12-31 23:59:59.5",
    "1900-01-01 00:00:00",
    "9999-12-30 00:00:00",
)
STEPS = (0, 1, -1, 12, 13, 25)
QUANTITIES = (
    Decimal(0),
    TINY,
    -TINY,
    Decimal("0.5"),
    Decimal("-0.5"),
    Decimal("1.999999999999"),
    Decimal("-1.999999999999"),
    LARGEST_QUANTITY,
    LARGEST_QUANTITY.copy_negate(),
    None,
)
PACKED = (
    *(Decimal(text) for text in ("-3", "0", "0.000000000001", "99.5", "100", "100.1")),
    *(Decimal(text) for text in ("1000", "8999999999999999999.5")),
    None,
)
PRICES = (Decimal(0), TINY, Decimal("0.000000276"), Decimal(1), Decimal("9.99"), None)
AMOUNTS = (
    *(Decimal(text) for text in ("0", "0.005", "-0.005", "0.0049", "2.5", "-2.5")),
    *(Decimal(text) for text in ("0.0005", "-0.0005", "0.999999999999", "-0.01")),
    Decimal("90000000000000.123456789012"),
    None,
)
WIDE = (
    *AMOUNTS,
    LARGEST_AMOUNT,
    LARGEST_AMOUNT.copy_negate(),
    TINY,
    -TINY,
)


@pytest.fixture(scope="module")
def folder(spark_workspace: Path, quick_spark: None) -> Path:
    return spark_workspace


def test_macros_give_equal_values(folder: Path, tmp_path: Path) -> None:
    rows = [nasty_row(number) for number in range(400)]
    assert_equal_on_both(folder, write(tmp_path, rows), EXPRESSIONS)


def test_elements_of_a_list_cell(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path, [nasty_row(number) for number in range(len(CELLS))])
    assert_equal_on_both(folder, path, {"element": "list_elements('cell')"})


def test_texts_in_order(folder: Path, tmp_path: Path) -> None:
    """The order of the bytes, NULLs left out; nothing to put together is NULL."""
    path = write(tmp_path, [nasty_row(number) for number in range(300)])
    assert_equal_on_both(
        folder,
        path,
        {
            "by_id": "ordered_concat('text', 'id')",
            "by_text": "ordered_concat(json_quote('text'), \"coalesce(text, ''), id\")",
            "none": "ordered_concat('case when id < 0 then text end', 'id')",
        },
        key="factor",
        tail="group by factor",
    )


def test_a_key_comes_back_as_it_was(folder: Path, tmp_path: Path) -> None:
    """Whatever the usage holds, control characters too, which are no JSON."""
    texts = [*TEXTS, *(f"{chr(code)}x{chr(code)}" for code in range(1, 32))]
    rows = [{**nasty_row(n), "text": text} for n, text in enumerate(texts)]
    usage = r""""'{\"a\":\"1\",\"key\":' || " ~ json_quote('text') ~ " || '}'" """
    found = assert_equal_on_both(
        folder,
        write(tmp_path, rows),
        {"usage": usage, "keys": f"json_subset({usage}, \"'key'\")"},
    )
    assert [row["keys"] for row in found] == [
        row["usage"].replace('"a":"1",', "") for row in found
    ]


def test_literals(folder: Path, tmp_path: Path) -> None:
    """Every text survives as a literal of the SQL."""
    texts = [text for text in (*TEXTS, *PAIRS) if text is not None]
    path = write(tmp_path, [nasty_row(0)])
    found = assert_equal_on_both(
        folder,
        path,
        {f"t{n}": f"text_literal(var('texts')[{n}])" for n in range(len(texts))},
        texts=texts,
    )
    assert list(found[0].values())[1:] == texts


def test_instants_in_every_form_of_the_price_book(folder: Path, tmp_path: Path) -> None:
    """A form that an engine does not read is NULL, and a contract without a start."""
    at_five = ("T05:00Z", " 05:00", "T05:00+00:00", "T05:00:00Z", " 05:00:00.000000")
    texts = [f"2026-10-01{form}" for form in at_five]
    path = write(tmp_path, [nasty_row(0)])
    found = assert_equal_on_both(
        folder,
        path,
        {
            **{
                f"t{n}": f"to_instant(text_literal(var('texts')[{n}]))"
                for n in range(len(texts))
            },
            "day": "to_instant(\"'2026-10-01'\")",
            "none": "to_instant('cast(null as string)')",
        },
        texts=texts,
    )
    _, *instants, day, none = found[0].values()
    assert instants == [datetime(2026, 10, 1, 5)] * len(texts)
    assert (day, none) == (datetime(2026, 10, 1), None)


def test_thousands_of_products_are_exact(folder: Path, tmp_path: Path) -> None:
    """Both engines and Python's Decimal: quantity x price at 12 places, and its minor
    units, each rounded half away from zero once."""
    dice = random.Random(20261102)
    with localcontext(prec=80):
        rows = [product_row(dice, number) for number in range(5_000)]
    product = "multiply_price('quantity', 'unit_price')"
    found = assert_equal_on_both(
        folder,
        write(tmp_path, rows),
        {"product": product, "minor": "to_minor('amount', 'factor')"},
    )
    wrong = [
        (given["quantity"], given["unit_price"], got["product"])
        for given, got in zip(rows, found, strict=True)
        if got["product"] != exact_product(given["quantity"], given["unit_price"])
    ]
    assert wrong == []
    exponents = {1: 0, 100: 2, 1000: 3}
    wrong = [
        (given["amount"], given["factor"], got["minor"])
        for given, got in zip(rows, found, strict=True)
        if got["minor"] != minor(given["amount"], exponents[given["factor"]])
    ]
    assert wrong == []


def test_thousands_of_means_are_exact(folder: Path, tmp_path: Path) -> None:
    """Both engines and Python's Decimal: a sum divided by its count at 12 places, half
    away from zero; the sums end in halves often."""
    dice = random.Random(20261120)
    with localcontext(prec=80):
        rows = [product_row(dice, number) for number in range(3_000)]
    for row in rows:
        row["amount_minor"] = dice.choice((1, 2, 3, 4, 7, 8, 10**9 + 7, 9_999_999_999))
    found = assert_equal_on_both(
        folder,
        write(tmp_path, rows),
        {"mean": "average('quantity', 'amount_minor')"},
    )
    with localcontext(prec=80):
        wrong = [
            (given["quantity"], given["amount_minor"], got["mean"])
            for given, got in zip(rows, found, strict=True)
            if got["mean"]
            != (given["quantity"] / given["amount_minor"]).quantize(
                TINY, rounding=ROUND_HALF_UP
            )
        ]
    assert wrong == []


def test_last_values_and_hours(folder: Path, tmp_path: Path) -> None:
    """The last value by instant and then text; every hour from one to another."""
    path = write(tmp_path, [nasty_row(number) for number in range(300)])
    assert_equal_on_both(
        folder,
        path,
        {"last": "latest_value('quantity', ['instant', \"coalesce(text, '')\", 'id'])"},
        key="factor",
        tail="group by factor",
    )
    path = write(tmp_path, [nasty_row(number) for number in range(8)])
    hours = assert_equal_on_both(
        folder,
        path,
        {"hour": "each_step('instant', add_minutes('instant', 'id * 60'))"},
    )
    assert len(hours) == sum(range(1, 9))


def test_what_overflows_is_an_error_or_null(folder: Path, tmp_path: Path) -> None:
    """Never a wrapped or rounded amount: DuckDB refuses, Spark gives NULL, which the
    checks of every run forbid."""
    row = {**nasty_row(0), "quantity": LARGEST_QUANTITY, "unit_price": LARGEST_PRICE}
    path = write(tmp_path, [row])
    expressions = {"product": "multiply_price('quantity', 'unit_price')"}
    query = {
        target: rendered(folder, target, path, expressions)
        for target in ("duckdb", "spark")
    }
    with duckdb.connect() as con, pytest.raises(duckdb.Error, match="(?i)decimal"):
        con.execute(query["duckdb"]).fetchall()
    assert on_spark(folder, query["spark"]) == [{"id": 0, "product": None}]


def test_more_parts_than_64_bits_hold_stop_the_run(
    folder: Path, tmp_path: Path
) -> None:
    row = {**nasty_row(0), "amount": Decimal(9_000_000), "steps": 12, "text": "gems"}
    path = write(tmp_path, [row])
    expressions = {"parts": "to_parts('amount', 'steps', 'text')"}
    said = "pricing unit gems: 9000000.000000000000 .* fewer decimal_places"
    query = {
        target: rendered(folder, target, path, expressions)
        for target in ("duckdb", "spark")
    }
    with duckdb.connect() as con, pytest.raises(duckdb.Error, match=said):
        con.execute(query["duckdb"]).fetchall()
    with pytest.raises(Exception, match=said):
        on_spark(folder, query["spark"])


def nasty_row(number: int) -> dict[str, Any]:
    """Row `number` of the cross product of odd values, walked with steps of its own in
    every column, so that they meet in ever new company."""

    def pick(values: Any, stride: int) -> Any:
        return values[(number * stride + number // len(values)) % len(values)]

    text = pick(TEXTS, 1)
    factor = pick((1, 100, 1000), 1)
    start = pick((Decimal(0), Decimal("1.5"), Decimal(1000)), 1)
    return {
        "id": number,
        "quantity": pick(QUANTITIES, 1),
        "tier_start": start,
        "tier_end": pick((None, start + 7), 1),
        "is_volume_like": pick((True, False), 1),
        "holds_line_quantity": pick((True, False), 1),
        "packed": pick(PACKED, 1),
        "unit_price": pick(PRICES, 1),
        "amount": pick(AMOUNTS, 1),
        "wide": pick(WIDE, 1),
        "amount_minor": pick((0, 1, -1, 149647, 9_000_000_000_000_000_000, None), 1),
        "factor": factor,
        "unit": Decimal(1) / factor,
        "flag": pick((True, False, None), 1),
        "text": text,
        "pairs": pick(PAIRS, 1),
        "cell": pick(CELLS, 1),
        "document": document(number, text),
        "epoch": pick(("0", "1767225600", "-1", "253402214400", None), 1),
        "instant": datetime.fromisoformat(pick(INSTANTS, 1)),
        "day": datetime.fromisoformat(pick(INSTANTS[:6], 1)).date(),
        "steps": 0 if pick(INSTANTS, 1) == INSTANTS[-1] else pick(STEPS, 1),
    }


def document(number: int, text: str | None) -> str | None:
    """JSON as Stripe or a sender writes it."""
    shapes = (
        {"key": text, "outer": {"inner": text}, "lines": {"data": [{"id": 1}] * 3}},
        {"key": 12345678901, "outer": {"inner": True}, "lines": {"data": []}},
        {"key": False, "outer": None, "lines": {}},
        {"other": text, "outer": {}},
        {},
    )
    turn = number // len(TEXTS) % (len(shapes) + 1)
    if turn == len(shapes):
        return None
    return json.dumps(shapes[turn], ensure_ascii=number % 2 == 0)


def product_row(dice: random.Random, number: int) -> dict[str, Any]:
    """Any quantity with a price that keeps the product below 10^20."""
    digits = dice.randint(1, 31)
    quantity = Decimal(dice.randint(-(10**digits), 10**digits)).scaleb(-12)
    price = Decimal(dice.randint(0, 10 ** dice.randint(1, 18))).scaleb(-12)
    if abs(quantity * price) >= 10**19 or abs(quantity) > LARGEST_QUANTITY:
        quantity = Decimal(dice.randint(-(10**13), 10**13)).scaleb(-12)
    # Many amounts that end in a half of the smallest unit.
    halves = Decimal(dice.randint(-(10**9), 10**9)) * 5
    return {
        **nasty_row(number),
        "quantity": quantity,
        "unit_price": price,
        "amount": halves.scaleb(-dice.randint(1, 4)),
    }


def exact_product(quantity: Decimal, price: Decimal) -> Decimal:
    with localcontext(prec=80):
        return (quantity * price).quantize(TINY, rounding=ROUND_HALF_UP)


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "nasty.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    return path


def assert_equal_on_both(
    folder: Path,
    path: Path,
    expressions: Mapping[str, str],
    *,
    key: str = "id",
    tail: str = "",
    **variables: Any,
) -> list[dict[str, Any]]:
    """The rows that both engines gave, column by column the same."""
    found = {}
    for target, run in (("duckdb", on_duckdb), ("spark", on_spark)):
        query = rendered(folder, target, path, expressions, key, tail, **variables)
        found[target] = run(folder, query)
    assert len(found["duckdb"]) == len(found["spark"]) > 0
    for name in expressions:
        differing = [
            (one[key], one[name], other[name])
            for one, other in zip(found["duckdb"], found["spark"], strict=True)
            if one[name] != other[name]
        ]
        assert differing == [], f"{name}: (key, duckdb, spark)"
    return found["duckdb"]


def on_duckdb(folder: Path, query: str) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        rows: list[dict[str, Any]] = con.sql(query).to_arrow_table().to_pylist()
        return rows


def on_spark(folder: Path, query: str) -> list[dict[str, Any]]:
    con = session(Workspace(folder))
    # The stricter case: the profile's setting would hide a product that loses digits.
    con.conf.set("spark.sql.decimalOperations.allowPrecisionLoss", "true")
    rows: list[dict[str, Any]] = con.sql(query).toArrow().to_pylist()
    return [
        {
            name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def rendered(
    folder: Path,
    target: str,
    path: Path,
    expressions: Mapping[str, str],
    key: str = "id",
    tail: str = "",
    **variables: Any,
) -> str:
    """The SQL that dbt makes of the macros. The query that it runs on the way gives the
    session the settings that every model finds."""
    columns = ", ".join(f"{{{{ {e} }}}} as {name}" for name, e in expressions.items())
    template = (
        "{% do run_query('select 1') %}"
        f"select {key}, {columns} from {{{{ parquet_file('{path}') }}}} as tiers "
        f"{tail} order by {', '.join([key, *list(expressions)[-1:]])}"
    )
    session(Workspace(folder))
    scratch = folder.parent / f"dialect-{target}"
    result = invoke(
        scratch,
        target,
        [
            "compile",
            "--inline",
            template,
            "--vars",
            json.dumps(variables, ensure_ascii=False),
        ],
        project(scratch, target).deepcopy(),
    )
    compiled: str = result.result.results[0].node.compiled_code
    return compiled


@functools.cache
def project(scratch: Path, target: str) -> Any:
    """The parsed project; it takes five seconds."""
    return invoke(scratch, target, ["parse"]).result


def invoke(
    scratch: Path, target: str, arguments: list[str], manifest: Any = None
) -> Any:
    """dbt over an empty workspace."""
    from dbt.cli.main import dbtRunner

    scratch.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METERHOUSE_WORKSPACE", str(scratch))
        patch.setenv("METERHOUSE_WAREHOUSE", str(scratch / "warehouse.duckdb"))
        patch.setenv("METERHOUSE_MODELS", str(scratch / "models"))
        result = dbtRunner(manifest=manifest).invoke(
            [
                *arguments,
                *("--target", target, "--quiet"),
                *("--project-dir", str(PROJECT_DIR)),
                *("--profiles-dir", str(PROJECT_DIR)),
                *("--target-path", str(scratch), "--log-path", str(scratch)),
            ]
        )
    assert result.success, result.exception or result.result
    return result
