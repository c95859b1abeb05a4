"""DuckDB is opened in one way, which keeps it from answering wrongly."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import yaml

from orchestration.duck import DISABLED_OPTIMIZERS, connect

ROOT = Path(__file__).parents[2]
CONTRACTS = """
create table contracts as
select * from (values
    (2, 'k1', 'acme', null::varchar, null::varchar),
    (3, 'k2', 'acme', null::varchar, null::varchar),
    (4, 'b1', 'beta', null::varchar, 'k1'),
    (5, 'b2', 'beta', null::varchar, 'k2'),
    (6, 'g1', 'gamma', null::varchar, 'k1'),
    (7, 'o1', 'omega', null::varchar, null::varchar)
) as t (line, contract_id, customer_id, card_alias, parent);
create table aliases (alias varchar, rate_card_id varchar);
create view carded as
select contracts.*
from contracts left join aliases on contracts.card_alias = aliases.alias;
create view children as
select child.line, child.customer_id, parent.customer_id as parent_customer_id
from carded as child
join carded as parent on child.parent = parent.contract_id
where child.customer_id <> parent.customer_id;
"""
# Nobody is a child of a child.
GRANDCHILDREN = """
select child.line
from children as child
join children as parent on child.parent_customer_id = parent.customer_id
"""


def grandchildren(con: duckdb.DuckDBPyConnection) -> int:
    con.execute(CONTRACTS)
    return len(con.execute(GRANDCHILDREN).fetchall())


def test_a_view_is_joined_with_itself() -> None:
    with connect() as con:
        assert grandchildren(con) == 0


def test_duckdb_still_needs_it() -> None:
    """Red once DuckDB is mended: then the setting can go."""
    with duckdb.connect() as con:
        assert grandchildren(con) != 0


def test_dbt_has_the_same_setting() -> None:
    profiles = yaml.safe_load((ROOT / "profiles.yml").read_text())
    settings = profiles["meterhouse"]["outputs"]["duckdb"]["settings"]
    assert settings["disabled_optimizers"] == DISABLED_OPTIMIZERS


def test_nothing_opens_duckdb_otherwise() -> None:
    # The generator of the sample company writes files and asks nothing.
    allowed = {"orchestration/duck.py", "orchestration/sample_company/generator.py"}
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "orchestration").rglob("*.py")
        if re.search(r"duckdb\.connect\(", path.read_text())
    }
    assert found == allowed
