"""Serialization of messages to CDR for ``publish(bytes)``, with large fields given as arrays.

rclpy converts every element of a sequence to a Python object and back, which takes half a second for the marker of a
mesh of 38,000 vertices. A writer derives the layout from the installed message type and verifies it against ROS's own
serialization when it is created, so that no message layout is repeated here. See `serialization.cdr` for the format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.serialization import deserialize_message, serialize_message

from face_expr_ros.ros.message_fields import message_class, message_fields, message_object, with_fields
from face_expr_ros.serialization.cdr import (
    ENCAPSULATION,
    NUMBERS,
    STRING,
    CdrLayoutError,
    FieldType,
    MessageWriter,
)

_SAMPLES = range(9)  # their string lengths produce every alignment

Writer = Callable[..., Any]


class CdrWriter:
    """Serializes messages of one type.

    Args:
        message_type: the message class.

    Raises:
        CdrLayoutError: ROS does not read back what is written; :func:`create_writer` falls back to message objects.
    """

    def __init__(self, message_type: type[Any]) -> None:
        self._write = MessageWriter(_InstalledTypes(message_type), message_type.__name__)
        for number in _SAMPLES:
            self._verify(message_type, number)

    def __call__(self, message: Any, **fields: Any) -> bytes:
        """The CDR of ``message``, with its own fields replaced by ``fields``; see `MessageWriter` for their values.

        A message may be a mapping; missing fields have the type's defaults.

        Raises:
            ValueError: an array does not have the shape of its field, or a field does not exist.
        """
        return self._write(with_fields(message, fields) if fields else message)

    def _verify(self, message_type: type[Any], number: int) -> None:
        message = message_object(message_type, _sample(message_type, number))
        encapsulation = serialize_message(message)[:4]
        if encapsulation != ENCAPSULATION:
            raise CdrLayoutError(f"expected little-endian CDR, got the encapsulation {encapsulation.hex()}")
        try:
            decoded = deserialize_message(self(message), message_type)
        except Exception as error:  # rclpy's exception classes are private
            raise CdrLayoutError(
                f"sample {number} of {message_type.__name__} cannot be deserialized: {error}"
            ) from error
        if decoded != message:
            raise CdrLayoutError(f"sample {number} of {message_type.__name__} differs after deserialization")


def create_writer(message_type: type[Any], warn: Callable[[str], None]) -> Writer:
    """A CdrWriter; if the installed type has another layout, a function that makes message objects, and a warning."""
    try:
        return CdrWriter(message_type)
    except CdrLayoutError as error:
        warn(f"{message_type.__name__} is published as message objects, which is slower: {error}")
        return lambda message, **fields: message_object(
            message_type, with_fields(message, fields) if fields else message
        )


class _InstalledTypes:
    """The installed types, see `MessageTypes`; ``root`` is also found by its class name alone."""

    def __init__(self, root: type[Any]) -> None:
        self._root = root
        self._defaults: dict[str, Any] = {}

    def fields(self, name: str) -> Mapping[str, FieldType]:
        return message_fields(self._class(name))

    def default(self, name: str, field: str) -> Any:
        if name not in self._defaults:
            self._defaults[name] = self._class(name)()
        return getattr(self._defaults[name], field)

    def _class(self, name: str) -> type[Any]:
        if name == self._root.__name__:
            return self._root
        try:
            found: type[Any] = message_class(name)
        except (AttributeError, ImportError) as error:
            raise CdrLayoutError(f"fields of type {name} are not supported") from error
        return found


def _sample(message_type: type[Any], number: int) -> dict[str, Any]:
    """Small values for every field; strings and sequences of varying lengths."""
    fields = message_fields(message_type).items()
    return {name: _sample_field(entry, number + index) for index, (name, entry) in enumerate(fields)}


def _sample_field(entry: FieldType, number: int) -> Any:
    if not entry.is_collection:
        return _sample_element(entry.element, number)
    count = number % 3 if entry.count is None else entry.count
    return [_sample_element(entry.element, number + index) for index in range(count)]


def _sample_element(element: str, number: int) -> Any:
    if element == STRING:
        return "a" * (number % len(_SAMPLES))
    if element in NUMBERS:
        return {"boolean": bool(number % 2), "octet": bytes([number % 128])}.get(element, number % 128)
    return _sample(message_class(element), number)
