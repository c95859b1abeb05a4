"""What must hold between the rows of the catalog.

Each rule joins only rows that are well-formed themselves, so that one mistake gives
one message. Columns with a trailing "_" are typed (see catalog.py).
"""

from __future__ import annotations

from orchestration import (
    catalog_commit_price_rules,
    catalog_commit_rules,
    catalog_grant_rules,
    catalog_hierarchy_rules,
    catalog_limit_rules,
    catalog_override_rules,
    catalog_price_rules,
    catalog_renewal_rules,
    catalog_seat_rules,
    catalog_subscription_rules,
    catalog_threshold_rules,
    catalog_unit_grant_rules,
    catalog_unit_rules,
)
from orchestration.catalog_findings import FOREVER, Findings


def check(findings: Findings) -> None:
    """Run every rule."""
    _windows(findings)
    _cards(findings)
    _customers(findings)
    _profiles(findings)
    _metrics(findings)
    _products(findings)
    catalog_price_rules.check(findings)
    catalog_override_rules.check(findings)
    catalog_limit_rules.check(findings)
    catalog_unit_rules.check(findings)
    _contracts(findings)
    catalog_commit_price_rules.check(findings)
    catalog_grant_rules.check(findings)
    catalog_commit_rules.check(findings)
    catalog_renewal_rules.check(findings)
    catalog_hierarchy_rules.check(findings)
    catalog_threshold_rules.check(findings)
    catalog_seat_rules.check(findings)
    catalog_subscription_rules.check(findings)
    catalog_unit_grant_rules.check(findings)


def _windows(findings: Findings) -> None:
    for table in (
        "rates",
        "rate_card_aliases",
        "contracts",
        "overrides",
        "discounts",
        "minimums",
        "maximums",
        "commits",
        "credits",
        "recurring_commits",
        "subscriptions",
        "subscription_seats",
        "thresholds",
        "access_schedules",
    ):
        findings.rows(
            f"catalog/{table}.csv",
            "ending_before",
            "select line, ending_before, starting_at "
            f"from {table} where ending_before_ <= starting_at_",
            "the end {0} is not after the start {1}",
            "Windows are [starting_at, ending_before): end after the start.",
        )


def _cards(findings: Findings) -> None:
    """The card of each contract, named or by alias, as `contract_cards`."""
    findings.con.execute(
        f"""
        create temp view contract_cards as
        select c.*, coalesce(c.rate_card_id, a.rate_card_id) as card
        from contracts as c
        left join rate_card_aliases as a
            on c.rate_card_alias = a.alias and c.starting_at_ >= a.starting_at_
            and c.starting_at_ < coalesce(a.ending_before_, {FOREVER})
        """
    )
    findings.rows(
        "catalog/contracts.csv",
        "rate_card_id",
        "select line, contract_id from contracts "
        "where (rate_card_id is null) = (rate_card_alias is null)",
        "the contract '{0}' does not name one rate card",
        "Fill in rate_card_id or rate_card_alias, not both.",
    )
    findings.rows(
        "catalog/contracts.csv",
        "rate_card_alias",
        "select line, rate_card_alias, starting_at from contract_cards "
        "where rate_card_alias is not null and card is null and rate_card_alias in "
        "(select alias from rate_card_aliases) and starting_at_ is not null",
        "the alias '{0}' stands for no rate card at {1}, when the contract starts",
        "Add a row for that time to catalog/rate_card_aliases.csv.",
    )
    findings.rows(
        "catalog/rate_card_aliases.csv",
        "starting_at",
        f"""
        select b.line, b.alias, a.line from rate_card_aliases as a
        join rate_card_aliases as b on a.alias = b.alias and a.line < b.line
            and a.starting_at_ < coalesce(b.ending_before_, {FOREVER})
            and b.starting_at_ < coalesce(a.ending_before_, {FOREVER})
        """,
        "the alias '{0}' stands for two cards at one time, see row {1}",
        "End the earlier row (ending_before) where the later one starts.",
    )


