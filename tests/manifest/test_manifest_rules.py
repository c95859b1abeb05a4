"""The dbt project keeps the house rules, and each rule can fail.

`rules.py` holds the rules; here they meet the parsed project, and each meets a small
manifest that breaks it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.cli.main import dbtRunner
from dbt.jsonschemas import JSONSCHEMAS_PATH
from jsonschema import Draft7Validator

from tests.manifest import rules
from tests.manifest.rules import Manifest, Node

ROOT = Path(__file__).parents[2]
RESOURCES = Draft7Validator(
    json.loads((Path(JSONSCHEMAS_PATH) / "resources" / "latest.json").read_text())
)
YAML_FILES = sorted((ROOT / "dbt_project").rglob("*.yml"))


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """manifest.json of the project as it stands, parsed without a warehouse."""
    folder = tmp_path_factory.mktemp("manifest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METERHOUSE_WORKSPACE", str(folder))
        patch.setenv("METERHOUSE_MODELS", str(folder / "models"))
        patch.setenv("METERHOUSE_WAREHOUSE", str(folder / "warehouse.duckdb"))
        result = dbtRunner().invoke(
            ["--quiet", "--no-partial-parse", "parse"]
            + ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
            + ["--target-path", str(folder), "--log-path", str(folder)]
        )
    assert result.success, result.exception
    parsed: Manifest = json.loads((folder / "manifest.json").read_text())
    return parsed


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_project_keeps(
    rule: Callable[[Manifest], list[str]], manifest: Manifest
) -> None:
    assert rule(manifest) == []


def test_every_stage_has_models(manifest: Manifest) -> None:
    """A rule over no models would hold for any project."""
    assert {rules.stage(node) for node in rules.models(manifest)} == set(rules.STAGES)
    assert len(list(rules.money_tables(manifest))) >= 25


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yaml_has_no_key_that_dbt_ignores(path: Path) -> None:
    assert unknown_keys(yaml.safe_load(path.read_text())) == []


def unknown_keys(document: Any) -> list[str]:
    """What dbt's own schema finds wrong; dbt skips a misspelt key without a word."""
    return [
        f"{'/'.join(map(str, error.path))}: {error.message}"
        for error in RESOURCES.iter_errors(document)
    ]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            {"models": [{"name": "m", "columns": [{"name": "a", "datatype": "date"}]}]},
            id="column key",
        ),
        pytest.param({"models": [{"name": "m", "desciption": "x"}]}, id="model key"),
        pytest.param(
            {
                "models": [
                    {
                        "name": "m",
                        "columns": [
                            {
                                "name": "a",
                                "data_tests": [{"relationship": {"to": "ref('b')"}}],
                            }
                        ],
                    }
                ]
            },
            id="test name",
        ),
        pytest.param({"unit_tests": [{"name": "u", "given": []}]}, id="unit test key"),
    ],
)
def test_misspelt_key_is_found(document: dict[str, Any]) -> None:
    assert unknown_keys({"version": 2, **document}) != []


def node(name: str, stage: str, sql: str = "", **changes: Any) -> Node:
    """A model that keeps every rule, with changes."""
    keeps: Node = {
        "unique_id": f"model.meterhouse.{name}",
        "resource_type": "model",
        "name": name,
        "fqn": ["meterhouse", stage, name],
        "description": "One row per invoice.",
        "raw_code": f"with\n\nfinal as (\n\n    {sql}\n\n)\n\nselect * from final",
        "depends_on": {"nodes": []},
        "config": {
            "enabled": True,
            "materialized": "table",
            "contract": {"enforced": True},
            "meta": {
                "grain": ["invoice_id"],
                "dagster": {"group": stage, "owners": ["team:billing"]},
            },
        },
        "columns": {"invoice_id": column(), "total_minor": column("bigint")},
    }
    return keeps | changes


def column(data_type: str = "string", description: str = "Text.") -> dict[str, Any]:
    return {
        "data_type": data_type,
        "description": description,
        "doc_blocks": ["doc.meterhouse.text"],
    }


