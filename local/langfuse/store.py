"""One SQLite file -> rows. Durable across a kill: every statement is committed to the write-ahead log at once."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from local.langfuse.clock import Clock

SCHEMA_VERSION = 3

_SCHEMA = """
CREATE TABLE datasets (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT, metadata TEXT NOT NULL,
  input_schema TEXT NOT NULL, expected_output_schema TEXT NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE TABLE dataset_item_versions (
  seq INTEGER PRIMARY KEY, item_id TEXT NOT NULL, dataset_id TEXT NOT NULL, valid_from_us INTEGER NOT NULL,
  deleted INTEGER NOT NULL, status TEXT NOT NULL, source_trace_id TEXT, source_observation_id TEXT,
  input TEXT NOT NULL, expected_output TEXT NOT NULL, metadata TEXT NOT NULL);
CREATE INDEX versions_by_item ON dataset_item_versions (item_id, seq);
CREATE INDEX versions_by_dataset ON dataset_item_versions (dataset_id, item_id, seq);
CREATE INDEX versions_by_source ON dataset_item_versions (source_trace_id);
CREATE TABLE score_configs (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, data_type TEXT NOT NULL, min_value REAL, max_value REAL,
  categories TEXT NOT NULL, description TEXT, is_archived INTEGER NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE TABLE queues (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT, score_config_ids TEXT NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE TABLE queue_items (
  id TEXT PRIMARY KEY, queue_id TEXT NOT NULL, object_id TEXT NOT NULL, object_type TEXT NOT NULL,
  status TEXT NOT NULL, completed_us INTEGER, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE INDEX queue_items_by_queue ON queue_items (queue_id, created_us);
CREATE TABLE assignments (queue_id TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (queue_id, user_id));
CREATE TABLE comments (
  id TEXT PRIMARY KEY, object_type TEXT NOT NULL, object_id TEXT NOT NULL, content TEXT NOT NULL,
  author_user_id TEXT, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE TABLE scores (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, data_type TEXT NOT NULL, number REAL, text TEXT,
  trace_id TEXT, observation_id TEXT, session_id TEXT, run_id TEXT, source TEXT NOT NULL, environment TEXT NOT NULL,
  config_id TEXT, queue_id TEXT, author_user_id TEXT, comment TEXT, metadata TEXT NOT NULL,
  timestamp_us INTEGER NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,
  visible_us INTEGER NOT NULL, gone_us INTEGER);
CREATE INDEX scores_by_trace ON scores (trace_id, timestamp_us);
CREATE INDEX scores_by_run ON scores (run_id, timestamp_us);
CREATE INDEX scores_by_time ON scores (timestamp_us);
CREATE TABLE observations (
  trace_id TEXT NOT NULL, id TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, parent_id TEXT,
  is_root INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL, environment TEXT NOT NULL,
  user_id TEXT NOT NULL, session_id TEXT NOT NULL, version TEXT NOT NULL, experiment_id TEXT, experiment_name TEXT,
  experiment_dataset_id TEXT, experiment_item_id TEXT, experiment_root_id TEXT, document TEXT NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, visible_us INTEGER NOT NULL, PRIMARY KEY (trace_id, id));
CREATE INDEX observations_by_time ON observations (start_us);
CREATE INDEX observations_by_id ON observations (id);
CREATE INDEX observations_by_experiment ON observations (experiment_id) WHERE experiment_id IS NOT NULL;
CREATE TABLE prompts (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL, prompt TEXT NOT NULL,
  config TEXT NOT NULL, tags TEXT NOT NULL, labels TEXT NOT NULL, commit_message TEXT,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, UNIQUE (name, version));
"""
# What version 2 has beside that.
_SINCE_2 = """
CREATE TABLE llm_connections (
  id TEXT PRIMARY KEY, provider TEXT NOT NULL UNIQUE, adapter TEXT NOT NULL, display_secret_key TEXT NOT NULL,
  base_url TEXT, custom_models TEXT NOT NULL, with_default_models INTEGER NOT NULL, extra_header_keys TEXT NOT NULL,
  config TEXT NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
"""
# What version 3 has beside that.
_SINCE_3 = """
ALTER TABLE llm_connections ADD COLUMN secret_key TEXT NOT NULL DEFAULT '';
CREATE TABLE evaluators (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, definition TEXT NOT NULL,
  created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE TABLE evaluation_rules (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, target TEXT NOT NULL, enabled INTEGER NOT NULL, sampling REAL NOT NULL,
  filter TEXT NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);
CREATE TABLE rule_assignments (
  rule_id TEXT NOT NULL, position INTEGER NOT NULL, evaluator_id TEXT NOT NULL, mapping TEXT NOT NULL,
  PRIMARY KEY (rule_id, position));
CREATE TABLE evaluations (
  id TEXT PRIMARY KEY, rule_id TEXT NOT NULL, evaluator_id TEXT NOT NULL, trace_id TEXT NOT NULL,
  observation_id TEXT NOT NULL, status TEXT NOT NULL, error TEXT, due_us INTEGER NOT NULL, ended_us INTEGER);
CREATE INDEX evaluations_by_status ON evaluations (status, due_us);
"""
# What a file of an older version lacks, by its version; it gains that and loses nothing.
_MISSING = {0: _SCHEMA + _SINCE_2 + _SINCE_3, 1: _SINCE_2 + _SINCE_3, 2: _SINCE_3}


class StoreError(Exception):
    """The file cannot be used: the message says why and what to do."""


class Where:
    """Conditions joined by AND, with their parameters."""

    def __init__(self, *conditions: str) -> None:
        self.conditions = list(conditions)
        self.parameters: list[Any] = []

    def add(self, condition: str, *parameters: Any) -> None:
        self.conditions.append(condition)
        self.parameters.extend(parameters)

    def equal(self, column: str, value: Any) -> None:
        """Nothing when the value is None."""
        if value is not None:
            self.add(f"{column} = ?", value)

    def among(self, column: str, values: Sequence[Any] | None) -> None:
        """Nothing when None; no row at all when empty."""
        if values is not None:
            self.add(f"{column} IN ({', '.join('?' * len(values))})", *values)

    def between(self, column: str, low: int | None, high: int | None) -> None:
        """`low` inclusive, `high` exclusive."""
        if low is not None:
            self.add(f"{column} >= ?", low)
        if high is not None:
            self.add(f"{column} < ?", high)

    def __str__(self) -> str:
        return " WHERE " + " AND ".join(self.conditions) if self.conditions else ""


class Store:
    """All of one project. Calls are short and come from one thread, the server's event loop."""

    def __init__(self, path: str) -> None:
        """Open or create the file.

        Raises:
            StoreError: no such folder, not a stand-in's file, written by another version, or open elsewhere.
        """
        self.clock = Clock()
        try:
            if path != ":memory:":
                with suppress(OSError):  # SQLite says better what is wrong
                    Path(path).touch(mode=0o600)  # it holds keys of LLM connections
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2)
            self._db.row_factory = sqlite3.Row
            self._prepare(path)
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot use {path!r} as the stand-in's database: {error}. "
                "Name another file with --db, or stop the stand-in that has this one open."
            ) from error

    def _prepare(self, path: str) -> None:
        # One process a file: a second one would answer from stale caches. Also spares a shared-memory file.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing; only a power cut could lose the last moments.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA temp_store = MEMORY")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found in _MISSING and (found or not tables):
            self._db.executescript(f"BEGIN; {_MISSING[found]} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif found != SCHEMA_VERSION:
            raise StoreError(
                f"{path!r} was not written by this version of the stand-in (schema {found}, expected "
                f"{SCHEMA_VERSION}). Delete the file or name another one with --db."
            )

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All statements inside, or none of them."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def run(self, sql: str, *parameters: Any) -> int:
        """Execute one statement; the number of rows it changed."""
        return self._db.execute(sql, parameters).rowcount

    def rows(self, sql: str, *parameters: Any) -> Iterator[sqlite3.Row]:
        return self._db.execute(sql, parameters)

    def row(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(sql, parameters).fetchone()
        return found

    def select(self, source: str, where: Where, order: str, limit: int = -1, offset: int = 0) -> Iterator[sqlite3.Row]:
        """Rows of a table (or a sub-select of ours); `limit` -1 means all."""
        # Names and conditions are literals of this package; every value is a parameter.
        sql = f"SELECT * FROM {source}{where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
        return self.rows(sql, *where.parameters, limit, min(offset, 2**62))

    def count(self, source: str, where: Where) -> int:
        found = self.row(f"SELECT count(*) FROM {source}{where}", *where.parameters)  # noqa: S608 - as above
        return int(found[0]) if found else 0

    def insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ", ".join("?" * len(values))
        self.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values())  # noqa: S608 - as above

    def update(self, table: str, where: Where, values: dict[str, Any]) -> int:
        changes = ", ".join(f"{column} = ?" for column in values)
        sql = f"UPDATE {table} SET {changes}{where}"  # noqa: S608 - as above
        return self.run(sql, *values.values(), *where.parameters)
