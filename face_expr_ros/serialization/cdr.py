"""Serialization of messages to CDR, with large fields given as arrays; the types come from ROS or from a bag library.

The format is XCDR1, little endian (OMG DDS-XTypes 1.3, section 7.4): every number is aligned to its size, counted from
the end of the four encapsulation bytes; a string is its length including the terminating zero, its bytes and the zero;
a sequence is its length followed by its elements.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ENCAPSULATION = b"\x00\x01\x00\x00"
PADDING = b"\x00"  # readers ignore its value
# IDL's number types -> NumPy's, little endian.
NUMBERS = {
    "boolean": "?", "octet": "S1", "uint8": "u1", "int8": "i1", "uint16": "<u2", "int16": "<i2", "uint32": "<u4",
    "int32": "<i4", "uint64": "<u8", "int64": "<i8", "float": "<f4", "double": "<f8",
}  # fmt: skip
STRING = "string"
_LARGE = 1024  # bytes from which an array is referenced until the parts are joined, instead of copied
_STRUCT_CODES = {
    "boolean": "?", "octet": "c", "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i",
    "uint64": "Q", "int64": "q", "float": "f", "double": "d",
}  # fmt: skip

Write = Callable[["_Stream", Any], None]


class CdrLayoutError(RuntimeError):
    """A message type has an unexpected layout or an unsupported field type."""


@dataclass(frozen=True)
class FieldType:
    """The type of one field.

    Attributes:
        element: IDL's name of a number type, "string", or a message such as "geometry_msgs/Point".
        is_collection: the field is a sequence or an array.
        count: number of elements of an array; None for a sequence and for a single element.
    """

    element: str
    is_collection: bool = False
    count: int | None = None

    @property
    def is_message(self) -> bool:
        """The elements are messages."""
        return self.element not in NUMBERS and self.element != STRING


class MessageTypes(Protocol):
    """The definitions of message types by name."""

    def fields(self, name: str) -> Mapping[str, FieldType]:
        """Name -> type of every field, in the order of serialization.

        Raises CdrLayoutError for an unsupported type, such as a wide string.
        """

    def default(self, name: str, field: str) -> Any:
        """The value of a field that is missing in a mapping; raises KeyError if it may not be missing."""


def uniform_layout(name: str, fields_of: Callable[[str], Mapping[str, FieldType]]) -> tuple[str, int] | None:
    """(NumPy dtype, count) of a number, or of a message of numbers of one type without padding; None for others."""
    if name in NUMBERS:
        return NUMBERS[name], 1
    if name == STRING:
        return None
    parts = []
    for entry in fields_of(name).values():
        part = uniform_layout(entry.element, fields_of)
        if part is None or (entry.is_collection and entry.count is None):
            return None
        parts.append((part[0], part[1] * (entry.count or 1)))
    if len({dtype for dtype, _ in parts}) != 1:
        return None
    return parts[0][0], sum(count for _, count in parts)


class MessageWriter:
    """Serializes messages of one type.

    Args:
        types: definitions of the type and of all types of its fields.
        name: of the type.

    Raises:
        CdrLayoutError: a field's type is not supported.
    """

    def __init__(self, types: MessageTypes, name: str) -> None:
        self._write = _Compiler(types).message(name)

    def __call__(self, message: Any) -> bytes:
        """The CDR of a message: an object with the fields as attributes, or a mapping.

        A sequence of numbers may be any array. A sequence of messages that consist of numbers of one type, such as
        Point or ColorRGBA, may be an array of shape (n, numbers).

        Raises:
            ValueError: an array does not have the shape of its field.
        """
        stream = _Stream()
        self._write(stream, message)
        return stream.joined()


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


class _Compiler:
    """Makes the function that writes a type, once for each type."""

    def __init__(self, types: MessageTypes) -> None:
        self._types = types
        self._elements: dict[str, Write] = {STRING: _string}

    def message(self, name: str) -> Write:
        if not self._types.fields(name):
            raise CdrLayoutError(f"{name} has no fields, which is not supported")
        fields = [(field, self._field(entry)) for field, entry in self._types.fields(name).items()]
        default = self._types.default

        def write(stream: _Stream, value: Any) -> None:
            if isinstance(value, Mapping):
                for field, write_field in fields:
                    write_field(stream, value[field] if field in value else default(name, field))
            else:
                for field, write_field in fields:
                    write_field(stream, getattr(value, field))

        return write

    def _field(self, entry: FieldType) -> Write:
        if not entry.is_collection:
            return self._element(entry.element)
        if entry.element == STRING and entry.count is None:
            return _strings
        layout = uniform_layout(entry.element, self._types.fields)
        write_elements = _collection(self._element(entry.element), entry.count)
        return write_elements if layout is None else _array(entry, write_elements, *layout)

    def _element(self, element: str) -> Write:
        if element not in self._elements:
            self._elements[element] = _number(element) if element in NUMBERS else self.message(element)
        return self._elements[element]


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


def _array(entry: FieldType, write_elements: Write, dtype: str, width: int) -> Write:
    """Elements that consist of numbers of one type: written as an array, message objects one by one."""
    size = np.dtype(dtype).itemsize

    def write(stream: _Stream, values: Any) -> None:
        if entry.is_message and not isinstance(values, np.ndarray):
            write_elements(stream, values)
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
