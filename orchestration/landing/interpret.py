"""From the records of a file to candidate events, as one SQL statement per chunk.

`prepare` gives the SQL that turns a chunk into the table `prepared`; `fields` the SQL
that reads events out of it: canonical, CloudEvents or by a mapping entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.landing import sql
from orchestration.landing.mapping import ByColumn, Entry, Expression, Fields, Variant

CANONICAL = (
    "transaction_id",
    "customer_id",
    "event_type",
    "timestamp",
    "received_at",
    "properties",
)
REQUIRED = CANONICAL[:4]


@dataclass(frozen=True)
class Shape:
    """How a file's records look.

    `columns` are the names of a file with columns (None: every record is JSON), and
    `texts` the SQL of each column's text over the chunk.
    """

    file: str
    columns: tuple[str, ...] | None = None
    texts: tuple[str, ...] = ()
    broken: str = "broken"

    @classmethod
    def json(cls, file: str) -> Shape:
        return cls(file)

    @classmethod
    def csv(cls, file: str, header: Sequence[str], delimiter: str) -> Shape:
        width = len(header)
        cells = f"coalesce(cells, string_split(raw, {sql.text(delimiter)}))"
        return cls(
            file,
            tuple(header),
            tuple(f"nullif({cells}[{i + 1}], '')" for i in range(width)),
            f"coalesce(broken, case when len({cells}) <> {width} then "
            f"'expected {width} cells, found ' || len({cells}) end)",
        )

    @classmethod
    def typed(cls, file: str, columns: Sequence[str], kinds: Sequence[str]) -> Shape:
        """Columns c0, c1, ... of the DuckDB types `kinds`."""
        texts = []
        for number, (column, kind) in enumerate(zip(columns, kinds, strict=True)):
            reference = f"c{number}"
            if column == "properties" and kind.startswith("MAP("):
                texts.append(f"to_json(cast({reference} as map(varchar, varchar)))")
            elif column == "properties" and kind.startswith("STRUCT("):
                texts.append(f"cast(to_json({reference}) as varchar)")
            else:
                texts.append(f"nullif({sql.as_text(reference, kind)}, '')")
        return cls(file, tuple(columns), tuple(texts))

    def column(self, name: str) -> str:
        """The SQL of a column's text over `prepared`."""
        if self.columns is None:
            return f"json_extract_string(doc, {sql.text(sql.json_path(name))})"
        return f"k{self.columns.index(name)}"

    def has(self, name: str) -> bool:
        return self.columns is None or name in self.columns


def prepare(shape: Shape) -> str:
    """Select (row, line, raw, broken, source_json, doc, k0 ...) from `chunk`."""
    if shape.columns is None:
        source, texts = "raw", ""
    else:
        named = [f"{text} as k{i}" for i, text in enumerate(shape.texts)]
        texts = "".join(f", {column}" for column in named)
        source = (
            f"k{shape.columns.index('properties')}"
            if "properties" in shape.columns
            else "cast(null as varchar)"
        )
    return f"""
        with records as (
            select row, line, raw, {shape.broken} as broken{texts}
            from chunk
        )
        select
            *,
            {source} as source_json,
            case when broken is null then {sql.quoted_scalars(source)} end as doc
        from records
    """


NEEDS_REPAIR = """
    select row, source_json from prepared
    where broken is null and doc is null and source_json is not null
"""


def fields(shape: Shape, entry: Entry | None) -> str:
    """CTEs ending in `candidates`: the texts of each event's fields.

    Adds landing_row, transaction_id, customer_ref, event_type, event_text,
    received_text, event_at, received_at, properties, properties_ok and keeps what
    `prepared` has.
    """
    source = """
        source as (
            select p.* replace (coalesce(p.doc, r.doc) as doc), r.reason as repair
            from prepared as p left join repaired as r on p.row = r.row
        )
    """
    if entry is not None:
        variants = entry.variants()
        selects = [
            _mapped(shape, variant, number, len(variants))
            for number, variant in enumerate(variants, start=1)
        ]
    elif shape.columns is None:
        return f"{source}, {_canonical_json()}"
    else:
        selects = [_canonical_columns(shape)]
    return f"{source}, candidates as ({' union all '.join(selects)})"


def _instants(
    event: str, event_format: str, received: str, received_format: str
) -> str:
    return f"""
        {event} as event_text,
        {received} as received_text,
        {sql.instant(event, event_format)} as event_at,
        {sql.instant(received, received_format)} as received_at
    """


_CLOUD = ("specversion", "id", "source", "type", "subject", "time", "data")