def _customers(findings: Findings) -> None:
    findings.rows(
        "catalog/customers.csv",
        "ingest_aliases",
        """
        with aliases as (
            select line, customer_id,
                trim(unnest(string_split(ingest_aliases, '|'))) as alias
            from customers where ingest_aliases is not null
        ),
        taken as (
            select line, customer_id, alias as name from aliases
            union all
            select line, customer_id, customer_id from customers
        ),
        owners as (
            select name, min_by(customer_id, line) as first_owner, min(line) as first
            from taken where name <> ''
            group by name having count(distinct customer_id) > 1
        )
        select aliases.line, aliases.alias,
            case when owners.first = aliases.line then other.customer_id
                else owners.first_owner end
        from aliases
        join owners on aliases.alias = owners.name
        left join customers as other on other.customer_id = aliases.alias
        where owners.first <> aliases.line or other.customer_id is not null
        """,
        "the alias '{0}' belongs to customer '{1}' already",
        "An id or alias names one customer only.",
    )


def _profiles(findings: Findings) -> None:
    findings.rows(
        "catalog/billing_profiles.csv",
        "is_default",
        """
        select line, billing_profile_id, first_line from (
            select *, min(line) over () as first_line
            from billing_profiles where is_default_
        ) where line <> first_line
        """,
        "'{0}' is a default profile, and so is row {1}",
        "Mark one profile only.",
    )


_KEYED = "'SUM', 'MAX', 'MIN', 'LATEST', 'UNIQUE', 'AVG', 'TIME_WEIGHTED_SUM'"
_COMPARISONS = "'greater_than', 'greater_or_equal', 'less_than', 'less_or_equal'"
_EXACT_NUMBER = r"-?[0-9]{1,19}([.][0-9]{1,12}0*)?"


def _metrics(findings: Findings) -> None:
    file = "catalog/billable_metrics.csv"
    findings.rows(
        file,
        "aggregation_key",
        "select line, aggregation, metric_id from billable_metrics "
        f"where aggregation in ({_KEYED}) and aggregation_key is null",
        "the {0} metric '{1}' does not say which property it takes",
        "Name the event property in aggregation_key.",
    )
    findings.rows(
        file,
        "aggregation_key",
        "select line, metric_id, aggregation_key from billable_metrics "
        "where aggregation = 'COUNT' and aggregation_key is not null",
        "the COUNT metric '{0}' counts events and can't use '{1}'",
        "Leave the cell blank, or make it a SUM.",
    )
    known = ", ".join(f"'{name}'" for name in findings.metric_models) or "''"
    findings.rows(
        file,
        "aggregation_key",
        "select line, metric_id, coalesce(aggregation_key, '') from billable_metrics "
        "where aggregation = 'SQL' "
        f"and coalesce(aggregation_key not in ({known}), true)",
        "the SQL metric '{0}' names no model of metric_models: '{1}'",
        "List the model under metric_models in meterhouse.yml and name it here.",
    )
    findings.rows(
        file,
        "granularity",
        "select line, aggregation, metric_id from billable_metrics "
        "where aggregation <> 'SQL' and granularity is not null",
        "the {0} metric '{1}' meters events by the hour",
        "Leave granularity blank; it is for SQL metrics.",
    )
    findings.rows(
        file,
        "carry_forward",
        "select line, aggregation, metric_id from billable_metrics "
        "where aggregation in ('AVG', 'SQL') and carry_forward_",
        "the {0} metric '{1}' has no value that a period could start from",
        "Leave carry_forward blank.",
    )
    findings.rows(
        file,
        "excluded_event_types",
        """
        select m.line, item.event_type, m.metric_id from billable_metrics as m,
            unnest(string_split(m.excluded_event_types, '|')) as item (event_type)
        where list_contains(
            list_transform(string_split(m.event_types, '|'), lambda t: trim(t)),
            trim(item.event_type)
        )
        """,
        "the event type '{0}' of metric '{1}' is both taken in and left out",
        "Name it in event_types or in excluded_event_types, not in both.",
    )
    _filters(findings)
    # Flat columns of the lake are named after properties, and SQL names of columns
    # do not tell upper from lower case.
    findings.rows(
        file,
        "group_keys",
        """
        with used as (
            select line, aggregation_key as property from billable_metrics
            where aggregation <> 'SQL' and aggregation_key is not null
            union all
            select line, unnest(string_split_regex(group_keys, '[|+]'))
            from billable_metrics
        ),
        everywhere as (
            select property from used
            union all select property from metric_filters
        ),
        twins as (
            select lower(property) as folded, min(property) as one, max(property) as two
            from everywhere where property <> ''
            group by all having count(distinct property) > 1
        )
        select min(line), one, two
        from used join twins on lower(used.property) = twins.folded
        group by one, two
        """,
        "the properties '{0}' and '{1}' differ in upper and lower case only",
        "Use one spelling, in the events too.",
    )


