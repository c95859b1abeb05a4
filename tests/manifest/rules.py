"""House rules of the dbt project as functions: manifest in, one line per breach out.

A manifest is the dict of dbt's `manifest.json`. No rule knows an exception by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Manifest = dict[str, Any]
Node = dict[str, Any]

STAGES = (
    "staging",
    "metering",
    "rating",
    "credits",
    "invoicing",
    "publishing",
    "payments",
    "reconciliation",
    "exports",
)
MONEY_STAGES = STAGES[1:-1]
SOURCES = {"books", "ops", "lake", "catalog"}
MAX_LINES = 110
TABLES = {"table", "incremental"}

FLOATS = re.compile(
    r"\b(float|float4|float8|double|real|avg|mean|median|stddev|sqrt|pow|power|exp|ln)\b"
    r"|\b\d+(\.\d+)?e[+-]?\d+\b",
    re.IGNORECASE,
)
# What only one of the engines knows, or what both know and mean differently.
ENGINE_SPECIFIC = re.compile(
    r"\b(string_split|str_split|split|split_part|list_\w+|array_\w+|transform|unnest"
    r"|explode|from_json|json_\w+|get_json_object|read_\w+|parse_filename|glob"
    r"|epoch\w*|unix_\w+|make_\w*(timestamp|interval)|timestamp_\w+|to_timestamp"
    r"|strftime|strptime|date_format|to_(years|months|days|hours|seconds)|date_add"
    r"|dateadd|datediff|date_diff|months_between|string_agg|listagg|group_concat"
    r"|regexp_\w+|rlike|sha\d*|md5|hash|xxhash\w*|trunc|strpos|instr|arg_max|arg_min"
    r"|max_by|min_by|any_value|first|last)\s*\("
    r"|->>?|::|\b(qualify|ilike|asof|exclude)\b",
    re.IGNORECASE,
)
HARD_CODED = re.compile(
    rf"\b(?:from|join)\s+(?:{'|'.join(sorted(SOURCES))})\.\w+", re.IGNORECASE
)


def models(manifest: Manifest) -> Iterator[Node]:
    """Every model of the project."""
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            yield node


def money_tables(manifest: Manifest) -> Iterator[Node]:
    """Models of the money stages that are stored."""
    for node in models(manifest):
        if stage(node) in MONEY_STAGES and node["config"]["materialized"] in TABLES:
            yield node


def stage(node: Node) -> str:
    """Folder of the node below models/, which is also its schema and its group."""
    return str(node["fqn"][1])


def is_amount(column: str) -> bool:
    """Does the column hold money?"""
    return column.endswith("_minor") or column in {
        "amount",
        "balance",
        "stripe_amount",
        "stripe_subtotal",
        "total",
        "unit_price",
    }


def sql_only(raw_code: str) -> str:
    """The SQL that a model writes: no comments, no literals; of jinja, the SQL text
    that is handed to macros."""
    code = re.sub(r"{#.*?#}", " ", raw_code, flags=re.DOTALL)
    code = re.sub(r"{%.*?%}", " ", code, flags=re.DOTALL)
    code = re.sub(r"--[^\n]*|/\*.*?\*/", " ", code, flags=re.DOTALL)

    def handed_over(match: re.Match[str]) -> str:
        texts = re.findall(r"\"([^\"]*)\"|'([^']*)'", match.group(1))
        return " ".join(re.sub(r"'[^']*'", " ", a or b) for a, b in texts)

    # Literals first where no jinja is near: an apostrophe in a macro call is quoting.
    parts = re.split(r"({{.*?}})", code, flags=re.DOTALL)
    return "".join(
        re.sub(r"{{(.*)}}", handed_over, part, flags=re.DOTALL)
        if part.startswith("{{")
        else re.sub(r"'[^']*'", " ", part)
        for part in parts
    )


def stages_read_earlier_stages(manifest: Manifest) -> list[str]:
    """A stage reads itself and earlier ones; staging alone reads sources and seeds."""
    found = []
    for node in models(manifest):
        own = stage(node)
        if own not in STAGES:
            found.append(f"{node['name']}: {own} is no stage")
            continue
        for unique_id in node["depends_on"]["nodes"]:
            kind = unique_id.split(".")[0]
            if kind == "model":
                read = stage(manifest["nodes"][unique_id])
                if STAGES.index(read) > STAGES.index(own):
                    found.append(f"{node['name']}: reads {unique_id} of {read}")
            elif own != "staging":
                found.append(f"{node['name']}: reads {unique_id}, only staging may")
            elif kind == "source":
                source = manifest["sources"][unique_id]["source_name"]
                if source not in SOURCES:
                    found.append(f"{node['name']}: reads the source {source}")
        for text in HARD_CODED.findall(sql_only(node["raw_code"])):
            found.append(f"{node['name']}: `{text}` instead of source() or ref()")
    return found


def money_tables_have_contracts(manifest: Manifest) -> list[str]:
    """Columns and types of a stored money table are promised and enforced."""
    found = []
    for node in money_tables(manifest):
        if not node["config"]["contract"]["enforced"]:
            found.append(f"{node['name']}: no enforced contract")
        for name, column in node["columns"].items():
            if not column["data_type"]:
                found.append(f"{node['name']}.{name}: no data_type")
    return found


def _tests_of(manifest: Manifest, name: str) -> Iterator[tuple[str, Node]]:
    for node in manifest["nodes"].values():
        metadata = node.get("test_metadata")
        if metadata and metadata["name"] == name and node["config"]["enabled"]:
            yield node["attached_node"], node


def money_tables_test_their_grain(manifest: Manifest) -> list[str]:
    """No two rows of a stored money table share its grain, and a test says so."""
    keys: dict[str, list[set[str]]] = {}
    for model, test in _tests_of(manifest, "unique"):
        keys.setdefault(model, []).append({test["column_name"]})
    for model, test in _tests_of(manifest, "unique_combination"):
        columns = test["test_metadata"]["kwargs"]["columns"]
        keys.setdefault(model, []).append(set(columns))
    return [
        f"{node['name']}: no test that {grain(node)} is unique"
        for node in money_tables(manifest)
        if set(grain(node)) not in keys.get(node["unique_id"], [])
    ]


def grain(node: Node) -> list[str]:
    """Columns of which no two rows of the model share all values."""
    return list(node["config"]["meta"].get("grain", []))


def empty_values_are_declared(manifest: Manifest) -> list[str]:
    """Keys, amounts and currencies of a stored money table are tested never to be
    empty, or their text says when they are."""
    required: dict[str, set[str]] = {}
    for model, test in _tests_of(manifest, "not_null_columns"):
        columns = test["test_metadata"]["kwargs"]["columns"]
        required.setdefault(model, set()).update(columns)
    found = []
    for node in money_tables(manifest):
        tested = required.get(node["unique_id"], set())
        for name, column in node["columns"].items():
            must = name in grain(node) or is_amount(name) or name == "currency"
            says_so = "empty" in column["description"].lower()
            if must and name not in tested and not says_so:
                found.append(f"{node['name']}.{name}: may be empty and does not say so")
    return found


def money_rules_have_unit_tests(manifest: Manifest) -> list[str]:
    """Every model of the money stages that yields an amount has a unit test."""
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    return [
        f"{node['name']}: no unit test"
        for node in models(manifest)
        if stage(node) in MONEY_STAGES
        and any(map(is_amount, node["columns"]))
        and node["name"] not in tested
    ]


def models_state_their_grain(manifest: Manifest) -> list[str]:
    """`One row per ...` in words, its columns as meta.grain; an owner beside it."""
    found = []
    for node in models(manifest):
        if not node["description"].startswith("One row per "):
            found.append(f"{node['name']}: the description does not state the grain")
        unknown = set(grain(node)) - set(node["columns"])
        if not grain(node) or unknown:
            found.append(f"{node['name']}: meta.grain is {grain(node)}")
        dagster = node["config"]["meta"].get("dagster", {})
        if dagster.get("group") != stage(node) or not dagster.get("owners"):
            found.append(f"{node['name']}: meta.dagster lacks its group or an owner")
    return found


def columns_are_described_by_doc_blocks(manifest: Manifest) -> list[str]:
    """One text per meaning, shared by all tables that hold the column; no text unused.

    The price book's own declaration is the exception: it is read as it stands, by the
    preflight and by docs/workspace.md.
    """
    found = []
    used = set()
    described = [*models(manifest), *manifest["sources"].values()]
    described += [n for n in manifest["nodes"].values() if n["resource_type"] == "seed"]
    for node in described:
        if node.get("source_name") == "catalog":
            continue
        if not node["columns"]:
            found.append(f"{node['name']}: no columns")
        for name, column in node["columns"].items():
            used.update(column["doc_blocks"])
            if not column["description"].strip() or not column["doc_blocks"]:
                found.append(f"{node['name']}.{name}: no doc block")
    for unique_id, block in manifest["docs"].items():
        if block["package_name"] == "meterhouse" and unique_id not in used:
            found.append(f"doc block {block['name']}: nobody uses it")
    return found


def models_are_short(manifest: Manifest) -> list[str]:
    """A longer model holds two ideas."""
    return [
        f"{node['name']}: {lines} lines"
        for node in models(manifest)
        if (lines := len(node["raw_code"].splitlines())) > MAX_LINES
    ]


def models_end_with_final(manifest: Manifest) -> list[str]:
    """The last CTE is the result. Plain staging (no CTE) renames and casts, no more."""
    found = []
    for node in models(manifest):
        code = re.sub(r"--[^\n]*", "", node["raw_code"])
        plain = stage(node) == "staging" and not re.search(r"^with$", code, re.M)
        if not plain and not code.rstrip().endswith("\n\nselect * from final"):
            found.append(f"{node['name']}: does not end with `select * from final`")
    return found


def _queries(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Name and SQL of every model and every test that is a query of its own."""
    for node in manifest["nodes"].values():
        own_test = node["resource_type"] == "test" and not node.get("test_metadata")
        if node["resource_type"] == "model" or own_test:
            yield node["name"], sql_only(node["raw_code"])


