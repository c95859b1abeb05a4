select
    currency,
    currency_name,
    minor_unit_exponent,
    case minor_unit_exponent
        when 0 then 1 when 2 then 100 when 3 then 1000
    end as minor_unit_factor,
    cast(
        case minor_unit_exponent
            when 0 then '1' when 2 then '0.01' when 3 then '0.001'
        end as decimal(5, 4)
    ) as minor_unit,
    case stripe_exponent - minor_unit_exponent
        when 0 then 1 when 2 then 100
    end as stripe_factor,
    stripe_multiple
from {{ ref('currencies') }}
