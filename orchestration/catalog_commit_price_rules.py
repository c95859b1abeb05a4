"""What must hold of prices that commits and credits pay in place of list prices: commit
rates, and overrides that are for commits."""

from __future__ import annotations

from orchestration.catalog_findings import Findings

RATES = "catalog/rates.csv"
TIERS = "catalog/rate_tiers.csv"
OVERRIDES = "catalog/overrides.csv"
SPECIFIERS = "catalog/override_specifiers.csv"
_TERMS = (
    "package_size, package_rounding, quantity_factor, free_units, free_units_scope, "
    "free_units_reset, tier_scope, event_fee, free_events, event_minimum, "
    "event_maximum, price_property, amount_property, pricing_unit_id"
)
_EVENT_TERMS = "event_fee, free_events, event_minimum, event_maximum"
# A cell that is no boolean has its own message, and says nothing here.
_FOR_COMMITS = "(is_commit_specific_ or target = 'COMMIT_RATE')"


def check(findings: Findings) -> None:
    """Run every rule."""
    _rates(findings)
    _tiers(findings)
    _overrides(findings)
    _specifiers(findings)


def _rates(findings: Findings) -> None:
    by_tier = "(select rate_id from rate_tiers where commit_rate is not null)"

    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            RATES,
            field,
            "select line, rate_id, price_model from rates where "
            f"(commit_rate is not null or rate_id in {by_tier}) and {condition}",
            problem,
            remedy,
        )

    find(
        "commit_rate",
        "price_model not in ('flat', 'graduated')",
        "the rate '{0}' is {1}: commits can't pay it at a price of their own",
        "Leave commit_rate blank, or make the rate flat or graduated.",
    )
    find(
        "commit_rate",
        f"commit_rate is not null and rate_id in {by_tier}",
        "the rate '{0}' has one commit price, and commit prices of its tiers",
        "Fill in commit_rate here or in rate_tiers.csv.",
    )
    find(
        "pricing_unit_id",
        "pricing_unit_id is not null",
        "the commit price of '{0}' is in a pricing unit, where commits pay list prices",
        "Leave commit_rate or pricing_unit_id blank.",
    )
    find(
        "commit_rate",
        f"coalesce({_EVENT_TERMS}) is not null",
        "the rate '{0}' looks at each event: its commit price would not",
        "Leave commit_rate blank, or the columns about events.",
    )


def _tiers(findings: Findings) -> None:
    with_some = (
        "from rate_tiers as t join (select rate_id from rate_tiers "
        "where commit_rate is not null group by 1) as priced "
        "on t.rate_id = priced.rate_id"
    )
    findings.rows(
        TIERS,
        "commit_rate",
        f"select t.line, t.rate_id {with_some} where t.commit_rate is null",
        "other tiers of '{0}' have a commit price, and this one has none",
        "Fill in commit_rate of every tier, or of none.",
    )
    findings.rows(
        TIERS,
        "flat_amount",
        f"select t.line, t.rate_id {with_some} "
        "where t.flat_amount_ <> 0 union "
        "select t.line, t.rate_id from rate_tiers as t join rates as r "
        "on t.rate_id = r.rate_id "
        "where r.commit_rate is not null and t.flat_amount_ <> 0",
        "the tier of '{0}' has a flat amount, and its rate a commit price",
        "Leave flat_amount or the commit price blank: a commit pays for units.",
    )


def _overrides(findings: Findings) -> None:
    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            OVERRIDES,
            field,
            "select line, override_id, override_type, price_model from overrides "
            f"where {_FOR_COMMITS} and {condition}",
            problem,
            remedy,
        )

    find(
        "override_type",
        "override_type in ('tiered', 'entitlement')",
        "'{0}' is for what commits pay, and is {1}",
        "Make it a multiplier or an overwrite.",
    )
    find(
        "entitled",
        "override_type <> 'entitlement' and entitled is not null",
        "'{0}' is for what commits pay: it can't say whether the product is billed",
        "Leave entitled blank; an override of type entitlement says it.",
    )
    find(
        "multiplier",
        "multiplier_ = 0",
        "the multiplier '{0}' would have commits pay nothing",
        "A price for commits is above 0; give a credit for what is free.",
    )
    find(
        "unit_price",
        "unit_price_ = 0",
        "the overwrite '{0}' would have commits pay nothing",
        "A price for commits is above 0; give a credit for what is free.",
    )
    find(
        "price_model",
        "price_model not in ('flat', 'graduated')",
        "the overwrite '{0}' is {2}: commits can't pay that",
        "Make it flat or graduated.",
    )
    find(
        "price_model",
        f"price_model in ('flat', 'graduated') and coalesce({_TERMS}) is not null",
        "the overwrite '{0}' has more terms than prices: those of the list hold",
        "Leave its columns blank but for unit_price, or tiers.",
    )
    findings.rows(
        "catalog/override_tiers.csv",
        "flat_amount",
        "select t.line, t.override_id from override_tiers as t "
        "join overrides as o on t.override_id = o.override_id "
        f"where {_FOR_COMMITS} and t.flat_amount_ <> 0",
        "the tier of '{0}' has a flat amount: a commit pays for units",
        "Leave flat_amount blank.",
    )


def _specifiers(findings: Findings) -> None:
    joined = (
        "from override_specifiers as s join overrides as o "
        "on s.override_id = o.override_id"
    )
    for column, known, called in (
        (
            "commit_ids",
            "select commit_id as id, customer_id from commits "
            "union all select credit_id, customer_id from credits",
            "commit or credit",
        ),
        (
            "recurring_commit_ids",
            "select recurring_commit_id as id, k.customer_id from recurring_commits "
            "as r join contracts as k on r.contract_id = k.contract_id",
            "recurring commit",
        ),
    ):
        findings.rows(
            SPECIFIERS,
            column,
            f"select s.line, s.override_id {joined} where s.{column} is not null "
            "and not coalesce(is_commit_specific_, is_commit_specific is not null)",
            f"'{{0}}' names a {called}, and is not commit-specific",
            "Write true into its is_commit_specific, or name none.",
        )
        findings.rows(
            SPECIFIERS,
            column,
            f"""
            select n.line, n.id, n.contract_id from (
                select s.line, o.contract_id,
                    trim(unnest(string_split(s.{column}, '|'))) as id
                {joined} where is_commit_specific_
            ) as n
            join contracts as k on n.contract_id = k.contract_id
            left join contracts as p on k.parent_contract_id = p.contract_id
            left join ({known}) as g on n.id = g.id
                and g.customer_id in (k.customer_id, p.customer_id)
            where g.id is null
            """,
            f"no {called} of the customer of contract '{{1}}' has the id '{{0}}'",
            "Correct the id; a parent's grants may be named too.",
        )
