"""The workspace folder: settings, the starter, its documentation, its store."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text
from staging_helpers import AS_OF, ROOT, landed, starter, tree_digest

from orchestration.catalog import check_catalog, describe
from orchestration.landing import land
from orchestration.operations import EXPORTS, Operations, export_to_parquet
from orchestration.workspace import Settings, Workspace, WorkspaceError, init_workspace

DOCUMENT = ROOT / "docs" / "workspace.md"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return starter(tmp_path / "company")


def test_the_starter_passes_and_lands_all_its_events(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    workspace = init_workspace(tmp_path / "new" / "company", now=now)
    assert check_catalog(workspace) == []
    summary = land(workspace, as_of=now)
    assert (summary.rows_landed, summary.rows_rejected) == (4, 0)
    metered = {row["event_type"] for row in landed(workspace)}
    assert metered == {"completion"}


@pytest.mark.parametrize("day", [1, 15, 30])
def test_the_starters_contract_runs_before_its_events(tmp_path: Path, day: int) -> None:
    now = datetime(2026, 11, day, 0, 30, tzinfo=UTC)
    workspace = init_workspace(tmp_path / "company", now=now)
    contracts = (workspace.catalog / "contracts.csv").read_text()
    assert "2026-10-01T00:00:00Z" in contracts
    land(workspace, as_of=now)
    assert min(row["event_at"] for row in landed(workspace)) >= datetime(2026, 10, 1)


def test_init_overwrites_nothing(workspace: Workspace) -> None:
    before = tree_digest(workspace.directory)
    with pytest.raises(WorkspaceError, match="catalog/rates.csv: exists already"):
        init_workspace(workspace.directory)
    assert tree_digest(workspace.directory) == before


SETTINGS = [
    ("window_dys: 3", "window_dys", "Did you mean 'window_days'?"),
    ("workspace: {nam: x}", "workspace.nam", "Did you mean 'name'?"),
    (
        "stripe: {accounts: {default: {key_emv: X}}}",
        "stripe.accounts.default.key_emv",
        "Did you mean 'key_env'?",
    ),
    ("events: {table: {duckdb: x}}", "events.table.table", "Add 'table: ...'."),
    ("window_days: many", "window_days", "valid integer"),
    ("window_days: 0", "window_days", "greater than or equal to 1"),
    ("metering_grain: week", "metering_grain", "'15 minutes'"),
    ("rate_models: [a, a]", "", ""),
    (
        "sandbox: {customers: {acme: {payment_method: cash}}}",
        "sandbox.customers.acme.payment_method",
        "pm_card_visa",
    ),
    ("a: b: c", "", "valid YAML"),
    ("window_days: 1\nwindow_days: 2", "", "valid YAML"),
    ("- a", "", "key: value"),
]


@pytest.mark.parametrize(("content", "field", "remedy"), SETTINGS)
def test_settings_mistakes_name_the_key(
    workspace: Workspace, content: str, field: str, remedy: str
) -> None:
    workspace.settings_file.write_text(content)
    before = tree_digest(workspace.directory)
    with pytest.raises(WorkspaceError) as caught:
        Workspace.load(workspace.directory)
    (problem,) = caught.value.messages
    assert (problem.file, problem.field) == ("meterhouse.yml", field)
    assert remedy in problem.remedy
    assert str(problem).startswith("meterhouse.yml")
    assert tree_digest(workspace.directory) == before


def test_settings_are_optional(workspace: Workspace) -> None:
    workspace.settings_file.unlink()
    loaded = Workspace.load(workspace.directory)
    assert loaded.settings == Settings()
    assert (loaded.name, loaded.settings.window_days) == ("company", 34)


def test_a_missing_folder_and_a_missing_catalog(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="meterhouse init"):
        Workspace.load(tmp_path / "nowhere")
    with pytest.raises(WorkspaceError, match="price book is missing"):
        Workspace.load(tmp_path)


def test_the_document_shows_the_declaration() -> None:
    document = DOCUMENT.read_text()
    pattern = r"_catalog__sources.yml -->\n(.*)<!-- catalog: end"
    shown = re.search(pattern, document, re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == describe().strip()


def test_the_document_names_every_setting() -> None:
    document = DOCUMENT.read_text()
    keys = set(re.findall(r"^\| `([a-z_.<>]+)` \|", document, re.MULTILINE))

    def leaves(model: type, prefix: str) -> set[str]:
        found: set[str] = set()
        for name, info in model.model_fields.items():  # type: ignore[attr-defined]
            kinds = [info.annotation, *getattr(info.annotation, "__args__", ())]
            inner = [k for k in kinds if hasattr(k, "model_fields")]
            is_dict = "dict" in str(info.annotation)
            middle = {"accounts": "<alias>.", "customers": "<customer_id>."}
            if inner:
                more = middle[name] if is_dict else ""
                found |= leaves(inner[0], f"{prefix}{name}.{more}")
            else:
                found.add(prefix + name)
        return found

    settings = leaves(Settings, "")
    assert settings == keys & settings
    assert len(settings) == 14


def test_every_reject_reason_is_documented() -> None:
    from orchestration.landing.usage_keys import UsageKeys
    from orchestration.landing.validate import Limits, _checks

    keys = UsageKeys(("tokens",), (("tokens", None, ()),))
    reasons = {check[2] for check in _checks(True, keys, Limits.of(AS_OF, 34, False))}
    document = DOCUMENT.read_text()
    assert {reason for reason in reasons if f"`{reason}`" not in document} == set()
    assert len(reasons) == 12


# --- the operations store ---------------------------------------------------------


def test_instructions_keep_who_why_and_what_was(workspace: Workspace) -> None:
    operations = Operations.open(workspace)
    decision = {
        "kind": "hold",
        "target_type": "invoice",
        "target_id": "inv-1",
        "actor": "ada",
        "reason": "disputed usage",
        "created_at": AS_OF,
        "before": {"status": "draft"},
        "after": {"status": "held"},
    }
    first = operations.add_instruction(**decision)
    assert operations.add_instruction(**decision) == first
    second = operations.add_instruction(
        **decision | {"kind": "release", "created_at": AS_OF + timedelta(hours=1)}
    )
    rows = operations.instructions(target_id="inv-1")
    assert [row["instruction_id"] for row in rows] == [first, second]
    assert [row["kind"] for row in operations.instructions(kind="hold")] == ["hold"]
    assert rows[0]["payload"]["before"] == {"status": "draft"}
    assert rows[0]["created_at"] == rows[0]["effective_at"] == AS_OF
    for missing in ({"actor": " "}, {"reason": ""}):
        with pytest.raises(ValueError, match="needs its"):
            operations.add_instruction(**decision | missing)
    with pytest.raises(ValueError, match="time zone"):
        operations.add_instruction(
            **decision | {"created_at": AS_OF.replace(tzinfo=None)}
        )
    # Held again at the very instant of the release: a decision of its own, the last.
    third = operations.add_instruction(
        **decision | {"created_at": AS_OF + timedelta(hours=1)}
    )
    numbered = operations.instructions(target_id="inv-1")
    assert [row["instruction_id"] for row in numbered] == [first, second, third]
    operations.close()


def test_stripe_customers_are_remembered_per_account(workspace: Workspace) -> None:
    operations = Operations.open(workspace)
    for account, stripe_id in (("default", "cus_1"), ("eu", "cus_2"), ("eu", "cus_3")):
        operations.set_stripe_customer(
            account=account, customer_id="acme", stripe_customer_id=stripe_id
        )
    assert operations.stripe_customers("default") == {"acme": "cus_1"}
    assert operations.stripe_customers("eu") == {"acme": "cus_3"}
    operations.close()


def test_an_empty_store_exports_every_column(workspace: Workspace) -> None:
    paths = export_to_parquet(workspace)
    assert set(paths) == {
        "landing_files",
        "instructions",
        "stripe_customers",
        "publish_journal",
    }
    for name, path in paths.items():
        table = pq.read_table(path)
        assert table.num_rows == 0
        assert table.schema.equals(EXPORTS[name])
    assert sorted(p.name for p in workspace.ops.iterdir()) == sorted(
        f"{name}.parquet" for name in EXPORTS
    )


def test_what_is_stored_is_exported(workspace: Workspace) -> None:
    operations = Operations.open(workspace)
    operations.add_instruction(
        kind="hold",
        target_type="invoice",
        target_id="inv-1",
        actor="ada",
        reason="check",
        created_at=AS_OF,
        before={"b": 1, "a": None},
    )
    operations.set_stripe_customer(
        account="default", customer_id="acme", stripe_customer_id="cus_1"
    )
    with operations.engine.begin() as connection:
        # The publisher's own table; only the columns of the contract leave it.
        connection.execute(
            text(
                "create table publish_journal (account text, invoice_id text, "
                "state text, subtotal_minor bigint, first_try_at datetime, "
                "extra text, primary key (account, invoice_id))"
            )
        )
        connection.execute(
            text(
                "insert into publish_journal values ('default', 'inv-1', 'intent', "
                "1250, '2026-11-20 12:00:00.000000', 'x')"
            )
        )
    operations.close()
    (workspace.events / "a.ndjson").write_text("nonsense\n")
    land(workspace, as_of=AS_OF)
    paths = export_to_parquet(workspace)

    moment = AS_OF.replace(tzinfo=None)
    (instruction,) = pq.read_table(paths["instructions"]).to_pylist()
    assert json.loads(instruction["payload"]) == {
        "before": {"a": None, "b": 1},
        "after": {},
        "details": {},
    }
    assert instruction["created_at"] == moment
    (journal,) = pq.read_table(paths["publish_journal"]).to_pylist()
    assert journal["subtotal_minor"] == 1250 and journal["first_try_at"] == moment
    assert journal["stripe_invoice_id"] is None and "extra" not in journal
    (landing,) = pq.read_table(paths["landing_files"]).to_pylist()
    assert (landing["rows_read"], landing["rows_rejected"]) == (1, 1)
    assert landing["landed_at"] == moment and landing["min_event_date"] is None
    (customer,) = pq.read_table(paths["stripe_customers"]).to_pylist()
    assert customer["stripe_customer_id"] == "cus_1"
    assert date(2026, 11, 20) == landing["landed_at"].date()


def test_the_store_may_lie_elsewhere(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite"
    monkeypatch.setenv("METERHOUSE_OPERATIONS_URL", f"sqlite:///{elsewhere}")
    (workspace.events / "a.ndjson").write_text("nonsense\n")
    assert land(workspace, as_of=AS_OF).rows_rejected == 1
    assert land(workspace, as_of=AS_OF).files == 0
    assert elsewhere.exists() and not workspace.operations_file.exists()
