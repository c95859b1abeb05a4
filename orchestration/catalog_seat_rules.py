"""What must hold between subscriptions, their seats and recurring commits."""

from __future__ import annotations

from orchestration.catalog_findings import FOREVER, Findings

SUBSCRIPTIONS = "catalog/subscriptions.csv"
QUANTITIES = "catalog/subscription_quantities.csv"
SEATS = "catalog/subscription_seats.csv"
RECURRING = "catalog/recurring_commits.csv"
# Seats of a subscription that may have a balance each.
MOST_SEATS = 1000
_IS_SEAT_BASED = "coalesce(s.quantity_management_mode, '') = 'SEAT_BASED'"
_IS_COUNTED = "coalesce(s.quantity_management_mode, 'QUANTITY_ONLY') = 'QUANTITY_ONLY'"


def check(findings: Findings) -> None:
    """Run every rule."""
    _subscriptions(findings)
    _quantities(findings)
    _running_quantities(findings)
    _seats(findings)
    _recurring(findings)


def _subscriptions(findings: Findings) -> None:
    findings.rows(
        SUBSCRIPTIONS,
        "seat_group_key",
        f"select line, subscription_id from subscriptions as s "
        f"where {_IS_SEAT_BASED} and seat_group_key is null",
        "the subscription '{0}' is SEAT_BASED and does not say which key of the usage "
        "names the seat",
        "Fill in seat_group_key, as in user.",
    )
    findings.rows(
        SUBSCRIPTIONS,
        "seat_group_key",
        f"select line, subscription_id, seat_group_key from subscriptions as s "
        f"where {_IS_COUNTED} and seat_group_key is not null",
        "the subscription '{0}' has the key '{1}', and its seats have no ids",
        "Leave seat_group_key blank, or make the quantity_management_mode SEAT_BASED.",
    )
    findings.rows(
        SUBSCRIPTIONS,
        "starting_at",
        f"""
        select s.line, s.subscription_id, c.contract_id, c.starting_at
        from subscriptions as s join contracts as c on s.contract_id = c.contract_id
        where s.starting_at_ < c.starting_at_
            or s.starting_at_ >= coalesce(c.ending_before_, {FOREVER})
        """,
        "the subscription '{0}' does not start within the contract '{1}'",
        "Start it at {2} or later, before the contract ends.",
    )


def _quantities(findings: Findings) -> None:
    findings.rows(
        QUANTITIES,
        "quantity",
        "select line, subscription_id from subscription_quantities "
        "where quantity is not null and quantity_delta is not null",
        "the row says how many seats '{0}' has, and how many more",
        "Fill in quantity or quantity_delta, not both.",
    )
    findings.rows(
        QUANTITIES,
        "quantity",
        "select line, subscription_id from subscription_quantities "
        "where quantity is null and quantity_delta is null",
        "the row does not say how many seats '{0}' has",
        "Fill in quantity, or quantity_delta for how many more.",
    )
    for file, table in (
        (QUANTITIES, "subscription_quantities"),
        (SEATS, "subscription_seats"),
    ):
        findings.rows(
            file,
            "starting_at",
            f"""
            select r.line, s.subscription_id, r.starting_at, s.starting_at
            from {table} as r join subscriptions as s
                on r.subscription_id = s.subscription_id
            where coalesce(s.ending_before_, {FOREVER}) > s.starting_at_ and (
                r.starting_at_ < s.starting_at_
                or r.starting_at_ >= coalesce(s.ending_before_, {FOREVER})
            )
            """,
            "{1} is not within the subscription '{0}'",
            "Date it {2} or later, before the subscription ends.",
        )


def _running_quantities(findings: Findings) -> None:
    """The first row that takes more seats than there are."""
    findings.rows(
        QUANTITIES,
        "quantity_delta",
        """
        with counted as (
            select *,
                count(quantity_) over (
                    partition by subscription_id order by starting_at_, line
                ) as times_set
            from subscription_quantities
            where starting_at_ is not null
                and (quantity_ is null) <> (quantity_delta_ is null)
        ),
        summed as (
            select line, subscription_id, starting_at_, quantity_delta,
                sum(coalesce(quantity_, quantity_delta_)) over (
                    partition by subscription_id, times_set order by starting_at_, line
                ) as seats
            from counted
        )
        select arg_min(line, (starting_at_, line)), subscription_id,
            arg_min(seats - quantity_delta::int, (starting_at_, line)),
            arg_min(quantity_delta, (starting_at_, line))
        from summed where seats < 0 and quantity_delta is not null group by 2
        """,
        "the subscription '{0}' has {1} seats, and the row says {2} more",
        "Take no more seats than there are, or date the row after those that add them.",
    )


