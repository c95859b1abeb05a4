"""Laws of the reference, and a second reference that goes grant by grant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.credits.reference_slices import hourly_days, line_slices
from tests.credits.reference_wallet import (
    MORE_THAN_ANY,
    Charge,
    Draw,
    Grant,
    Segment,
    Specifier,
    Tags,
    burn_order,
    charge_key,
    draw,
    draw_in_order,
)

TAGS: Tags = {"a": {"x"}, "b": {"x", "y"}, "c": {"y"}, "all": set()}
OCTOBER = datetime(2026, 10, 1)


def hour(number: int) -> datetime:
    return OCTOBER + timedelta(hours=number)


hours = st.integers(0, 5).map(hour)
some_tags = st.frozensets(st.sampled_from("xy"), min_size=1)
values = st.sampled_from(
    [frozenset(), frozenset({("k", "1")}), frozenset({("k", "1"), ("l", "2")})]
)
specifiers = st.builds(
    Specifier,
    st.sampled_from(["", "a", "b"]),
    st.just(frozenset()) | some_tags,
    values,
    values,
)
scopes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"product_ids": st.frozensets(st.sampled_from("abc"), min_size=1)}
    ),
    st.fixed_dictionaries({"product_tags": some_tags}),
    st.fixed_dictionaries(
        {"specifiers": st.lists(specifiers, min_size=1, max_size=3).map(tuple)}
    ),
)


@st.composite
def wallets(data: st.DrawFn) -> list[Segment]:
    segments = []
    for number in range(data(st.integers(1, 6))):
        grant = Grant(
            data(st.sampled_from(["CREDIT", "PREPAID_COMMIT", "POSTPAID_COMMIT"])),
            f"g{number}",
            OCTOBER,
            priority=data(st.none() | st.integers(1, 2).map(Decimal)),
            invoice_amount=data(st.integers(0, 1).map(Decimal)),
            contract_ids=data(st.frozensets(st.sampled_from("pq"))),
            created_at=data(st.none() | hours),
            **data(scopes),
        )
        for start in data(st.sets(hours, min_size=1, max_size=2)):
            length = data(st.none() | st.integers(1, 5))
            end = None if length is None else start + timedelta(hours=length)
            segments.append(Segment(grant, data(st.integers(0, 30)), start, end))
    return segments


@st.composite
def charge(data: st.DrawFn) -> Charge:
    is_composite = data(st.booleans())
    product = "all" if is_composite else data(st.sampled_from("abc"))
    return Charge(
        contract_id=data(st.sampled_from("pq")),
        closes_at=data(hours),
        is_composite=is_composite,
        line_start=data(hours),
        unit_price=data(st.integers(1, 2).map(Decimal)),
        product_id=product,
        product_name=product,
        pricing_values=data(values),
        presentation_values=data(values),
        at=data(hours),
        amount=data(st.integers(1, 20)),
    )


charges_of_wallets = st.lists(charge(), max_size=8, unique_by=charge_key)


def draw_by_grant(charges: Iterable[Charge], segments: Iterable[Segment]) -> list[Draw]:
    """Each segment in turn takes what the earlier ones left of all charges."""
    ordered = sorted(charges, key=charge_key)
    left = {charge: charge.amount for charge in ordered}
    draws = []
    for segment in burn_order(segments, TAGS):
        balance = segment.amount
        for charge in ordered:
            paid = min(left[charge], balance) if segment.allows(charge, TAGS) else 0
            if paid:
                draws.append(Draw(segment, charge, paid))
                left[charge] -= paid
                balance -= paid
    return draws


def drawn_on(draws: Sequence[Draw]) -> Counter[Segment]:
    found: Counter[Segment] = Counter()
    for one in draws:
        found[one.segment] += one.amount
    return found


@given(charges_of_wallets, wallets())
def test_grant_by_grant_is_charge_by_charge(
    charges: list[Charge], segments: list[Segment]
) -> None:
    assert set(draw_by_grant(charges, segments)) == set(draw(charges, segments, TAGS))


@given(charges_of_wallets, wallets())
def test_nothing_is_overdrawn_or_overpaid(
    charges: list[Charge], segments: list[Segment]
) -> None:
    draws = draw(charges, segments, TAGS)
    assert all(one.amount > 0 for one in draws)
    assert all(drawn <= grant.amount for grant, drawn in drawn_on(draws).items())
    paid: Counter[Charge] = Counter()
    for one in draws:
        paid[one.charge] += one.amount
    assert all(amount <= charge.amount for charge, amount in paid.items())
    # What is left of a charge has no balance that it could have been paid from.
    for charge in charges:
        if paid[charge] < charge.amount:
            assert all(
                drawn_on(draws)[segment] == segment.amount
                for segment in segments
                if segment.allows(charge, TAGS)
            )


@given(charges_of_wallets, wallets(), st.data())
def test_a_rank_depends_on_the_segment_alone(
    charges: list[Charge], segments: list[Segment], data: st.DataObject
) -> None:
    ranked = burn_order(segments, TAGS)
    some = data.draw(st.permutations(data.draw(st.lists(st.sampled_from(segments)))))
    assert burn_order(set(some), TAGS) == [one for one in ranked if one in set(some)]
    shuffled = data.draw(st.permutations(segments))
    assert draw(charges[::-1], shuffled, TAGS) == draw(charges, segments, TAGS)


@given(charges_of_wallets, wallets(), st.integers(0, 8))
def test_balances_carry_over(
    charges: list[Charge], segments: list[Segment], cut: int
) -> None:
    ordered, ranked = sorted(charges, key=charge_key), burn_order(segments, TAGS)
    whole = draw_in_order(ordered, ranked, TAGS)
    first = draw_in_order(ordered[:cut], ranked, TAGS)
    used = drawn_on(first)
    rest = [replace(one, amount=one.amount - used[one]) for one in ranked]
    second = draw_in_order(ordered[cut:], rest, TAGS)
    originals = dict(zip(rest, ranked, strict=True))
    assert whole == first + [
        replace(one, segment=originals[one.segment]) for one in second
    ]


@given(
    st.lists(st.tuples(st.integers(0, 71).map(hour), st.integers(1, 9).map(Decimal))),
    st.sets(st.integers(0, 2).map(lambda day: date(2026, 10, 1 + day))),
)
def test_slices_add_up_however_days_are_cut(
    usage: list[tuple[datetime, Decimal]], hourly: set[date]
) -> None:
    prices = {OCTOBER: Decimal("0.333"), hour(30): Decimal("0.125")}
    slices = line_slices(usage, prices, OCTOBER, hourly, 2)
    by_day = line_slices(usage, prices, OCTOBER, set(), 2)
    assert sum(slices.values()) == sum(by_day.values())
    assert all(start.date() in hourly for start in slices.keys() - by_day.keys())


def test_slices_by_hand() -> None:
    """0.005, 0.010 and 0.020 USD in all are rounded to 1, 1 and 2 cents. The two uses
    of the day within which a segment ends are apart, those of the next day are not."""
    grant = Grant("CREDIT", "g", OCTOBER)
    hourly = hourly_days([Segment(grant, 1, OCTOBER, hour(7))])
    assert hourly == {OCTOBER.date()}
    usage = [(hour(number), Decimal("0.5")) for number in (5, 6, 30, 31)]
    prices = {OCTOBER: Decimal("0.01")}
    assert line_slices(usage, prices, OCTOBER, hourly, 2) == {
        hour(5): 1,
        hour(6): 0,
        hour(24): 1,
    }


def test_counts_of_the_burn_order_by_hand() -> None:
    def counts(**scope: Any) -> tuple[int, int]:
        grant = Grant("CREDIT", "g", OCTOBER, **scope)
        return grant.product_count(TAGS), grant.usage_count

    k1 = frozenset({("k", "1")})
    many = MORE_THAN_ANY
    assert counts() == (many, many)
    assert counts(product_ids=frozenset("ab")) == (2, many)
    # x: a and b; x or y: a, b and c.
    assert counts(product_tags=frozenset("x")) == (2, many)
    assert counts(product_tags=frozenset("xy")) == (3, many)
    # One product is named twice; both tags are on b alone.
    twice = (Specifier("b"), Specifier(product_tags=frozenset("xy")))
    assert counts(specifiers=twice) == (1, many)
    # Values beside a product are no row of values alone.
    assert counts(specifiers=(Specifier("b", pricing_values=k1),)) == (1, many)
    alone = Specifier(presentation_values=k1)
    assert counts(specifiers=(alone, alone, Specifier("b"))) == (many, 2)
