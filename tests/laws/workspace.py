"""A small workspace with known money, written without the landing step.

Four customers, two currencies, flat, graduated and dimensional prices, a price change
in mid-month and mid-day, credits, commits, two closes, duplicates, rejects, and late
usage in a second landing. Every event and price stands below as plain data, so that
`arithmetic.py` can work out the invoices a second time without SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.operations import EXPORTS, write_parquet
from orchestration.workspace import Workspace

FIRST_AS_OF = "2026-10-02T00:00Z"
SECOND_AS_OF = "2026-11-02T00:00Z"
# Alias of the one Stripe account, as it is named in sandbox mode.
SANDBOX_ACCOUNT = "sandbox-default"


@dataclass(frozen=True)
class Event:
    """One usage event as a sender writes it; `at` is UTC, values are exact text."""

    transaction_id: str
    customer_ref: str
    event_type: str
    at: str
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def instant(self) -> datetime:
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True)
class Landing:
    """One landed batch: its events in row order, and rows that were rejected."""

    sequence: int
    landed_at: datetime
    events: Sequence[Event]
    rejected_rows: int = 0


def _completion(
    transaction_id: str, ref: str, at: str, model: str, tokens: str, **more: str
) -> Event:
    properties = {"model": model, "region": "us", "tokens": tokens} | more
    return Event(transaction_id, ref, "completion", at, properties)


def _storage(transaction_id: str, ref: str, at: str, gb: str, **more: str) -> Event:
    return Event(transaction_id, ref, "storage.sample", at, {"gb": gb} | more)


FIRST_LANDING = Landing(
    sequence=1,
    landed_at=datetime(2026, 10, 1, 6, tzinfo=UTC),
    rejected_rows=2,
    events=(
        # acme, USD: two hours of one day, then the hours around the credit's start.
        _completion(
            "a01", "acme", "2026-09-03 10:15:00", "large", "1500000", tier="gold"
        ),
        _completion("a02", "acme", "2026-09-03 11:45:00", "large", "250001"),
        _completion("a03", "acme", "2026-09-10 05:59:59", "small", "3000001"),
        _completion("a04", "acme", "2026-09-10 06:00:00", "small", "3000001"),
        _completion(
            "a05", "acme", "2026-09-12 00:00:00", "large", "100000", region="eu"
        ),
        # Free plan: no tokens, yet a request.
        _completion(
            "a06",
            "acme",
            "2026-09-15 12:00:00",
            "large",
            "999",
            plan="free",
            tier="gold",
        ),
        _completion(
            "a07", "acme-prod", "2026-09-25 12:00:00", "small", "123456", tier="silver"
        ),
        # A model nobody priced, a value that is no number, a region that is missing.
        _completion("a08", "acme", "2026-09-26 08:00:00", "huge", "10"),
        _completion("a09", "acme", "2026-09-26 09:00:00", "large", "abc"),
        _storage("a10", "acme", "2026-09-20 00:00:00", "12.345", region="us"),
        _storage("a11", "acme", "2026-09-21 00:00:00", "7.0005", region="eu"),
        _storage("a12", "acme", "2026-09-22 00:00:00", "5"),
        _storage("a13", "acme", "2026-09-27 00:00:00", "-2.345", region="us"),
        _storage("a14", "acme", "2026-09-28 00:00:00", "1e3", region="us"),
        # The same id twice in one landing.
        _completion("a01", "acme", "2026-09-03 10:15:00", "large", "1500000"),
        # The last hour of September and the first of October.
        _completion("a15", "acme", "2026-09-30 23:59:59", "small", "1000000"),
        _completion("a16", "acme", "2026-10-01 00:00:00", "small", "2000000"),
        # beta, JPY: no decimals, halves of a yen.
        _completion("b01", "beta", "2026-09-05 03:00:00", "small", "1000"),
        _completion("b02", "beta", "2026-09-06 03:00:00", "small", "1000"),
        _completion("b03", "beta", "2026-09-07 03:00:00", "small", "1000"),
        _completion("b04", "beta", "2026-09-08 03:00:00", "large", "41000"),
        # gamma: periods from the 31st, credit that ends unused in part.
        _completion("g01", "gamma", "2026-09-05 00:00:00", "small", "400000"),
        _completion("g02", "gamma", "2026-09-19 23:00:00", "small", "600000"),
        _completion("g03", "gamma", "2026-09-20 00:00:00", "small", "700000"),
        _completion("g04", "gamma", "2026-09-29 23:59:59", "large", "100000"),
        _completion("g05", "gamma", "2026-09-30 00:00:00", "large", "300000"),
        # Known without a contract, and not known at all.
        _completion("e01", "epsilon", "2026-09-10 00:00:00", "small", "5"),
        _completion("x01", "nobody", "2026-09-11 00:00:00", "small", "7"),
        Event("x02", "acme", "login", "2026-09-12 00:00:00", {}),
    ),
)

SECOND_LANDING = Landing(
    sequence=2,
    landed_at=datetime(2026, 11, 1, 6, tzinfo=UTC),
    events=(
        # Late: acme's September is closed by now. And an id that landed before.
        _completion("a17", "acme", "2026-09-28 15:00:00", "large", "200000"),
        _completion("a02", "acme", "2026-09-03 11:45:00", "large", "250001"),
        # Around the price change of 15 October, noon.
        _completion("a18", "acme", "2026-10-14 23:30:00", "large", "400000"),
        _completion("a19", "acme", "2026-10-15 11:59:59", "large", "1000000"),
        _completion("a20", "acme", "2026-10-15 12:00:00", "large", "1000000"),
        _completion("a21", "acme", "2026-10-20 00:00:00", "large", "30000000"),
        _completion("a22", "acme", "2026-10-21 00:00:00", "small", "2500000"),
        _storage("a23", "acme", "2026-10-22 00:00:00", "100.5", region="us"),
        _completion("a24", "acme", "2026-11-01 03:00:00", "small", "10000"),
        _completion("b05", "beta", "2026-10-02 00:00:00", "large", "900000"),
        _completion("b06", "beta", "2026-10-03 00:00:00", "large", "333333"),
        # gamma's contract ends on 20 October, 00:00: the second one is outside.
        _completion("g06", "gamma", "2026-10-19 23:59:59", "small", "2000000"),
        _completion("g07", "gamma", "2026-10-20 00:00:00", "small", "2000000"),
    ),
)

LANDINGS = (FIRST_LANDING, SECOND_LANDING)

CATALOG = {
    "customers": """
