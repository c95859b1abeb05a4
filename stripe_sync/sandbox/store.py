"""The sandbox's state: one SQLite file, one transaction per request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    create_engine,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool
from sqlalchemy.util import LRUCache

from .errors import missing, refused

metadata = MetaData()

settings = Table(
    "sandbox_settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
accounts = Table(
    "sandbox_accounts",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("alias", String(64), nullable=False, unique=True),
    Column("platform", String(64)),
)
# Keys are kept as digests: the sandbox would otherwise keep a real key that
# somebody pasted by mistake.
api_keys = Table(
    "sandbox_api_keys",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("account_id", String(64), nullable=False),
    Column("denied", Text, nullable=False),
)
counters = Table(
    "sandbox_counters",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Integer, nullable=False),
)
objects = Table(
    "sandbox_objects",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("object", String(32), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("customer", String(64)),
    Column("invoice", String(64)),
    Column("status", String(32)),
    # When the clock must look at this object again (finalize, collect, overdue …).
    Column("due_at", BigInteger),
    Column("payload", Text, nullable=False),
    Index("ix_sandbox_objects_list", "account_id", "object", "created", "seq"),
    Index("ix_sandbox_objects_invoice", "account_id", "invoice", "object"),
    Index("ix_sandbox_objects_customer", "account_id", "customer", "object"),
    Index("ix_sandbox_objects_due", "due_at"),
)
idempotency = Table(
    "sandbox_idempotency",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("created", BigInteger, nullable=False),
)
request_log = Table(
    "sandbox_requests",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("account_id", String(64)),
    Column("method", String(8), nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer),
    Column("fault", String(32)),
    Column("request_id", String(64)),
    Column("idempotency_key", String(255)),
    Column("replayed", Integer, nullable=False),
)
payers = Table(
    "sandbox_payers",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("customer", String(64), primary_key=True),
    Column("pays_after_days", Integer, nullable=False),
)

# Columns of `objects` that mirror a payload field, so that lists can filter on it.
_MIRRORED = ("customer", "invoice", "status")


# All sandboxes of a process run the same statements; compiling them anew for each
# took a tenth of the crash tests' time.
_COMPILED: LRUCache[Any, Any] = LRUCache(500)


def _mirrored(item: Mapping[str, Any], name: str) -> Any:
    if item["object"] == "event":  # its type is what events are filtered by
        return item["type"] if name == "status" else None
    return item.get(name)


def open_engine(path: Path | None) -> Engine:
    """The SQLAlchemy engine of a sandbox file; ``None`` keeps it in memory."""
    if path is None:
        engine = create_engine(
            "sqlite://",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # Transactions are opened by hand below, as two processes must queue for the
        # write lock instead of failing when a reader wants to become a writer.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        metadata.create_all(connection)
    return engine.execution_options(compiled_cache=_COMPILED)


def make_id(prefix: str, *parts: object) -> str:
    """An id that looks like Stripe's and depends on nothing but ``parts``."""
    text = "|".join(str(part) for part in (prefix, *parts))
    return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