def generic_test(name: str, columns: list[str], model: str = "invoices") -> Node:
    return {
        "resource_type": "test",
        "name": f"{model}_{name}",
        "test_metadata": {"name": name, "kwargs": {"columns": columns}},
        "column_name": columns[0],
        "attached_node": f"model.meterhouse.{model}",
        "config": {"enabled": True, "severity": "ERROR"},
    }


def own_test(**changes: Any) -> Node:
    keeps: Node = {
        "resource_type": "test",
        "name": "law",
        "raw_code": "select 1",
        "depends_on": {"nodes": ["model.meterhouse.invoices", "source.a.b.c"]},
        "config": {
            "enabled": True,
            "severity": "ERROR",
            "meta": {
                "description": "What it guards.",
                "dagster": {"ref": {"name": "invoices"}},
            },
        },
    }
    return keeps | changes


def project(*nodes: Node) -> Manifest:
    """A manifest that keeps every rule, with nodes added or replaced by name."""
    listed = [
        node("invoices", "invoicing", "select total_minor from lines -- 1 / 2, float"),
        generic_test("unique", ["invoice_id"]),
        generic_test("not_null_columns", ["invoice_id", "total_minor"]),
        own_test(),
        *nodes,
    ]
    by_name = {item["name"]: item for item in listed}
    return {
        "nodes": {
            f"{n['resource_type']}.meterhouse.{k}": n for k, n in by_name.items()
        },
        "sources": {"source.meterhouse.crm.deals": source("crm")},
        "docs": {"doc.meterhouse.text": {"name": "text", "package_name": "meterhouse"}},
        "unit_tests": {"u": {"model": "invoices"}},
        "disabled": {},
    }


def source(name: str) -> dict[str, Any]:
    return {"name": "deals", "source_name": name, "columns": {"id": column()}}


def meta(item: Node, **changes: Any) -> Node:
    """The node with keys of config.meta changed."""
    changed = copy.deepcopy(item)
    changed["config"]["meta"] |= changes
    return changed


def config(item: Node, **changes: Any) -> Node:
    """The node with keys of config changed."""
    return item | {"config": item["config"] | changes}


