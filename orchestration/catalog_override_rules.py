"""What must hold between the overrides of contracts, their specifiers and their bands.
What an overwrite has in common with a rate is in catalog_price_rules."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings
from orchestration.catalog_specifiers import KEYS, PAIRS, specified_keys_exist


def check(findings: Findings) -> None:
    """Run every rule."""
    _overrides(findings)
    _specifiers(findings)
    _bands(findings)


def _overrides(findings: Findings) -> None:
    file = "catalog/overrides.csv"

    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            file,
            field,
            "select o.line, o.override_id, o.override_type, k.contract_id "
            "from overrides as o join contracts as k on o.contract_id = k.contract_id "
            f"where {condition}",
            problem,
            remedy,
        )

    find(
        "multiplier",
        "override_type = 'multiplier' and multiplier is null",
        "the multiplier '{0}' has no multiplier",
        "Fill it in, as in 0.9 for 10 % off.",
    )
    find(
        "multiplier",
        "override_type <> 'multiplier' and multiplier is not null",
        "'{0}' is {1}, and only a multiplier has one",
        "Leave multiplier blank; the bands of a tiered override have their own.",
    )
    find(
        "price_model",
        "override_type = 'overwrite' and price_model is null",
        "the overwrite '{0}' has no price",
        "Fill in price_model and unit_price, or tiers in override_tiers.csv.",
    )
    find(
        "price_model",
        "override_type <> 'overwrite' and coalesce(price_model, unit_price, "
        "package_size, package_rounding, quantity_factor, free_units, "
        "free_units_scope, free_units_reset, tier_scope, event_fee, free_events, "
        "event_minimum, event_maximum, price_property, amount_property, "
        "pricing_unit_id) is not null",
        "'{0}' is {1}, and only an overwrite has a price of its own",
        "Leave the columns of the price blank, or make it an overwrite.",
    )
    find(
        "entitled",
        "override_type = 'entitlement' and entitled is null",
        "the entitlement '{0}' does not say whether the product is billed",
        "Write true or false into entitled.",
    )
    find(
        "override_type",
        "override_type = 'tiered' and coalesce(k.multiplier_override_prioritization, "
        "'') <> 'explicit'",
        "the tiered override '{0}' can't be compared with multipliers by size",
        "Set multiplier_override_prioritization of contract '{2}' to explicit.",
    )
    find(
        "priority",
        "override_type in ('multiplier', 'tiered') and priority is null "
        "and k.multiplier_override_prioritization = 'explicit'",
        "contract '{2}' chooses multipliers by priority, and '{0}' has none",
        "Fill in priority; the lowest number counts.",
    )
    findings.rows(
        file,
        "override_id",
        "select o.line, o.override_id from overrides as o join rates as r "
        "on o.override_id = r.rate_id where o.override_type = 'overwrite'",
        "'{0}' is the id of a rate already",
        "Give the overwrite an id of its own: sub-lines name prices by it.",
    )
    overlapping = f"""
        select b.line, b.override_id, a.override_id from overrides as a
        join overrides as b
            on a.contract_id = b.contract_id and a.line < b.line
            and a.starting_at_ < coalesce(b.ending_before_, {FOREVER})
            and b.starting_at_ < coalesce(a.ending_before_, {FOREVER})
            and coalesce(a.is_commit_specific_, false)
            = coalesce(b.is_commit_specific_, false)
            and coalesce(a.target, 'LIST_RATE') = coalesce(b.target, 'LIST_RATE')
    """
    findings.rows(
        file,
        "priority",
        f"{overlapping} join contracts as k on a.contract_id = k.contract_id "
        "where k.multiplier_override_prioritization = 'explicit' "
        "and a.priority_ = b.priority_ "
        "and a.override_type in ('multiplier', 'tiered') "
        "and b.override_type in ('multiplier', 'tiered')",
        "the overrides '{0}' and '{1}' have one priority at one time",
        "Give each its own priority.",
    )

    def named(specifiers: str) -> str:
        return (
            f"coalesce({specifiers}.commit_ids, {specifiers}.recurring_commit_ids) "
            "is not null"
        )

    shared = " or ".join(
        f"coalesce(list_has_any(string_split(x.{ids}, '|'), "
        f"string_split(y.{ids}, '|')), false)"
        for ids in ("commit_ids", "recurring_commit_ids")
    )
    pairs = PAIRS.format("x.pricing_group_values")
    others = PAIRS.format("y.pricing_group_values")
    findings.rows(
        file,
        "created_at",
        f"{overlapping} join override_specifiers as x on a.override_id = x.override_id "
        "join override_specifiers as y on b.override_id = y.override_id "
        f"and x.product_id = y.product_id and {pairs} = {others} "
        f"and not ({named('x')} and {named('y')} and not ({shared})) "
        "where a.override_type = 'overwrite' and b.override_type = 'overwrite' and "
        "coalesce(a.created_at_, a.starting_at_) "
        "= coalesce(b.created_at_, b.starting_at_)",
        "the overwrites '{0}' and '{1}' are for the same usage, and neither was added "
        "later",
        "Fill in created_at: the later added counts.",
    )


def _specifiers(findings: Findings) -> None:
    file = "catalog/override_specifiers.csv"
    findings.rows(
        "catalog/overrides.csv",
        "override_id",
        "select line, override_id from overrides where override_type = 'overwrite' "
        "and override_id not in (select override_id from override_specifiers "
        "where override_id is not null)",
        "the overwrite '{0}' does not say which product it is for",
        "Add a row with product_id to catalog/override_specifiers.csv.",
    )
    keys = KEYS.format("s.pricing_group_values")
    concrete = PAIRS.format("s.pricing_group_values")
    findings.rows(
        file,
        "pricing_group_values",
        f"""
        select distinct s.line, s.override_id,
            coalesce(nullif(array_to_string(p.pricing_keys, ', '), ''), 'no key at all')
        from override_specifiers as s
        join overrides as o on s.override_id = o.override_id
        left join product_versions as p on s.product_id = p.product_id
            and o.starting_at_ < p.ends
            and p.starts < coalesce(o.ending_before_, {FOREVER})
        where o.override_type = 'overwrite' and (
            s.product_id is null or {keys} <> p.pricing_keys
            or len({concrete}) <> len(p.pricing_keys)
        )
        """,
        "the overwrite '{0}' does not name one product and a value for each of its "
        "pricing keys ({1})",
        "Name product_id and every pricing key; a multiplier can leave some open.",
    )
    specified_keys_exist(findings, "override_specifiers")


def _bands(findings: Findings) -> None:
    file = "catalog/override_tiers.csv"
    joined = (
        "from override_tiers as t join overrides as o on t.override_id = o.override_id"
    )
    findings.rows(
        "catalog/overrides.csv",
        "override_type",
        "select line, override_id from overrides where override_type = 'tiered' and "
        "override_id not in (select override_id from override_tiers "
        "where override_id is not null)",
        "the tiered override '{0}' has no bands",
        "Add them to catalog/override_tiers.csv.",
    )
    findings.rows(
        file,
        "override_id",
        f"select t.line, t.override_id, o.override_type {joined} "
        "where o.override_type in ('multiplier', 'entitlement')",
        "the override '{0}' is {1} and has no tiers",
        "Make it tiered or an overwrite, or remove the tier.",
    )
    findings.rows(
        file,
        "multiplier",
        f"select t.line, t.override_id {joined} where o.override_type = 'tiered' "
        "and (t.multiplier is null "
        "or coalesce(t.unit_price, t.flat_amount) is not null)",
        "the bands of the tiered override '{0}' have a multiplier and nothing else",
        "Fill in multiplier; leave unit_price and flat_amount blank.",
    )
    findings.rows(
        file,
        "multiplier",
        f"select t.line, t.override_id {joined} where o.override_type = 'overwrite' "
        "and t.multiplier is not null",
        "the tiers of the overwrite '{0}' are prices and have no multiplier",
        "Leave multiplier blank.",
    )
