"""The stand-in's file: one of an older version gains what is new and loses nothing; others cannot read it."""

import sqlite3
from pathlib import Path

import pytest

from local.langfuse.store import SCHEMA_VERSION, Store, StoreError, Where


def file_of_version_2(path: Path) -> None:
    Store(str(path)).close()
    with sqlite3.connect(path) as database:
        for table in ("evaluators", "evaluation_rules", "rule_assignments", "evaluations"):
            database.execute(f"DROP TABLE {table}")
        database.execute("ALTER TABLE llm_connections DROP COLUMN secret_key")
        values = "('c', 'p', 'openai', '...6789', NULL, '[]', 1, '[]', 'null', 1, 1)"
        database.execute(f"INSERT INTO llm_connections VALUES {values}")  # noqa: S608 - a literal
        database.execute("PRAGMA user_version = 2")
    database.close()


def test_a_file_of_version_2_keeps_its_connections_and_gains_evaluators(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.db"
    file_of_version_2(path)
    store = Store(str(path))
    row = store.row("SELECT * FROM llm_connections")
    assert row is not None
    assert (row["display_secret_key"], row["secret_key"]) == ("...6789", "")
    assert store.count("evaluations", Where()) == 0
    store.close()
    Store(str(path)).close()


def test_a_file_of_a_version_to_come_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    with pytest.raises(StoreError, match="another"):
        Store(str(path))


def test_nobody_else_reads_the_keys_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.db"
    Store(str(path)).close()
    assert path.stat().st_mode & 0o077 == 0
