"""Mistakes in prices by package and by tier, in the starter's price book."""

from __future__ import annotations

from catalog_mistakes import Mistake

RATES_HEAD = (
    "rate_id,rate_card_id,product_id,price_model,pricing_group_values,unit_price,"
    "package_size,package_rounding,starting_at\n"
)
TIERS_HEAD = "rate_id,tier_start,tier_end,unit_price,flat_amount\n"
STAIRS = ("rates", "graduated", "stairstep")

PRICE_MISTAKES = [
    Mistake(
        "package_without_size",
        "rates",
        None,
        f"{RATES_HEAD}tokens-large,standard,tokens,tiered_package,model=large,,,,"
        "2026-10-01T00:00:00Z\n",
        2,
        "package_size",
        "how many units",
    ),
    Mistake(
        "flat_with_package_rounding",
        "rates",
        None,
        f"{RATES_HEAD}tokens-small,standard,tokens,flat,model=small,1,,up,"
        "2026-10-01T00:00:00Z\n",
        2,
        "package_size",
        "not sold in packages",
    ),
    Mistake(
        "package_of_nothing",
        "rates",
        None,
        f"{RATES_HEAD}tokens-small,standard,tokens,package,model=small,1,0,,"
        "2026-10-01T00:00:00Z\n",
        2,
        "package_size",
        "too small",
    ),
    Mistake(
        "tier_inside_a_package",
        "rates",
        None,
        f"{RATES_HEAD}tokens-large,standard,tokens,tiered_package,model=large,,300000,,"
        "2026-10-01T00:00:00Z\n",
        3,
        "tier_start",
        "no multiple of the package size 300000",
        at="rate_tiers",
    ),
    Mistake(
        "tier_without_price",
        "rate_tiers",
        None,
        f"{TIERS_HEAD}tokens-large,0,10,1,\ntokens-large,10,,,\n",
        3,
        "unit_price",
        "has no price",
        "flat_amount",
    ),
    Mistake(
        "stair_with_unit_price",
        "rate_tiers",
        None,
        f"{TIERS_HEAD}tokens-large,0,10,,5\ntokens-large,10,,0.1,6\n",
        3,
        "unit_price",
        "one amount for each tier",
        first=STAIRS,
    ),
    Mistake(
        "stair_without_amount",
        "rate_tiers",
        None,
        f"{TIERS_HEAD}tokens-large,0,10,,5\ntokens-large,10,,0,\n",
        3,
        "unit_price",
        "one amount for each tier",
        first=STAIRS,
    ),
    Mistake(
        "stairs_that_fall",
        "rate_tiers",
        None,
        f"{TIERS_HEAD}tokens-large,0,10,,5\ntokens-large,10,,,4.99\n",
        3,
        "flat_amount",
        "below that of the tier in row 2",
        first=STAIRS,
    ),
]
