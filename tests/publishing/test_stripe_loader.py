"""Load-back: the lake ends up knowing what Stripe knows, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import stripe
from sqlalchemy import create_engine
from stripe_desk import START, Desk, request_for

from stripe_sync.cursors import Cursor, SqlCursorStore
from stripe_sync.loader import EVENT_TYPES, load_back
from stripe_sync.retry import RetryPolicy
from stripe_sync.rows import LoadCounts, RawEvent, RawObject
from stripe_sync.sandbox import SimulatedDeath
from stripe_sync.sinks import ParquetSink

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NO_WAIT = RetryPolicy(tries=3, sleep=lambda _: None)
SENT = {"collection_method": "send_invoice", "days_until_due": 30}


class Lake:
    """A desk with a lake behind it."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk()
        self.folder = folder
        self.cursors = SqlCursorStore(self.desk.engine)

    def load(self, **options: Any) -> LoadCounts:
        # A new sink every time, as every run is a new process.
        return load_back(
            client=self.desk.client,
            account="default",
            cursors=options.pop("cursors", self.cursors),
            sink=options.pop("sink", ParquetSink(self.folder)),
            clock=lambda: self.desk.sandbox.now,
            retry=options.pop("retry", NO_WAIT),
            **options,
        )

    def publish(self, customer: str, amount: int, **changes: Any) -> str:
        result = self.desk.publish_one(request_for(customer, [amount], **changes))
        assert result.stripe_invoice_id is not None
        return result.stripe_invoice_id

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return duckdb.sql(sql.format(lake=self.folder / "stripe")).fetchall()

    def latest(self, kind: str) -> dict[str, dict[str, Any]]:
        """What dbt will see: the latest version per object."""
        rows = self.query(
            f"""select object_id, arg_max(payload, fetched_at)
            from read_parquet('{{lake}}/objects/*.parquet', union_by_name = true)
            where object_type = '{kind}' group by 1"""
        )
        return {key: json.loads(payload) for key, payload in rows}

    def versions(self) -> int:
        [(count,)] = self.query(
            "select count(*) from read_parquet('{lake}/objects/*.parquet')"
        )
        return int(count)

    def check_equals_stripe(self) -> None:
        """Every money object at Stripe stands in the lake as it is now."""
        for kind in (
            "invoice_payment",
            "charge",
            "payout",
            "balance_transaction",
            "payment_intent",
        ):
            truth = {item["id"]: item for item in self.desk.sandbox.objects(kind)}
            assert self.latest(kind) == truth, kind
        truth = {item["id"]: item for item in self.desk.invoices()}
        loaded = self.latest("invoice")
        present = {key: inv for key, inv in loaded.items() if not inv.get("deleted")}
        assert {
            key: {k: v for k, v in inv.items() if k != "lines"}
            for key, inv in present.items()
        } == truth


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


# -- the story of an invoice ------------------------------------------------------


def test_an_empty_lake_can_be_read(lake: Lake) -> None:
    ParquetSink(lake.folder)
    columns = {
        "objects": "account object_type object_id fetched_at payload_hash payload",
        "events": "account event_id created event_type api_version object_id payload"
        " loaded_at",
    }
    for name, expected in columns.items():
        path = f"{{lake}}/{name}/_schema.parquet"
        found = lake.query(f"describe select * from read_parquet('{path}')")
        assert [row[0] for row in found] == expected.split()
        types = {row[0]: row[1] for row in found}
        assert {t for n, t in types.items() if n[-3:] == "_at" or n == "created"} == {
            "TIMESTAMP"
        }
        assert lake.query(f"select count(*) from read_parquet('{path}')") == [(0,)]


def test_a_late_payment_is_seen_when_it_comes(lake: Lake) -> None:
    slow = lake.desk.customer("slow", pays_after_days=45)
    invoice = lake.publish(slow, 500, **SENT)
    first = lake.load()
    assert (first.swept, first.sweep_reason) == (True, "first_load")
    assert lake.latest("invoice")[invoice]["status"] == "open"
    lake.desk.sandbox.advance(31 * DAY)
    lake.load()
    [(overdue,)] = lake.query(
        "select count(*) from read_parquet('{lake}/events/*.parquet')"
        " where event_type = 'invoice.overdue'"
    )
    assert overdue == 1
    assert lake.latest("invoice")[invoice]["amount_paid"] == 0
    lake.desk.sandbox.advance(20 * DAY)
    lake.load()
    assert lake.latest("invoice")[invoice]["status"] == "paid"
    assert lake.latest("invoice")[invoice]["amount_paid"] == 500
    lake.check_equals_stripe()


