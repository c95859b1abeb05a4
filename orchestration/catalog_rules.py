"""What must hold between the rows of the catalog.

Each rule joins only rows that are well-formed themselves, so that one mistake gives
one message. Columns with a trailing "_" are typed (see catalog.py).
"""

from __future__ import annotations

from orchestration.catalog_findings import Findings

_FOREVER = "timestamp '9999-12-31'"


def check(findings: Findings) -> None:
    """Run every rule."""
    _windows(findings)
    _customers(findings)
    _profiles(findings)
    _metrics(findings)
    _products(findings)
    _rates(findings)
    _tiers(findings)
    _contracts(findings)
    _grants(findings)


def _windows(findings: Findings) -> None:
    for table in ("rates", "contracts", "commits", "credits"):
        findings.rows(
            f"catalog/{table}.csv",
            "ending_before",
            "select line, ending_before, starting_at "
            f"from {table} where ending_before_ <= starting_at_",
            "the end {0} is not after the start {1}",
            "Windows are [starting_at, ending_before): end after the start.",
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


# A rate's group values in a fixed order, so that a=1|b=2 equals b=2|a=1.
_SORTED = (
    "array_to_string(list_sort(string_split("
    "coalesce(pricing_group_values, ''), '|')), '|')"
)


_ONE_PRICE = "'flat', 'package'"
_TIERED = "'graduated', 'volume', 'tiered_package', 'stairstep'"
_PACKAGED = "'package', 'tiered_package'"
_UNPACKAGED = "'flat', 'graduated', 'volume', 'stairstep'"


def _rates(findings: Findings) -> None:
    file = "catalog/rates.csv"
    findings.rows(
        file,
        "starting_at",
        f"""
        with windows as (
            select line, rate_id, rate_card_id, product_id, starting_at_,
                {_SORTED} as group_values,
                coalesce(ending_before_, {_FOREVER}) as ends
            from rates
            where starting_at_ is not null
                and (ending_before is null or ending_before_ > starting_at_)
        ),
        earlier as (
            select *,
                max(ends) over earlier_ones as latest_end,
                max_by(rate_id, ends) over earlier_ones as other
            from windows
            window earlier_ones as (
                partition by rate_card_id, product_id, group_values
                order by starting_at_, line
                rows between unbounded preceding and 1 preceding
            )
        )
        select line, rate_id, other, product_id from earlier
        where latest_end > starting_at_
        """,
        "the window of rate '{0}' overlaps that of rate '{1}' for product '{2}'",
        "End the earlier rate (ending_before) where the later one starts.",
    )
    findings.rows(
        file,
        "unit_price",
        "select line, price_model, rate_id from rates "
        f"where price_model in ({_ONE_PRICE}) and unit_price is null",
        "the {0} rate '{1}' has no price",
        "Fill in unit_price.",
    )
    findings.rows(
        file,
        "unit_price",
        "select line, price_model, rate_id from rates "
        f"where price_model in ({_TIERED}) and unit_price is not null",
        "the {0} rate '{1}' has a price of its own",
        "Leave unit_price blank: its prices are in rate_tiers.csv.",
    )
    findings.rows(
        file,
        "price_model",
        "select line, price_model, rate_id from rates "
        f"where price_model in ({_TIERED}) and rate_id not in "
        " (select rate_id from rate_tiers where rate_id is not null)",
        "the {0} rate '{1}' has no tiers",
        "Add them to catalog/rate_tiers.csv.",
    )
    findings.rows(
        file,
        "package_size",
        "select line, price_model, rate_id from rates "
        f"where price_model in ({_PACKAGED}) and package_size is null",
        "the {0} rate '{1}' does not say how many units a package holds",
        "Fill in package_size.",
    )
    findings.rows(
        file,
        "package_size",
        "select line, price_model, rate_id from rates "
        f"where price_model in ({_UNPACKAGED}) "
        "and coalesce(package_size, package_rounding) is not null",
        "the {0} rate '{1}' is not sold in packages",
        "Leave package_size and package_rounding blank, or make it a package.",
    )
    findings.rows(
        file,
        "pricing_group_values",
        """
        with named as (
            select r.line, r.product_id,
                list_sort(list_transform(
                    list_filter(
                        string_split(coalesce(r.pricing_group_values, ''), '|'),
                        lambda item: item <> ''
                    ),
                    lambda item: split_part(item, '=', 1)
                )) as given,
                list_sort(list_distinct(list_filter(
                    string_split(coalesce(p.pricing_group_keys, ''), '|'),
                    lambda item: item <> ''
                ))) as needed
            from rates as r join products as p on r.product_id = p.product_id
        )
        select line, coalesce(nullif(array_to_string(given, ', '), ''), 'nothing'),
            product_id,
            coalesce(nullif(array_to_string(needed, ', '), ''), 'no key at all')
        from named where given <> needed
        """,
        "the rate names {0}, but product '{1}' is priced by {2}",
        "Name a value for each pricing key of the product and for no other.",
    )


def _tiers(findings: Findings) -> None:
    file = "catalog/rate_tiers.csv"
    ordered = """
        with ordered as (
            select *,
                row_number() over one_rate as position,
                lag(tier_end_) over one_rate as before,
                lag(line) over one_rate as line_before
            from rate_tiers
            where tier_start_ is not null
                and (tier_end is null or tier_end_ is not null)
            window one_rate as (partition by rate_id order by tier_start_, line)
        )
        select line, rate_id, tier_start, line_before, before from ordered where
    """
    findings.rows(
        file,
        "rate_id",
        "select t.line, r.price_model, t.rate_id from rate_tiers as t join rates as r "
        f"on t.rate_id = r.rate_id where r.price_model in ({_ONE_PRICE})",
        "the {0} rate '{1}' can't have tiers",
        "Make the rate graduated, or remove the tier.",
    )
    findings.rows(
        file,
        "unit_price",
        "select line, rate_id, tier_start from rate_tiers "
        "where unit_price is null and flat_amount is null",
        "the tier of rate '{0}' from {1} has no price",
        "Fill in unit_price, flat_amount or both.",
    )
    findings.rows(
        file,
        "unit_price",
        "select t.line, t.rate_id from rate_tiers as t "
        "join rates as r on t.rate_id = r.rate_id "
        "where r.price_model = 'stairstep' "
        "and (t.flat_amount is null or t.unit_price_ <> 0)",
        "the stairstep rate '{0}' charges one amount for each tier, not for each unit",
        "Fill in flat_amount and leave unit_price blank, or make the rate volume.",
    )
    findings.rows(
        file,
        "flat_amount",
        """
        with stairs as (
            select t.line, t.rate_id, t.flat_amount, t.flat_amount_,
                lag(t.flat_amount_) over one_rate as before,
                lag(t.line) over one_rate as line_before
            from rate_tiers as t join rates as r on t.rate_id = r.rate_id
            where r.price_model = 'stairstep'
            window one_rate as (partition by t.rate_id order by t.tier_start_, t.line)
        )
        select line, flat_amount, rate_id, line_before from stairs
        where flat_amount_ < before
        """,
        "the amount {0} of the stairstep rate '{1}' is below that of the tier in row "
        "{2}",
        "More usage never costs less: let the amounts rise.",
    )
    findings.rows(
        file,
        "tier_start",
        """
        select t.line, t.tier_start, r.package_size, t.rate_id
        from rate_tiers as t join rates as r on t.rate_id = r.rate_id
        where r.price_model = 'tiered_package' and (
            t.tier_start_ <> trunc(t.tier_start_)
            or cast(trunc(t.tier_start_) as hugeint)
            % cast(r.package_size_ as hugeint) <> 0
        )
        """,
        "the start {0} is no multiple of the package size {1} of rate '{2}'",
        "Let tiers of packages begin and end with whole packages.",
    )
    findings.rows(
        file,
        "tier_end",
        "select line, tier_end, tier_start from rate_tiers "
        "where tier_end_ <= tier_start_",
        "the tier ends at {0}, not after its start {1}",
        "A tier holds for quantities above tier_start up to tier_end.",
    )
    findings.rows(
        file,
        "tier_start",
        f"{ordered} position = 1 and tier_start_ <> 0",
        "the first tier of rate '{0}' starts at {1}",
        "The first tier starts at 0.",
    )
    findings.rows(
        file,
        "tier_start",
        f"{ordered} position > 1 and (before is null or tier_start_ < before)",
        "the tier of rate '{0}' from {1} overlaps the tier in row {2}",
        "Start each tier where the one before it ends.",
    )
    findings.rows(
        file,
        "tier_start",
        f"{ordered} tier_start_ > before",
        "rate '{0}' has no price between the tier in row {2} and {1}",
        "Start each tier where the one before it ends.",
    )


def _contracts(findings: Findings) -> None:
    # Rates of a product are taken together as one window per card: a customer with
    # two running contracts for the same product would be billed twice.
    findings.rows(
        "catalog/contracts.csv",
        "starting_at",
        f"""
        with running as (
            select line, contract_id, customer_id, rate_card_id, starting_at_ as starts,
                coalesce(ending_before_, {_FOREVER}) as ends
            from contracts
            where starting_at_ is not null
                and (ending_before is null or ending_before_ > starting_at_)
        ),
        priced as (
            select rate_card_id, product_id, min(starting_at_) as starts,
                max(coalesce(ending_before_, {_FOREVER})) as ends
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


def _grants(findings: Findings) -> None:
    for table, key in (("commits", "commit_id"), ("credits", "credit_id")):
        findings.rows(
            f"catalog/{table}.csv",
            "contract_id",
            f"select g.line, g.contract_id, c.customer_id, g.customer_id "
            f"from {table} as g join contracts as c on g.contract_id = c.contract_id "
            f"where c.customer_id <> g.customer_id and g.{key} is not null",
            "the contract '{0}' belongs to customer '{1}', not to '{2}'",
            "Name a contract of the same customer.",
        )
