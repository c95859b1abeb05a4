"""The mapping file: what the columns of foreign usage files mean.

A mapping names, for files below DIR/events by glob (or for a table), an expression
for each field of the canonical event. Expressions are few on purpose; whoever needs
more prepares the file with SQL first. docs/workspace.md shows every form.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orchestration.workspace import (
    Problem,
    Workspace,
    WorkspaceError,
    nearest,
    parse_yaml,
    read_text,
    validate_settings,
)

PROPERTY_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
TimestampFormat = Literal["rfc3339", "epoch_seconds", "epoch_millis", "epoch_micros"]

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_BUILT_IN = ("file", "row", "variant")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ByColumn(_Model):
    """Choose by a stable hash (MD5) of a column's text."""

    column: str = Field(min_length=1)


class Expression(_Model):
    """One value of an event, made from one source row.

    Exactly one of `column` (that column's text; in JSON a path such as usage.tokens),
    `constant`, `template` (text with {column}, {file}, {row}, {variant}) and `choose`
    (one item of a list: number (row - 1) div `every` modulo the list's length, or
    the hash of a column modulo the list's length).
    """

    column: str | None = Field(default=None, min_length=1)
    constant: str | None = None
    template: str | None = None
    choose: tuple[str, ...] | None = Field(default=None, min_length=1)
    by: Literal["row"] | ByColumn | None = None
    every: int | None = Field(default=None, ge=1)
    format: TimestampFormat | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Expression:
        forms = (self.column, self.constant, self.template, self.choose)
        if sum(form is not None for form in forms) != 1:
            raise ValueError("name exactly one of column, constant, template, choose")
        if self.choose is None and (self.by or self.every):
            raise ValueError("by and every belong to choose")
        if self.every is not None and isinstance(self.by, ByColumn):
            raise ValueError("every belongs to by: row")
        return self

    def columns(self) -> Iterator[str]:
        """The source columns it reads."""
        if self.column is not None:
            yield self.column
        if self.template is not None:
            for name in _PLACEHOLDER.findall(self.template):
                if name not in _BUILT_IN:
                    yield name
        if isinstance(self.by, ByColumn):
            yield self.by.column

    def template_parts(self) -> Iterator[tuple[bool, str]]:
        """The template as (is a placeholder, text or name)."""
        assert self.template is not None
        for number, part in enumerate(_PLACEHOLDER.split(self.template)):
            if part:
                yield number % 2 == 1, part


def _short(value: Any) -> Any:
    """A bare name stands for {column: name}."""
    return {"column": value} if isinstance(value, str) else value


Value = Annotated[Expression, BeforeValidator(_short)]
PropertyName = Annotated[str, Field(pattern=PROPERTY_PATTERN)]


class Fields(_Model):
    """The fields of the canonical event; received_at may be left out."""

    transaction_id: Value | None = None
    customer_id: Value | None = None
    event_type: Value | None = None
    timestamp: Value | None = None
    received_at: Value | None = None


class Variant(_Model):
    """One of several events made from the same source row."""

    name: PropertyName
    fields: Fields = Fields()
    properties: dict[PropertyName, Value] = Field(default_factory=dict)


class CsvOptions(_Model):
    delimiter: str = Field(default=",", pattern=r"^[^\"\r\n]$")


class Entry(_Model):
    """The mapping of the files (or the table) that it matches."""

    match: str | None = Field(default=None, min_length=1)
    table: str | None = Field(default=None, min_length=1)
    csv: CsvOptions = CsvOptions()
    fields: Fields
    properties: dict[PropertyName, Value] = Field(default_factory=dict)
    unpivot: tuple[Variant, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Entry:
        if (self.match is None) == (self.table is None):
            raise ValueError("name either match (a glob below events/) or table")
        names = [variant.name for variant in self.unpivot]
        if len(set(names)) != len(names):
            raise ValueError("unpivot names a variant twice")
        for variant in self.variants():
            for name in ("transaction_id", "customer_id", "event_type", "timestamp"):
                if getattr(variant.fields, name) is None:
                    raise ValueError(f"fields does not say what {name} is")
        return self

    def variants(self) -> list[Variant]:
        """The events made from a row, with the common fields filled in."""
        if not self.unpivot:
            return [Variant(name="row", fields=self.fields, properties=self.properties)]
        return [
            Variant(
                name=variant.name,
                fields=self.fields.model_copy(
                    update={
                        name: getattr(variant.fields, name)
                        for name in variant.fields.model_fields_set
                    }
                ),
                properties={**self.properties, **variant.properties},
            )
            for variant in self.unpivot
        ]

    def columns(self) -> set[str]:
        """Every source column that it reads."""
        return {
            column
            for variant in self.variants()
            for value in (*dict(variant.fields).values(), *variant.properties.values())
            if value is not None
            for column in value.columns()
        }


class MappingFile(_Model):
    """mapping.yml: the first entry that matches a file is the one used."""

    files: tuple[Entry, ...] = Field(min_length=1)

    def for_file(self, name: str) -> Entry | None:
        """The entry for a file, `name` being its path below events/."""
        for entry in self.files:
            if entry.match is not None and _matches(name, entry.match):
                return entry
        return None

    def for_table(self, name: str) -> Entry | None:
        for entry in self.files:
            if entry.table == name:
                return entry
        return None


def _matches(name: str, pattern: str) -> bool:
    base = name.rsplit("/", 1)[-1]
    return fnmatch.fnmatchcase(name, pattern) or (
        "/" not in pattern and fnmatch.fnmatchcase(base, pattern)
    )


def load_mapping(workspace: Workspace) -> MappingFile | None:
    """The workspace's mapping file, or None when its settings name none.

    Raises:
        WorkspaceError: missing, not YAML, or not a mapping as documented.
    """
    path = workspace.mapping_file
    if path is None:
        return None
    name = workspace.settings.events.mapping or ""
    values = parse_yaml(read_text(path, name), name)
    return validate_settings(MappingFile, values, name)


def check_columns(entry: Entry, known: Iterable[str], file: str, mapping: str) -> None:
    """Every column that `entry` reads must be in `known`.

    Raises:
        WorkspaceError: naming each column that the file does not have.
    """
    missing = sorted(entry.columns() - set(known))
    if missing:
        problem = f"{file} has no such column"
        raise WorkspaceError(
            Problem(mapping, 0, column, problem, nearest(column, known))
            for column in missing
        )
