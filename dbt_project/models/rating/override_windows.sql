{#
  Which one override counts for a combination of a contract, and from when to when; only
  combinations that some override is for have rows, and theirs follow each other from the
  beginning of time without a gap. The price and the entitlement are chosen apart: an
  overwrite before multipliers, of overwrites the last added, of multipliers the lowest
  choice_rank; the entitlement that was added last.
#}
with

matched_overrides as (

    select * from {{ ref('matched_overrides') }}

),

windows as (

    {{ windows_of('matched_overrides', override_keys()) }}

),

covering as (

    select
        windows.*,
        matched_overrides.override_id,
        matched_overrides.override_type,
        matched_overrides.is_entitled,
        row_number() over (
            partition by
                {{ prefixed(override_keys(), 'windows.') }}, windows.starting_at
            order by
                case matched_overrides.override_type
                    when 'entitlement' then 1
                    else 0
                end asc,
                matched_overrides.choice_rank asc,
                case matched_overrides.override_type
                    when 'overwrite' then matched_overrides.added_at
                end desc,
                matched_overrides.override_id asc
        ) as price_choice,
        row_number() over (
            partition by
                {{ prefixed(override_keys(), 'windows.') }}, windows.starting_at
            order by
                case when matched_overrides.is_entitled is null then 1 else 0 end asc,
                matched_overrides.added_at desc,
                matched_overrides.override_id asc
        ) as entitlement_choice
    from windows
    left join matched_overrides
        on
            {% for key in override_keys() -%}
            windows.{{ key }} = matched_overrides.{{ key }}
            and {% endfor -%}
            {{ is_in_window('windows.starting_at', 'matched_overrides') }}

),

final as (

    select
        {{ prefixed(override_keys()) }},
        max(
            case
                when price_choice = 1 and override_type <> 'entitlement'
                    then override_id
            end
        ) as override_id,
        max(
            case
                when price_choice = 1 and override_type <> 'entitlement'
                    then override_type
            end
        ) as override_type,
        max(case when entitlement_choice = 1 then is_entitled end) as is_entitled,
        starting_at,
        max(ending_before) as ending_before
    from covering
    group by {{ prefixed(override_keys()) }}, starting_at

)

select * from final
