"""Reading of truncated storage files, left by a killed recorder or a full disk.

The index of an mcap file is at its end; without it the file is read record by record. A sqlite3 file is read row by
row, in the order of writing, until a page is missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2.errors import ReaderError
from rosbags.rosbag2.metadata import parse_qos
from rosbags.rosbag2.storage_mcap import McapReader, decompress, deserialize_qqqi, read_exact, read_string

_MAGIC = b"\x89MCAP0\r\n"
_CHUNK, _DATA_END = 0x06, 0x0F
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}

Row = tuple[Connection, int, bytes]


def open_damaged(file: Path) -> Any:
    """A reader of the valid part of a file, as a context manager.

    Raises:
        ReaderError, sqlite3.DatabaseError: the beginning of the file is invalid.
    """
    return DamagedMcap(file) if file.suffix == ".mcap" else DamagedSqlite(file)


class DamagedMcap(McapReader):
    """The valid records from the beginning of an mcap file.

    Attributes:
        damage: the reason why reading stops.
    """

    metadata: Any

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.path = file
        self.damage = ""
        self.open()

    def __enter__(self) -> DamagedMcap:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    @property
    def message_count(self) -> int:
        """Number of messages in the valid part."""
        return int(self.metadata.message_count)

    @property
    def start_time(self) -> int:
        """Time of the first message, nanoseconds since 1970."""
        return int(self.metadata.start_time)

    @property
    def end_time(self) -> int:
        """Just after the last message, nanoseconds since 1970."""
        return int(self.metadata.end_time)

    def messages(
        self, connections: Collection[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[Row]:
        """Messages in file order; there is no index to sort by."""
        return self.messages_scan(connections, start, stop)

    def _open(self) -> None:
        assert self.bio is not None
        if self.bio.read(len(_MAGIC)) != _MAGIC:
            raise ReaderError(f"{str(self.path)!r} does not start with the signature of an mcap file")
        self.data_start = len(_MAGIC)
        self.data_end = self._find_valid_end(self.bio)
        self.meta_scan()
        assert self.statistics is not None
        found = self.statistics
        self.metadata = self.metadata._replace(
            message_count=found.message_count, start_time=found.start_time, end_time=found.end_time + 1
        )

    def _find_valid_end(self, file: BinaryIO) -> int:
        """The end of the last complete record, as an offset in bytes."""
        while True:
            offset = file.tell()
            try:
                opcode, size = read_exact(file, 1)[0], int.from_bytes(read_exact(file, 8), "little")
                if opcode == _DATA_END:
                    return offset
                _check_record(file, opcode, size)
            except Exception as error:  # decompressors raise errors of their own
                self.damage = f"the records are complete up to byte {offset}: {error}"
                return offset


def _check_record(file: BinaryIO, opcode: int, size: int) -> None:
    """Skip a record. Raises an error if it is incomplete, or if the checksum of a chunk is wrong."""
    start = file.tell()
    if opcode == _CHUNK:
        _, _, length, checksum = deserialize_qqqi(read_exact(file, 28))
        compression = read_string(file)
        decompress(read_exact(file, int.from_bytes(read_exact(file, 8), "little")), compression, length, checksum)
    file.seek(0, 2)
    if start + size > file.tell():
        raise ReaderError(f"expected a record of {size} bytes, got {file.tell() - start}")
    file.seek(start + size)


class DamagedSqlite:
    """The rows of a sqlite3 bag up to the first missing page.

    Attributes:
        damage: the reason why reading stops.
        connections: the topics of the bag.
    """

    def __init__(self, file: Path) -> None:
        self.damage = ""
        self._database = sqlite3.connect(f"{file.resolve().as_uri()}?immutable=1", uri=True, check_same_thread=False)
        self._database.execute("PRAGMA writable_schema = ON")  # otherwise SQLite refuses a truncated file
        self._topics = {row[0]: self._connection(*row) for row in self._rows(_TOPICS)}
        self.connections = list(self._topics.values())
        times = [time_ns for _, time_ns in self._valid_rows("topic_id, timestamp")]
        self.message_count = len(times)
        self.start_time: int = min(times, default=0)
        self.end_time: int = max(times, default=-1) + 1

    def __enter__(self) -> DamagedSqlite:
        return self

    def __exit__(self, *problem: object) -> None:
        self._database.close()

    def messages(
        self, connections: Collection[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[Row]:
        """Messages in the order of writing."""
        selected = {connection.id for connection in connections}
        for topic, time_ns, data in self._valid_rows("topic_id, timestamp, data"):
            if topic in selected and (start is None or start <= time_ns) and (stop is None or time_ns < stop):
                yield self._topics[topic], time_ns, data

    def _valid_rows(self, columns: str) -> Iterator[Any]:
        try:
            yield from self._rows(f"SELECT {columns} FROM messages ORDER BY id")
        except sqlite3.DatabaseError as error:
            self.damage = str(error)

    def _rows(self, query: str) -> Iterator[Any]:
        return iter(self._database.execute(query))

    def _connection(self, number: int, topic: str, kind: str, serialization: str, profiles: str) -> Connection:
        extension = ConnectionExtRosbag2(serialization, parse_qos(profiles))
        return Connection(number, topic, kind, self._definition(kind), "", 0, extension, self)

    def _definition(self, kind: str) -> MessageDefinition:
        try:
            found = list(self._database.execute(_DEFINITION, (kind,)))
        except sqlite3.DatabaseError:  # bags of ROS 2 before Iron lack this table
            found = []
        return MessageDefinition(_FORMATS[found[0][0]], found[0][1]) if found else _NO_DEFINITION


_TOPICS = "SELECT id, name, type, serialization_format, offered_qos_profiles FROM topics ORDER BY id"
_DEFINITION = "SELECT encoding, encoded_message_definition FROM message_definitions WHERE topic_type = ?"
_NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")