def money_is_never_binary(manifest: Manifest) -> list[str]:
    """No floating point and no `/`: one macro divides, one multiplies."""
    return [
        f"{name}: `{match.group(0)}`"
        for name, code in _queries(manifest)
        for match in re.finditer(rf"{FLOATS.pattern}|/", code, re.IGNORECASE)
    ]


def engines_are_told_apart_in_macros(manifest: Manifest) -> list[str]:
    """Whatever one engine alone understands stands in a dispatched macro."""
    return [
        f"{name}: `{match.group(0)}`"
        for name, code in _queries(manifest)
        for match in ENGINE_SPECIFIC.finditer(code)
    ]


def tests_are_visible_to_operators(manifest: Manifest) -> list[str]:
    """A test of its own says what it guards, and names the table it is a check of when
    it reads several things: Dagster drops it otherwise."""
    known = {node["name"] for node in models(manifest)}
    found = []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "test" or node.get("test_metadata"):
            continue
        meta = node["config"]["meta"]
        if not meta.get("description"):
            found.append(f"{node['name']}: no meta.description")
        ref = meta.get("dagster", {}).get("ref", {}).get("name")
        if (len(node["depends_on"]["nodes"]) > 1 or ref) and ref not in known:
            found.append(f"{node['name']}: meta.dagster.ref {ref} is no model")
    return found