customer_id,name,email,ingest_aliases,billing_profile_id
acme,Acme Robotics,billing@acme.example,acme-prod|acme-dev,cards
beta,Beta KK,pay@beta.example,,cards
gamma,Gamma GmbH,ap@gamma.example,,wires
delta,Delta Ltd,d@delta.example,,cards
epsilon,Epsilon Inc,e@epsilon.example,,cards
""",
    "billing_profiles": """
billing_profile_id,stripe_account,collection_method,days_until_due,auto_finalize,is_default,skip_zero_totals
cards,default,charge_automatically,,true,true,false
wires,default,send_invoice,14,true,false,false
""",
    "billable_metrics": """
metric_id,name,aggregation,aggregation_key,event_types,group_keys
tokens,Tokens,SUM,tokens,completion,model+region
requests,Requests,COUNT,,completion,
storage,Storage,SUM,gb,storage.sample,region
preferred,Preferred requests,COUNT,,,
""",
    "metric_filters": """
metric_id,property,operator,property_values
tokens,plan,not_in,free|trial
storage,region,exists,
preferred,tier,in,gold|silver
preferred,plan,not_exists,
""",
    "products": """
product_id,name,product_type,metric_id,pricing_group_keys,presentation_group_keys
tokens,Tokens,USAGE,tokens,model|region,
requests,Requests,USAGE,requests,,
storage,Storage,USAGE,storage,,region
""",
    "rate_cards": """
rate_card_id,name,currency
usd,Dollar prices,USD
jpy,Yen prices,JPY
""",
    "rates": """
