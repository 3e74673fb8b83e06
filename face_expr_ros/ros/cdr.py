"""Serialization of messages to CDR for ``publish(bytes)``, with large fields given as arrays.

rclpy converts every element of a sequence to a Python object and back, which takes half a second for the marker of a
mesh of 38,000 vertices. A writer derives the layout from the installed message type and verifies it against ROS's own
serialization when it is created, so that no message layout is repeated here.

The format is XCDR1, little endian (OMG DDS-XTypes 1.3, section 7.4): every number is aligned to its size, counted from
the end of the four encapsulation bytes; a string is its length including the terminating zero, its bytes and the zero;
a sequence is its length followed by its elements.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message

from face_expr_ros.ros.message_fields import (
    NUMBERS,
    STRING,
    FieldType,
    message_class,
    message_fields,
    message_object,
    uniform_layout,
    with_fields,
)

ENCAPSULATION = b"\x00\x01\x00\x00"
PADDING = b"\x00"  # readers ignore its value
_LARGE = 1024  # bytes from which an array is referenced until the parts are joined, instead of copied
_STRUCT_CODES = {
    "boolean": "?", "octet": "c", "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i",
    "uint64": "Q", "int64": "q", "float": "f", "double": "d",
}  # fmt: skip
_SAMPLES = range(9)  # their string lengths produce every alignment

Write = Callable[["_Stream", Any], None]
Writer = Callable[..., Any]


class CdrLayoutError(RuntimeError):
    """The installed message type has an unexpected layout or an unsupported field type."""


class CdrWriter:
    """Serializes messages of one type.

    Args:
        message_type: the message class.

    Raises:
        CdrLayoutError: ROS does not read back what is written; :func:`create_writer` falls back to message objects.
    """

    def __init__(self, message_type: type[Any]) -> None:
        self._write = _message(message_type)
        for number in _SAMPLES:
            self._verify(message_type, number)

    def __call__(self, message: Any, **fields: Any) -> bytes:
        """The CDR of ``message``, with its own fields replaced by ``fields``.

        A message may be a mapping; missing fields have the type's defaults. A sequence of numbers may be any array.
        A sequence of messages that consist of numbers of one type, such as Point or ColorRGBA, may be an array of
        shape (n, numbers).

        Raises:
            ValueError: an array does not have the shape of its field, or a field does not exist.
        """
        stream = _Stream()
        self._write(stream, with_fields(message, fields) if fields else message)
        return stream.joined()

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


class _Stream:
    """Output buffer; large arrays are not copied until the parts are joined."""

    def __init__(self) -> None:
        self._parts: list[Any] = [ENCAPSULATION]
        self._part_bytes = 0  # without the encapsulation
        self.tail = bytearray()

    def align(self, size: int) -> None:
        missing = -(self._part_bytes + len(self.tail)) % size
        if missing:
            self.tail += PADDING * missing

    def array(self, values: NDArray[Any]) -> None:
        if values.nbytes < _LARGE:
            self.tail += values.tobytes()
            return
        self._parts += [self.tail, values.reshape(-1).view(np.uint8).data]
        self._part_bytes += len(self.tail) + values.nbytes
        self.tail = bytearray()

    def joined(self) -> bytes:
        return b"".join([*self._parts, self.tail])


def _message(message_type: type[Any]) -> Write:
    if not message_fields(message_type):
        raise CdrLayoutError(f"{message_type.__name__} has no fields, which is not supported")
    defaults = message_type()
    fields = [(name, _field(entry), getattr(defaults, name)) for name, entry in message_fields(message_type).items()]

    def write(stream: _Stream, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, write_field, default in fields:
                write_field(stream, value.get(name, default))
        else:
            for name, write_field, _ in fields:
                write_field(stream, getattr(value, name))

    return write


def _field(entry: FieldType) -> Write:
    if not entry.is_collection:
        return _element(entry.element)
    if entry.element == STRING and entry.count is None:
        return _strings
    layout = _uniform_layout(entry.element)
    return _collection(_element(entry.element), entry.count) if layout is None else _array(entry, *layout)


def _uniform_layout(element: str) -> tuple[str, int] | None:
    """As `uniform_layout`. Raises CdrLayoutError for unsupported types, such as wide strings."""
    try:
        return uniform_layout(element)
    except (AttributeError, ImportError) as error:
        raise CdrLayoutError(f"fields of type {element} are not supported") from error


@cache
def _element(element: str) -> Write:
    if element == STRING:
        return _string
    if element in NUMBERS:
        return _number(element)
    _uniform_layout(element)
    return _message(message_class(element))


def _string(stream: _Stream, value: str) -> None:
    encoded = value.encode()
    stream.align(4)
    stream.tail += struct.pack("<I", len(encoded) + 1) + encoded + b"\x00"


def _strings(stream: _Stream, values: Sequence[str]) -> None:
    stream.align(4)
    if isinstance(values, tuple):  # constant names
        stream.tail += _aligned_strings(values)
    else:
        _collection(_string, None)(stream, values)


@lru_cache(maxsize=64)
def _aligned_strings(values: tuple[str, ...]) -> bytes:
    """The bytes of a sequence of strings at a four-byte boundary; no element has a larger alignment."""
    stream = _Stream()
    _collection(_string, None)(stream, values)
    return bytes(stream.tail)


def _number(element: str) -> Write:
    size, pack = np.dtype(NUMBERS[element]).itemsize, struct.Struct("<" + _STRUCT_CODES[element]).pack

    def write(stream: _Stream, value: Any) -> None:
        stream.align(size)
        stream.tail += pack(value)

    return write


def _collection(write_element: Write, count: int | None) -> Write:
    def write(stream: _Stream, values: Any) -> None:
        _write_count(stream, len(values), count)
        for value in values:
            write_element(stream, value)

    return write


def _array(entry: FieldType, dtype: str, width: int) -> Write:
    """Elements that consist of numbers of one type: written as an array, message objects one by one."""
    size, write_objects = np.dtype(dtype).itemsize, _collection(_element(entry.element), entry.count)

    def write(stream: _Stream, values: Any) -> None:
        if entry.is_message and not isinstance(values, np.ndarray):
            write_objects(stream, values)
            return
        raw = isinstance(values, bytes) and size == 1
        numbers = np.frombuffer(values, dtype) if raw else np.ascontiguousarray(values, dtype)
        if entry.is_message and numbers.shape[1:] != (width,):
            raise ValueError(f"expected an array of shape (n, {width}) for {entry.element}, got {numbers.shape}")
        _write_count(stream, len(numbers) if entry.is_message else numbers.size, entry.count)
        if numbers.size:
            stream.align(size)
            stream.array(numbers)

    return write


def _write_count(stream: _Stream, count: int, expected: int | None) -> None:
    """Write the length of a sequence; check that of an array, which is not written."""
    if expected is None:
        stream.align(4)
        stream.tail += struct.pack("<I", count)
    elif count != expected:
        raise ValueError(f"expected an array of {expected} elements, got {count}")


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
