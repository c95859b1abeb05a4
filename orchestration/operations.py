"""The operations store: small rows written while the warehouse is busy.

SQLite in the workspace by default; any SQLAlchemy URL through the environment
variable METERHOUSE_OPERATIONS_URL. dbt never reads the store itself: each run first
copies what it needs to Parquet with `export_to_parquet`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.types import JSON, TypeDecorator

from orchestration.workspace import Workspace

URL_VARIABLE = "METERHOUSE_OPERATIONS_URL"
BUSY_SECONDS = 60


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, naive UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant without a time zone: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

# One row per landed file or batch. Beyond the contract's columns it remembers what
# the next run needs: file_bytes and modified_ns to see an untouched file without
# reading it, end_line and end_row to go on where a file that grew ended, and
# cursor_value, how far a table was read. size_bytes is the unpacked content.
landing_files = Table(
    "landing_files",
    metadata,
    Column("landing_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("source_file", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_landed", BigInteger, nullable=False),
    Column("rows_rejected", BigInteger, nullable=False),
    Column("landed_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("min_event_date", Date),
    Column("max_event_date", Date),
    Column("file_bytes", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("end_line", BigInteger, nullable=False),
    Column("end_row", BigInteger, nullable=False),
    Column("cursor_value", Text),
)

instructions = Table(
    "instructions",
    metadata,
    Column(
        "instruction_number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("instruction_id", String(64), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("target_type", String(64), nullable=False),
    Column("target_id", String(256), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("effective_at", UtcDateTime, nullable=False),
    Column("payload", JSON, nullable=False),
)

stripe_customers = Table(
    "stripe_customers",
    metadata,
    Column("account", String(128), primary_key=True),
    Column("customer_id", String(128), primary_key=True),
    Column("stripe_customer_id", String(128), nullable=False),
)

_TEXT, _WHOLE, _INSTANT = pa.string(), pa.int64(), pa.timestamp("us")

# What dbt mounts as the source `ops`: exact names, order and types, also when a
# table is empty or (publish_journal) not yet there.
EXPORTS: dict[str, pa.Schema] = {
    "landing_files": pa.schema(
        [
            ("landing_sequence", _WHOLE),
            ("source_file", _TEXT),
            ("content_hash", _TEXT),
            ("size_bytes", _WHOLE),
            ("rows_read", _WHOLE),
            ("rows_landed", _WHOLE),
            ("rows_rejected", _WHOLE),
            ("landed_at", _INSTANT),
            ("state", _TEXT),
            ("min_event_date", pa.date32()),
            ("max_event_date", pa.date32()),
        ]
    ),
    "instructions": pa.schema(
        [
            ("instruction_number", _WHOLE),
            ("instruction_id", _TEXT),
            ("kind", _TEXT),
            ("target_type", _TEXT),
            ("target_id", _TEXT),
            ("actor", _TEXT),
            ("reason", _TEXT),
            ("created_at", _INSTANT),
            ("effective_at", _INSTANT),
            ("payload", _TEXT),
        ]
    ),
    "stripe_customers": pa.schema(
        [
            ("account", _TEXT),
            ("customer_id", _TEXT),
            ("stripe_customer_id", _TEXT),
        ]
    ),
    "publish_journal": pa.schema(
        [
            ("account", _TEXT),
            ("invoice_id", _TEXT),
            ("content_hash", _TEXT),
            ("generation", _WHOLE),
            ("attempt", _WHOLE),
            ("state", _TEXT),
            ("stripe_invoice_id", _TEXT),
            ("stripe_number", _TEXT),
            ("hosted_invoice_url", _TEXT),
            ("subtotal_minor", _WHOLE),
            ("total_minor", _WHOLE),
            ("tax_minor", _WHOLE),
            ("first_try_at", _INSTANT),
            ("published_at", _INSTANT),
            ("last_error", _TEXT),
            ("request_id", _TEXT),
            ("updated_at", _INSTANT),
        ]
    ),
}


def operations_engine(workspace: Workspace) -> Engine:
    """The engine of the workspace's store; opening it creates nothing yet."""
    url = os.environ.get(URL_VARIABLE)
    if url:
        return create_engine(url)
    engine = create_engine(
        f"sqlite:///{workspace.operations_file}",
        connect_args={"timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        # A journal entry must survive a power cut before the call it announces.
        connection.execute("pragma synchronous = full")

    return engine


class Operations:
    """The store's tables, created when absent."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        metadata.create_all(engine)

    @classmethod
    def open(cls, workspace: Workspace) -> Operations:
        """The store of a workspace; creates the SQLite file when absent."""
        return cls(operations_engine(workspace))

    def close(self) -> None:
        """Give the connections back, so that the file can be moved or copied."""
        self.engine.dispose()

    def add_instruction(
        self,
        *,
        kind: str,
        target_type: str,
        target_id: str,
        actor: str,
        reason: str,
        created_at: datetime,
        effective_at: datetime | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> str:
        """Record what an operator decided and return its instruction_id.

        The payload is `{"before": ..., "after": ..., "details": ...}`: the state of
        the target as the operator saw it, and as it will be. A decision that repeats
        the target's latest one, word for word, is that one. Instructions are numbered
        in the order in which they were given: two of one instant have an order.

        Raises:
            ValueError: actor or reason is blank, or an instant has no time zone.
        """
        for name, value in {
            "kind": kind,
            "target_type": target_type,
            "target_id": target_id,
            "actor": actor,
            "reason": reason,
        }.items():
            if not value.strip():
                raise ValueError(f"an instruction needs its {name}")
        if created_at.tzinfo is None or (effective_at and effective_at.tzinfo is None):
            raise ValueError("an instruction's instants need a time zone")
        values: dict[str, Any] = {
            "kind": kind,
            "target_type": target_type,
            "target_id": target_id,
            "actor": actor,
            "reason": reason,
            "created_at": created_at.astimezone(UTC),
            "effective_at": (effective_at or created_at).astimezone(UTC),
            "payload": {
                "before": dict(before or {}),
                "after": dict(after or {}),
                "details": dict(details or {}),
            },
        }
        of_target = (instructions.c.target_type == target_type) & (
            instructions.c.target_id == target_id
        )
        query = select(instructions).where(of_target)
        with self.engine.begin() as connection:
            earlier = [
                dict(row)
                for row in connection.execute(
                    query.order_by(instructions.c.instruction_number)
                ).mappings()
            ]
            if earlier and values.items() <= earlier[-1].items():
                return str(earlier[-1]["instruction_id"])
            named = {**values, "earlier_instructions": len(earlier)}
            text = json.dumps(named, sort_keys=True, default=datetime.isoformat)
            values["instruction_id"] = hashlib.sha256(text.encode()).hexdigest()[:32]
            connection.execute(instructions.insert().values(**values))
        return str(values["instruction_id"])

    def instructions(
        self,
        *,
        kind: str | None = None,
        target_type: str | None = None,
        target_id: str | None = None,
    ) -> list[dict[str, Any]]:
        """Instructions in the order they were made; filters are optional."""
        query = select(instructions)
        if kind is not None:
            query = query.where(instructions.c.kind == kind)
        if target_type is not None:
            query = query.where(instructions.c.target_type == target_type)
        if target_id is not None:
            query = query.where(instructions.c.target_id == target_id)
        query = query.order_by(instructions.c.instruction_number)
        return self._rows(query)

    def set_stripe_customer(
        self, *, account: str, customer_id: str, stripe_customer_id: str
    ) -> None:
        """Remember a customer's id in a Stripe account; the last call wins."""
        identity = (stripe_customers.c.account == account) & (
            stripe_customers.c.customer_id == customer_id
        )
        with self.engine.begin() as connection:
            changed = connection.execute(
                stripe_customers.update()
                .where(identity)
                .values(stripe_customer_id=stripe_customer_id)
            )
            if changed.rowcount == 0:
                connection.execute(
                    stripe_customers.insert().values(
                        account=account,
                        customer_id=customer_id,
                        stripe_customer_id=stripe_customer_id,
                    )
                )

    def stripe_customers(self, account: str) -> dict[str, str]:
        """customer_id -> stripe_customer_id of one account."""
        query = select(stripe_customers).where(stripe_customers.c.account == account)
        return {
            row["customer_id"]: row["stripe_customer_id"] for row in self._rows(query)
        }

    def landings(self) -> list[dict[str, Any]]:
        """The rows of landing_files by landing_sequence, whatever their state."""
        return self._rows(
            select(landing_files).order_by(landing_files.c.landing_sequence)
        )

    def begin_landings(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Announce batches: one transaction, state 'writing'."""
        if rows:
            with self.engine.begin() as connection:
                connection.execute(landing_files.insert(), [dict(r) for r in rows])

    def finish_landings(self, sequences: Iterable[int]) -> None:
        """The batches' files are in place: state 'landed', one transaction."""
        self._for_each(sequences, delete=False)

    def forget_landings(self, sequences: Iterable[int]) -> None:
        """Remove the rows of batches that never finished."""
        self._for_each(sequences, delete=True)

    def _for_each(self, sequences: Iterable[int], *, delete: bool) -> None:
        with self.engine.begin() as connection:
            for sequence in sequences:
                one = landing_files.c.landing_sequence == sequence
                if delete:
                    connection.execute(landing_files.delete().where(one))
                else:
                    connection.execute(
                        landing_files.update().where(one).values(state="landed")
                    )

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def export_to_parquet(workspace: Workspace) -> dict[str, Path]:
    """Copy the store to DIR/.meterhouse/ops/<table>.parquet; returns the paths.

    Each file is replaced by an atomic rename. Instants are UTC without a zone,
    payloads JSON text. publish_journal is empty until the publisher made its table.
    """
    operations = Operations.open(workspace)
    try:
        workspace.ops.mkdir(parents=True, exist_ok=True)
        present = set(inspect(operations.engine).get_table_names())
        paths: dict[str, Path] = {}
        for name, schema in EXPORTS.items():
            rows = _read(operations.engine, name, schema) if name in present else []
            path = workspace.ops / f"{name}.parquet"
            write_parquet(pa.Table.from_pylist(rows, schema=schema), path)
            paths[name] = path
        return paths
    finally:
        operations.close()


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a Parquet file that is seen whole or not at all, also after a crash."""
    temporary = path.with_name(f"_tmp_{os.getpid()}_{path.name}")
    pq.write_table(table, temporary, compression="zstd")
    durable(temporary)
    os.replace(temporary, path)
    durable(path.parent)


def durable(path: Path) -> None:
    """Have the file or folder reach the disk before we go on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(engine: Engine, name: str, schema: pa.Schema) -> list[dict[str, Any]]:
    table = metadata.tables.get(name)
    if table is None:
        table = Table(name, MetaData(), autoload_with=engine)
    columns = [table.c[field] for field in schema.names if field in table.c]
    query = select(*columns).order_by(*table.primary_key.columns)
    with engine.connect() as connection:
        return [
            {field: _plain(row[field], schema.field(field).type) for field in row}
            for row in connection.execute(query).mappings()
        ]


def _plain(value: Any, kind: pa.DataType) -> Any:
    """A store's value as Parquet takes it: naive UTC instants, JSON as text."""
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if pa.types.is_date(kind):
        return date.fromisoformat(value) if isinstance(value, str) else value
    if pa.types.is_string(kind) and not isinstance(value, str):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value
