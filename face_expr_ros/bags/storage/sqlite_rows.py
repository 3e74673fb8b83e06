"""The rows of the messages of a sqlite3 file that can be found, past damaged pages."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

ERRORS = (apsw.Error, UnicodeDecodeError)
_NEAR = 1000  # rows that are tried one by one: more than one page has
_LAST = 2**62  # larger row numbers do not occur


class Rows:
    """Iterates over row number, topic and time of all messages in the order of writing.

    Attributes:
        missing: number of rows on damaged pages so far.
        end: the number of the last row that was found if those after it are on damaged pages; otherwise None.
    """

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database
        self.missing = 0
        self.end: int | None = None

    def __iter__(self) -> Iterator[tuple[int, object, object]]:
        following = -(2**63)
        while True:
            try:
                for number, topic, time_ns in self._from(following):
                    if number < following:  # in a damaged tree; the search would not end
                        raise apsw.CorruptError(f"expected a row from {following}, got {number}")
                    following = number + 1
                    yield number, topic, time_ns
                return
            except ERRORS:
                following = max(following, 1)
            found = self._next_readable(following)
            if found is None:
                self.end = following - 1
                return
            self.missing += found - following
            following = found

    def _from(self, number: int) -> Iterator[tuple[int, object, object]]:
        query = "SELECT id, topic_id, timestamp FROM messages WHERE id >= ? ORDER BY id"
        return iter(self._database.execute(query, (number,)))

    def _next_readable(self, start: int) -> int | None:
        """The first number from ``start`` on from which rows can be read: near ones one by one, others by bisection."""
        for number in range(start, start + _NEAR):
            if self._is_readable(number):
                return number
        low, step = start + _NEAR - 1, _NEAR
        while not self._is_readable(low + step):
            low, step = low + step, 2 * step
            if low + step > _LAST:
                return None
        high = low + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._is_readable(middle) else (middle, high)
        return high

    def _is_readable(self, number: int) -> bool:
        try:
            first = next(self._from(number), None)
        except ERRORS:
            return False
        return first is None or first[0] >= number
