"""Mistakes in dimensional prices, overrides and versions of products: each gives one
message that names its place. The price book below is correct as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.catalog import check_catalog
from orchestration.workspace import Workspace

START = "2026-10-01T00:00Z"
CATALOG = {
    "customers": ["customer_id,name,time_zone", "acme,Acme,America/New_York"],
    "billable_metrics": [
        "metric_id,name,aggregation,aggregation_key,group_keys",
        "tokens,Tokens,SUM,units,model+region+team",
        "seats,Seats,MAX,seats,",
        "paid,Paid,SUM,value,",
    ],
    "products": [
        "product_id,name,product_type,metric_id,pricing_group_keys,"
        "presentation_group_keys,quantity_conversion,conversion_factor,"
        "quantity_rounding,rounding_places,starting_at",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide,1000,up,0,",
        "tokens,Tokens,USAGE,tokens,model|region,team,,,,,2026-11-01T00:00Z",
        "seats,Seats,USAGE,seats,,,,,,,",
        "paid,Paid,USAGE,paid,,,,,,,",
    ],
    "rate_cards": ["rate_card_id,name,currency", "usd,Dollars,USD"],
    "rates": [
        "rate_id,rate_card_id,product_id,price_model,pricing_group_values,unit_price,"
        "free_units,free_units_scope,free_units_reset,starting_at,event_fee,"
        "event_minimum,event_maximum,price_property,amount_property",
        f"default,usd,tokens,flat,,3,,,,{START}",
        f"large,usd,tokens,flat,model=large|region=*,4,10,product,,{START}",
        f"eu,usd,tokens,flat,model=*|region=eu,5,,,,{START}",
        f"both,usd,tokens,flat,model=large|region=eu,6,10,,day,{START}",
        f"seats,usd,seats,flat,,6,,,,{START}",
        f"fees,usd,paid,percentage,,0.029,,,,{START},0.3,0.5,5",
    ],
    "rate_card_aliases": [
        "alias,rate_card_id,starting_at,ending_before",
        "list,usd,2026-09-01T00:00Z,2026-10-01T00:00Z",
        f"list,usd,{START},",
    ],
    "contracts": [
        "contract_id,customer_id,rate_card_id,multiplier_override_prioritization,"
        "starting_at,rate_card_alias",
        f"k1,acme,,explicit,{START},list",
    ],
    "overrides": [
        "override_id,contract_id,override_type,multiplier,priority,entitled,"
        "price_model,unit_price,starting_at,ending_before,created_at",
        f"ten,k1,multiplier,0.9,1,,,,{START},,",
        f"bands,k1,tiered,,2,,,,{START},,",
        f"own,k1,overwrite,,,,flat,1,{START},,2026-09-01T00:00Z",
        f"own2,k1,overwrite,,,,graduated,,{START},,2026-09-02T00:00Z",
        f"never,k1,entitlement,,,false,,,{START},,",
    ],
    "override_specifiers": [
        "override_id,product_id,pricing_group_values,presentation_group_values",
        "ten,,region=eu,",
        "bands,tokens,,team=a",
        "own,tokens,model=large|region=eu,",
        "own2,tokens,region=eu|model=large,",
    ],
    "override_tiers": [
        "override_id,tier_start,tier_end,multiplier,unit_price,flat_amount",
        "bands,0,10,1,,",
        "bands,10,,0.5,,",
        "own2,0,5,,2,",
        "own2,5,,,1,",
    ],
}


@dataclass(frozen=True)
class Edit:
    """In `file` the row that starts with `row` becomes `new` ("" removes it)."""

    file: str
    row: str
    new: str
    line: int
    field: str
    problem: str
    at: str = ""


EDITS = [
    Edit(
        "rates",
        "large,",
        f"large,usd,tokens,flat,model=large,4,,,,{START}",
        3,
        "pricing_group_values",
        "names model, but product 'tokens' is priced by model, region",
    ),
    Edit(
        "rates",
        "both,",
        "",
        4,
        "pricing_group_values",
        "the rates 'eu' and 'large' both are for model=large|region=eu",
    ),
    Edit(
        "rates",
        "default,",
        f"default,usd,tokens,flat,model=large|region=eu,6,,,,{START}",
        5,
        "starting_at",
        "the window of rate 'both' overlaps that of rate 'default'",
    ),
    Edit(
        "rates",
        "both,",
        f"both,usd,tokens,flat,model=large|region=eu,6,,,day,{START}",
        5,
        "free_units",
        "says how free units are given, but not how many",
    ),
    Edit(
        "rates",
        "seats,",
        f"seats,usd,seats,flat,,6,,,,{START},0.3",
        6,
        "price_model",
        "product 'seats' is metered by MAX, which no single event adds to",
    ),
    Edit(
        "rates",
        "fees,",
        f"fees,usd,paid,percentage,,2.9,,,,{START},0.3,0.5,5",
        7,
        "unit_price",
        "the percentage 2.9 of rate 'fees' is more than the whole value",
    ),
    Edit(
        "rates",
        "fees,",
        f"fees,usd,paid,percentage,,0.029,,,,{START},0.3,0.5,0.4",
        7,
        "event_maximum",
        "the most that an event costs is below the least, at rate 'fees'",
    ),
    Edit(
        "rates",
        "fees,",
        f"fees,usd,paid,dynamic,,,,,,{START},,,,tariff,total",
        7,
        "price_property",
        "the dynamic rate 'fees' does not say which one property",
    ),
    Edit(
        "rates",
        "fees,",
        f"fees,usd,paid,flat,,1,,,,{START},,,,tariff",
        7,
        "price_property",
        "the flat rate 'fees' does not take its price from the event",
    ),
    Edit(
        "customers",
        "acme,",
        "acme,Acme,Asia/Kolkata",
        5,
        "free_units_reset",
        "the day of customer 'acme' in Asia/Kolkata does not begin on the full hour",
        at="rates",
    ),
    Edit(
        "products",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide,,up,0,",
        2,
        "conversion_factor",
        "quantity_conversion 'divide' is given without conversion_factor",
    ),
    Edit(
        "products",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide",
        "tokens,Tokens,USAGE,tokens,model|region,team,,1000,up,0,",
        2,
        "quantity_conversion",
        "conversion_factor '1000' is given without quantity_conversion",
    ),
    Edit(
        "products",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide,1000,,2,",
        2,
        "quantity_rounding",
        "rounding_places '2' is given without quantity_rounding",
    ),
    Edit(
        "products",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide",
        "tokens,Tokens,USAGE,tokens,model|region,team,divide,1000,up,13,",
        2,
        "rounding_places",
        "'13' is too large",
    ),
    Edit(
        "products",
        "tokens,Tokens,USAGE,tokens,model|region,team,,,,,2026-11",
        "tokens,Tokens,USAGE,tokens,model|region,team,,,,,",
        3,
        "product_id, starting_at",
        "'tokens' stands already in row 2",
    ),
    Edit(
        "overrides",
        "ten,",
        f"ten,k1,multiplier,,1,,,,{START},,",
        2,
        "multiplier",
        "the multiplier 'ten' has no multiplier",
    ),
    Edit(
        "overrides",
        "bands,",
        f"bands,k1,tiered,0.5,2,,,,{START},,",
        3,
        "multiplier",
        "only a multiplier has one",
    ),
    Edit(
        "overrides",
        "ten,",
        f"ten,k1,multiplier,0.9,,,,,{START},,",
        2,
        "priority",
        "chooses multipliers by priority, and 'ten' has none",
    ),
    Edit(
        "overrides",
        "bands,",
        f"bands,k1,tiered,,1,,,,{START},,",
        3,
        "priority",
        "the overrides 'bands' and 'ten' have one priority",
    ),
    Edit(
        "overrides",
        "own,",
        f"own,k1,overwrite,,,,,,{START},,2026-09-01T00:00Z",
        4,
        "price_model",
        "the overwrite 'own' has no price",
    ),
    Edit(
        "overrides",
        "own,",
        f"own,k1,overwrite,,,,flat,,{START},,2026-09-01T00:00Z",
        4,
        "unit_price",
        "the flat overwrite 'own' has no price",
    ),
    Edit(
        "overrides",
        "own2,",
        f"own2,k1,overwrite,,,,graduated,1,{START},,2026-09-02T00:00Z",
        5,
        "unit_price",
        "has a price of its own",
    ),
    Edit(
        "overrides",
        "own2,",
        f"own2,k1,overwrite,,,,graduated,,{START},,2026-09-01T00:00Z",
        5,
        "created_at",
        "the overwrites 'own2' and 'own' are for the same usage",
    ),
    Edit(
        "overrides",
        "never,",
        f"never,k1,entitlement,,,,,,{START},,",
        6,
        "entitled",
        "does not say whether the product is billed",
    ),
    Edit(
        "overrides",
        "never,",
        f"never,k1,entitlement,,,false,flat,1,{START},,",
        6,
        "price_model",
        "only an overwrite has a price of its own",
    ),
    Edit(
        "overrides",
        "ten,",
        f"ten,k1,multiplier,0.9,1,,,,{START},{START},",
        2,
        "ending_before",
        "is not after the start",
    ),
    Edit(
        "overrides",
        "override_id",
        "override_id,contract_id,override_type,multiplier,priority,entitled,"
        "price_model,unit_price,starting_at,ending_before,target",
        1,
        "target",
        "reserved",
    ),
    Edit(
        "contracts",
        "k1,",
        f"k1,acme,usd,explicit,{START},list",
        2,
        "rate_card_id",
        "the contract 'k1' does not name one rate card",
    ),
    Edit(
        "rate_card_aliases",
        f"list,usd,{START}",
        "list,usd,2026-10-02T00:00Z,",
        2,
        "rate_card_alias",
        "the alias 'list' stands for no rate card",
        at="contracts",
    ),
    Edit(
        "rate_card_aliases",
        f"list,usd,{START}",
        "list,usd,2026-09-30T23:00Z,",
        3,
        "starting_at",
        "the alias 'list' stands for two cards at one time, see row 2",
    ),
    Edit(
        "contracts",
        "k1,",
        f"k1,acme,usd,,{START}",
        3,
        "override_type",
        "the tiered override 'bands' can't be compared",
        at="overrides",
    ),
    Edit(
        "rates",
        "both,",
        f"own,usd,tokens,flat,model=large|region=eu,6,,,,{START}",
        4,
        "override_id",
        "'own' is the id of a rate already",
        at="overrides",
    ),
    Edit(
        "override_specifiers",
        "own,",
        "",
        4,
        "override_id",
        "the overwrite 'own' does not say which product it is for",
        at="overrides",
    ),
    Edit(
        "override_specifiers",
        "own,",
        "own,tokens,model=large,",
        4,
        "pricing_group_values",
        "a value for each of its pricing keys (model, region)",
    ),
    Edit(
        "override_specifiers",
        "own,",
        "own,tokens,model=large|region=*,",
        4,
        "pricing_group_values",
        "a value for each of its pricing keys (model, region)",
    ),
    Edit(
        "override_specifiers",
        "ten,",
        "ten,,zone=eu,",
        2,
        "pricing_group_values",
        "zone are not among the pricing keys of any product",
    ),
    Edit(
        "override_specifiers",
        "bands,",
        "bands,tokens,,region=eu",
        3,
        "presentation_group_values",
        "region are not among the presentation keys of tokens",
    ),
    Edit(
        "override_specifiers",
        "bands,",
        "ten,,region=eu,",
        3,
        "override_id, product_id, product_tags, billing_frequency, "
        "pricing_group_values, presentation_group_values",
        "stands already in row 2",
    ),
    Edit(
        "override_tiers",
        "bands,10",
        "bands,11,,0.5,,",
        3,
        "tier_start",
        "override 'bands' has no price between the tier in row 2 and 11",
    ),
    Edit(
        "override_tiers",
        "bands,0",
        "bands,0,10,,1,",
        2,
        "multiplier",
        "have a multiplier and nothing else",
    ),
    Edit(
        "override_tiers",
        "own2,0",
        "own2,0,5,2,2,",
        4,
        "multiplier",
        "are prices and have no multiplier",
    ),
    Edit(
        "override_tiers",
        "own2,0",
        "own2,0,5,,,",
        4,
        "unit_price",
        "the tier of overwrite 'own2' from 0 has no price",
    ),
    Edit(
        "override_tiers",
        "own2,5",
        "ten,0,,1,,",
        5,
        "override_id",
        "the override 'ten' is multiplier and has no tiers",
    ),
]


def as_csv(lines: list[str]) -> str:
    """Rows may leave out their last cells."""
    cells = lines[0].count(",")
    return "".join(line + "," * (cells - line.count(",")) + "\n" for line in lines)


def write(folder: Path) -> Workspace:
    (folder / "catalog").mkdir(parents=True)
    (folder / "meterhouse.yml").write_text("")
    for name, lines in CATALOG.items():
        (folder / "catalog" / f"{name}.csv").write_text(as_csv(lines))
    return Workspace.load(folder)


def test_the_price_book_is_correct(tmp_path: Path) -> None:
    assert check_catalog(write(tmp_path / "company")) == []


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.file}-{edit.problem}")
def test_each_mistake_gives_one_message(tmp_path: Path, edit: Edit) -> None:
    workspace = write(tmp_path / "company")
    lines = [line for line in CATALOG[edit.file] if not line.startswith(edit.row)]
    position = next(
        n for n, line in enumerate(CATALOG[edit.file]) if line.startswith(edit.row)
    )
    if edit.new:
        lines.insert(position, edit.new)
    path = workspace.catalog / f"{edit.file}.csv"
    path.write_text(as_csv(lines))

    problems = check_catalog(workspace)

    shown = "\n".join(str(problem) for problem in problems)
    assert len(problems) == 1, shown
    (found,) = problems
    assert found.file == f"catalog/{edit.at or edit.file}.csv"
    assert (found.row, found.field) == (edit.line, edit.field), shown
    assert edit.problem in found.problem
    assert found.remedy
