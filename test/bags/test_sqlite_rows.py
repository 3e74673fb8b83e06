"""The search for rows past damaged pages of a sqlite3 file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from face_expr_ros.bags.storage.sqlite_rows import Rows

COUNT = 40_000


class FakeTable:
    """A database whose rows are on damaged pages, except in some ranges.

    Attributes:
        queries: their number.
    """

    def __init__(self, *readable: range) -> None:
        self._readable = readable
        self.queries = 0

    def execute(self, _: str, values: tuple[int]) -> Any:
        self.queries += 1
        return self._rows(max(values[0], 1))

    def _rows(self, number: int) -> Any:
        while any(number in part for part in self._readable):
            yield number, 1, number
            number += 1
        raise apsw.CorruptError("database disk image is malformed")


def read(database: Any) -> tuple[Rows, list[int]]:
    rows = Rows(database)
    return rows, [number for number, _, _ in rows]


def test_rows_on_both_sides_of_the_damage_are_found(tmp_path: Path) -> None:
    path = tmp_path / "talk.db3"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER)")
        database.executemany(
            "INSERT INTO messages VALUES(?, 1, ?)", ((number, number) for number in range(1, COUNT + 1))
        )
        database.commit()
    data = bytearray(path.read_bytes())
    place = len(data) // 8192 * 4096
    data[place : place + 30 * 4096] = bytes(30 * 4096)  # more than the 1000 rows that are tried one by one
    path.write_bytes(data)
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)
    rows, found = read(connection)
    connection.close()
    assert (found[0], found[-1], rows.end) == (1, COUNT, None)
    assert rows.missing > 5000
    assert rows.missing + len(found) == COUNT


def test_a_damaged_table_takes_few_queries() -> None:
    table = FakeTable(range(1, 11))
    rows, found = read(table)
    assert (found, rows.end) == (list(range(1, 11)), 10)
    assert table.queries < 2000


def test_near_rows_are_found_one_by_one() -> None:
    rows, found = read(FakeTable(range(1, 3), range(5, 6), range(300, 302)))
    assert (found, rows.missing, rows.end) == ([1, 2, 5, 300, 301], 2 + 294, 301)


def test_rows_that_go_back_are_read_once() -> None:
    class Cyclic(FakeTable):
        def _rows(self, number: int) -> Any:
            yield from [(row, 1, 1) for row in (*range(number, min(number + 5, 101)), *(1, 2) * (number <= 100))]

    rows, found = read(Cyclic())
    assert (found, rows.missing, rows.end) == (list(range(1, 101)), 0, None)
