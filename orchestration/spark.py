"""The second engine: one local Spark session a workspace, for `--target spark`.

dbt-spark (`method: session`) takes whatever session the process has. This module makes
that session first, with warehouse and metastore below DIR/.meterhouse/spark, and says
what Spark cannot ask for itself: which catalog files there are and the lake's columns.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.catalog import declaration
from orchestration.landing import readers
from orchestration.landing.lake import SCHEMA_DAY, SCHEMA_FILE
from orchestration.operations import EXPORTS
from orchestration.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MASTER = "METERHOUSE_SPARK_MASTER"
MEMORY = "METERHOUSE_SPARK_MEMORY"
# Pieces that a join or group-by is cut into (profiles.yml).
PARTITIONS = "METERHOUSE_SPARK_PARTITIONS"
# More options of the JVM, separated by blanks.
JAVA_OPTIONS = "METERHOUSE_SPARK_JAVA_OPTIONS"

# What Spark's tables are made of, by Arrow type of the file they stand on.
_TYPES = {
    pa.string(): "string",
    pa.int64(): "bigint",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
}

_QUIET = """\
rootLogger.level = error
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss}} %p %c{{1}}: %m%n%ex
"""


class SparkMissing(Exception):
    """Spark cannot run here; the text says what to install."""


def missing() -> str | None:
    """What keeps Spark from running here; None when nothing does."""
    for module in ("pyspark", "dbt.adapters.spark"):
        if importlib.util.find_spec(module) is None:
            return "Spark is not installed; pip install 'meterhouse[spark]'"
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") or (home and (Path(home) / "bin" / "java").exists()):
        return None
    return "Spark needs Java 17 or newer, and no java is on the PATH"


_lock = threading.Lock()
_running: tuple[Path, SparkSession] | None = None


def session(workspace: Workspace) -> SparkSession:
    """The session of the workspace; made on first use, one at a time in a process.

    Raises:
        SparkMissing: Java or the extra `spark` is not installed.
    """
    global _running
    with _lock:
        if _running and _running[0] == workspace.directory:
            return _running[1]
        if reason := missing():
            raise SparkMissing(reason)
        _stop()
        spark = _start(workspace)
        _remove_unregistered(spark, warehouse_folder(workspace))
        _running = workspace.directory, spark
        return spark


def rows(workspace: Workspace, query: str) -> list[dict[str, Any]]:
    """Rows as dicts; instants are naive UTC, decimals stay exact."""
    return [
        {name: _naive_utc(value) for name, value in row.asDict().items()}
        for row in session(workspace).sql(query).collect()
    ]


def rows_or_none(workspace: Workspace, query: str) -> list[dict[str, Any]] | None:
    """Like `rows`; None while a table is not there yet."""
    from pyspark.errors import AnalysisException

    try:
        return rows(workspace, query)
    except AnalysisException as error:
        if error.getCondition() in ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND"):
            return None
        raise


def _naive_utc(value: Any) -> Any:
    # pyspark gives instants in the zone of this process, without saying so.
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def stop() -> None:
    """End the session and its JVM, if there is one; the metastore is free again."""
    with _lock:
        _stop()


def warehouse_folder(workspace: Workspace) -> Path:
    """Where Spark keeps what dbt builds: <schema>.db/<table>/*.parquet."""
    return workspace.internal / "spark" / "warehouse"


def variables(workspace: Workspace) -> dict[str, Any]:
    """dbt vars of the spark target (macros/mounts.sql)."""
    return {
        "catalog_tables": {
            table.name: _header(workspace.catalog / f"{table.name}.csv")
            for table in declaration()
        },
        "parquet_columns": _parquet_columns(workspace),
    }


def _start(workspace: Workspace) -> SparkSession:
    # pandas is not used here; the warning would stand in every run's output.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    folder = workspace.internal / "spark"
    folder.mkdir(parents=True, exist_ok=True)
    workspace.logs.mkdir(parents=True, exist_ok=True)
    workspace.temporary.mkdir(parents=True, exist_ok=True)
    log_settings = folder / "log4j2.properties"
    log_settings.write_text(_QUIET.format(log=workspace.logs / "spark.log"))
    java = {
        "user.timezone": "UTC",
        "java.io.tmpdir": workspace.temporary,
        "derby.stream.error.file": workspace.logs / "derby.log",
        "log4j2.configurationFile": log_settings,
    }
    conf = SparkConf().setAll(
        [
            ("spark.app.name", "meterhouse"),
            ("spark.master", os.environ.get(MASTER, "local[2]")),
            ("spark.driver.memory", os.environ.get(MEMORY, "2g")),
            # The name of the machine may not resolve, and nobody else needs to call.
            ("spark.driver.host", "127.0.0.1"),
            ("spark.driver.bindAddress", "127.0.0.1"),
            ("spark.ui.enabled", "false"),
            ("spark.ui.showConsoleProgress", "false"),
            ("spark.local.dir", str(workspace.temporary)),
            (
                "spark.driver.extraJavaOptions",
                " ".join(
                    [
                        *(f'"-D{name}={value}"' for name, value in java.items()),
                        os.environ.get(JAVA_OPTIONS, ""),
                    ]
                ),
            ),
            ("spark.sql.catalogImplementation", "hive"),
            ("spark.sql.warehouse.dir", str(warehouse_folder(workspace))),
            (
                "spark.hadoop.javax.jdo.option.ConnectionURL",
                f"jdbc:derby:;databaseName={folder / 'metastore'};create=true",
            ),
            ("spark.hadoop.hive.exec.scratchdir", str(workspace.temporary / "hive")),
            # A column's description over 256 characters is refused and kept as Spark's
            # own property; Hive would try again for 20 seconds first.
            ("spark.hadoop.hive.hmshandler.retry.interval", "1ms"),
            # The lake's days are found in the folder, not registered one by one.
            ("spark.sql.hive.manageFilesourcePartitions", "false"),
        ]
    )
    with (workspace.logs / "spark.log").open("ab") as log:
        gateway = launch_gateway(conf, popen_kwargs={"stderr": log})
    SparkContext(conf=conf, gateway=gateway)
    return SparkSession.builder.getOrCreate()


def _stop() -> None:
    global _running
    if _running is None:
        return
    from pyspark import SparkContext

    _running[1].stop()
    _running = None
    gateway = SparkContext._gateway
    SparkContext._gateway = SparkContext._jvm = None
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)


def _remove_unregistered(spark: SparkSession, warehouse: Path) -> None:
    """Remove folders of tables that a killed run began and never registered: Spark
    refuses to make a table where files lie. The books are never touched."""
    for schema in sorted(warehouse.glob("*.db")):
        name = schema.stem
        if name == "books" or not spark.catalog.databaseExists(name):
            continue
        known = {row.tableName for row in spark.sql(f"show tables in {name}").collect()}
        for table in schema.iterdir():
            if table.name not in known:
                shutil.rmtree(table)


def _header(path: Path) -> list[str]:
    """Column names of a CSV file; none when the file is not there or empty."""
    if not path.exists() or not path.stat().st_size:
        return []
    return readers.csv_header(path, ",")


def _parquet_columns(workspace: Workspace) -> dict[str, str]:
    lake = {
        "lake.events": workspace.lake_events / SCHEMA_DAY,
        "lake.rejects": workspace.lake_rejects,
        "lake.stripe_objects": workspace.lake_stripe_objects,
        "lake.stripe_events": workspace.lake_stripe_events,
    }
    schemas = {
        relation: pq.read_schema(folder / SCHEMA_FILE)
        for relation, folder in lake.items()
        if (folder / SCHEMA_FILE).exists()
    } | {f"ops.{name}": schema for name, schema in EXPORTS.items()}
    return {
        relation: ", ".join(f"`{f.name}` {_TYPES[f.type]}" for f in schema)
        for relation, schema in schemas.items()
    }