def test_a_declined_card_is_loaded_with_its_failed_charges(lake: Lake) -> None:
    broke = lake.desk.customer("broke", payment_method="pm_card_chargeDeclined")
    lake.load()
    invoice = lake.publish(broke, 500)
    lake.desk.sandbox.advance(4 * DAY)
    lake.load(sweep=False)
    found = lake.latest("invoice")[invoice]
    assert (found["status"], found["attempt_count"]) == ("open", 2)
    charges = lake.latest("charge").values()
    assert [(c["status"], c["failure_code"]) for c in charges] == [
        ("failed", "card_declined")
    ] * 2
    lake.desk.customer("broke", payment_method="pm_card_visa")
    lake.desk.sandbox.advance(10 * DAY)
    lake.load(sweep=False)
    assert lake.latest("invoice")[invoice]["status"] == "paid"
    lake.check_equals_stripe()


def test_all_lines_are_loaded(lake: Lake) -> None:
    amounts = list(range(1, 121))
    result = lake.desk.publish_one(request_for(lake.desk.acme, amounts))
    lake.load()
    assert result.stripe_invoice_id is not None
    lines = lake.latest("invoice")[result.stripe_invoice_id]["lines"]
    assert [entry["amount"] for entry in lines["data"]] == amounts
    assert lines["has_more"] is False
    # The same through an event instead of the sweep's list.
    lake.load()
    second = request_for(lake.desk.acme, amounts, invoice_id="inv-2")
    again = lake.desk.publish_one(second)
    lake.load(sweep=False)
    assert again.stripe_invoice_id is not None
    loaded = lake.latest("invoice")[again.stripe_invoice_id]["lines"]["data"]
    assert len(loaded) == 120


def test_payouts_bring_their_balance_transactions(lake: Lake) -> None:
    lake.load()
    lake.publish(lake.desk.acme, 10_000)
    lake.desk.sandbox.advance(HOUR)
    lake.load(sweep=False)
    [booked] = lake.latest("balance_transaction").values()
    assert booked["status"] == "pending"
    lake.desk.sandbox.advance(3 * DAY)
    lake.load(sweep=False)
    [payout] = lake.latest("payout").values()
    assert payout["amount"] == 9_680
    states = {b["status"] for b in lake.latest("balance_transaction").values()}
    assert states == {"available"}
    lake.check_equals_stripe()


def test_a_deleted_draft_is_said_to_be_deleted(lake: Lake) -> None:
    draft = lake.publish(lake.desk.acme, 500, held=True)
    lake.load()
    assert lake.latest("invoice")[draft]["status"] == "draft"
    lake.desk.client.v1.invoices.delete(draft)
    lake.load(sweep=False)
    assert lake.latest("invoice")[draft] == {
        "id": draft,
        "object": "invoice",
        "deleted": True,
    }


# -- repetition -------------------------------------------------------------------


def test_loading_again_writes_nothing(lake: Lake) -> None:
    lake.publish(lake.desk.acme, 500)
    first = lake.load()
    assert first.objects_written > 0 and first.events_written > 0
    files = sorted(path.name for path in lake.folder.rglob("*.parquet"))
    for sweep in (False, True):
        again = lake.load(sweep=sweep)
        assert (again.objects_written, again.events_written) == (0, 0)
    assert sorted(path.name for path in lake.folder.rglob("*.parquet")) == files


def test_a_quiet_load_asks_little(lake: Lake) -> None:
    lake.publish(lake.desk.acme, 500)
    lake.load()
    assert lake.load().requests == 2  # events after the cursor, events of the hour