INVOICES = node("invoices", "invoicing")
READS: dict[str, Any] = {"depends_on": {"nodes": ["model.meterhouse.payments"]}}
READS_SOURCE: dict[str, Any] = {
    "depends_on": {"nodes": ["source.meterhouse.crm.deals"]}
}
LONG = "\n".join("    x," for _ in range(rules.MAX_LINES))
BREACHES: list[tuple[Callable[[Manifest], list[str]], str, Manifest]] = [
    (
        rules.stages_read_earlier_stages,
        "a later stage",
        project(node("payments", "payments"), INVOICES | READS),
    ),
    (
        rules.stages_read_earlier_stages,
        "a source outside staging",
        project(INVOICES | READS_SOURCE),
    ),
    (
        rules.stages_read_earlier_stages,
        "an unknown source",
        project(node("stg_deals", "staging", **READS_SOURCE)),
    ),
    (
        rules.stages_read_earlier_stages,
        "a table by name",
        project(node("invoices", "invoicing", "select a from books.closes")),
    ),
    (rules.stages_read_earlier_stages, "no stage", project(node("marts", "marts"))),
    (
        rules.money_tables_have_contracts,
        "no contract",
        project(config(INVOICES, contract={"enforced": False})),
    ),
    (
        rules.money_tables_have_contracts,
        "no type",
        project(INVOICES | {"columns": {"invoice_id": column("")}}),
    ),
    (
        rules.money_tables_test_their_grain,
        "another key",
        project(generic_test("unique", ["total_minor"])),
    ),
    (
        rules.money_tables_test_their_grain,
        "half of the grain",
        project(meta(INVOICES, grain=["invoice_id", "total_minor"])),
    ),
    (
        rules.empty_values_are_declared,
        "an amount",
        project(generic_test("not_null_columns", ["invoice_id"])),
    ),
    (
        rules.money_rules_have_unit_tests,
        "a view with an amount",
        project(config(node("new_rule", "rating"), materialized="view")),
    ),
    (
        rules.models_state_their_grain,
        "not in words",
        project(INVOICES | {"description": "Invoices."}),
    ),
    (rules.models_state_their_grain, "no columns", project(meta(INVOICES, grain=[]))),
    (
        rules.models_state_their_grain,
        "an unknown column",
        project(meta(INVOICES, grain=["invoice"])),
    ),
    (
        rules.models_state_their_grain,
        "no owner",
        project(meta(INVOICES, dagster={"group": "invoicing"})),
    ),
    (
        rules.columns_are_described_by_doc_blocks,
        "a text of its own",
        project(INVOICES | {"columns": {"a": column() | {"doc_blocks": []}}}),
    ),
    (
        rules.columns_are_described_by_doc_blocks,
        "no columns",
        project(INVOICES | {"columns": {}}),
    ),
    (
        rules.columns_are_described_by_doc_blocks,
        "an unused text",
        project()
        | {"docs": {"doc.a.old": {"name": "old", "package_name": "meterhouse"}}},
    ),
    (rules.models_are_short, "too long", project(node("invoices", "invoicing", LONG))),
    (
        rules.models_end_with_final,
        "another end",
        project(INVOICES | {"raw_code": "with\n\na as (select 1)\n\nselect * from a"}),
    ),
    (
        rules.models_end_with_final,
        "no CTE outside staging",
        project(node("export_a", "exports", raw_code="select 1 as a")),
    ),
    (
        rules.tests_are_visible_to_operators,
        "no table named",
        project(meta(own_test(), dagster={})),
    ),
    (
        rules.tests_are_visible_to_operators,
        "an unknown table",
        project(meta(own_test(), dagster={"ref": {"name": "invoice"}})),
    ),
    (
        rules.tests_are_visible_to_operators,
        "no text",
        project(meta(own_test(), description="")),
    ),
    (rules.tests_all_run, "off", project(config(own_test(), enabled=False))),
    (rules.tests_all_run, "a warning", project(config(own_test(), severity="warn"))),
    (
        rules.tests_all_run,
        "disabled",
        project() | {"disabled": {"t": [config(own_test(), enabled=False)]}},
    ),
    (
        rules.incremental_models_refuse_new_columns,
        "ignore",
        project(
            config(INVOICES, materialized="incremental", on_schema_change="ignore")
        ),
    ),
]
BINARY = [
    "select a / b",
    "select cast(a as double)",
    "select cast(a as FLOAT)",
    "select avg(a)",
    "select 1e3",
    "select {{ to_amount('a / b') }}",
    'select {{ to_amount("cast(a as real)") }}',
]
ENGINE_SPECIFIC = [
    "select string_split(a, ',')",
    "select a ->> 'b'",
    "select a::date",
    "select epoch_us(a)",
    "select UNIX_MICROS(a)",
    "select explode(a)",
    "select unnest (a)",
    "select strftime(a, '%Y')",
    "select date_format(a, 'yyyy')",
    "select * from read_parquet('x')",
    "select list_transform(a, b)",
    "select a from b qualify true",
    "select {{ to_quantity('trunc(a)') }}",
]
for rule, queries in (
    (rules.money_is_never_binary, BINARY),
    (rules.engines_are_told_apart_in_macros, ENGINE_SPECIFIC),
):
    for query in queries:
        BREACHES.append((rule, query, project(node("invoices", "invoicing", query))))
    BREACHES.append((rule, "in a law", project(own_test(raw_code=queries[0]))))


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_small_project_keeps(rule: Callable[[Manifest], list[str]]) -> None:
    """What the broken ones start from is sound."""
    assert rule(project()) == []


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        pytest.param(rule, broken, id=f"{rule.__name__}: {how}")
        for rule, how, broken in BREACHES
    ],
)
def test_breach_is_found(
    rule: Callable[[Manifest], list[str]], broken: Manifest
) -> None:
    assert rule(broken) != []


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _, _ in BREACHES} == set(rules.RULES)


@pytest.mark.parametrize(
    "code",
    [
        "select 1 -- a / b",
        "{# a / b #}\nselect 1",
        "select '/' as key_set",
        "select {{ hash_id('a', [\"'/'\"]) }}",
        "{% set path = 'a/b' %}select 1",
        "select last_closed, splits, first_try_at",
    ],
)
def test_text_is_no_sql(code: str) -> None:
    made = project(node("invoices", "invoicing", code))
    assert rules.money_is_never_binary(made) == []
    assert rules.engines_are_told_apart_in_macros(made) == []