def tests_all_run(manifest: Manifest) -> list[str]:
    """No test is switched off, and none only warns."""
    return [
        f"{node['name']}: off or a mere warning"
        for node in [*manifest["nodes"].values(), *_disabled(manifest)]
        if node["resource_type"] in ("test", "unit_test")
        and (
            not node["config"]["enabled"]
            or node["config"].get("severity", "error").lower() != "error"
        )
    ]


def _disabled(manifest: Manifest) -> Iterator[Node]:
    for nodes in manifest.get("disabled", {}).values():
        yield from nodes


def incremental_models_refuse_new_columns(manifest: Manifest) -> list[str]:
    """A column that appears half-way through a table would be empty before."""
    return [
        f"{node['name']}: on_schema_change is {node['config']['on_schema_change']}"
        for node in models(manifest)
        if node["config"]["materialized"] == "incremental"
        and node["config"]["on_schema_change"] != "fail"
    ]


RULES = (
    stages_read_earlier_stages,
    money_tables_have_contracts,
    money_tables_test_their_grain,
    empty_values_are_declared,
    money_rules_have_unit_tests,
    models_state_their_grain,
    columns_are_described_by_doc_blocks,
    models_are_short,
    models_end_with_final,
    money_is_never_binary,
    engines_are_told_apart_in_macros,
    tests_are_visible_to_operators,
    tests_all_run,
    incremental_models_refuse_new_columns,
)