def _filters(findings: Findings) -> None:
    file = "catalog/metric_filters.csv"
    findings.rows(
        file,
        "property_values",
        "select line, operator from metric_filters "
        "where operator in ('in', 'not_in') and property_values is null",
        "the operator '{0}' has no values",
        'List them, separated by "|".',
    )
    findings.rows(
        file,
        "property_values",
        "select line, operator from metric_filters "
        "where operator in ('exists', 'not_exists') and property_values is not null",
        "the operator '{0}' takes no values",
        "Leave the cell blank, or use in or not_in.",
    )
    findings.rows(
        file,
        "property_values",
        "select line, operator, coalesce(property_values, '') from metric_filters "
        f"where operator in ({_COMPARISONS}) and not coalesce("
        f"regexp_full_match(property_values, '{_EXACT_NUMBER}'), false)",
        "the operator '{0}' compares with one number, which '{1}' is not",
        "Give one plain decimal number with at most 19 digits before and 12 after the "
        "point.",
    )


def _products(findings: Findings) -> None:
    findings.rows(
        "catalog/products.csv",
        "pricing_group_keys, presentation_group_keys",
        """
        with keys as (
            select line, metric_id, list_distinct(
                string_split(
                    concat_ws('|', pricing_group_keys, presentation_group_keys), '|'
                )
            ) as needed
            from products
            where concat_ws('|', pricing_group_keys, presentation_group_keys) <> ''
        ),
        compounds as (
            select metric_id, group_keys,
                string_split(unnest(string_split(group_keys, '|')), '+') as compound
            from billable_metrics
        )
        select keys.line, array_to_string(any_value(keys.needed), ', '),
            keys.metric_id, coalesce(any_value(m.group_keys), '(none)'),
            array_to_string(any_value(keys.needed), '+')
        from keys
        join billable_metrics as m on keys.metric_id = m.metric_id
        left join compounds on keys.metric_id = compounds.metric_id
        group by keys.line, keys.metric_id
        having not coalesce(
            bool_or(list_has_all(compounds.compound, keys.needed)), false
        )
        """,
        "the keys {0} are not inside one compound group key of metric '{1}', which "
        "has {2}",
        "Add {3} to group_keys of the metric.",
    )
    for field, other in (
        ("quantity_conversion", "conversion_factor"),
        ("conversion_factor", "quantity_conversion"),
        ("rounding_places", "quantity_rounding"),
    ):
        findings.rows(
            "catalog/products.csv",
            other,
            f"select line, {field} from products "
            f"where {field} is not null and {other} is null",
            f"{field} '{{0}}' is given without {other}",
            f"Fill in {other}, or leave {field} blank.",
        )


def _contracts(findings: Findings) -> None:
    # Rates of a product are taken together as one window per card: a customer with
    # two running contracts for the same product would be billed twice.
    findings.rows(
        "catalog/contracts.csv",
        "starting_at",
        f"""
        with running as (
            select line, contract_id, customer_id, card as rate_card_id,
                starting_at_ as starts, coalesce(ending_before_, {FOREVER}) as ends
            from contract_cards
            where starting_at_ is not null
                and (ending_before is null or ending_before_ > starting_at_)
        ),
        priced as (
            select rate_card_id, product_id, min(starting_at_) as starts,
                max(coalesce(ending_before_, {FOREVER})) as ends
            from rates where coalesce(entitled_, true) group by all
        ),
        pairs as (
            select b.line, a.contract_id as one, b.contract_id as two,
                a.rate_card_id as card_one, b.rate_card_id as card_two,
                greatest(a.starts, b.starts) as starts, least(a.ends, b.ends) as ends
            from running as a join running as b
                on a.customer_id = b.customer_id and a.line < b.line
                and a.starts < b.ends and b.starts < a.ends
        )
        select pairs.line, two, one, min(x.product_id)
        from pairs
        join priced as x on x.rate_card_id = card_one
            and x.starts < pairs.ends and pairs.starts < x.ends
        join priced as y on y.rate_card_id = card_two and y.product_id = x.product_id
            and y.starts < pairs.ends and pairs.starts < y.ends
        group by all
        """,
        "the contract '{0}' overlaps contract '{1}' of the same customer, and both "
        "price the product '{2}'",
        "End one contract where the other starts, or price the product in one.",
    )
