"""Usage files as streams of Arrow tables, with memory flat for any size of file.

Every reader yields tables with these columns, then its own:
    row    int64   number of the data row, blank lines not counted, from 1
    line   int64   line in the file (text formats; an element's or row's number else)
    raw    string  the record whole; NULL where the file has no text of its own
    broken string  why the record can't be read, else NULL
Own columns: NDJSON and JSON none (raw is the document), CSV `cells` (NULL = split
raw at the delimiter), Parquet and tables their columns.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

CHUNK_BYTES = 16 * 1024 * 1024
BATCH_ROWS = 100_000
# A CSV record that runs on for longer than this has an unclosed quote.
LONGEST_RECORD = 1024 * 1024
BOM = b"\xef\xbb\xbf"

csv.field_size_limit(2**31 - 1)


@dataclass
class Position:
    """How far a reader came: newlines passed and data rows seen."""

    line: int = 0
    row: int = 0


class _Limited(io.RawIOBase):
    """The first `size` bytes of a stream, whatever is appended meanwhile."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: Any) -> int:
        room = min(len(buffer), self._size - self._stream.tell())
        data = self._stream.read(max(room, 0))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_bytes(path: Path, size: int | None = None) -> IO[bytes]:
    """The file's content, at most `size` bytes of it; .gz is unpacked."""
    stream: Any = (gzip.open if is_packed(path) else open)(path, "rb")
    if size is not None:
        stream = _Limited(stream, size)
    return io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream


def is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def skip_bom(stream: IO[bytes]) -> None:
    """Move past a byte order mark at the beginning."""
    if stream.read(len(BOM)) != BOM:
        stream.seek(0)


def is_lines(stream: IO[bytes]) -> bool:
    """Whether a .json file is in truth one object per line; rewinds the stream."""
    skip_bom(stream)
    first = stream.readline().strip()
    stream.seek(0)
    if not first.startswith(b"{"):
        return False
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def csv_header(path: Path, delimiter: str) -> list[str]:
    """The column names in the first line of a CSV file."""
    with open_bytes(path) as stream:
        skip_bom(stream)
        line = stream.readline().decode(errors="backslashreplace").rstrip("\r\n")
    cells = csv_cells(line, delimiter) if line else []
    return [cell.strip() for cell in cells or line.split(delimiter)]


def parquet_schema(path: Path) -> pa.Schema:
    """The columns of a Parquet file as DuckDB will see them."""
    with open_bytes(path) as stream:
        return pq.read_schema(stream)


def read_ndjson(stream: IO[bytes], position: Position) -> Iterator[pa.Table]:
    """One JSON object per line."""
    for data, last in _blocks(stream):
        yield from _records(data, _line_ends(data), position, last)


def read_csv(
    stream: IO[bytes], position: Position, width: int, delimiter: str
) -> Iterator[pa.Table]:
    """CSV records after the header, `width` cells each."""
    pending = b""
    for block, last in _blocks(stream):
        data = pending + block
        ends = _line_ends(data)
        if b'"' in data:
            ends = _record_ends(data, ends, last)
        complete = int(ends[-1]) if len(ends) else 0
        pending = b"" if last else data[complete:]
        if last and complete < len(data):
            ends = np.append(ends, len(data))
        for table in _records(
            data[: int(ends[-1])] if len(ends) else b"", ends, position, last
        ):
            yield from _with_cells(table, width, delimiter, position)


