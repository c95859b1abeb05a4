{# How many ranks to unroll: the deepest wallet of this run, never more than the
   configured depth. A deeper wallet fails law wallet_depth instead of losing a grant. #}
{% macro wallet_depth() -%}
    {% set rows = fetch_rows(
        'select coalesce(max(wallet_rank), 0) as depth from ' ~ ref('active_grants')
    ) %}
    {% set deepest = rows[0].depth | int if rows else 0 %}
    {{ return([deepest, var('credit_depth') | int] | min) }}
{%- endmacro %}

{# What one wallet is: a family's grants in one currency, in money or in one unit. #}
{% macro wallet(alias='') -%}
    {{ alias }}family_id, {{ alias }}currency, {{ alias }}pricing_unit_id
{%- endmacro %}

{# Are both in the same currency, and both in money or both in the same pricing unit? #}
{% macro is_same_unit(one, other) -%}
    {{ one }}.currency = {{ other }}.currency
    and coalesce({{ one }}.pricing_unit_id, '')
    = coalesce({{ other }}.pricing_unit_id, '')
{%- endmacro %}

{# What counts as more products, values or contracts than anybody can name. #}
{% macro everything() -%}
    1000000
{%- endmacro %}

{% macro endless(ending_before) -%}
    coalesce({{ ending_before }}, cast('9999-12-31' as timestamp))
{%- endmacro %}

{# Does a scope ask for group values and for nothing else? #}
{% macro has_group_values_only(scopes) -%}
    {{ scopes }}.product_id is null
    and {{ scopes }}.product_tags is null
    and (
        {{ scopes }}.pricing_group_values || {{ scopes }}.presentation_group_values
        <> '{}{}'
        or {{ scopes }}.seat_group_values is not null
    )
{%- endmacro %}

{# What decides between two grants before their windows do: lower numbers are drawn
   first. What rolled over comes first, promises before the rest; what is paid for is
   used up before a promise is kept. Bought grants are alike,
   whatever they cost; between promises, group values decide nothing. #}
{% macro burn_keys(grants) -%}
    case
        when {{ grants }}.rolled_over_from is not null
            then case when {{ grants }}.grant_type = 'POSTPAID_COMMIT' then 1 else 2 end
        when {{ grants }}.grant_type = 'POSTPAID_COMMIT' then 4
        else 3
    end,
    {{ grants }}.priority,
    case when {{ grants }}.invoice_amount = 0 then 0 else 1 end,
    {{ grants }}.applicable_products,
    case
        when {{ grants }}.grant_type = 'POSTPAID_COMMIT'
            and {{ grants }}.rolled_over_from is null then 0
        else {{ grants }}.applicable_usage
    end
{%- endmacro %}

{% macro burn_level(grants) -%}
    cast(
        dense_rank() over (
            partition by {{ wallet(grants ~ '.') }}
            order by {{ burn_keys(grants) }}
        ) as bigint
    )
{%- endmacro %}

{% macro burn_rank(grants) -%}
    cast(
        row_number() over (
            partition by {{ wallet(grants ~ '.') }}
            order by
                {{ burn_keys(grants) }},
                {{ endless(grants ~ '.ending_before') }},
                {{ grants }}.starting_at,
                case
                    when {{ grants }}.applicable_contract_ids is null
                        then {{ everything() }}
                    else {{ list_size(grants ~ '.applicable_contract_ids') }}
                end,
                {{ grants }}.created_at,
                {{ grants }}.grant_id,
                {{ grants }}.grant_type,
                {{ grants }}.segment_id
        ) as bigint
    )
{%- endmacro %}

{# May what a grant is for be this line? A composite has no group values, so it meets no
   condition on them. #}
{% macro is_in_scope(lines, scopes) -%}
    ({{ scopes }}.product_id is null or {{ scopes }}.product_id = {{ lines }}.product_id)
    and (
        {{ scopes }}.product_tags is null
        or {{ list_has_all(lines ~ '.product_tags', scopes ~ '.product_tags') }}
    )
    and {{ json_subset(
        lines ~ '.pricing_group_values',
        json_key_list(scopes ~ '.pricing_group_values')
    ) }} = {{ scopes }}.pricing_group_values
    and {{ json_subset(
        lines ~ '.presentation_group_values',
        json_key_list(scopes ~ '.presentation_group_values')
    ) }} = {{ scopes }}.presentation_group_values
{%- endmacro %}

{# Is a line the usage of the seat that a scope is for, if it is for one? The key of seats
   may be a pricing or a presentation key of the product; a product without it is nobody's. #}
{% macro is_of_seat(lines, scopes) -%}
    (
        {{ scopes }}.seat_group_values is null
        {% for groups in ['pricing_group_values', 'presentation_group_values'] -%}
        or position(
            {{ json_members(scopes ~ '.seat_group_values') }}
            in {{ json_members(lines ~ '.' ~ groups) }}
        ) > 0
        {% endfor %}
    )
{%- endmacro %}

{# Places of tranches in their cluster, as CTEs up to `placed`. Each is a run of its own,
   but for seats of one key that nothing else comes between: of those each seat counts for
   itself, as 300 seats of one recurring commit, which then are one place. #}
{% macro placed_in_cluster(clustered) -%}
{%- set order -%}
partition by {{ wallet() }}, burn_level, window_cluster
            order by burn_rank, tranche_number
{%- endset -%}
keyed as (

    select
        *,
        {{ json_only_key('seat_group_values') }} as seat_key
    from {{ clustered }}

),

compared as (

    select
        *,
        case when seat_key = lag(seat_key) over ({{ order }}) then 0 else 1 end
            as begins_run
    from keyed

),

runs as (

    select
        *,
        sum(begins_run) over (
            {{ order }}
            rows between unbounded preceding and current row
        ) as run_number
    from compared

),

placed as (

    select
        *,
        row_number() over (
            partition by
                {{ wallet() }}, burn_level, window_cluster, run_number,
                seat_group_values
            order by burn_rank, tranche_number
        ) as seat_rank
    from runs

),
{%- endmacro %}

{# Which tranche may pay a charge at this rank: of a piece, one that has a price for it. #}
{% macro paying_tranche(grants, prices) -%}
    case
        when charges.piece_id is null or {{ prices }}.piece_id is not null
            then {{ grants }}.tranche_id
    end
{%- endmacro %}

{# What a grant would pay for what is left of a charge: of a piece, that share of what
   it would pay for all of it. #}
{% macro price_of_rest(prices) -%}
    case
        when charges.piece_id is null then charges.remaining_minor
        when charges.remaining_quantity = charges.piece_quantity
            then {{ prices }}.amount_minor
        else {{ share_between_minor(
            prices ~ '.amount_minor', '0',
            quantity_units('charges.remaining_quantity'),
            quantity_units('charges.piece_quantity')
        ) }}
    end
{%- endmacro %}

{# Running total, in the order of charges, of what a tranche may pay at this rank; of a
   pricing unit that may be more than 64 bits hold. #}
{% macro running_cost() -%}
    sum({{ wide_integer('cost_minor') }}) over (
        partition by coalesce(tranche_id, slice_id)
        order by charge_rank
        rows between unbounded preceding and current row
    )
{%- endmacro %}

{# What a grant takes of one charge: the part of the running total of what it may pay
   that its balance reaches. A charge without a grant at this rank is left as it is. #}
{% macro prefix_draw() -%}
    case
        when tranche_id is null then cast(0 as bigint)
        else cast(
            greatest(
                least({{ running_cost() }}, opening_balance_minor)
                - ({{ running_cost() }} - cost_minor),
                0
            ) as bigint
        )
    end
{%- endmacro %}

{# Is all that is left of a charge paid? What rounds to nothing is, while there is any
   balance. #}
{% macro is_paid_whole() -%}
    coalesce(
        tranche_id is not null
        and {{ running_cost() }} <= opening_balance_minor
        and (cost_minor > 0 or {{ running_cost() }} < opening_balance_minor),
        false
    )
{%- endmacro %}

{# The quantity of a piece that a grant pays for; what its money does not reach, half up
   at 12 places, goes on to the next. #}
{% macro taken_quantity() -%}
    case
        when piece_id is null then cast(null as {{ quantity_type() }})
        when is_paid_whole then remaining_quantity
        when drawn_minor = 0 then {{ to_quantity(0) }}
        else {{ share_of_quantity('remaining_quantity', 'drawn_minor', 'cost_minor') }}
    end
{%- endmacro %}

{# What the grants of one rank take of what the rank before left: price_of_rest,
   prefix_draw and taken_quantity, one after the other. #}
{% macro draw_rank(rank) -%}
offered_{{ rank }} as (

    select
        charges.*,
        payable_lines.segment_id,
        payable_lines.opening_balance_minor,
        {{ paying_tranche('payable_lines', 'piece_prices') }} as tranche_id,
        {{ price_of_rest('piece_prices') }} as cost_minor
    from remaining_{{ rank - 1 }} as charges
    left join payable_lines
        on
            charges.line_id = payable_lines.line_id
            and payable_lines.wallet_rank = {{ rank }}
            and {{ is_in_window('charges.slice_start', 'payable_lines') }}
    left join piece_prices
        on
            charges.piece_id = piece_prices.piece_id
            and payable_lines.grant_type = piece_prices.grant_type
            and payable_lines.grant_id = piece_prices.grant_id

),

drawn_{{ rank }} as (

    select
        *,
        {{ prefix_draw() }} as drawn_minor,
        {{ is_paid_whole() }} as is_paid_whole
    from offered_{{ rank }}

),

taken_{{ rank }} as (

    select
        *,
        {{ taken_quantity() }} as taken_quantity
    from drawn_{{ rank }}

),
{%- endmacro %}

{# What the grants of one rank leave to the next. #}
{% macro leave_rest(rank, taken) -%}
remaining_{{ rank }} as (

    select
        slice_id,
        piece_id,
        line_id,
        charge_rank,
        slice_start,
        last_rank,
        list_minor,
        piece_quantity,
        remaining_minor - drawn_minor as remaining_minor,
        {{ to_quantity('remaining_quantity - taken_quantity') }} as remaining_quantity
    from {{ taken }}
    where
        last_rank > {{ rank }}
        and case
            when piece_id is null then remaining_minor > drawn_minor
            else remaining_quantity > taken_quantity
        end

),
{%- endmacro %}

{# What the grants of one rank took; `remaining_quantity` is what they found. #}
{% macro drawn_by(rank, taken) -%}
    select
        tranche_id,
        segment_id,
        slice_id,
        cast({{ rank }} as bigint) as wallet_rank,
        drawn_minor,
        piece_id,
        list_minor,
        piece_quantity,
        remaining_quantity,
        taken_quantity
    from {{ taken }}
    where drawn_minor > 0 or taken_quantity > 0
{%- endmacro %}

{# Who may pay what, and at which price. #}
{% macro payable() -%}
payable_lines as (

    select * from {{ ref('payable_lines') }}

),

piece_prices as (

    select * from {{ ref('piece_prices') }}

),
{%- endmacro %}

{# The charges before the first rank. #}
{% macro opening_charges() -%}
line_depths as (

    select
        line_id,
        max(wallet_rank) as last_rank
    from payable_lines
    group by 1

),

remaining_0 as (

    select
        charges.slice_id,
        charges.piece_id,
        charges.line_id,
        charges.charge_rank,
        charges.slice_start,
        line_depths.last_rank,
        charges.amount_minor as list_minor,
        charges.piece_quantity,
        charges.amount_minor as remaining_minor,
        charges.piece_quantity as remaining_quantity
    from {{ ref('drawable_charges') }} as charges
    inner join line_depths
        on charges.line_id = line_depths.line_id

),
{%- endmacro %}

{# Is a wallet too deep to be drawn on in one statement? Spark's analyzer takes minutes for
   twenty ranks and gives up on sixty, so there each rank has a table of its own. #}
{% macro is_drawn_in_steps(depth) -%}
    {{ return(adapter.dispatch('is_drawn_in_steps', 'meterhouse')(depth)) }}
{%- endmacro %}
{% macro default__is_drawn_in_steps(depth) -%}
    {{ return(false) }}
{%- endmacro %}
{% macro spark__is_drawn_in_steps(depth) -%}
    {{ return(depth > 3) }}
{%- endmacro %}

{% macro taken_at(rank) -%}
    {{ this.schema }}.{{ this.identifier }}__rank_{{ rank }}
{%- endmacro %}

{# Rank by rank of a deep wallet, what is taken of each charge that is left. Where no
   wallet is ever too deep, its depth is not asked for. #}
{% macro draw_in_steps() -%}
    {{ return(adapter.dispatch('draw_in_steps', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__draw_in_steps() -%}
{%- endmacro %}
{% macro spark__draw_in_steps() -%}
    {% set depth = wallet_depth() %}
    {% for rank in range(1, depth + 1) if is_drawn_in_steps(depth) %}
        {% do run_query('drop table if exists ' ~ taken_at(rank)) %}
        {% call statement('step') %}
            create table {{ taken_at(rank) }} {{ storage_clause() }} as
            with
            {{ payable() }}
            {% if rank == 1 -%}
            {{ opening_charges() }}
            {%- else -%}
            {{ leave_rest(rank - 1, taken_at(rank - 1)) }}
            {%- endif %}
            {{ draw_rank(rank) }}
            final as (

                select * from taken_{{ rank }}

            )

            select * from final
        {% endcall %}
    {% endfor %}
{%- endmacro %}

{% macro drop_steps() -%}
    {{ return(adapter.dispatch('drop_steps', 'meterhouse')()) }}
{%- endmacro %}
{% macro default__drop_steps() -%}
{%- endmacro %}
{% macro spark__drop_steps() -%}
    {% set depth = wallet_depth() %}
    {% for rank in range(1, depth + 1) if is_drawn_in_steps(depth) %}
        {% do run_query('drop table if exists ' ~ taken_at(rank)) %}
    {% endfor %}
{%- endmacro %}

{# Type of the entry that a segment opens with: what is owed of a promise is no
   balance that could be spent. #}
{% macro start_entry_type(grant_type) -%}
    case
        when {{ grant_type }} = 'POSTPAID_COMMIT' then 'POSTPAID_COMMIT_INITIAL_BALANCE'
        else {{ grant_type }} || '_SEGMENT_START'
    end
{%- endmacro %}

{% macro is_start(entry_type) -%}
    (
        {{ entry_type }} like '%SEGMENT_START'
        or {{ entry_type }} like '%INITIAL_BALANCE'
    )
{%- endmacro %}

{# What comes back because its invoice is void: to a promise as an entry by hand, which
   names no invoice otherwise. #}
{% macro is_reversal(entry_type, invoice_id) -%}
    (
        {{ entry_type }} like '%CREDITED'
        or ({{ entry_type }} like '%MANUAL' and {{ invoice_id }} is not null)
    )
{%- endmacro %}

{# What entries whose type ends in one of these add to a segment, and what they use of it. #}
{% macro added_by(endings, sign='') -%}
    cast(
        sum(
            case
                when
                    {% for ending in endings -%}
                    {{ 'or ' if not loop.first }}entry_type like '%{{ ending }}'
                    {% endfor -%}
                    then {{ sign }}amount_minor
                else 0
            end
        ) as bigint
    )
{%- endmacro %}
{% macro used_by(endings) -%}
    {{ added_by(endings, '-') }}
{%- endmacro %}

{# Order of entries with the same instant: a segment starts before it is drawn on, gets
   back what the draw of another may need, gets by hand or for more seats before it gives,
   and expires last. #}
{% macro entry_order(entry_type, amount_minor, invoice_id) -%}
    case
        when {{ is_start(entry_type) }} then 1
        when {{ is_reversal(entry_type, invoice_id) }} then 2
        when {{ entry_type }} like '%DEDUCTION' then 3
        when {{ entry_type }} like '%MANUAL' and {{ amount_minor }} > 0 then 4
        when {{ entry_type }} like '%SEAT_BASED_ADJUSTMENT' then 4
        when {{ entry_type }} like '%EXPIRATION' or {{ entry_type }} like '%TRUEUP' then 9
        when {{ entry_type }} like '%ROLLOVER' then 8
        else 5
    end
{%- endmacro %}

{# An instant in the id of a grant: the day, and the time of day if that is not midnight. #}
{% macro day_and_time(instant) -%}
    cast(cast({{ instant }} as date) as string)
    || case
        when {{ instant }} = date_trunc('day', {{ instant }}) then ''
        else 'T' || substr(cast({{ instant }} as string), 12, 5)
    end
{%- endmacro %}

{# How often recurring commits come, in months or days; statements are monthly. #}
{% macro recurrence(frequency, unit) -%}
    case {{ frequency }}
        {% for name, months, days in [
            ('DAILY', 0, 1), ('WEEKLY', 0, 7), ('MONTHLY', 1, 0), ('STATEMENT', 1, 0),
            ('QUARTERLY', 3, 0), ('ANNUAL', 12, 0),
        ] -%}
        when '{{ name }}' then {{ months if unit == 'months' else days }}
        {% endfor -%}
    end
{%- endmacro %}

{# Beginning of a period by its number from the first. #}
{% macro recurring_boundary(recurring, period_number) -%}
    {%- set frequency = recurring ~ '.recurrence_frequency' -%}
    {{ add_hours(
        add_months(
            recurring ~ '.anchor',
            '(' ~ period_number ~ ') * ' ~ recurrence(frequency, 'months')
        ),
        '(' ~ period_number ~ ') * 24 * ' ~ recurrence(frequency, 'days')
    ) }}
{%- endmacro %}

{# No fewer than the periods that have begun by the run's instant, less one. #}
{% macro periods_begun(frequency, anchor) -%}
    cast(
        case
            when {{ recurrence(frequency, 'days') }} > 0
                then {{ integer_divide(
                    '(' ~ epoch_micros(as_of()) ~ ' - ' ~ epoch_micros(anchor) ~ ')',
                    '(cast(' ~ recurrence(frequency, 'days') ~ ' as bigint) * 86400000000)'
                ) }}
            else {{ month_number(as_of()) }} - {{ month_number(anchor) }}
        end as bigint
    )
{%- endmacro %}

{# What is left of a draw on a line that is covered up to its total: the share of it that
   is kept at list prices or, where those are zero, of its quantity. #}
{% macro kept_of_draw() -%}
    case
        when list_minor > 0
            then {{ share_between_minor('drawn_minor', '0', 'kept_list_minor', 'list_minor') }}
        when kept_quantity = quantity then drawn_minor
        else {{ share_between_minor(
            'drawn_minor', '0', quantity_units('kept_quantity'), quantity_units('quantity')
        ) }}
    end
{%- endmacro %}

{# The order in which charges are paid: planned close, contract, usage before subscriptions
   before composites, earlier start, higher unit price, product name; then what makes it total. #}
{% macro charge_order() -%}
    periods.closes_at,
    charges.contract_id,
    case charges.line_type when 'usage' then 1 when 'subscription' then 2 else 3 end,
    charged_lines.line_start,
    charged_lines.line_unit_price desc,
    products.product_name,
    charges.pricing_group_values,
    charges.presentation_group_values,
    charges.line_id,
    charges.slice_start,
    charges.slice_id,
    pieces.tier_start
{%- endmacro %}
