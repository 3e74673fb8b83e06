"""Reading of a sqlite3 storage file row by row, past damaged pages, and with the log of a killed recorder."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat

from face_expr_ros.bags.storage.mcap_channels import ros_type
from face_expr_ros.bags.storage.mcap_chunks import report
from face_expr_ros.bags.storage.sqlite_log import log_damage, log_of
from face_expr_ros.bags.storage.sqlite_overlay import RecoveredDatabase, needs_recovery
from face_expr_ros.bags.storage.sqlite_rows import ERRORS, Rows
from face_expr_ros.bags.storage.stored_file import NO_DEFINITION, TIME_LIMIT, StorageError, Stored, qos_of

SIGNATURE = b"SQLite format 3\0"
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}


class SqliteFile:
    """A sqlite3 file; see `StoredFile`.

    Raises:
        StorageError: it has no table of topics that can be read.
    """

    def __init__(self, path: Path, damage: Sequence[str] = ()) -> None:
        self._recovered: RecoveredDatabase | None = None
        self._damage = list(damage)
        self._lost: set[int] = set()  # rows
        self._known: set[int] = set()  # topics, also of other formats
        self.left_out: dict[str, str] = {}
        try:
            self._database = self._opened(path)
            self._database.pragma("writable_schema", True)  # otherwise SQLite refuses a truncated file
            topics = self._topics(path)
        except ERRORS as error:
            self.close()
            raise StorageError(f"its topics cannot be read: {error}") from error
        self._check_size(path)
        self._rows = Rows(self._database)
        self._ids, self._times, self._channels = array("q"), array("q"), array("q")
        self._find_rows({topic.id for topic in topics})
        counts = Counter(self._channels)
        self.connections = [topic._replace(msgcount=counts[topic.id]) for topic in topics]
        self.message_count = len(self._ids)
        times = [time for time in self._times if time] or list(self._times[:1])
        self.start_ns, self.end_ns = min(times, default=None), max(times, default=None)

    @property
    def damage(self) -> list[str]:
        """See `StoredFile`."""
        lost = self._rows.missing + len(self._lost)
        return [*self._damage, f"{lost} messages are on damaged pages"] if lost else self._damage

    def close(self) -> None:
        """See `StoredFile`."""
        if self._recovered is not None:
            self._recovered.close()
        elif hasattr(self, "_database"):
            self._database.close()

    def messages(
        self, channels: Collection[int], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Stored]:
        """See `StoredFile`."""
        times = np.frombuffer(self._times, np.int64) if self._times else np.zeros(0, np.int64)
        chosen = np.isin(np.frombuffer(self._channels, np.int64), list(channels)) if self._times else times == 1
        if start_ns is not None:
            chosen &= times >= start_ns
        if stop_ns is not None:
            chosen &= times < stop_ns
        indices = np.flatnonzero(chosen)
        for index in indices[np.argsort(times[indices], kind="stable")]:
            data = self._data(self._ids[index])
            if data is None:
                self._lost.add(self._ids[index])
            else:
                yield Stored(self._times[index], self._channels[index], data)

    def _data(self, number: int) -> bytes | None:
        """The content of a row; None if it is on a damaged page."""
        try:
            for (data,) in self._database.execute("SELECT data FROM messages WHERE id = ?", (number,)):
                return bytes(data)
        except (*ERRORS, TypeError):
            pass
        return None

    def _opened(self, path: Path) -> apsw.Connection:
        if needs_recovery(path):
            self._recovered = RecoveredDatabase(path)
            return self._recovered.connection
        address = f"{path.resolve().as_uri()}?immutable=1"
        return apsw.Connection(address, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)

    def _check_size(self, path: Path) -> None:
        """Report a damaged log, or missing pages at the end; the header states their number, see https://sqlite.org/fileformat.html."""
        if self._recovered is not None:
            self._damage += filter(None, [log_damage(log_of(path))])
            return
        with path.open("rb") as file:
            header = file.read(32)
        page = int.from_bytes(header[16:18], "big")
        expected = int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)
        if path.stat().st_size < expected:
            self._damage.append(f"its end is missing: expected {expected} bytes, got {path.stat().st_size}")

    def _topics(self, path: Path) -> list[Connection]:
        columns = {row[1] for row in self._database.execute("PRAGMA table_info(topics)")}
        if "name" not in columns:
            log = log_damage(log_of(path)) if self._recovered is not None else _missing_log(path)
            raise StorageError("; ".join(filter(None, ["expected the tables of a rosbag2 recording", log])))
        optional = [name if name in columns else "''" for name in ("offered_qos_profiles", "type_description_hash")]
        query = f"SELECT id, name, type, serialization_format, {', '.join(optional)} FROM topics ORDER BY id"
        topics = []
        for number, topic, kind, encoding, profiles, digest in self._database.execute(query):
            if not all(isinstance(text, str) for text in (topic, kind, encoding, digest)):
                report(self._damage, f"the entry of topic {number} is damaged")
                continue
            self._known.add(number)
            if encoding != "cdr":
                self.left_out[topic] = f"expected ROS 2 messages (format 'cdr'), got {encoding!r}"
                continue
            extension = ConnectionExtRosbag2(encoding, qos_of(profiles))
            owner: Any = None
            name = ros_type(kind)
            topics.append(Connection(number, topic, name, self._definition(kind), digest, 0, extension, owner))
        return topics

    def _definition(self, kind: str) -> MessageDefinition:
        query = "SELECT encoding, encoded_message_definition FROM message_definitions WHERE topic_type = ?"
        try:
            rows = [(encoding, str(text or "")) for encoding, text in self._database.execute(query, (kind,))]
            found = [row for row in rows if row[0] in _FORMATS and row[1].strip()]
        except ERRORS:  # bags of ROS 2 before Iron lack this table
            found = []
        return MessageDefinition(_FORMATS[found[0][0]], found[0][1]) if found else NO_DEFINITION

    def _find_rows(self, topics: set[int]) -> None:
        """Find all rows of known topics."""
        invalid = unknown = 0
        for number, channel, time_ns in self._rows:
            is_valid = isinstance(time_ns, int) and 0 <= time_ns < TIME_LIMIT
            invalid += not is_valid
            unknown += is_valid and channel not in self._known
            if isinstance(time_ns, int) and is_valid and isinstance(channel, int) and channel in topics:
                self._ids.append(number)
                self._times.append(time_ns)
                self._channels.append(channel)
        if self._rows.end is not None:
            report(self._damage, f"all messages after the row {self._rows.end} are on damaged pages")
        if invalid:
            report(self._damage, f"{invalid} messages have invalid times (expected 1970 to 2038) and are left out")
        if unknown:
            report(self._damage, f"{unknown} messages of undefined topics are left out")


def _missing_log(path: Path) -> str:
    """A hint for a database whose header says that it has a log: all of it may still be there."""
    with path.open("rb") as file:
        versions = file.read(20)[18:20]
    return f"if the recorder was killed, they are in {log_of(path).name}, which is missing" if 2 in versions else ""
