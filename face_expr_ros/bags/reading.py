"""Reading of rosbag2 bags: folders and single storage files, also compressed, damaged or mixed."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import NamedTuple

from rosbags.interfaces import Connection, QosDurability

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import TF
from face_expr_ros.bags.storage.bag_folder import read_metadata, selected_files, storage_files
from face_expr_ros.bags.storage.opening import open_storage
from face_expr_ros.bags.storage.stored_file import ZSTD_MAGIC, StorageError, StoredFile, zstd
from face_expr_ros.bags.storage.topics import SharedTopics

_MAX_MESSAGE = 1 << 30  # bytes of a message that is compressed by itself, against decompression bombs


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
    """A bag open for reading. All of it is read that is intact.

    Attributes:
        path: the folder or file.
        connections: the topics.
        left_out: other topics -> the reason why they are not read, such as messages that are not those of ROS 2.
        start_ns, end_ns: times of the first and the last message; equal if there are no messages. Messages at time 0,
            recorded before the first message of a simulated clock, do not count.
        message_count: number of messages of all topics that are expected to be read.
    """

    def __init__(self, path: Path) -> None:
        """Open a bag.

        Raises:
            BagError: there is no bag, or nothing of it can be read.
        """
        self.path = path
        self._problems: list[str] = []
        self._undecoded: set[tuple[str, int]] = set()  # topics and times of messages that cannot be decompressed
        self._stack = ExitStack()
        self._files: dict[str, StoredFile] = {}
        try:
            self._open_files()
        except BaseException:
            self._stack.close()
            raise
        files = list(self._files.values())
        starts = [file.start_ns for file in files if file.start_ns is not None]
        self.message_count = sum(file.message_count for file in files)
        self.start_ns = min((start for start in starts if start), default=min(starts, default=0))
        self.end_ns = max((file.end_ns for file in files if file.end_ns is not None), default=0)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def damage(self) -> str:
        """What is missing, as far as it has been found; empty if nothing is. Reading may find more."""
        found = [f"{name}: {sentence}" for name, file in self._files.items() for sentence in file.damage]
        sentences = self._problems + found
        if self._undecoded:
            topics = ", ".join(sorted({topic for topic, _ in self._undecoded}))
            sentences.append(f"{len(self._undecoded)} messages on {topics} cannot be decompressed and are left out")
        return f"{self.path} is damaged: {'; '.join(sentences)}" if sentences else ""

    def messages(
        self, connections: Collection[Connection] = (), start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Message]:
        """The messages of some or all topics in time order, from ``start_ns`` (inclusive) to ``stop_ns`` (exclusive).

        Damaged parts are skipped, and described by ``damage``.
        """
        selected = {_key(connection) for connection in connections or self.connections}
        for group in _overlapping(list(self._files.values())):
            parts = [self._read(file, selected, start_ns, stop_ns) for file in group]
            yield from heapq.merge(*parts, key=itemgetter(1)) if len(parts) > 1 else parts[0]

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
        if topic in self.left_out:
            raise BagError(f"{topic} of {self.path} cannot be read: {self.left_out[topic]}")
        topics = ", ".join(sorted(connection.topic for connection in self.connections))
        raise BagError(f"{self.path} has no topic {topic!r}; it has {topics or 'none'}")

    def _open_files(self) -> None:
        if not storage_files(self.path):
            raise BagError(f"expected a rosbag2 folder or a .mcap or .db3 file, got {str(self.path)!r}")
        metadata = read_metadata(self.path)
        paths, self._problems = selected_files(self.path, metadata)
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="face_expr_bag_")))
        for path in paths:
            try:
                file = self._files[path.name] = open_storage(path, folder)
                self._stack.callback(file.close)
            except StorageError as error:
                self._problems.append(f"{path.name}: {error}")
        if not self._files:
            raise BagError(f"nothing of {str(self.path)!r} can be read: {'; '.join(self._problems)}")
        self._files = dict(sorted(self._files.items(), key=lambda entry: entry[1].start_ns or 0))
        self._topics = SharedTopics(self._files, metadata)
        self.connections, self.left_out = self._topics.connections, self._topics.left_out
        self._problems += self._topics.problems
        if not self.connections and self.left_out:
            raise BagError(f"{self.path} has no topic of ROS 2: {_listed(self.left_out)}")

    def _read(
        self, file: StoredFile, selected: set[tuple[str, str]], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[Message]:
        channels = {
            number: connection
            for number, connection in self._topics.of_file(file).items()
            if _key(connection) in selected
        }
        for time_ns, channel, data in file.messages(channels, start_ns, stop_ns) if channels else ():
            content = _decompressed(data)
            if content is None:
                self._undecoded.add((channels[channel].topic, time_ns))
            else:
                yield Message(channels[channel], time_ns, content)


def is_of(message: Message, connection: Connection) -> bool:
    """Whether a message has the topic and type of ``connection``."""
    return _key(message.connection) == _key(connection)


def _overlapping(files: list[StoredFile]) -> Iterator[list[StoredFile]]:
    """The files in groups; only the times within a group overlap."""
    group: list[StoredFile] = []
    end_ns = 0
    for file in files:
        if group and (file.start_ns or 0) > end_ns:
            yield group
            group = []
        group.append(file)
        end_ns = max(end_ns, file.end_ns or 0)
    yield group


def _decompressed(data: bytes) -> bytes | None:
    """A message that may be compressed, None if that is damaged; the first byte of a serialized one is always 0."""
    if not data.startswith(ZSTD_MAGIC):
        return data
    decompressor = zstd.ZstdDecompressor()
    try:
        content = decompressor.decompress(data, _MAX_MESSAGE)
    except zstd.ZstdError:
        return None
    return content if decompressor.eof else None


def _is_latched(connection: Connection) -> bool:
    return any(qos.durability == QosDurability.TRANSIENT_LOCAL for qos in connection.ext.offered_qos_profiles)


def _key(connection: Connection) -> tuple[str, str]:
    return connection.topic, connection.msgtype


def _listed(left_out: dict[str, str]) -> str:
    reasons = "; ".join(f"{topic}: {reason}" for topic, reason in left_out.items())
    ros1 = any("'ros1'" in reason for reason in left_out.values())
    hint = "; convert the original bag of ROS 1 with `rosbags-convert --src talk.bag --dst talk`" if ros1 else ""
    return reasons + hint