def _blocks(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Blocks that end at a line's end, and whether each is the last."""
    pending = b""
    while True:
        block = stream.read(CHUNK_BYTES)
        if not block:
            yield pending, True
            return
        data = pending + block
        cut = data.rfind(b"\n") + 1
        pending = data[cut:]
        if cut:
            yield data[:cut], False


def _line_ends(data: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Offsets just behind each line of `data`, also of a last one without newline."""
    newlines = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10) + 1
    if data and (not len(newlines) or newlines[-1] != len(data)):
        newlines = np.append(newlines, len(data))
    return newlines.astype(np.int64)


def _record_ends(
    data: bytes, lines: np.ndarray[Any, Any], last: bool
) -> np.ndarray[Any, Any]:
    """The line ends that also end a CSV record: those outside quotes.

    A quote that stays open for LONGEST_RECORD, or to the end of the file, is a
    mistake of its line: that line stands alone and reading goes on behind it.
    """
    quotes = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 34)
    ends: list[np.ndarray[Any, Any]] = []
    start = 0  # index into lines of the first line not yet in a record
    while start < len(lines):
        begin = int(lines[start - 1]) if start else 0
        before = np.searchsorted(quotes, begin)
        inside = (np.searchsorted(quotes, lines[start:]) - before) % 2
        outside = np.flatnonzero(inside == 0) + start
        candidates = lines[outside]
        lengths = np.diff(candidates, prepend=begin)
        long = np.flatnonzero(lengths > LONGEST_RECORD)
        multi = np.diff(outside, prepend=start - 1) > 1
        long = long[multi[long]]
        good = int(long[0]) if len(long) else len(candidates)
        ends.append(candidates[:good])
        done = int(outside[good - 1]) + 1 if good else start
        if done >= len(lines):
            break
        rest_begin = int(lines[done - 1]) if done else 0
        if not len(long) and not last and len(data) - rest_begin <= LONGEST_RECORD:
            break
        ends.append(lines[done : done + 1])
        start = done + 1
    return np.concatenate(ends) if ends else np.empty(0, dtype=np.int64)


def _records(
    data: bytes, ends: np.ndarray[Any, Any], position: Position, last: bool
) -> Iterator[pa.Table]:
    """The non-blank records of `data`; moves `position` on."""
    if not len(ends):
        return
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), ends])
    values = pa.Array.from_buffers(
        pa.large_binary(),
        len(ends),
        [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data)],
    )
    newlines = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    lines = np.searchsorted(newlines, offsets[:-1]) + position.line + 1
    position.line += len(newlines)
    broken: Any = pa.nulls(len(ends), pa.string())
    try:
        raw = values.cast(pa.large_utf8())
    except pa.ArrowInvalid:
        raw, broken = _decoded(values)
    raw = pc.utf8_rtrim(raw, "\r\n")
    keep = pc.not_equal(pc.utf8_trim(raw, " \t\r\n\ufeff"), "")
    table = pa.table(
        {"line": pa.array(lines, pa.int64()), "raw": raw, "broken": broken}
    ).filter(keep)
    yield _numbered(table, position)


def _numbered(table: pa.Table, position: Position) -> pa.Table:
    first = position.row + 1
    position.row += table.num_rows
    rows = pa.array(np.arange(first, first + table.num_rows), pa.int64())
    return table.add_column(0, "row", rows)


def _decoded(values: Any) -> tuple[Any, Any]:
    """Records of a block that is not all UTF-8; bad bytes are shown as \\xNN."""
    texts: list[str] = []
    broken: list[str | None] = []
    for value in values.to_pylist():
        try:
            texts.append(value.decode())
            broken.append(None)
        except UnicodeDecodeError as error:
            texts.append(value.decode(errors="backslashreplace"))
            broken.append(f"byte {error.start + 1} is not UTF-8")
    return pa.array(texts, pa.large_utf8()), pa.array(broken, pa.string())


def _with_cells(
    table: pa.Table, width: int, delimiter: str, position: Position
) -> Iterator[pa.Table]:
    """Add `cells`; a record over several lines that is no record is taken apart."""
    kind = pa.list_(pa.string())
    quoted = pc.match_substring(table["raw"], '"')
    if not pc.any(quoted).as_py():
        yield table.append_column("cells", pa.nulls(table.num_rows, kind))
        return
    lines, raws, brokens, cells = [], [], [], []
    for line, raw, broken in zip(
        table["line"].to_pylist(),
        table["raw"].to_pylist(),
        table["broken"].to_pylist(),
        strict=True,
    ):
        for number, text, why, found in _parsed(raw, broken, width, delimiter):
            lines.append(line + number)
            raws.append(text)
            brokens.append(why)
            cells.append(found)
    position.row -= table.num_rows
    yield _numbered(
        pa.table(
            {
                "line": pa.array(lines, pa.int64()),
                "raw": pa.array(raws, pa.large_utf8()),
                "broken": pa.array(brokens, pa.string()),
                "cells": pa.array(cells, kind),
            }
        ),
        position,
    )


_Parsed = tuple[int, str, str | None, list[str] | None]


def _parsed(
    raw: str, broken: str | None, width: int, delimiter: str
) -> Iterable[_Parsed]:
    if broken is not None or '"' not in raw:
        return [(0, raw, broken, None)]
    found = csv_cells(raw, delimiter)
    if found is not None and (len(found) == width or "\n" not in raw):
        return [(0, raw, None, found)]
    if "\n" not in raw:
        return [(0, raw, "quotes are not closed or stand inside a cell", None)]
    return [
        (number, *parsed[1:])
        for number, text in enumerate(raw.split("\n"))
        if text.strip(" \t\r\n")
        for parsed in _parsed(text.rstrip("\r"), None, width, delimiter)
    ]


@cache
def _grammar(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    cell = f'(?:"(?:[^"]|"")*"|[^"{mark}]*)'
    return re.compile(f"{cell}(?:{mark}{cell})*")


def csv_cells(record: str, delimiter: str) -> list[str] | None:
    """The cells of one CSV record, or None when its quotes are wrong.

    As RFC 4180 has it: a quote inside a cell is doubled, and such a cell is quoted.
    """
    if not _grammar(delimiter).fullmatch(record):
        return None
    try:
        rows = list(csv.reader([record], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def read_json(stream: IO[bytes]) -> Iterator[pa.Table]:
    """A JSON array of objects, or objects one after another; held in memory.

    What follows a syntax error is one broken record.
    """
    text = stream.read().decode("utf-8-sig", errors="backslashreplace")
    raws: list[str] = []
    brokens: list[str | None] = []
    decoder = json.JSONDecoder()
    space = " \t\r\n"
    at = _skip(text, 0, space)
    is_array = text.startswith("[", at)
    at = _skip(text, at + 1, space) if is_array else at
    while at < len(text) and not (is_array and text[at] == "]"):
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raws.append(text[at:])
            brokens.append(f"not JSON: {error}")
            break
        raws.append(text[at:end])
        brokens.append(None)
        at = _skip(text, end, space)
        if is_array and text.startswith(",", at):
            at = _skip(text, at + 1, space)
    numbers = pa.array(range(1, len(raws) + 1), pa.int64())
    yield pa.table(
        {
            "row": numbers,
            "line": numbers,
            "raw": pa.array(raws, pa.large_utf8()),
            "broken": pa.array(brokens, pa.string()),
        }
    )


def _skip(text: str, at: int, characters: str) -> int:
    while at < len(text) and text[at] in characters:
        at += 1
    return at


def read_parquet(path: Path) -> Iterator[pa.Table]:
    """The rows of a Parquet file."""
    stream = open_bytes(path) if is_packed(path) else None
    source = io.BytesIO(stream.read()) if stream else path
    with pq.ParquetFile(source) as file:
        yield from numbered_batches(file.iter_batches(batch_size=BATCH_ROWS))


def numbered_batches(batches: Iterable[Any], first: int = 1) -> Iterator[pa.Table]:
    """Record batches with their columns renamed c0, c1, ... and rows numbered."""
    for batch in batches:
        table = pa.Table.from_batches([batch])
        count = table.num_rows
        numbers = pa.array(np.arange(first, first + count), pa.int64())
        first += count
        table = table.rename_columns([f"c{i}" for i in range(table.num_columns)])
        table = table.add_column(0, "broken", pa.nulls(count, pa.string()))
        table = table.add_column(0, "raw", pa.nulls(count, pa.large_utf8()))
        yield table.add_column(0, "line", numbers).add_column(0, "row", numbers)