def test_two_changes_in_one_instant_leave_one_latest(lake: Lake) -> None:
    draft = lake.publish(lake.desk.acme, 500, held=True)
    for text in ("one", "two", "three"):
        lake.desk.client.v1.invoices.update(draft, {"description": text})
        lake.load()
    assert lake.desk.sandbox.now == START
    assert lake.latest("invoice")[draft]["description"] == "three"
    assert lake.query(
        "select count(*), count(distinct fetched_at)"
        " from read_parquet('{lake}/objects/*.parquet')"
        f" where object_id = '{draft}'"
    ) == [(3, 3)]


def test_a_version_that_comes_back_is_written_again(lake: Lake) -> None:
    draft = lake.publish(lake.desk.acme, 500, held=True)
    for text in ("one", "two", "one"):
        lake.desk.client.v1.invoices.update(draft, {"description": text})
        lake.desk.sandbox.advance(timedelta(minutes=1))
        lake.load()
    assert lake.latest("invoice")[draft]["description"] == "one"


class Shuffled:
    """A sink's view does not change, but events arrive twice and out of order."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self.real = client.v1.events.list

    def __call__(self, params: Any = None, options: Any = None) -> Any:
        page = self.real(params, options)
        body = json.loads(page.last_response.body)
        body["data"] = body["data"][::-1] + body["data"]
        page.last_response.body = json.dumps(body)
        return page


def test_order_and_repetition_of_events_do_not_matter(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.load()
    broke = lake.desk.customer("broke", payment_method="pm_card_chargeDeclined")
    lake.publish(broke, 500)
    lake.desk.sandbox.advance(2 * HOUR)
    lake.desk.customer("broke", payment_method="pm_card_visa")
    lake.desk.sandbox.advance(3 * DAY)
    shuffled = Shuffled(lake.desk.client)
    monkeypatch.setattr(
        stripe.EventService, "list", lambda _self, params=None: shuffled(params)
    )
    counts = lake.load(sweep=False)
    assert counts.events_written > 0
    lake.check_equals_stripe()
    [(total, distinct)] = lake.query(
        "select count(*), count(distinct event_id)"
        " from read_parquet('{lake}/events/*.parquet')"
    )
    assert total == distinct


# -- cursor and sweep -------------------------------------------------------------


def test_more_events_than_a_page(lake: Lake) -> None:
    lake.load()
    draft = lake.publish(lake.desk.acme, 500, held=True)
    lake.load(sweep=False)
    lake.desk.sandbox.advance(2 * HOUR)
    for number in range(105):
        lake.desk.client.v1.invoices.update(draft, {"description": f"{number}"})
    counts = lake.load(sweep=False)
    assert counts.events_written == 105
    assert lake.latest("invoice")[draft]["description"] == "104"


@pytest.mark.parametrize("pause", [DAY, 40 * DAY])
def test_nothing_is_lost_over_a_pause(lake: Lake, pause: timedelta) -> None:
    slow = lake.desk.customer("slow", pays_after_days=20)
    lake.publish(lake.desk.acme, 700, invoice_id="inv-1")
    lake.publish(slow, 500, invoice_id="inv-2", **SENT)
    lake.load()
    lake.desk.sandbox.advance(pause)
    counts = lake.load()
    assert counts.sweep_reason == ("daily" if pause == DAY else "cursor_expired")
    lake.check_equals_stripe()


def test_an_old_open_invoice_paid_long_after_is_found(lake: Lake) -> None:
    """No event is left and no creation window shows it: the known open ones do."""
    slow = lake.desk.customer("slow", pays_after_days=130)
    invoice = lake.publish(slow, 500, **SENT)
    lake.load()
    lake.desk.sandbox.advance(100 * DAY)
    lake.load()
    assert lake.latest("invoice")[invoice]["status"] == "open"
    lake.desk.sandbox.advance(65 * DAY)
    lake.load()
    assert lake.latest("invoice")[invoice]["status"] == "paid"
    lake.check_equals_stripe()


def test_a_first_load_takes_the_payments_of_old_open_invoices(lake: Lake) -> None:
    lake.publish(lake.desk.customer("slow"), 500, **SENT)
    lake.desk.sandbox.advance(100 * DAY)
    lake.load()
    assert len(lake.latest("payment_intent")) == 1
    lake.check_equals_stripe()


def test_an_unknown_cursor_falls_to_the_sweep(lake: Lake) -> None:
    lake.publish(lake.desk.acme, 500)
    lake.load()
    cursor = lake.cursors.load("default")
    lake.cursors.save("default", replace(cursor, last_event_id="evt_gone"), now=START)
    lake.desk.sandbox.advance(2 * HOUR)
    counts = lake.load(sweep=False)
    assert (counts.swept, counts.sweep_reason) == (True, "cursor_unknown")
    assert counts.cursor != "evt_gone"
    lake.check_equals_stripe()


def test_events_that_show_up_late_are_read(lake: Lake) -> None:
    """Stripe may list an event after a younger one has been read."""
    invoice = lake.publish(lake.desk.acme, 500)
    lake.load()
    real = stripe.EventService.list
    lake.desk.sandbox.advance(HOUR)
    hidden = [e["id"] for e in lake.desk.events("invoice.paid")]
    lake.desk.sandbox.advance(timedelta(minutes=50))
    lake.desk.client.v1.invoices.update(invoice, {"metadata": {"later": "1"}})

    def hide(self: Any, params: Any = None) -> Any:
        page = real(self, params)
        body = json.loads(page.last_response.body)
        body["data"] = [e for e in body["data"] if e["id"] not in hidden]
        page.last_response.body = json.dumps(body)
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stripe.EventService, "list", hide)
        lake.load(sweep=False)
    assert lake.load(sweep=False).events_written == 1


@pytest.mark.parametrize("gap", [timedelta(hours=23), timedelta(hours=25)])
def test_the_sweep_is_daily(lake: Lake, gap: timedelta) -> None:
    lake.publish(lake.desk.acme, 500)
    lake.load()
    lake.desk.sandbox.advance(gap)
    assert lake.load().swept == (gap > DAY)
    assert lake.load(sweep=True).sweep_reason == "asked"


def test_cursors_of_accounts_are_apart() -> None:
    store = SqlCursorStore(create_engine("sqlite://"))
    cursor = Cursor("evt_1", START, START, frozenset({"in_1", "in_2"}))
    store.save("emea", cursor, now=START)
    assert store.load("emea") == cursor
    assert store.load("default") == Cursor()
    store.save("emea", replace(cursor, open_invoices=frozenset()), now=START)
    assert store.load("emea").open_invoices == frozenset()


# -- death ------------------------------------------------------------------------


class DyingSink:
    """Commits, or dies before or after doing so, at the n-th call."""

    def __init__(self, inner: ParquetSink, nth: int, *, before: bool) -> None:
        self.inner, self.left, self.before = inner, nth, before

    def _step(self, write: Any, rows: Sequence[Any]) -> int:
        self.left -= 1
        if self.left == 0 and self.before:
            raise SimulatedDeath("before the commit")
        written: int = write(rows)
        if self.left == 0:
            raise SimulatedDeath("after the commit")
        return written

    def write_objects(self, rows: Sequence[RawObject]) -> int:
        return self._step(self.inner.write_objects, rows)

    def write_events(self, rows: Sequence[RawEvent]) -> int:
        return self._step(self.inner.write_events, rows)

    def known_events(self, account: str, event_ids: Iterable[str]) -> set[str]:
        return self.inner.known_events(account, event_ids)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("nth", [1, 2])
def test_dying_around_a_commit_loses_nothing(
    lake: Lake, nth: int, before: bool
) -> None:
    lake.load()
    lake.publish(lake.desk.acme, 500)
    lake.desk.sandbox.advance(HOUR)
    at = lake.cursors.load("default")
    with pytest.raises(SimulatedDeath):
        lake.load(
            sink=DyingSink(ParquetSink(lake.folder), nth, before=before), sweep=False
        )
    assert lake.cursors.load("default") == at
    lake.load(sweep=False)
    lake.check_equals_stripe()
    [(total, distinct)] = lake.query(
        "select count(*), count(distinct event_id)"
        " from read_parquet('{lake}/events/*.parquet')"
    )
    assert total == distinct > 0


@pytest.mark.parametrize("fault", ["die_before", "error_before"])
def test_failing_at_any_request_loses_nothing(lake: Lake, fault: Any) -> None:
    lake.load()
    for nth in range(1, 40):
        lake.publish(lake.desk.acme, 500 + nth, invoice_id=f"inv-{nth}")
        lake.desk.sandbox.advance(2 * HOUR)
        planned = lake.desk.sandbox.faults.add(fault, nth=nth)
        with suppress(SimulatedDeath, stripe.APIError):
            lake.load(sweep=False)
        lake.desk.sandbox.faults.clear()
        if not planned.struck:
            break
        lake.load(sweep=False)
    else:
        pytest.fail("a load never ran through")
    assert nth > 5
    # Each round had its own invoice, so whatever was lost is still missing.
    lake.check_equals_stripe()


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "rate_limit"])
def test_hiccups_are_repeated(lake: Lake, fault: Any) -> None:
    lake.publish(lake.desk.acme, 500)
    lake.desk.sandbox.faults.add(fault, times=2)
    lake.load()
    lake.check_equals_stripe()
    lake.desk.sandbox.faults.clear()
    lake.desk.sandbox.faults.add(fault, times=3)
    with pytest.raises((stripe.APIConnectionError, stripe.RateLimitError)):
        lake.load()


# -- what is kept -----------------------------------------------------------------


def test_secrets_stay_out_and_signed_links_make_no_versions(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.publish(lake.desk.acme, 500)
    real = lake.desk.sandbox.handle
    turn = 0

    def sign(*args: Any) -> Any:
        nonlocal turn
        turn += 1
        status, headers, text = real(*args)  # type: ignore[misc]
        text = text.replace('"hosted_invoice_url": "', f'"hosted_invoice_url": "{turn}')
        text = text.replace(
            '"metadata"', '"client_secret": "pi_x_secret_y", "metadata"'
        )
        return status, headers, text

    monkeypatch.setattr(lake.desk.sandbox, "handle", sign)
    lake.load()
    before = lake.versions()
    lake.load(sweep=True)
    assert lake.versions() == before
    for path in lake.folder.rglob("*.parquet"):
        text = str(duckdb.sql(f"select * from read_parquet('{path}')").fetchall())
        assert "secret" not in text
    [invoice] = lake.latest("invoice").values()
    assert invoice["hosted_invoice_url"]


def test_the_sink_keeps_an_event_once(tmp_path: Path) -> None:
    event = RawEvent(
        "default", "evt_1", START, "invoice.paid", "v", "in_1", "{}", START
    )
    assert ParquetSink(tmp_path).write_events([event, event]) == 1
    assert ParquetSink(tmp_path).write_events([event]) == 0
    emea = replace(event, account="emea")
    assert ParquetSink(tmp_path).write_events([emea]) == 1
    assert ParquetSink(tmp_path).known_events("emea", ["evt_1", "evt_2"]) == {"evt_1"}


def test_half_written_files_are_no_files(lake: Lake) -> None:
    folder = lake.folder / "stripe" / "objects"
    ParquetSink(lake.folder)
    (folder / "_tmp-1-default.parquet.part").write_bytes(b"half")
    assert lake.versions() == 0
    lake.publish(lake.desk.acme, 500)
    lake.load()
    assert not list(folder.glob("_tmp*"))
    lake.check_equals_stripe()


def test_events_are_kept_as_told(lake: Lake) -> None:
    invoice = lake.publish(lake.desk.acme, 500)
    lake.load()
    rows = lake.query(
        "select account, created, event_type, api_version, object_id, payload,"
        " loaded_at from read_parquet('{lake}/events/*.parquet')"
        " where event_type = 'invoice.finalized'"
    )
    [(account, created, _, version, object_id, payload, loaded_at)] = rows
    assert (account, object_id, version) == ("default", invoice, stripe.api_version)
    assert created == loaded_at == START.astimezone(UTC).replace(tzinfo=None)
    assert json.loads(payload)["data"]["object"]["subtotal"] == 500


def test_the_event_types_fit_into_one_request() -> None:
    known = str(stripe.Event.__annotations__["type"])
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES)) <= 20
    assert all(f"'{name}'" in known for name in EVENT_TYPES)
