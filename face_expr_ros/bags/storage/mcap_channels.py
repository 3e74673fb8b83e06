"""The channels of an mcap file as connections of ROS 2 topics, and the reasons why others are left out."""

from __future__ import annotations

import re
import struct
from typing import Any, NamedTuple

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat

from face_expr_ros.bags.storage.mcap_records import string_at
from face_expr_ros.bags.storage.stored_file import NO_DEFINITION, qos_of

_DEFINITIONS = {
    "ros2msg": MessageDefinitionFormat.MSG,
    "ros2idl": MessageDefinitionFormat.IDL,
    "omgidl": MessageDefinitionFormat.IDL,
    "": MessageDefinitionFormat.NONE,
}
_DDS_TOPIC, _DDS_TYPE = "rt/", re.compile(r"(\w+)::(msg|srv|action)::dds_::(\w+)_")


class _Schema(NamedTuple):
    name: str
    encoding: str
    text: str


class Channels:
    """Collects the schemas and channels of a file.

    Attributes:
        connections: number of a channel with ROS 2 messages -> its connection.
        left_out: topic of another channel -> the reason why it is not read.
        known: the numbers of all channels.
    """

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}
        self.left_out: dict[str, str] = {}
        self.known: set[int] = set()
        self._schemas: dict[int, _Schema] = {}

    def add_schema(self, content: bytes) -> None:
        """Add the schema of a record.

        Raises:
            struct.error, UnicodeDecodeError: the record is invalid.
        """
        (number,) = struct.unpack_from("<H", content)
        name, offset = string_at(content, 2)
        encoding, offset = string_at(content, offset)
        self._schemas[number] = _Schema(name, encoding, string_at(content, offset)[0])

    def add_channel(self, content: bytes) -> None:
        """Add the channel of a record, whose schema is already present. Raises as `add_schema`."""
        number, schema_number = struct.unpack_from("<HH", content)
        topic, offset = string_at(content, 4)
        encoding, offset = string_at(content, offset)
        notes = _string_map(content, offset)
        if number in self.known:
            return
        self.known.add(number)
        schema = self._schemas.get(schema_number)
        if reason := _why_foreign(encoding, schema, schema_number):
            self.left_out[topic] = reason
        elif schema is not None:
            self.connections[number] = _connection(number, topic, schema, notes)


def _why_foreign(encoding: str, schema: _Schema | None, schema_number: int) -> str:
    """Why the messages of a channel are not those of ROS 2; empty if they are."""
    if encoding != "cdr":
        return f"expected ROS 2 messages (encoding 'cdr'), got {encoding or 'no encoding'!r}"
    if schema is None:
        return "its messages have no type" if schema_number == 0 else f"its type (schema {schema_number}) is missing"
    if schema.encoding not in _DEFINITIONS:
        return f"expected a type defined as ros2msg or ros2idl, got {schema.encoding!r}"
    return ""


def _connection(number: int, topic: str, schema: _Schema, notes: dict[str, str]) -> Connection:
    owner: Any = None
    kind = _DEFINITIONS[schema.encoding]
    definition = MessageDefinition(kind, schema.text) if schema.text.strip() else NO_DEFINITION
    extension = ConnectionExtRosbag2("cdr", qos_of(notes.get("offered_qos_profiles", "")))
    digest = notes.get("topic_type_hash", "")
    return Connection(number, _ros_topic(topic), ros_type(schema.name), definition, digest, 0, extension, owner)


def _ros_topic(name: str) -> str:
    """The ROS name of a topic; recorders of DDS store ``rt/image`` for ``/image``."""
    return name[2:] if name.startswith(_DDS_TOPIC) else name


def ros_type(name: str) -> str:
    """The ROS name of a type, such as "std_msgs/msg/String", from its name in DDS or in ROS 1."""
    if found := _DDS_TYPE.fullmatch(name):
        return "/".join(found.groups())
    parts = name.replace("::", "/").split("/")
    return f"{parts[0]}/msg/{parts[1]}" if len(parts) == 2 else "/".join(parts)


def _string_map(content: bytes, offset: int) -> dict[str, str]:
    (length,) = struct.unpack_from("<I", content, offset)
    offset, end = offset + 4, offset + 4 + length
    entries = {}
    while offset < end:
        key, offset = string_at(content, offset)
        entries[key], offset = string_at(content, offset)
    return entries
