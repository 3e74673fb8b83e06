"""What a storage file of a bag provides, and what is common to all of them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, Protocol

from rosbags.interfaces import Connection, MessageDefinition, MessageDefinitionFormat, Qos
from rosbags.rosbag2.metadata import parse_qos

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["NO_DEFINITION", "TIME_LIMIT", "ZSTD_MAGIC", "StorageError", "Stored", "StoredFile", "qos_of", "zstd"]

TIME_LIMIT = 2**31 * 1_000_000_000  # nanoseconds since 1970; ROS time stamps represent only smaller times
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")


class StorageError(ValueError):
    """Nothing of a storage file can be read; the text states why."""


class Stored(NamedTuple):
    """A message of a storage file.

    Attributes:
        time_ns: recording time, nanoseconds since 1970.
        channel: ``id`` of its connection.
        data: the stored bytes.
    """

    time_ns: int
    channel: int
    data: bytes


class StoredFile(Protocol):
    """A storage file open for reading.

    Attributes:
        connections: the topics with ROS 2 messages.
        left_out: other topics -> the reason why they are not read.
        message_count: number of messages that are expected to be read.
        start_ns, end_ns: times of the first and the last message; None if there are no messages.
    """

    connections: list[Connection]
    left_out: dict[str, str]
    message_count: int
    start_ns: int | None
    end_ns: int | None

    @property
    def damage(self) -> list[str]:
        """Sentences on what is missing; more may be added while messages are read."""

    def messages(self, channels: Collection[int], start_ns: int | None, stop_ns: int | None) -> Iterator[Stored]:
        """The messages of some connections in the order of time; equal times in the order of writing."""

    def close(self) -> None:
        """Close the file."""


def qos_of(profiles: Any) -> list[Qos]:
    """QoS profiles as stored in a bag; none if they cannot be parsed."""
    try:
        return parse_qos(profiles)
    except Exception:  # the type depends on what was edited
        return []
