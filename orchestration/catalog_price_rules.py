"""What must hold between the rows of the catalog that make prices. An overwrite is a
price like a rate, so both meet the same rules; what holds for overrides alone is in
catalog_override_rules."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.catalog_findings import FOREVER, Findings
from orchestration.catalog_specifiers import KEYS, PAIRS
from orchestration.grain import ON_IT, finer_than

_ONE_PRICE = "'flat', 'package', 'percentage'"
_TIERED = "'graduated', 'volume', 'tiered_package', 'stairstep', 'graduated_percentage'"
_PACKAGED = "'package', 'tiered_package'"
_UNPACKAGED = (
    "'flat', 'graduated', 'volume', 'stairstep', 'percentage', "
    "'graduated_percentage', 'dynamic'"
)


@dataclass(frozen=True)
class _Prices:
    """A table of prices: its rows, their id and tiers, and what people call one."""

    table: str
    key: str
    tiers: str
    called: str
    where: str = "true"

    @property
    def file(self) -> str:
        return f"catalog/{self.table}.csv"

    @property
    def tiers_file(self) -> str:
        return f"catalog/{self.tiers}.csv"


_RATES = _Prices("rates", "rate_id", "rate_tiers", "rate")
_OVERWRITES = _Prices(
    "overrides",
    "override_id",
    "override_tiers",
    "overwrite",
    "override_type = 'overwrite'",
)


def check(findings: Findings) -> None:
    """Run every rule."""
    _product_versions(findings)
    _windows(findings)
    _ties(findings)
    _values(findings)
    for prices in (_RATES, _OVERWRITES):
        _terms(findings, prices)
        _events(findings, prices)
        _tiers_of_prices(findings, prices)
        _steps(findings, prices.tiers, prices.key)
    _days(findings)


def _product_versions(findings: Findings) -> None:
    """Each version of a product with its window and its pricing keys."""
    findings.con.execute(
        f"""
        create temp view product_versions as
        select line, product_id,
            case when row_number() over one = 1 then timestamp '1970-01-01'
                else starting_at_ end as starts,
            coalesce(lead(starting_at_) over one, {FOREVER}) as ends,
            list_sort(list_distinct(list_filter(
                string_split(coalesce(pricing_group_keys, ''), '|'),
                lambda item: item <> ''
            ))) as pricing_keys,
            list_filter(
                string_split(coalesce(presentation_group_keys, ''), '|'),
                lambda item: item <> ''
            ) as presentation_keys,
            list_transform(
                string_split(coalesce(tags, ''), '|'), lambda item: trim(item)
            ) as tags
        from products
        window one as (
            partition by product_id
            order by coalesce(starting_at_, timestamp '1970-01-01'), line
        )
        """
    )
    findings.con.execute(
        f"""
        create temp view rate_values as
        select line, rate_id, rate_card_id, product_id, starting_at_ as starts,
            coalesce(ending_before_, {FOREVER}) as ends,
            {PAIRS.format("pricing_group_values")} as pairs,
            {KEYS.format("pricing_group_values")} as named
        from rates
        where starting_at_ is not null
            and (ending_before is null or ending_before_ > starting_at_)
        """
    )


def _windows(findings: Findings) -> None:
    findings.rows(
        "catalog/rates.csv",
        "starting_at",
        """
        with earlier as (
            select *,
                max(ends) over earlier_ones as latest_end,
                max_by(rate_id, ends) over earlier_ones as other
            from rate_values
            window earlier_ones as (
                partition by rate_card_id, product_id, pairs
                order by starts, line
                rows between unbounded preceding and 1 preceding
            )
        )
        select line, rate_id, other, product_id from earlier
        where latest_end > starts
        """,
        "the window of rate '{0}' overlaps that of rate '{1}' for product '{2}'",
        "End the earlier rate (ending_before) where the later one starts.",
    )


def _ties(findings: Findings) -> None:
    findings.rows(
        "catalog/rates.csv",
        "pricing_group_values",
        """
        with keyed as (
            select *, list_transform(
                pairs, lambda item: split_part(item, '=', 1)
            ) as keys
            from rate_values where len(pairs) > 0
        ),
        key_lists as (select distinct rate_card_id, product_id, keys from keyed),
        -- Compared with the rates that name other keys only, by the values of the keys
        -- that both name: a price list of a hundred thousand rows often has one list.
        compared as (
            select keyed.*, others.keys as other_keys, list_filter(
                keyed.pairs,
                lambda item: list_contains(others.keys, split_part(item, '=', 1))
            ) as shared
            from keyed join key_lists as others using (rate_card_id, product_id)
            where keyed.keys <> others.keys and len(keyed.keys) = len(others.keys)
        ),
        pairs as (
            select b.line, a.rate_id as one, b.rate_id as two,
                a.rate_card_id, a.product_id,
                list_sort(list_distinct(list_concat(a.pairs, b.pairs))) as united,
                greatest(a.starts, b.starts) as starts, least(a.ends, b.ends) as ends
            from compared as a join compared as b
                on a.rate_card_id = b.rate_card_id and a.product_id = b.product_id
                and a.keys = b.other_keys and a.other_keys = b.keys
                and a.shared = b.shared and a.line < b.line
                and a.starts < b.ends and b.starts < a.ends
        )
        select line, two, one, array_to_string(united, '|') from pairs
        where not exists (
            select 1 from rate_values as r
            where r.rate_card_id = pairs.rate_card_id
                and r.product_id = pairs.product_id and r.pairs = united
                and r.starts <= pairs.starts and r.ends >= pairs.ends
        )
        """,
        "the rates '{0}' and '{1}' both are for {2}, and neither names more values",
        "Add a rate for {2}, or name one more value in one of the two.",
    )


def _values(findings: Findings) -> None:
    findings.rows(
        "catalog/rates.csv",
        "pricing_group_values",
        """
        select distinct r.line,
            coalesce(nullif(array_to_string(r.named, ', '), ''), 'nothing'),
            r.product_id,
            coalesce(nullif(array_to_string(p.pricing_keys, ', '), ''), 'no key at all')
        from rate_values as r join product_versions as p
            on r.product_id = p.product_id and r.starts < p.ends and p.starts < r.ends
        where r.named <> p.pricing_keys and len(r.named) > 0
        """,
        "the rate names {0}, but product '{1}' is priced by {2}",
        "Name each pricing key of the product and no other, with * for any value, or "
        "leave the cell blank for the default price.",
    )


def _terms(findings: Findings, prices: _Prices) -> None:
    key, called = prices.key, prices.called
    rows = f"from {prices.table} where {prices.where} and"

    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            prices.file,
            field,
            f"select line, price_model, {key} {rows} {condition}",
            problem.replace("#", called),
            remedy,
        )

    find(
        "unit_price",
        f"price_model in ({_ONE_PRICE}) and unit_price is null",
        "the {0} # '{1}' has no price",
        "Fill in unit_price.",
    )
    find(
        "unit_price",
        f"price_model in ({_TIERED}) and unit_price is not null",
        "the {0} # '{1}' has a price of its own",
        f"Leave unit_price blank: its prices are in {prices.tiers}.csv.",
    )
    find(
        "price_model",
        f"price_model in ({_TIERED}) and {key} not in "
        f"(select {key} from {prices.tiers} where {key} is not null)",
        "the {0} # '{1}' has no tiers",
        f"Add them to {prices.tiers_file}.",
    )
    find(
        "package_size",
        f"price_model in ({_PACKAGED}) and package_size is null",
        "the {0} # '{1}' does not say how many units a package holds",
        "Fill in package_size.",
    )
    find(
        "package_size",
        f"price_model in ({_UNPACKAGED}) "
        "and coalesce(package_size, package_rounding) is not null",
        "the {0} # '{1}' is not sold in packages",
        "Leave package_size and package_rounding blank, or make it a package.",
    )
    find(
        "free_units",
        "coalesce(free_units_scope, free_units_reset) is not null "
        "and free_units is null",
        "the {0} # '{1}' says how free units are given, but not how many",
        "Fill in free_units, or leave free_units_scope and free_units_reset blank.",
    )


def _events(findings: Findings, prices: _Prices) -> None:
    """Prices that look at each event by itself."""
    key, called = prices.key, prices.called

    def find(field: str, condition: str, problem: str, remedy: str) -> None:
        findings.rows(
            prices.file,
            field,
            f"select line, price_model, {key}, unit_price from {prices.table} "
            f"where {prices.where} and {condition}",
            problem.replace("#", called),
            remedy,
        )

    find(
        "price_property",
        "price_model = 'dynamic' "
        "and (price_property is null) = (amount_property is null)",
        "the dynamic # '{1}' does not say which one property of the event holds the "
        "price or the amount",
        "Fill in price_property or amount_property, not both.",
    )
    find(
        "price_property",
        "price_model <> 'dynamic' "
        "and coalesce(price_property, amount_property) is not null",
        "the {0} # '{1}' does not take its price from the event",
        "Leave price_property and amount_property blank, or make it dynamic.",
    )
    find(
        "unit_price",
        "price_model = 'percentage' and unit_price_ > 1",
        "the percentage {2} of # '{1}' is more than the whole value",
        "Write it as a share: 0.029 for 2.9 %.",
    )
    find(
        "event_maximum",
        "event_maximum_ < event_minimum_",
        "the most that an event costs is below the least, at # '{1}'",
        "Let event_maximum be at least event_minimum.",
    )
    if prices is _RATES:
        product = "r.product_id = p.product_id"
        specified = ""
    else:
        product = "s.product_id = p.product_id"
        specified = "join override_specifiers as s on r.override_id = s.override_id"
    findings.rows(
        prices.file,
        "price_model",
        f"""
        select distinct r.line, p.product_id, m.aggregation
        from {prices.table} as r {specified}
        join products as p on {product}
        join billable_metrics as m on p.metric_id = m.metric_id
        where m.aggregation not in ('SUM', 'COUNT') and (
            r.price_model = 'dynamic' or coalesce(
                r.event_fee, r.free_events, r.event_minimum, r.event_maximum
            ) is not null
        )
        """,
        "product '{0}' is metered by {1}, which no single event adds to",
        "Price single events of SUM and COUNT metrics only.",
    )


def _tiers_of_prices(findings: Findings, prices: _Prices) -> None:
    file, key, called = prices.tiers_file, prices.key, prices.called
    joined = (
        f"from {prices.tiers} as t join {prices.table} as r "
        f"on t.{key} = r.{key} and {prices.where}"
    )
    findings.rows(
        file,
        key,
        f"select t.line, r.price_model, t.{key} {joined} "
        f"where r.price_model in ({_ONE_PRICE})",
        f"the {{0}} {called} '{{1}}' can't have tiers",
        f"Make the {called} graduated, or remove the tier.",
    )
    findings.rows(
        file,
        "unit_price",
        f"select t.line, t.{key}, t.tier_start {joined} "
        "where t.unit_price is null and t.flat_amount is null",
        f"the tier of {called} '{{0}}' from {{1}} has no price",
        "Fill in unit_price, flat_amount or both.",
    )
    findings.rows(
        file,
        "unit_price",
        f"select t.line, t.unit_price, t.{key} {joined} "
        "where r.price_model = 'graduated_percentage' and t.unit_price_ > 1",
        f"the percentage {{0}} of {called} '{{1}}' is more than the whole value",
        "Write it as a share: 0.029 for 2.9 %.",
    )
    findings.rows(
        file,
        "unit_price",
        f"select t.line, t.{key} {joined} where r.price_model = 'stairstep' "
        "and (t.flat_amount is null or t.unit_price_ <> 0)",
        f"the stairstep {called} '{{0}}' charges one amount for each tier, not for "
        "each unit",
        f"Fill in flat_amount and leave unit_price blank, or make the {called} volume.",
    )
    findings.rows(
        file,
        "flat_amount",
        f"""
        with stairs as (
            select t.line, t.{key}, t.flat_amount, t.flat_amount_,
                lag(t.flat_amount_) over one_price as before,
                lag(t.line) over one_price as line_before
            {joined} where r.price_model = 'stairstep'
            window one_price as (partition by t.{key} order by t.tier_start_, t.line)
        )
        select line, flat_amount, {key}, line_before from stairs
        where flat_amount_ < before
        """,
        f"the amount {{0}} of the stairstep {called} '{{1}}' is below that of the tier "
        "in row {2}",
        "More usage never costs less: let the amounts rise.",
    )
    findings.rows(
        file,
        "tier_start",
        f"""
        select t.line, t.tier_start, r.package_size, t.{key} {joined}
        where r.price_model = 'tiered_package' and (
            t.tier_start_ <> trunc(t.tier_start_)
            or cast(trunc(t.tier_start_) as hugeint)
            % cast(r.package_size_ as hugeint) <> 0
        )
        """,
        f"the start {{0}} is no multiple of the package size {{1}} of {called} '{{2}}'",
        "Let tiers of packages begin and end with whole packages.",
    )


def _steps(findings: Findings, table: str, key: str) -> None:
    file = f"catalog/{table}.csv"
    called = key.removesuffix("_id")
    ordered = f"""
        with ordered as (
            select *,
                row_number() over one_price as position,
                lag(tier_end_) over one_price as before,
                lag(line) over one_price as line_before
            from {table}
            where tier_start_ is not null
                and (tier_end is null or tier_end_ is not null)
            window one_price as (partition by {key} order by tier_start_, line)
        )
        select line, {key}, tier_start, line_before, before from ordered where
    """
    findings.rows(
        file,
        "tier_end",
        f"select line, tier_end, tier_start from {table} "
        "where tier_end_ <= tier_start_",
        "the tier ends at {0}, not after its start {1}",
        "A tier holds for quantities above tier_start up to tier_end.",
    )
    findings.rows(
        file,
        "tier_start",
        f"{ordered} position = 1 and tier_start_ <> 0",
        f"the first tier of {called} '{{0}}' starts at {{1}}",
        "The first tier starts at 0.",
    )
    findings.rows(
        file,
        "tier_start",
        f"{ordered} position > 1 and (before is null or tier_start_ < before)",
        f"the tier of {called} '{{0}}' from {{1}} overlaps the tier in row {{2}}",
        "Start each tier where the one before it ends.",
    )
    findings.rows(
        file,
        "tier_start",
        f"{ordered} tier_start_ > before",
        f"{called} '{{0}}' has no price between the tier in row {{2}} and {{1}}",
        "Start each tier where the one before it ends.",
    )


def _days(findings: Findings) -> None:
    begins = ON_IT[findings.grain]
    if findings.grain != "day":
        begins += " in UTC"
    finer = ", ".join(f"'{grain}'" for grain in finer_than(findings.grain)) or "null"
    for prices, card in (
        (_RATES, "k.card = r.rate_card_id"),
        (_OVERWRITES, "k.contract_id = r.contract_id"),
    ):
        findings.rows(
            prices.file,
            "free_units_reset",
            f"""
            select
                r.line, min(c.customer_id), min(c.time_zone),
                coalesce('Set metering_grain: ' || min(z.grain) || ', or g', 'G')
                    || 'ive the free units by period.'
            from {prices.table} as r
            join contract_cards as k on {card}
            join customers as c on k.customer_id = c.customer_id
            join known_time_zones as z on c.time_zone = z.code
            where
                r.free_units_reset = 'day'
                and (z.grain is null or z.grain in ({finer}))
            group by r.line
            """,
            f"the day of customer '{{0}}' in {{1}} does not begin {begins}",
            f"The metering grain is {findings.grain}. {{2}}",
        )