def _seats(findings: Findings) -> None:
    findings.rows(
        SEATS,
        "subscription_id",
        f"""
        select r.line, s.subscription_id
        from subscription_seats as r join subscriptions as s
            on r.subscription_id = s.subscription_id
        where {_IS_COUNTED}
        """,
        "the seats of '{0}' are only counted, and the row gives one an id",
        f"Make the quantity_management_mode SEAT_BASED in {SUBSCRIPTIONS}, or remove "
        "the row.",
    )
    findings.rows(
        SEATS,
        "seat_id",
        "select line, seat_id from subscription_seats "
        r"where regexp_matches(seat_id, '^\s|\s$')",
        "'{0}' has blanks around it",
        "Remove them.",
    )
    findings.rows(
        SEATS,
        "starting_at",
        f"""
        select b.line, b.seat_id, b.subscription_id, a.line
        from subscription_seats as a join subscription_seats as b
            on a.subscription_id = b.subscription_id and a.seat_id = b.seat_id
            and a.line < b.line and a.starting_at_ <> b.starting_at_
            and a.starting_at_ < coalesce(b.ending_before_, {FOREVER})
            and b.starting_at_ < coalesce(a.ending_before_, {FOREVER})
        """,
        "the seat '{0}' of '{1}' is assigned twice at one time, see row {2}",
        "End one assignment where the other starts, or remove one.",
    )


def _recurring(findings: Findings) -> None:
    linked = """
        recurring_commits as r join subscriptions as s
            on r.subscription_id = s.subscription_id
    """
    individual = "coalesce(r.allocation, '') = 'INDIVIDUAL'"
    for field in ("allocation", "is_seat_increase_prorated"):
        findings.rows(
            RECURRING,
            field,
            f"select line, recurring_commit_id from recurring_commits "
            f"where {field} is not null and subscription_id is null",
            f"the recurring commit '{{0}}' has {field}, and no subscription",
            "Name the subscription in subscription_id, or leave the cell blank.",
        )
    findings.rows(
        RECURRING,
        "subscription_id",
        f"select r.line, s.subscription_id, s.contract_id, r.contract_id from {linked} "
        "join contracts as c on s.contract_id = c.contract_id "
        "where s.contract_id <> r.contract_id",
        "the subscription '{0}' is of the contract '{1}', not of '{2}'",
        "Name a subscription of the same contract.",
    )
    findings.rows(
        RECURRING,
        "allocation",
        f"select r.line, r.recurring_commit_id, s.subscription_id from {linked} "
        f"where {individual} and {_IS_COUNTED}",
        "the recurring commit '{0}' is for each seat, and the seats of '{1}' have no "
        "ids",
        f"Make the quantity_management_mode SEAT_BASED in {SUBSCRIPTIONS}, or the "
        "allocation POOLED.",
    )
    findings.rows(
        RECURRING,
        "invoice_amount",
        f"select r.line, r.recurring_commit_id from {linked} "
        f"where not {individual} and r.invoice_amount_ > 0",
        "the recurring commit '{0}' has a price, and what more seats add to its pool "
        "would be given away",
        "Leave invoice_amount blank, or make the allocation INDIVIDUAL: each seat's "
        "grant is invoiced then.",
    )
    findings.rows(
        RECURRING,
        "subscription_id",
        f"""
        with changes as (
            select subscription_id, starting_at_ as changed_at, 1 as seats
            from subscription_seats
            union all
            select subscription_id, ending_before_, -1 from subscription_seats
            where ending_before_ is not null
        ),
        running as (
            select subscription_id, sum(sum(seats)) over (
                partition by subscription_id order by changed_at
            ) as seats
            from changes group by subscription_id, changed_at
        )
        select r.line, s.subscription_id, max(running.seats)
        from {linked} join running on s.subscription_id = running.subscription_id
        where {individual} group by all having max(running.seats) > {MOST_SEATS}
        """,
        "the subscription '{0}' has {1} seats, too many to have a balance each",
        f"At most {MOST_SEATS}: make the allocation POOLED, or several subscriptions.",
    )
    findings.rows(
        SUBSCRIPTIONS,
        "seat_group_key",
        f"""
        select distinct s.line, s.seat_group_key from {linked}
        where {individual} and s.seat_group_key is not null and not exists (
            select 1 from product_versions as p
            where list_contains(p.pricing_keys, s.seat_group_key)
                or list_contains(p.presentation_keys, s.seat_group_key)
        )
        """,
        "no product has the pricing or presentation key '{0}'",
        "Give the key to a product in catalog/products.csv: nothing could be drawn.",
    )