def _canonical_json() -> str:
    paths = [sql.text(f'$."{key}"') for key in (*CANONICAL, *_CLOUD)]
    f = {key: f"f[{i}]" for i, key in enumerate((*CANONICAL, *_CLOUD), start=1)}
    drop = sql.text("{" + ",".join(f'"{key}":null' for key in CANONICAL) + "}")

    def either(key: str, cloud: str) -> str:
        return f"nullif(case when is_cloud then {f[cloud]} else {f[key]} end, '')"

    # Two sources may use the same id: only source and id together name a CloudEvent.
    cloud_id = (
        f"case when {f['id']} <> '' then coalesce({f['source']}, '') || '#' "
        f"|| {f['id']} end"
    )
    has_more = f"len(keys) > list_count(f[1:{len(CANONICAL)}])"
    inside = f"coalesce({f['properties']}, '{{}}')"
    merged = f"cast(json_merge_patch(doc, {drop}, {inside}) as varchar)"
    return f"""
        extracted as (
            select *, json_extract_string(doc, [{", ".join(paths)}]) as f from source
        ),
        texts as (
            select
                *,
                {f["specversion"]} is not null as is_cloud,
                json_keys(doc) as keys,
                coalesce(json_type(doc, case when {f["specversion"]} is not null
                    then '$."data"' else '$."properties"' end), 'OBJECT') = 'OBJECT'
                    as has_object
            from extracted
        ),
        named as (
            select
                *,
                line as landing_row,
                nullif(case when is_cloud then {cloud_id}
                    else {f["transaction_id"]} end, '') as transaction_id,
                {either("customer_id", "subject")} as customer_ref,
                {either("event_type", "type")} as event_type,
                {either("timestamp", "time")} as event_text,
                nullif(case when not is_cloud then {f["received_at"]} end, '')
                    as received_text,
                case
                    when not has_object then null
                    when is_cloud then coalesce({f["data"]}, '{{}}')
                    when {has_more} then {merged}
                    else {inside}
                end as properties,
                len(keys) <> list_unique(keys) as duplicate_keys
            from texts
        ),
        candidates as (
            select
                *,
                {sql.instant("event_text", "rfc3339")} as event_at,
                {sql.instant("received_text", "rfc3339")} as received_at
            from named
        )
    """


def _canonical_columns(shape: Shape) -> str:
    assert shape.columns is not None
    own = [name for name in shape.columns if name not in CANONICAL]
    loose = sql.json_object([(name, shape.column(name)) for name in own])
    if "properties" not in shape.columns:
        properties = loose
    elif own:
        properties = (
            "case when source_json is null then " + loose + " when doc is not null "
            f"then cast(json_merge_patch({loose}, doc) as varchar) end"
        )
    else:
        properties = "case when source_json is null then '{}' else doc end"
    received = (
        shape.column("received_at")
        if "received_at" in shape.columns
        else "cast(null as varchar)"
    )
    event = shape.column("timestamp")
    return f"""
        select
            *,
            line as landing_row,
            {shape.column("transaction_id")} as transaction_id,
            {shape.column("customer_id")} as customer_ref,
            {shape.column("event_type")} as event_type,
            {_instants(event, "rfc3339", received, "rfc3339")},
            {properties} as properties,
            false as duplicate_keys
        from source
    """


def _mapped(shape: Shape, variant: Variant, number: int, count: int) -> str:
    def value(expression: Expression | None) -> str:
        if expression is None:
            return "cast(null as varchar)"
        return f"nullif({expression_sql(shape, expression, variant.name)}, '')"

    def form(expression: Expression | None) -> str:
        return (expression.format if expression else None) or "rfc3339"

    own: Fields = variant.fields
    instants = _instants(
        value(own.timestamp),
        form(own.timestamp),
        value(own.received_at),
        form(own.received_at),
    )
    properties = sql.json_object(
        [(key, value(item)) for key, item in sorted(variant.properties.items())]
    )
    duplicates = (
        "len(json_keys(doc)) <> list_unique(json_keys(doc))"
        if shape.columns is None
        else "false"
    )
    return f"""
        select
            *,
            (line - 1) * {count} + {number} as landing_row,
            {value(own.transaction_id)} as transaction_id,
            {value(own.customer_id)} as customer_ref,
            {value(own.event_type)} as event_type,
            {instants},
            {properties} as properties,
            {duplicates} as duplicate_keys
        from source
    """


def expression_sql(shape: Shape, expression: Expression, variant: str) -> str:
    """The SQL of a mapping expression over `source`; NULL where a column is blank."""
    if expression.column is not None:
        return shape.column(expression.column)
    if expression.constant is not None:
        return sql.text(expression.constant)
    if expression.template is not None:
        built_in = {
            "file": sql.text(shape.file),
            "row": "cast(row as varchar)",
            "variant": sql.text(variant),
        }
        parts = [
            (built_in.get(part) or shape.column(part))
            if placeholder
            else sql.text(part)
            for placeholder, part in expression.template_parts()
        ]
        return "(" + " || ".join(parts) + ")" if parts else "''"
    assert expression.choose is not None
    items = "[" + ", ".join(sql.text(item) for item in expression.choose) + "]"
    size = len(expression.choose)
    if isinstance(expression.by, ByColumn):
        # 15 hex digits of MD5 fit a bigint and are the same on every machine.
        digest = f"substr(md5({shape.column(expression.by.column)}), 1, 15)"
        index = f"cast('0x' || {digest} as bigint) % {size}"
    else:
        index = f"((row - 1) // {expression.every or 1}) % {size}"
    return f"{items}[cast({index} as integer) + 1]"
