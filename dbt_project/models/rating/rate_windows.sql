{#
  Which rate of a card prices a combination of group values, and from when to when. Of
  several that match, the one that names most values counts; two that name as many are a
  tie, which a check forbids. The windows of a combination follow each other from the
  beginning of time without a gap: where no rate holds, rate_id is NULL.
#}
with

matched_rates as (

    select * from {{ ref('matched_rates') }}

),

windows as (

    {{ windows_of('matched_rates', rate_keys()) }}

),

ranked as (

    select
        windows.*,
        matched_rates.rate_id,
        matched_rates.is_entitled,
        row_number() over (
            partition by {{ prefixed(rate_keys(), 'windows.') }}, windows.starting_at
            order by
                coalesce(matched_rates.values_named, 0) desc,
                coalesce(matched_rates.rate_id, '')
        ) as match_number,
        cast(
            count(matched_rates.rate_id) over (
                partition by
                    {{ prefixed(rate_keys(), 'windows.') }}, windows.starting_at,
                    matched_rates.values_named
            ) as bigint
        ) as equal_matches
    from windows
    left join matched_rates
        on
            {% for key in rate_keys() -%}
            windows.{{ key }} = matched_rates.{{ key }}
            and {% endfor -%}
            matched_rates.rate_id is not null
            and {{ is_in_window('windows.starting_at', 'matched_rates') }}

),

final as (

    select
        {{ prefixed(rate_keys()) }},
        rate_id,
        is_entitled,
        equal_matches,
        starting_at,
        ending_before
    from ranked
    where match_number = 1

)

select * from final