rate_id,rate_card_id,product_id,price_model,pricing_group_values,unit_price,starting_at,ending_before,entitled
usd-large-us-old,usd,tokens,flat,model=large|region=us,0.000002,2026-08-01T00:00Z,2026-10-15T12:00Z,
usd-large-us-new,usd,tokens,flat,model=large|region=us,0.0000025,2026-10-15T12:00Z,,
usd-large-eu,usd,tokens,flat,model=large|region=eu,0.00000375,2026-08-01T00:00Z,,
usd-small-us,usd,tokens,flat,model=small|region=us,0.0000005,2026-08-01T00:00Z,,
usd-requests,usd,requests,graduated,,,2026-08-01T00:00Z,,
usd-storage,usd,storage,graduated,,,2026-08-01T00:00Z,,
jpy-large-us,jpy,tokens,flat,model=large|region=us,0.0003,2026-08-01T00:00Z,,
jpy-small-us,jpy,tokens,flat,model=small|region=us,0.0005,2026-08-01T00:00Z,,
jpy-requests,jpy,requests,flat,,1.5,2026-08-01T00:00Z,,false
""",
    "rate_tiers": """
rate_id,tier_start,tier_end,unit_price
usd-requests,0,3,0.1
usd-requests,3,6,0.075
usd-requests,6,,0.055
usd-storage,0,10,0.023
usd-storage,10,,0.0205
""",
    "contracts": """
contract_id,customer_id,rate_card_id,name,starting_at,ending_before,billing_frequency,billing_day
acme-1,acme,usd,Acme 2026,2026-09-01T00:00Z,,MONTHLY,FIRST_OF_MONTH
beta-1,beta,jpy,Beta 2026,2026-09-01T00:00Z,,MONTHLY,FIRST_OF_MONTH
gamma-1,gamma,usd,Gamma trial,2026-08-31T00:00Z,2026-10-20T00:00Z,MONTHLY,CONTRACT_START
delta-1,delta,usd,Delta idle,2026-09-01T00:00Z,,MONTHLY,FIRST_OF_MONTH
""",
    "commits": """
commit_id,customer_id,contract_id,name,commit_type,currency,amount,invoice_amount,starting_at,ending_before,applicable_product_ids,priority
acme-commit,acme,acme-1,Commit,PREPAID,USD,60,54,2026-10-01T00:00Z,2027-10-01T00:00Z,tokens,100
acme-promise,acme,acme-1,Promise,POSTPAID,USD,50,,2026-11-01T00:00Z,2027-11-01T00:00Z,,
gamma-promise,gamma,gamma-1,Promise,POSTPAID,USD,5,,2026-09-01T00:00Z,2026-11-01T00:00Z,,10
""",
    "invoice_schedules": """
commit_id,amount,invoice_at
acme-commit,54,2026-10-01T00:00Z
acme-promise,50,2027-11-01T00:00Z
gamma-promise,5,2026-11-01T12:00Z
""",
    "credits": """