class Store:
    """Reads and writes of one request, inside one transaction."""

    def __init__(self, connection: Connection, account_id: str) -> None:
        self.connection = connection
        self.account_id = account_id

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block wrote when it raises."""
        self.connection.exec_driver_sql("SAVEPOINT request")
        try:
            yield
        except BaseException:
            self.connection.exec_driver_sql("ROLLBACK TO request")
            raise
        finally:
            self.connection.exec_driver_sql("RELEASE request")

    def count(self, name: str, by: int = 1) -> int:
        """Raise an account's counter, which starts at 0; the new value."""
        statement = (
            upsert(counters)
            .values(account_id=self.account_id, name=name, value=by)
            .on_conflict_do_update(
                index_elements=["account_id", "name"],
                set_={"value": counters.c.value + by},
            )
            .returning(counters.c.value)
        )
        return int(self.connection.execute(statement).scalar_one())

    def new_ids(self, prefix: str, number: int = 1) -> list[str]:
        """Fresh deterministic ids."""
        last = self.count(prefix, number)
        return [
            make_id(prefix, self.account_id, value)
            for value in range(last - number + 1, last + 1)
        ]

    def insert(self, *items: dict[str, Any], due_at: int | None = None) -> None:
        """Store new objects; ``date`` stands in for ``created`` on invoice items."""
        if not items:
            return
        first = self.count("seq", len(items)) - len(items) + 1
        rows = [
            {
                "account_id": self.account_id,
                "id": item["id"],
                "object": item["object"],
                "seq": first + index,
                "created": item.get("created", item.get("date")),
                "due_at": due_at,
                "payload": json.dumps(item),
                **{name: _mirrored(item, name) for name in _MIRRORED},
            }
            for index, item in enumerate(items)
        ]
        self.connection.execute(insert(objects), rows)

    def save(self, item: Mapping[str, Any], *, due_at: int | None = None) -> None:
        """Replace a stored object."""
        self.connection.execute(
            update(objects)
            .where(objects.c.account_id == self.account_id, objects.c.id == item["id"])
            .values(
                due_at=due_at,
                payload=json.dumps(item),
                **{name: _mirrored(item, name) for name in _MIRRORED},
            )
        )

    def remove(self, object_id: str) -> None:
        """Delete an object for good."""
        self.connection.execute(
            delete(objects).where(
                objects.c.account_id == self.account_id, objects.c.id == object_id
            )
        )

    def find(self, kind: str, object_id: str) -> dict[str, Any] | None:
        """One object or ``None``."""
        payload = self.connection.execute(
            select(objects.c.payload).where(
                objects.c.account_id == self.account_id,
                objects.c.id == object_id,
                objects.c.object == kind,
            )
        ).scalar_one_or_none()
        return None if payload is None else json.loads(payload)

    def get(self, kind: str, object_id: str, *, param: str = "id") -> dict[str, Any]:
        """One object, else Stripe's 404."""
        item = self.find(kind, object_id)
        if item is None:
            raise missing(kind, object_id, param=param)
        return item

    def all(self, kind: str, **equal: Any) -> list[dict[str, Any]]:
        """Every object of a kind, oldest first; filters on mirrored columns."""
        statement = select(objects.c.payload).where(
            objects.c.account_id == self.account_id, objects.c.object == kind
        )
        for name, value in equal.items():
            statement = statement.where(objects.c[name] == value)
        statement = statement.order_by(objects.c.seq)
        rows = self.connection.execute(statement)
        return [json.loads(row.payload) for row in rows]

    def page(
        self,
        kind: str,
        params: Mapping[str, Any],
        *,
        filters: Mapping[str, Any] | None = None,
        json_filters: Mapping[str, Any] | None = None,
        conditions: tuple[Any, ...] = (),
        oldest_first: bool = False,
    ) -> tuple[list[dict[str, Any]], bool]:
        """One page with Stripe's cursors, and whether more follow.

        ``filters`` compare mirrored columns, ``json_filters`` payload fields.
        """
        where: list[Any] = [
            objects.c.account_id == self.account_id,
            objects.c.object == kind,
            *conditions,
        ]
        for name, value in (filters or {}).items():
            where.append(objects.c[name] == value)
        for name, value in (json_filters or {}).items():
            where.append(func.json_extract(objects.c.payload, f"$.{name}") == value)
        where += _created_conditions(params.get("created"))
        limit = params.get("limit", 10)
        if not 1 <= limit <= 100:
            raise refused(
                "Invalid integer: must be between 1 and 100",
                code="parameter_invalid_integer",
                param="limit",
            )
        after, before = params.get("starting_after"), params.get("ending_before")
        if after and before:
            raise refused(
                "You cannot parameterize both starting_after and ending_before."
            )
        backwards = before is not None
        if after or before:
            name = "starting_after" if after else "ending_before"
            row = self.connection.execute(
                select(objects.c.created, objects.c.seq).where(
                    objects.c.account_id == self.account_id,
                    objects.c.id == (after or before),
                    objects.c.object == kind,
                )
            ).one_or_none()
            if row is None:
                raise refused(
                    f"No such {kind}: '{after or before}'",
                    code="resource_missing",
                    param=name,
                )
            older = oldest_first == backwards
            where.append(_beyond(row.created, row.seq, older=older))
        newest_first = oldest_first == backwards
        columns = (objects.c.created, objects.c.seq)
        ordering = [c.desc() if newest_first else c.asc() for c in columns]
        statement = (
            select(objects.c.payload).where(*where).order_by(*ordering).limit(limit + 1)
        )
        rows = self.connection.execute(statement)
        found = [json.loads(row.payload) for row in rows]
        has_more = len(found) > limit
        found = found[:limit]
        return (found[::-1] if backwards else found), has_more


def _beyond(created: int, seq: int, *, older: bool) -> Any:
    if older:
        return or_(
            objects.c.created < created,
            and_(objects.c.created == created, objects.c.seq < seq),
        )
    return or_(
        objects.c.created > created,
        and_(objects.c.created == created, objects.c.seq > seq),
    )


def _created_conditions(created: Any) -> list[Any]:
    if created is None:
        return []
    if isinstance(created, int):
        return [objects.c.created == created]
    comparisons = {
        "gt": objects.c.created.__gt__,
        "gte": objects.c.created.__ge__,
        "lt": objects.c.created.__lt__,
        "lte": objects.c.created.__le__,
    }
    return [comparisons[name](value) for name, value in created.items()]
