"""The topics of a bag, from those of its files: one topic may be in several files and have several channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinitionFormat, Qos

from face_expr_ros.bags.messages import definition_hash
from face_expr_ros.bags.storage.bag_folder import Metadata
from face_expr_ros.bags.storage.stored_file import StoredFile

_Key = tuple[str, str]  # topic, type


class SharedTopics:
    """The topics of all files of a bag, each once.

    A file whose definition of a type differs from that of the earlier files is not read for this topic: a bag has one
    definition per type, and a subscriber would misread its messages.

    Attributes:
        connections: the topics, with the QoS profiles of all publishers.
        left_out: topics without ROS 2 messages -> the reason why they are not read.
        problems: sentences on messages that are not read.
    """

    def __init__(self, files: Mapping[str, StoredFile], metadata: Metadata) -> None:
        self._of_file: dict[int, dict[int, Connection]] = {}
        self.problems: list[str] = []
        first: dict[str, tuple[str, Connection]] = {}  # type -> file and connection that define it
        channels: dict[_Key, list[Connection]] = {}
        rejected: set[int] = set()
        for name, file in files.items():
            for connection in file.connections:
                definer, other = first.get(connection.msgtype, ("", connection))
                if _differ(connection, other):
                    rejected.add(id(connection))
                    self.problems.append(
                        f"{name}: {connection.msgcount} messages on {connection.topic} have another definition of "
                        f"{connection.msgtype} than {definer} and are left out"
                    )
                    continue
                if connection.msgtype not in first or not _is_defined(other):
                    first[connection.msgtype] = name, connection
                channels.setdefault((connection.topic, connection.msgtype), []).append(connection)
        merged = {
            key: _merged(entries, first[key[1]][1], metadata, number)
            for number, (key, entries) in enumerate(channels.items(), 1)
        }
        self.connections = list(merged.values())
        read = {connection.topic for connection in self.connections}
        self.left_out = {
            topic: reason for file in files.values() for topic, reason in file.left_out.items() if topic not in read
        }
        self.problems += [
            f"{name}: messages on {topic} beside those of ROS 2 are left out: {reason}"
            for name, file in files.items()
            for topic, reason in file.left_out.items()
            if topic in read
        ]
        for file in files.values():
            self._of_file[id(file)] = {
                connection.id: merged[connection.topic, connection.msgtype]
                for connection in file.connections
                if id(connection) not in rejected
            }

    def of_file(self, file: StoredFile) -> dict[int, Connection]:
        """``id`` of the connections of a file -> the connections of the bag."""
        return self._of_file[id(file)]


def _merged(channels: list[Connection], definer: Connection, metadata: Metadata, number: int) -> Connection:
    first = channels[0]
    key = first.topic, first.msgtype
    digests = [connection.digest for connection in channels if connection.digest]
    profiles = metadata.qos.get(first.topic) or _distinct(channels)
    return first._replace(
        id=number,
        msgdef=definer.msgdef,
        digest=digests[0] if digests else metadata.digests.get(key, ""),
        msgcount=sum(connection.msgcount for connection in channels),
        ext=ConnectionExtRosbag2("cdr", profiles),
    )


def _distinct(channels: Iterable[Connection]) -> list[Qos]:
    """The QoS profiles of all publishers, each once."""
    every = [qos for connection in channels for qos in connection.ext.offered_qos_profiles]
    return list(dict.fromkeys(every))


def _is_defined(connection: Connection) -> bool:
    return connection.msgdef.format != MessageDefinitionFormat.NONE


def _differ(one: Connection, other: Connection) -> bool:
    """Whether two definitions of a type describe different fields; comments may differ."""
    if one.msgdef == other.msgdef or not (_is_defined(one) and _is_defined(other)):
        return bool(one.digest and other.digest and one.digest != other.digest)
    hashes = definition_hash(one), definition_hash(other)
    return hashes[0] != hashes[1]
