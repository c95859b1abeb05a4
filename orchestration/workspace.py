"""The workspace folder: where everything of one business lies, and its settings.

A workspace is a plain folder (documented in docs/workspace.md). This module finds
its paths, reads ``meterhouse.yml`` and writes the starter workspace. Bad input is
always reported as `WorkspaceError` with one `Problem` per mistake.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from orchestration.grain import Grain

SETTINGS_FILE = "meterhouse.yml"
ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$"
STARTER = "starter"

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a workspace.

    `file` is relative to the workspace, `row` the line number inside it (the header
    is line 1; 0 when the mistake is not in one row), `field` the column or key (""
    when there is none), `remedy` says what would be right.
    """

    file: str
    row: int
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = self.file
        if self.row:
            place += f", row {self.row}"
        if self.field:
            place += f", {self.field}"
        return f"{place}: {self.problem}. {self.remedy}".rstrip()


class WorkspaceError(Exception):
    """The workspace is not usable as it stands; nothing was written.

    `messages` holds at least one `Problem`. The command line prints them and exits
    with code 2.
    """

    def __init__(self, messages: Iterable[Problem]) -> None:
        self.messages: list[Problem] = list(messages)
        super().__init__("\n".join(str(message) for message in self.messages))


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean ...?`, or the list of what is known when nothing is near."""
    options = sorted(known)
    close = difflib.get_close_matches(word.lower(), options, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return "Known: " + ", ".join(options) + "."


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Identifier = Annotated[str, Field(pattern=ID_PATTERN)]


ModelName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]


class WorkspaceSettings(_Settings):
    """Who the workspace is; `environment` goes into Stripe metadata."""

    name: str = Field(default="", max_length=200)
    environment: Identifier = "sandbox"


class TableSettings(_Settings):
    """An existing table read instead of event files.

    `duckdb` is the path of a DuckDB file, relative to the workspace or absolute;
    `table` is `table` or `schema.table`; `cursor` names a column that only grows as
    rows are added, so that a run reads only what is new.
    """

    duckdb: str = Field(min_length=1)
    table: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$")
    cursor: str | None = Field(default=None, min_length=1)


class EventsSettings(_Settings):
    """Where usage comes from besides canonical files below DIR/events."""

    mapping: str | None = Field(default=None, min_length=1)
    table: TableSettings | None = None


class StripeAccountSettings(_Settings):
    """`key_env` names the environment variable that holds the account's key."""

    key_env: str = Field(default="STRIPE_API_KEY", pattern=r"^[A-Z_][A-Z0-9_]*$")


class StripeSettings(_Settings):
    accounts: dict[Identifier, StripeAccountSettings] = Field(
        default_factory=lambda: {"default": StripeAccountSettings()}, min_length=1
    )


class SandboxCustomerSettings(_Settings):
    """How the sandbox's customer behaves when an invoice arrives."""

    payment_method: Literal["pm_card_visa", "pm_card_chargeDeclined"] | None = None
    pays_after_days: int | None = Field(default=None, ge=0, le=3650)


class SandboxSettings(_Settings):
    customers: dict[Identifier, SandboxCustomerSettings] = Field(default_factory=dict)


class Settings(_Settings):
    """meterhouse.yml; every key is optional."""

    workspace: WorkspaceSettings = WorkspaceSettings()
    window_days: int = Field(default=34, ge=1, le=3650)
    metering_grain: Grain = "hour"
    currency_default: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    events: EventsSettings = EventsSettings()
    stripe: StripeSettings = StripeSettings()
    sandbox: SandboxSettings = SandboxSettings()
    rate_models: tuple[ModelName, ...] = ()
    metric_models: tuple[ModelName, ...] = ()

    @model_validator(mode="after")
    def _models_once(self) -> Self:
        for key in ("rate_models", "metric_models"):
            names = getattr(self, key)
            if len(set(names)) != len(names):
                raise ValueError(f"{key} names a model twice")
        return self


@dataclass(frozen=True)
class Workspace:
    """A workspace folder and its settings. Making one writes nothing."""

    directory: Path
    settings: Settings = Settings()

    @classmethod
    def load(cls, directory: Path | str) -> Workspace:
        """Read the settings of the folder.

        Raises:
            WorkspaceError: the folder or its catalog is missing, or meterhouse.yml
                is not YAML, holds an unknown key or a value that is not allowed.
        """
        folder = Path(directory).resolve()
        if not folder.is_dir():
            raise WorkspaceError(
                [
                    Problem(
                        str(directory),
                        0,
                        "",
                        "the workspace folder does not exist",
                        f"Make one with: meterhouse init {directory}",
                    )
                ]
            )
        workspace = cls(folder, _read_settings(folder / SETTINGS_FILE))
        if not workspace.catalog.is_dir():
            raise WorkspaceError(
                [
                    Problem(
                        "catalog",
                        0,
                        "",
                        "the folder with the price book is missing",
                        f"Put the catalog's CSV files into {workspace.catalog}.",
                    )
                ]
            )
        return workspace

    @property
    def name(self) -> str:
        return self.settings.workspace.name or self.directory.name

    @property
    def environment(self) -> str:
        return self.settings.workspace.environment

    @property
    def settings_file(self) -> Path:
        return self.directory / SETTINGS_FILE

    @property
    def catalog(self) -> Path:
        return self.directory / "catalog"

    @property
    def events(self) -> Path:
        return self.directory / "events"

    @property
    def models(self) -> Path:
        return self.directory / "models"

    @property
    def warehouse(self) -> Path:
        return self.directory / "warehouse.duckdb"

    @property
    def lake(self) -> Path:
        return self.directory / "lake"

    @property
    def lake_events(self) -> Path:
        return self.lake / "events"

    @property
    def lake_rejects(self) -> Path:
        return self.lake / "rejects"

    @property
    def lake_stripe_objects(self) -> Path:
        return self.lake / "stripe" / "objects"

    @property
    def lake_stripe_events(self) -> Path:
        return self.lake / "stripe" / "events"

    @property
    def operations_file(self) -> Path:
        return self.directory / "operations.sqlite"

    @property
    def stripe_sandbox_file(self) -> Path:
        return self.directory / "stripe_sandbox.sqlite"

    @property
    def internal(self) -> Path:
        return self.directory / ".meterhouse"

    @property
    def ops(self) -> Path:
        return self.internal / "ops"

    @property
    def temporary(self) -> Path:
        return self.internal / "tmp"

    @property
    def locks(self) -> Path:
        return self.internal / "locks"

    @property
    def dbt_target(self) -> Path:
        return self.internal / "target"

    @property
    def logs(self) -> Path:
        return self.internal / "logs"

    @property
    def exports(self) -> Path:
        return self.directory / "exports"

    @property
    def finance(self) -> Path:
        return self.directory / "finance.duckdb"

    @property
    def backups(self) -> Path:
        return self.directory / "backups"

    @property
    def mapping_file(self) -> Path | None:
        """The mapping of foreign event files, or None when there is none."""
        named = self.settings.events.mapping
        return self.directory / named if named else None

    def relative(self, path: Path) -> str:
        """`path` as it is named in messages and in the lake: relative, with "/"."""
        return path.relative_to(self.directory).as_posix()


def parse_yaml(text: str, file: str) -> dict[str, Any]:
    """A YAML mapping; an empty text is an empty mapping.

    Raises:
        WorkspaceError: not YAML, a key twice, or not a mapping.
    """
    try:
        value = yaml.load(text, Loader=_NoDuplicateKeys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        row = mark.line + 1 if mark else 0
        raise WorkspaceError(
            [Problem(file, row, "", str(error.problem), "Write valid YAML.")]
        ) from None
    except yaml.YAMLError as error:
        raise WorkspaceError(
            [Problem(file, 0, "", str(error), "Write valid YAML.")]
        ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WorkspaceError(
            [Problem(file, 1, "", "not a list of keys", "Write 'key: value' lines.")]
        )
    return value


class _NoDuplicateKeys(yaml.SafeLoader):
    """YAML lets the last of two equal keys win silently; here it is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' stands twice", key_node.start_mark
                )
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_text(path: Path, file: str) -> str:
    """UTF-8 text of a small file; a byte order mark is dropped.

    Raises:
        WorkspaceError: missing, unreadable or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        problem, remedy = "the file is missing", f"Create {path}."
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 (byte {error.start})"
        remedy = "Save the file as UTF-8."
    except OSError as error:
        problem, remedy = f"can't be read: {error.strerror}", "Make it readable."
    raise WorkspaceError([Problem(file, 0, "", problem, remedy)])


def validate_settings(model: type[Model], values: Any, file: str) -> Model:
    """`values` as a `model`, with an error per bad key.

    Raises:
        WorkspaceError: an unknown key (with the nearest known one) or a bad value.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise WorkspaceError(
            _settings_problem(model, detail, file)
            for detail in error.errors(include_url=False)
        ) from None


def _read_settings(path: Path) -> Settings:
    if not path.exists():
        return Settings()
    values = parse_yaml(read_text(path, SETTINGS_FILE), SETTINGS_FILE)
    return validate_settings(Settings, values, SETTINGS_FILE)


def _settings_problem(model: type[BaseModel], detail: Any, file: str) -> Problem:
    location = [str(part) for part in detail["loc"] if part != "[key]"]
    field = ".".join(location)
    if detail["type"] == "extra_forbidden":
        remedy = nearest(location[-1], _known_keys(model, location[:-1]))
        return Problem(file, 0, field, f"unknown key '{location[-1]}'", remedy)
    if detail["type"] == "missing":
        return Problem(
            file, 0, field, "the key is missing", f"Add '{location[-1]}: ...'."
        )
    message = detail["msg"].removeprefix("Value error, ")
    shown = detail["input"]
    if isinstance(shown, dict | list):
        return Problem(file, 0, field, message[0].lower() + message[1:], "")
    return Problem(file, 0, field, f"{shown!r} is not allowed", f"{message}.")


def _known_keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The keys allowed at `path`; positions and free names are stepped over."""
    current: set[type[BaseModel]] = {model}
    for part in path:
        inside = {
            found
            for owner in current
            if (info := owner.model_fields.get(part)) is not None
            for found in _models_of(info)
        }
        current = inside or current
    return sorted({name for owner in current for name in owner.model_fields})


def _models_of(info: FieldInfo) -> list[type[BaseModel]]:
    pending: list[Any] = [info.annotation]
    found: list[type[BaseModel]] = []
    while pending:
        annotation = pending.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        pending.extend(getattr(annotation, "__args__", ()))
    return found


def init_workspace(directory: Path | str, *, now: datetime | None = None) -> Workspace:
    """Write a small commented workspace that bills as it stands.

    Its contract starts with the month before `now` and its events happened in the
    two days before `now` (default: the present), so that none is too old to land.

    Raises:
        WorkspaceError: one of the files is there already (nothing is written).
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    folder = Path(directory).resolve()
    files = sorted(_files_below(resources.files("orchestration") / STARTER))
    taken = [name for name, _ in files if (folder / name).exists()]
    if folder.exists() and not folder.is_dir():
        taken = [folder.name]
    if taken:
        raise WorkspaceError(
            Problem(name, 0, "", "exists already", "Choose an empty folder.")
            for name in taken
        )
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_dated(text, moment), encoding="utf-8", newline="\n")
    return Workspace.load(folder)


def _files_below(folder: Traversable, prefix: str = "") -> Iterable[tuple[str, str]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _files_below(entry, f"{name}/")
        else:
            yield name, entry.read_text(encoding="utf-8")


def _dated(text: str, now: datetime) -> str:
    """The starter's placeholders, `{{month}}` and `{{hours_ago N}}`, filled in."""
    month = (now.replace(day=1) - timedelta(days=1)).strftime("%Y-%m-01T00:00:00Z")

    def instant(match: re.Match[str]) -> str:
        then = now - timedelta(hours=int(match[1]))
        return then.strftime("%Y-%m-%dT%H:%M:%SZ")

    return re.sub(r"\{\{hours_ago (\d+)\}\}", instant, text.replace("{{month}}", month))


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
