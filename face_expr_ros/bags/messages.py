"""Serialization of bag messages without ROS; the types of this package are read from msg/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from rosbags.interfaces import Connection, MessageDefinitionFormat, Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from face_expr_ros.bags import BagError
from face_expr_ros.core.resources import resource_path
from face_expr_ros.serialization.cdr import CdrLayoutError, FieldType, MessageWriter
from face_expr_ros.serialization.message_dicts import Values
from face_expr_ros.serialization.video_decoding import VIDEO_DEFINITIONS

FACE_ARRAY = "face_expr_ros/msg/FaceArray"
FACE_EVENT = "face_expr_ros/msg/FaceEvent"
FACE_POSE = "face_expr_ros/msg/FacePose"
FACE_SHAPE = "face_expr_ros/msg/FaceShape"
FACE_EXPRESSION = "face_expr_ros/msg/FaceExpression"
FACE_MODEL = "face_expr_ros/msg/FaceModel"
TF = "tf2_msgs/msg/TFMessage"
IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
MARKER = "visualization_msgs/msg/Marker"
UNKNOWN_HASH = "RIHS01_" + 64 * "0"
Addition = tuple[str, str, int, bytes]  # topic, type, nanoseconds, serialized message
_IDL_NAMES = {"bool": "boolean", "byte": "octet", "char": "uint8", "float32": "float", "float64": "double"}
_STAMP_LIMIT = 2**31 * 1_000_000_000  # nanoseconds since 1970; stamps represent only smaller times


@cache
def package_types() -> Typestore:
    """The message types of ROS 2, of videos and of this package."""
    store = get_typestore(Stores.ROS2_KILTED)
    types: dict[str, Any] = {}
    for name, text in VIDEO_DEFINITIONS.items():
        types |= get_types_from_msg(text, name)
    for file in sorted(resource_path("msg").glob("*.msg")):
        types |= get_types_from_msg(file.read_text(encoding="utf-8"), f"face_expr_ros/msg/{file.stem}")
    store.register(types)
    return store


def types_of(connection: Connection) -> Typestore:
    """The message types of a topic as defined in the bag, which may be of another version of this package.

    Raises:
        BagError: the type is unknown and not defined in the bag, or its definition cannot be parsed.
    """
    definition, name = connection.msgdef, connection.msgtype
    if definition.format == MessageDefinitionFormat.NONE or not definition.data.strip():
        if name not in package_types().fielddefs:
            raise BagError(f"{connection.topic} has messages of type {name!r}, which the bag does not define")
        return package_types()
    try:
        return _defined(definition.data, name, definition.format == MessageDefinitionFormat.MSG)
    except Exception as error:  # the parser raises many types
        raise BagError(
            f"the definition of {name!r} on {connection.topic} in the bag cannot be parsed: {error}"
        ) from error


def definition_hash(connection: Connection) -> str:
    """The hash (RIHS01) of the type of a topic: of its definition in the bag, otherwise as stored; empty if unknown."""
    if connection.msgdef.data.strip():
        try:
            return types_of(connection).hash_rihs01(connection.msgtype)
        except Exception:  # the definition cannot be parsed, or lacks a type
            pass
    return "" if connection.digest == UNKNOWN_HASH else connection.digest


def hash_of_definitions(name: str, text_of: Callable[[str], str]) -> str:
    """The hash (RIHS01) of a type; ``text_of`` returns the .msg file of a type, such as "std_msgs/msg/Header".

    Raises:
        ValueError: a definition cannot be parsed. Errors of ``text_of`` are passed on.
    """
    store, pending = get_typestore(Stores.EMPTY), [name]
    while pending:
        current = pending.pop()
        if current in store.fielddefs:
            continue
        text = text_of(current)
        try:
            types = get_types_from_msg(text, current)
            store.register(types)
        except Exception as error:  # the parser raises many types
            raise ValueError(f"the definition of {current} cannot be parsed: {error}") from error
        pending += [nested for _, fields in types.values() for _, kind in fields for nested in _nested(kind)]
    return str(store.hash_rihs01(name))


def _nested(kind: Any) -> list[str]:
    """The message types in the type of a field."""
    node, detail = kind
    if node == Nodetype.NAME:
        return [str(detail)]
    return [] if node == Nodetype.BASE else _nested(detail[0])


@cache
def _defined(text: str, name: str, is_msg: bool) -> Typestore:
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(text, name) if is_msg else get_types_from_idl(text))
    return store


def check_time(time_ns: int) -> None:
    """Check that a ROS time stamp can represent a time.

    Raises:
        BagError: it is before 1970 or after 2038.
    """
    if not 0 <= time_ns < _STAMP_LIMIT:
        raise BagError(f"expected a recording of the years 1970 to 2038, got a message at {time_ns} ns")


def definition(connection: Connection) -> tuple[str, str]:
    """Definition and hash of the message type of a topic, for a copy of the bag; empty or `UNKNOWN_HASH` if unknown."""
    text = connection.msgdef.data
    known = connection.msgtype in package_types().fielddefs
    if not text and known:
        text = package_types().generate_msgdef(connection.msgtype, ros_version=2)[0]
    if connection.digest:
        return text, connection.digest
    return text, package_types().hash_rihs01(connection.msgtype) if known else UNKNOWN_HASH


def cdr(name: str, values: Values) -> bytes:
    """Serialize a message of type ``name``, such as "face_expr_ros/msg/FacePose", from its fields.

    See `serialization.cdr.MessageWriter` for their values; none may be missing.
    """
    return _writer(name)(values)


@cache
def _writer(name: str) -> MessageWriter:
    return MessageWriter(_KnownTypes(), name)


class _KnownTypes:
    """The types of `package_types`, see `serialization.cdr.MessageTypes`."""

    def fields(self, name: str) -> Mapping[str, FieldType]:
        if name not in package_types().fielddefs:
            raise CdrLayoutError(f"fields of type {name} are not supported")
        return {field: _field_type(*kind) for field, kind in package_types().fielddefs[name][1]}

    def default(self, name: str, field: str) -> Any:
        raise KeyError(f"{name} has a field {field!r}, which is missing")


def _field_type(node: Nodetype, detail: Any) -> FieldType:
    if node == Nodetype.NAME:
        return FieldType(detail)
    if node == Nodetype.BASE:
        return FieldType(_IDL_NAMES.get(detail[0], detail[0]))
    element = _field_type(*detail[0])
    return FieldType(element.element, True, detail[1] if node == Nodetype.ARRAY else None)
