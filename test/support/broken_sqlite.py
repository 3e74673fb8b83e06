"""Bags in sqlite3 files that a crash or a bad disk left incomplete."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from support.bag_files import STRING
from support.split_bags import ALL, TOPIC, split_bag, storage_files, time_of, word


def live_sqlite(folder: Path, journal: str, rows: int = len(ALL), in_log: bool = False) -> Path:
    """A sqlite3 bag as a killed recorder leaves it: the copy of a database that is open for writing.

    Args:
        journal: journal mode, "wal" or "delete".
        rows: number of committed messages; the others are in an open transaction.
        in_log: whether all committed messages are still in the log.
    """
    live = folder / "live" / "talk_0.db3"
    live.parent.mkdir(parents=True)
    bag = folder / "talk"
    bag.mkdir()
    with closing(sqlite3.connect(live, isolation_level=None)) as database:
        database.execute(f"PRAGMA journal_mode={journal}")
        database.execute("PRAGMA cache_size=5")  # an open transaction reaches the disk
        if in_log:
            database.execute("PRAGMA wal_autocheckpoint=0")
        _create_tables(database)
        for number in ALL[:rows]:
            _insert(database, number)
        database.execute("BEGIN")
        for number in ALL[rows:]:
            _insert(database, number)
        for file in live.parent.iterdir():
            shutil.copy(file, bag / file.name)
    return bag


def _create_tables(database: sqlite3.Connection) -> None:
    database.executescript("""
        CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
            serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
        CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
            data BLOB NOT NULL);
        CREATE INDEX timestamp_idx ON messages (timestamp ASC);""")
    database.execute("INSERT INTO topics VALUES(1, ?, ?, 'cdr', '')", (TOPIC, STRING))


def _insert(database: sqlite3.Connection, number: int) -> None:
    database.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES(1, ?, ?)", (time_of(number), word(number)))


def in_log(folder: Path, change: Callable[[Path], object], suffix: str = "") -> Path:
    """A sqlite3 bag with everything in the log, of which the database or another file is changed."""
    bag = live_sqlite(folder, "wal", in_log=True)
    change(bag / f"talk_0.db3{suffix}")
    return bag


def broken_topic(folder: Path) -> Path:
    """A sqlite3 bag with a second topic whose entry is damaged."""
    bag = split_bag(folder, "sqlite3")
    with closing(sqlite3.connect(storage_files(bag)[1])) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(topics)")]
        values = ", ".join("2" if name == "id" else "x'ff'" for name in columns)
        database.execute(f"INSERT INTO topics({', '.join(columns)}) VALUES({values})")
        database.commit()
    return bag


def undefined_topic(folder: Path) -> Path:
    """A sqlite3 bag with messages of a topic whose row is lost."""
    bag = split_bag(folder, "sqlite3")
    with closing(sqlite3.connect(storage_files(bag)[1])) as database:
        database.execute("UPDATE messages SET topic_id = 77 WHERE id > 2")
        database.commit()
    return bag


def stale_log(folder: Path) -> Path:
    """A complete bag with an empty log and a stale index of it."""
    bag = split_bag(folder, "sqlite3")
    file = storage_files(bag)[1]
    file.with_name(file.name + "-wal").write_bytes(b"")
    file.with_name(file.name + "-shm").write_bytes(bytes(32768))
    return bag
