"""Reading of rosbag2 bags: folders and single .mcap or .db3 files, also compressed or damaged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from rosbags.interfaces import Connection, QosDurability
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.errors import ReaderError

from face_expr_ros.bags import BagError
from face_expr_ros.bags.damaged import open_damaged
from face_expr_ros.bags.messages import TF

SUFFIXES = (".mcap", ".db3")


class Message(NamedTuple):
    """One message of a bag.

    Attributes:
        connection: topic and type.
        time_ns: recording time, nanoseconds since 1970.
        data: the serialized message as published.
    """

    connection: Connection
    time_ns: int
    data: bytes


class Recording:
    """A bag open for reading, up to its end or to the first damage.

    Attributes:
        path: the folder or file.
        connections: the topics.
        start_ns, end_ns: times of the first and the last message; equal if there are no messages.
        message_count: number of messages of all topics according to the bag.
        damage: description of the damage, set when it is reached; empty if there is none.
    """

    def __init__(self, path: Path) -> None:
        """Open a bag.

        Raises:
            BagError: there is no bag, or nothing of it can be read.
        """
        self.path = path
        self.damage = ""
        self._stack = ExitStack()
        self._last_ns: int | None = None
        try:
            self._readers: list[Any] = [self._stack.enter_context(Reader(path))]
        except Exception as error:  # the type depends on the kind of damage
            self._readers = self._open_damaged(error)
        self.connections = _union(reader.connections for reader in self._readers)
        starts = [reader.start_time for reader in self._readers if reader.message_count]
        self.message_count = sum(reader.message_count for reader in self._readers)
        self.start_ns = min(starts, default=0)
        self.end_ns = max((reader.end_time - 1 for reader in self._readers if reader.message_count), default=0)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self._stack.close()

    def messages(
        self, connections: Collection[Connection] = (), start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Message]:
        """The messages of some or all topics in time order, from ``start_ns`` (inclusive) to ``stop_ns`` (exclusive).

        They end at the first damage, which is then described by ``damage``.
        """
        selected = {_key(connection): connection for connection in connections or self.connections}
        for reader in self._readers:
            own = [connection for connection in reader.connections if _key(connection) in selected]
            if own:
                yield from self._read(reader, own, selected, start_ns, stop_ns)

    def latched_before(self, time_ns: int, excluded: Connection) -> list[Message]:
        """Messages that a subscriber at ``time_ns`` receives from latched topics, except from ``excluded``.

        The last message of each topic, but all different transforms, which accumulate. Their time is ``time_ns``.
        """
        latched = [entry for entry in self.connections if _is_latched(entry) and entry.topic != excluded.topic]
        kept: dict[tuple[str, bytes], Message] = {}
        for connection, _, data in self.messages(latched, None, time_ns) if latched else ():
            key = connection.topic, data if connection.msgtype == TF else b""
            kept.pop(key, None)  # keeps the order of the last occurrences
            kept[key] = Message(connection, time_ns, data)
        return list(kept.values())

    def connection(self, topic: str) -> Connection:
        """The connection of a topic.

        Raises:
            BagError: the bag has no such topic.
        """
        for connection in self.connections:
            if connection.topic == topic:
                return connection
        topics = ", ".join(sorted(connection.topic for connection in self.connections))
        raise BagError(f"{self.path} has no topic {topic!r}; it has {topics or 'none'}")

    def _read(
        self, reader: Any, own: list[Connection], selected: dict[Any, Connection], *bounds: int | None
    ) -> Iterator[Message]:
        messages = reader.messages(own, *bounds)
        while True:
            try:
                connection, time_ns, data = next(messages)
            except StopIteration:
                break
            except Exception as error:  # the type depends on the kind of damage
                self._record_damage(str(error))
                return
            self._last_ns = time_ns
            yield Message(selected[_key(connection)], time_ns, data)
        if getattr(reader, "damage", ""):
            self._record_damage(reader.damage)

    def _record_damage(self, reason: str) -> None:
        last_ns = self.start_ns if self._last_ns is None else self._last_ns
        seconds = (last_ns - self.start_ns) * 1e-9
        self.damage = f"{self.path} is damaged: read {seconds:.3f} s, up to {last_ns} ns; {reason}"

    def _open_damaged(self, error: Exception) -> list[Any]:
        files = _files(self.path)
        if not files:
            raise BagError(
                f"expected a rosbag2 folder or a .mcap or .db3 file, got {str(self.path)!r}: {error}"
            ) from error
        try:
            return [self._stack.enter_context(_open_file(file)) for file in files]
        except Exception as second:
            self._stack.close()
            raise BagError(f"nothing of {str(self.path)!r} can be read: {str(second) or repr(second)}") from error


def is_of(message: Message, connection: Connection) -> bool:
    """Whether a message has the topic and type of ``connection``."""
    return _key(message.connection) == _key(connection)


def is_bag(path: Path) -> bool:
    """Whether a path is a bag, complete or not: a folder with the storage files of one bag, or a storage file."""
    if path.is_file() or (path / "metadata.yaml").is_file():
        return bool(_files(path))
    one_name = len({_number(file)[0] for file in _files(path)}) == 1
    return one_name and not any(entry.is_dir() for entry in path.iterdir())


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix in SUFFIXES else []
    if not path.is_dir():
        return []
    return sorted((file for file in path.iterdir() if file.suffix in SUFFIXES), key=_number)


def _number(file: Path) -> tuple[str, int, str]:
    """Sort key: rosbag2 numbers the files of a bag, name_0.mcap ... name_10.mcap."""
    name, _, number = file.stem.rpartition("_")
    return (name, int(number), file.name) if number.isdecimal() else (file.stem, -1, file.name)


def _open_file(file: Path) -> Any:
    reader = Reader(file)
    try:
        reader.open()
    except ReaderError:
        return open_damaged(file)
    return _CompleteFile(reader)


class _CompleteFile:
    """An undamaged file of a damaged bag."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def __enter__(self) -> _CompleteFile:
        return self

    def __exit__(self, *problem: object) -> None:
        self._reader.close()


def _is_latched(connection: Connection) -> bool:
    return any(qos.durability == QosDurability.TRANSIENT_LOCAL for qos in connection.ext.offered_qos_profiles)


def _key(connection: Connection) -> tuple[str, str]:
    return connection.topic, connection.msgtype


def _union(many: Iterable[Collection[Connection]]) -> list[Connection]:
    """The topics of several files, each once."""
    return list({_key(connection): connection for connections in many for connection in connections}.values())
