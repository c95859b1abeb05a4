"""Writes one event file in pieces, so that memory does not grow with the file."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.sample_company.render import EVENT_COLUMNS, EVENT_SCHEMA

FileFormat = Literal["parquet", "ndjson"]


def _line_sql() -> str:
    # Ids and names hold nothing that JSON would escape; properties are JSON already.
    # concat_ws leaves out NULLs: a missing field is a key that is not there.
    fields = ", ".join(
        f"""'"{name}":' || {name}"""
        if name == "properties"
        else f"""'"{name}":"' || "{name}" || '"'"""
        for name in EVENT_COLUMNS
    )
    return f"select '{{' || concat_ws(',', {fields}) || '}}\n' as line from piece"


_LINES = _line_sql()


class EventFile:
    """An event file that appears under its name only when it is complete."""

    def __init__(
        self,
        path: Path,
        file_format: FileFormat,
        connection: duckdb.DuckDBPyConnection,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_name(f"_tmp-{path.name}")
        self._parquet: pq.ParquetWriter | None = None
        self._lines: BinaryIO | None = None
        self._connection = connection
        if file_format == "parquet":
            self._parquet = pq.ParquetWriter(
                self._partial,
                EVENT_SCHEMA,
                compression="zstd",
                use_dictionary=[
                    "customer_id",
                    "event_type",
                ],
            )
        else:
            self._lines = self._partial.open("wb")

    def __enter__(self) -> EventFile:
        return self

    def write(self, piece: pa.Table) -> None:
        """Append events in EVENT_SCHEMA."""
        if self._parquet is not None:
            self._parquet.write_table(piece)
        elif self._lines is not None:
            self._connection.register("piece", piece)
            lines = self._connection.sql(_LINES).to_arrow_table()["line"]
            for chunk in lines.chunks:
                self._lines.write(_text_of(chunk))

    def write_lines(self, lines: list[str]) -> None:
        """Append raw lines; a columnar file has no place for them."""
        if lines and self._lines is None:
            raise ValueError("a Parquet file cannot hold raw lines")
        if self._lines is not None:
            self._lines.write("".join(f"{line}\n" for line in lines).encode())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in (self._parquet, self._lines):
            if handle is not None:
                handle.close()
        if kind is None:
            os.replace(self._partial, self._path)
        else:
            self._partial.unlink()


def _text_of(strings: pa.StringArray) -> memoryview:
    """The characters of all strings, one after the other, without a copy per string."""
    width = pa.int64() if pa.types.is_large_string(strings.type) else pa.int32()
    _, offsets, characters = strings.buffers()
    bounds = pa.Array.from_buffers(
        width, len(strings) + 1, [None, offsets], offset=strings.offset
    )
    return memoryview(characters)[bounds[0].as_py() : bounds[-1].as_py()]
