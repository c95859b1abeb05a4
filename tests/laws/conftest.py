"""The closed and published workspace that every test of this folder starts from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.laws.house import House
from tests.laws.workspace import (
    FIRST_AS_OF,
    FIRST_LANDING,
    SECOND_AS_OF,
    SECOND_LANDING,
    create,
    land,
    publish,
)

# Nobody reads the exports here.
BEFORE_THE_CLOSE = ["--exclude", "tag:reader+", "path:dbt_project/models/exports"]
AFTER_THE_CLOSE = ["--exclude", "path:dbt_project/models/exports"]


@pytest.fixture(scope="session")
def closed_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """September closed on 2 October, October on 2 November; all of it published."""
    scratch = tmp_path_factory.mktemp("laws")
    house = House(create(scratch / "workspace"), scratch)
    land(house.workspace, FIRST_LANDING)
    house.build(as_of=FIRST_AS_OF, arguments=BEFORE_THE_CLOSE)
    house.close(as_of=FIRST_AS_OF)
    land(house.workspace, SECOND_LANDING)
    house.build(as_of=SECOND_AS_OF, arguments=BEFORE_THE_CLOSE)
    house.close(as_of=SECOND_AS_OF)
    house.build(as_of=SECOND_AS_OF, arguments=AFTER_THE_CLOSE)
    publish(house.workspace, datetime(2026, 11, 2, tzinfo=UTC))
    house.build(
        as_of=SECOND_AS_OF,
        arguments=["--select", "stripe_invoices", "payments", "invoice_reconciliation"],
    )
    house.keep()
    return house


@pytest.fixture
def house(closed_house: House) -> Iterator[House]:
    """The same house; what a test does to it is undone afterwards."""
    yield closed_house
    closed_house.restore()