credit_id,customer_id,contract_id,name,currency,amount,starting_at,ending_before,priority,applicable_product_ids
acme-welcome,acme,,Welcome credit,USD,1.8,2026-09-10T06:00Z,2026-10-15T00:00Z,50,
beta-trial,beta,,Trial,JPY,7,2026-09-01T00:00Z,2026-10-03T00:00Z,50,tokens
gamma-trial,gamma,,Trial,USD,1,2026-09-01T00:00Z,2026-09-20T00:00Z,50,tokens
""",
}

_EVENT_COLUMNS = pa.schema(
    [
        ("landing_sequence", pa.int64()),
        ("landing_row", pa.int64()),
        ("transaction_id", pa.string()),
        ("customer_ref", pa.string()),
        ("event_type", pa.string()),
        ("event_at", pa.timestamp("us")),
        ("received_at", pa.timestamp("us")),
        ("landed_at", pa.timestamp("us")),
        ("source_file", pa.string()),
        ("properties", pa.string()),
        ("property_tokens", pa.string()),
        ("property_model", pa.string()),
        ("property_region", pa.string()),
        ("property_gb", pa.string()),
    ]
)
_REJECT_COLUMNS = pa.schema(
    [
        ("landing_sequence", pa.int64()),
        ("landing_row", pa.int64()),
        ("source_file", pa.string()),
        ("field", pa.string()),
        ("reason", pa.string()),
        ("remedy", pa.string()),
        ("raw", pa.string()),
        ("landed_at", pa.timestamp("us")),
    ]
)
_OBJECT_COLUMNS = pa.schema(
    [
        ("account", pa.string()),
        ("object_type", pa.string()),
        ("object_id", pa.string()),
        ("fetched_at", pa.timestamp("us")),
        ("payload_hash", pa.string()),
        ("payload", pa.string()),
    ]
)
_STRIPE_EVENT_COLUMNS = pa.schema(
    [
        ("account", pa.string()),
        ("event_id", pa.string()),
        ("created", pa.timestamp("us")),
        ("event_type", pa.string()),
        ("api_version", pa.string()),
        ("object_id", pa.string()),
        ("payload", pa.string()),
        ("loaded_at", pa.timestamp("us")),
    ]
)


def create(directory: Path) -> Workspace:
    """Write the catalog, an empty lake and the copies of an empty operations store."""
    directory.mkdir(parents=True)
    (directory / "meterhouse.yml").write_text("workspace: {name: Laws}\n")
    for folder in ("catalog", "models", "events"):
        (directory / folder).mkdir()
    for name, text in CATALOG.items():
        (directory / "catalog" / f"{name}.csv").write_text(text.lstrip())
    workspace = Workspace.load(directory)
    for folder, schema in (
        (workspace.lake_events / "event_date=1970-01-01", _EVENT_COLUMNS),
        (workspace.lake_rejects, _REJECT_COLUMNS),
        (workspace.lake_stripe_objects, _OBJECT_COLUMNS),
        (workspace.lake_stripe_events, _STRIPE_EVENT_COLUMNS),
    ):
        folder.mkdir(parents=True)
        write_parquet(schema.empty_table(), folder / "_schema.parquet")
    workspace.ops.mkdir(parents=True)
    write_ops(workspace, "landing_files", [])
    write_ops(workspace, "instructions", [])
    write_ops(workspace, "publish_journal", [])
    customers = [
        {
            "account": SANDBOX_ACCOUNT,
            "customer_id": customer_id,
            "stripe_customer_id": f"cus_{customer_id}",
        }
        for customer_id in ("acme", "beta", "gamma", "delta")
    ]
    write_ops(workspace, "stripe_customers", customers)
    return workspace


def write_ops(workspace: Workspace, table: str, rows: list[dict[str, object]]) -> None:
    """Replace the copy of one table of the operations store."""
    write_parquet(
        pa.Table.from_pylist(rows, schema=EXPORTS[table]),
        workspace.ops / f"{table}.parquet",
    )


def land(workspace: Workspace, landing: Landing) -> None:
    """Write one batch as the landing step would: events by day, rejects, manifest."""
    by_day: dict[str, list[dict[str, object]]] = {}
    for row, event in enumerate(landing.events, start=1):
        by_day.setdefault(event.at[:10], []).append(_event_row(landing, row, event))
    for number, (day, rows) in enumerate(sorted(by_day.items()), start=1):
        folder = workspace.lake_events / f"event_date={day}"
        folder.mkdir(exist_ok=True)
        table = pa.Table.from_pylist(rows, schema=_EVENT_COLUMNS)
        write_parquet(table, folder / f"{landing.sequence}-{number}.parquet")
    if landing.rejected_rows:
        rejects = [_reject_row(landing, row) for row in range(landing.rejected_rows)]
        write_parquet(
            pa.Table.from_pylist(rejects, schema=_REJECT_COLUMNS),
            workspace.lake_rejects / f"{landing.sequence}-1.parquet",
        )
    landed = pq.read_table(workspace.ops / "landing_files.parquet").to_pylist()
    write_ops(workspace, "landing_files", [*landed, _manifest_row(landing)])


def publish(workspace: Workspace, at: datetime) -> None:
    """Pretend that everything sendable was published, and load it back.

    Needs a warehouse in which the closed invoices have their requests.
    """
    with duckdb.connect(str(workspace.warehouse)) as warehouse:
        found = warehouse.execute(
            "select * from publishing.stripe_invoice_requests"
            " where publish_action = 'send' order by invoice_id"
        )
        names = [column[0] for column in found.description]
        requests = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    moment = at.replace(tzinfo=None)
    journal = [_journal_row(request, moment) for request in requests]
    write_ops(workspace, "publish_journal", journal)
    write_stripe_invoices(
        workspace, [stripe_invoice(request) for request in requests], moment
    )


def stripe_invoice(request: dict[str, object]) -> dict[str, object]:
    """What Stripe would answer about an invoice made from a request row."""
    invoice_id = str(request["invoice_id"])
    created = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp())
    return {
        "id": "in_" + invoice_id[4:],
        "object": "invoice",
        "number": "F-" + invoice_id[4:8],
        "status": "open",
        "customer": request["stripe_customer_id"],
        "collection_method": request["collection_method"],
        "currency": request["currency"],
        "subtotal": request["stripe_subtotal"],
        "total": request["stripe_subtotal"],
        "amount_due": request["stripe_subtotal"],
        "amount_paid": 0,
        "amount_remaining": request["stripe_subtotal"],
        "attempt_count": 0,
        "attempted": False,
        "created": created,
        "due_date": created + 14 * 86400,
        "hosted_invoice_url": None,
        "metadata": {"billing_invoice_id": invoice_id, "billing_env": "sandbox"},
        "status_transitions": {"finalized_at": created, "paid_at": None},
        "lines": {"data": [{}] * int(str(request["stripe_line_count"]))},
    }


def write_stripe_invoices(
    workspace: Workspace, invoices: Iterable[dict[str, object]], fetched_at: datetime
) -> None:
    """Add raw Stripe objects to the lake, one file per call."""
    rows = [
        {
            "account": SANDBOX_ACCOUNT,
            "object_type": "invoice",
            "object_id": invoice["id"],
            "fetched_at": fetched_at,
            "payload_hash": str(hash(json.dumps(invoice, sort_keys=True))),
            "payload": json.dumps(invoice),
        }
        for invoice in invoices
    ]
    folder = workspace.lake_stripe_objects
    name = f"{len(list(folder.iterdir())):04}.parquet"
    write_parquet(pa.Table.from_pylist(rows, schema=_OBJECT_COLUMNS), folder / name)


def _event_row(landing: Landing, row: int, event: Event) -> dict[str, object]:
    landed_at = landing.landed_at.replace(tzinfo=None)
    return {
        "landing_sequence": landing.sequence,
        "landing_row": row,
        "transaction_id": event.transaction_id,
        "customer_ref": event.customer_ref,
        "event_type": event.event_type,
        "event_at": event.instant,
        "received_at": landed_at,
        "landed_at": landed_at,
        "source_file": f"events/batch-{landing.sequence}.ndjson",
        "properties": json.dumps(event.properties, sort_keys=True),
        **{
            f"property_{key}": event.properties.get(key)
            for key in ("tokens", "model", "region", "gb")
        },
    }


def _reject_row(landing: Landing, number: int) -> dict[str, object]:
    return {
        "landing_sequence": landing.sequence,
        "landing_row": len(landing.events) + 1 + number,
        "source_file": f"events/batch-{landing.sequence}.ndjson",
        "field": "timestamp",
        "reason": "timestamp_invalid",
        "remedy": "Send RFC 3339.",
        "raw": "{}",
        "landed_at": landing.landed_at.replace(tzinfo=None),
    }


def _manifest_row(landing: Landing) -> dict[str, object]:
    days = [event.instant.date() for event in landing.events]
    return {
        "landing_sequence": landing.sequence,
        "source_file": f"events/batch-{landing.sequence}.ndjson",
        "content_hash": f"{landing.sequence:064}",
        "size_bytes": 1,
        "rows_read": len(landing.events) + landing.rejected_rows,
        "rows_landed": len(landing.events),
        "rows_rejected": landing.rejected_rows,
        "landed_at": landing.landed_at.replace(tzinfo=None),
        "state": "landed",
        "min_event_date": min(days),
        "max_event_date": max(days),
    }


def _journal_row(request: dict[str, object], moment: datetime) -> dict[str, object]:
    invoice_id = str(request["invoice_id"])
    return {
        "account": request["stripe_account"],
        "invoice_id": invoice_id,
        "content_hash": request["content_hash"],
        "generation": 1,
        "attempt": 1,
        "state": "published",
        "stripe_invoice_id": "in_" + invoice_id[4:],
        "stripe_number": "F-" + invoice_id[4:8],
        "hosted_invoice_url": None,
        "subtotal_minor": request["stripe_subtotal"],
        "total_minor": request["stripe_subtotal"],
        "tax_minor": 0,
        "first_try_at": moment,
        "published_at": moment + timedelta(seconds=1),
        "last_error": None,
        "request_id": "req_1",
        "updated_at": moment + timedelta(seconds=1),
    }
