"""Messages as ready CDR bytes for ``publish(bytes)``: what is large goes in as an array instead of message objects.

rclpy turns every element of a sequence into a Python object and back: half a second for the marker of a mesh of 38,000
vertices. Here the layout is read from the installed message type when a writer is made, whatever fields it has, and
held against ROS's own serialization, so that nothing about a type is written down twice.

The format is XCDR1, little endian (OMG DDS-XTypes 1.3, section 7.4): every number is aligned to its size, counted after
the four bytes of the encapsulation; a string is its length with the closing zero, its bytes and the zero; a sequence is
its length and its elements.
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
    replaced,
    uniform,
)

ENCAPSULATION = b"\x00\x01\x00\x00"
PADDING = b"\x00"  # a reader skips it, whatever it is
_LARGE = 1024  # bytes of an array that is not copied before all is joined
# As the module struct has them.
_CODES = {
    "boolean": "?", "octet": "c", "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i",
    "uint64": "Q", "int64": "q", "float": "f", "double": "d",
}  # fmt: skip
_SAMPLES = range(9)  # the lengths of their strings bring about every alignment

Write = Callable[["_Stream", Any], None]
Writer = Callable[..., Any]


class CdrLayoutError(RuntimeError):
    """The installed message type is not laid out as expected, or has something in it that is not written here."""


class CdrWriter:
    """Serializes messages of one type.

    Args:
        kind: the message class.

    Raises:
        CdrLayoutError: what is written is not what ROS reads; :func:`open_writer` falls back to objects.
    """

    def __init__(self, kind: type[Any]) -> None:
        self._write = _message(kind)
        for number in _SAMPLES:
            self._check(kind, number)

    def __call__(self, message: Any, **fields: Any) -> bytes:
        """The CDR of ``message``, with ``fields`` in place of its own.

        A message may be a mapping; what it lacks has the type's default. A sequence of numbers may be any array,
        one of messages that hold numbers of one type only, such as Point or ColorRGBA, a (n, numbers) array.

        Raises:
            ValueError: an array does not have the shape of its field, or there is no field of such a name.
        """
        stream = _Stream()
        self._write(stream, replaced(message, fields) if fields else message)
        return stream.joined()

    def _check(self, kind: type[Any], number: int) -> None:
        message = message_object(kind, _sample(kind, number))
        encapsulation = serialize_message(message)[:4]
        if encapsulation != ENCAPSULATION:
            raise CdrLayoutError(f"little-endian CDR was wanted, the encapsulation {encapsulation.hex()} was given")
        try:
            given = deserialize_message(self(message), kind)
        except Exception as error:  # rclpy's own are private
            raise CdrLayoutError(f"sample {number} of {kind.__name__} cannot be read: {error}") from error
        if given != message:
            raise CdrLayoutError(f"sample {number} of {kind.__name__} did not come back as it was written")


def open_writer(kind: type[Any], warn: Callable[[str], None]) -> Writer:
    """A CdrWriter, or message objects and a warning where the installed type is laid out differently."""
    try:
        return CdrWriter(kind)
    except CdrLayoutError as error:
        warn(f"{kind.__name__} is written the slow way, as message objects: {error}")
        return lambda message, **fields: message_object(kind, replaced(message, fields) if fields else message)


class _Stream:
    """Bytes that grow; large arrays are not copied until all is joined."""

    def __init__(self) -> None:
        self._parts: list[Any] = [ENCAPSULATION]
        self._before = 0
        self.tail = bytearray()

    def align(self, size: int) -> None:
        missing = -(self._before + len(self.tail)) % size
        if missing:
            self.tail += PADDING * missing

    def array(self, values: NDArray[Any]) -> None:
        if values.nbytes < _LARGE:
            self.tail += values.tobytes()
            return
        self._parts += [self.tail, values.reshape(-1).view(np.uint8).data]
        self._before += len(self.tail) + values.nbytes
        self.tail = bytearray()

    def joined(self) -> bytes:
        return b"".join([*self._parts, self.tail])


def _message(kind: type[Any]) -> Write:
    if not message_fields(kind):
        raise CdrLayoutError(f"{kind.__name__} has no fields; such messages are not written here")
    defaults = kind()
    fields = [(name, _field(entry), getattr(defaults, name)) for name, entry in message_fields(kind).items()]

    def write(stream: _Stream, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, write_field, default in fields:
                write_field(stream, value.get(name, default))
        else:
            for name, write_field, _ in fields:
                write_field(stream, getattr(value, name))

    return write


def _field(entry: FieldType) -> Write:
    if not entry.many:
        return _single(entry.element)
    if entry.element == STRING and entry.count is None:
        return _strings
    same = uniform_or_refuse(entry.element)
    return _many(_single(entry.element), entry.count) if same is None else _array(entry, *same)


def uniform_or_refuse(element: str) -> tuple[str, int] | None:
    """As `uniform`. Raises CdrLayoutError for types that are not written here, such as wide strings."""
    try:
        return uniform(element)
    except (AttributeError, ImportError) as error:
        raise CdrLayoutError(f"fields of type {element} are not written here") from error


@cache
def _single(element: str) -> Write:
    if element == STRING:
        return _string
    if element in NUMBERS:
        return _number(element)
    uniform_or_refuse(element)
    return _message(message_class(element))


def _string(stream: _Stream, value: str) -> None:
    encoded = value.encode()
    stream.align(4)
    stream.tail += struct.pack("<I", len(encoded) + 1) + encoded + b"\x00"


def _strings(stream: _Stream, values: Sequence[str]) -> None:
    stream.align(4)
    if isinstance(values, tuple):  # names that stay the same from message to message
        stream.tail += _strings_at_four(values)
    else:
        _many(_string, None)(stream, values)


@lru_cache(maxsize=64)
def _strings_at_four(values: tuple[str, ...]) -> bytes:
    """Nothing in a sequence of strings is aligned to more than four bytes: its bytes are the same everywhere."""
    stream = _Stream()
    _many(_string, None)(stream, values)
    return bytes(stream.tail)


def _number(element: str) -> Write:
    size, pack = np.dtype(NUMBERS[element]).itemsize, struct.Struct("<" + _CODES[element]).pack

    def write(stream: _Stream, value: Any) -> None:
        stream.align(size)
        stream.tail += pack(value)

    return write


def _many(write_element: Write, count: int | None) -> Write:
    def write(stream: _Stream, values: Any) -> None:
        _write_count(stream, len(values), count)
        for value in values:
            write_element(stream, value)

    return write


def _array(entry: FieldType, dtype: str, width: int) -> Write:
    """Elements of numbers of one type: an array, or where they are message objects, one after the other."""
    size, write_objects = np.dtype(dtype).itemsize, _many(_single(entry.element), entry.count)

    def write(stream: _Stream, values: Any) -> None:
        if entry.is_message and not isinstance(values, np.ndarray):
            write_objects(stream, values)
            return
        raw = isinstance(values, bytes) and size == 1
        numbers = np.frombuffer(values, dtype) if raw else np.ascontiguousarray(values, dtype)
        if entry.is_message and numbers.shape[1:] != (width,):
            raise ValueError(f"(n, {width}) numbers for {entry.element} were wanted, {numbers.shape} were given")
        _write_count(stream, len(numbers) if entry.is_message else numbers.size, entry.count)
        if numbers.size:
            stream.align(size)
            stream.array(numbers)

    return write


def _write_count(stream: _Stream, given: int, wanted: int | None) -> None:
    """A sequence begins with its length; an array does not, but has to have the right one."""
    if wanted is None:
        stream.align(4)
        stream.tail += struct.pack("<I", given)
    elif given != wanted:
        raise ValueError(f"an array of {wanted} elements was wanted, {given} were given")


def _sample(kind: type[Any], number: int) -> dict[str, Any]:
    """Small values for every field; strings and sequences of many lengths."""
    fields = message_fields(kind).items()
    return {name: _sample_field(entry, number + place) for place, (name, entry) in enumerate(fields)}


def _sample_field(entry: FieldType, number: int) -> Any:
    if not entry.many:
        return _sample_element(entry.element, number)
    count = number % 3 if entry.count is None else entry.count
    return [_sample_element(entry.element, number + place) for place in range(count)]


def _sample_element(element: str, number: int) -> Any:
    if element == STRING:
        return "a" * (number % len(_SAMPLES))
    if element in NUMBERS:
        return {"boolean": bool(number % 2), "octet": bytes([number % 128])}.get(element, number % 128)
    return _sample(message_class(element), number)
