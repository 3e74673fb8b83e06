"""Fields of message types, read from the installed classes, and conversion of plain values to message objects."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from face_expr_ros.serialization.cdr import NUMBERS, STRING, FieldType
from face_expr_ros.serialization.cdr import uniform_layout as layout_of

# Type codes of the sequences that rclpy stores as array.array.
_TYPECODES = {
    "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q", "int64": "q",
    "float": "f", "double": "d",
}  # fmt: skip
_SEQUENCE = re.compile(r"sequence<(.*?)(?:, \d+)?>")
_ARRAY = re.compile(r"(.*)\[(\d+)\]")
_STRING = re.compile(r"string<\d+>")
_FIELDS: dict[type[Any], dict[str, FieldType]] = {}


def message_fields(message_type: type[Any]) -> dict[str, FieldType]:
    """Name -> type of every field of a message class, in the order of serialization."""
    if message_type not in _FIELDS:
        _FIELDS[message_type] = {
            name: _field_type(text) for name, text in message_type.get_fields_and_field_types().items()
        }
    return _FIELDS[message_type]


@cache
def message_class(name: str) -> Any:
    """The class of "geometry_msgs/Point". Raises AttributeError if ``name`` is not a message, such as "wstring"."""
    package, _, message = name.rpartition("/")
    if not package:
        raise AttributeError(f"{name!r} is not a message")
    return getattr(import_module(f"{package}.msg"), message)


@cache
def uniform_layout(name: str) -> tuple[str, int] | None:
    """As `serialization.cdr.uniform_layout`, of an installed type."""
    return layout_of(name, lambda message: message_fields(message_class(message)))


def with_fields(message: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a message by name, with some replaced. Raises ValueError for a field that does not exist."""
    values = {name: getattr(message, name) for name in message_fields(type(message))}
    if unknown := sorted(fields.keys() - values.keys()):
        names = ", ".join(values)
        raise ValueError(f"expected fields of {type(message).__name__} ({names}), got {', '.join(unknown)}")
    return values | dict(fields)


def message_object(message_type: type[Any], values: Any) -> Any:
    """A message of plain values: a mapping (missing fields have defaults), a row of numbers, or a message itself."""
    if isinstance(values, message_type):
        return values
    fields = message_fields(message_type)
    if not isinstance(values, Mapping):
        values = _split_row(fields, values)
    return message_type(**{name: _field_value(fields[name], value) for name, value in values.items()})


def _split_row(fields: Mapping[str, FieldType], row: Any) -> dict[str, Any]:
    """The fields of a uniform message from a row of numbers."""
    values, start = {}, 0
    for name, entry in fields.items():
        part = uniform_layout(entry.element)
        assert part is not None
        stop = start + part[1] * (entry.count or 1)
        is_number = not (entry.is_collection or entry.is_message)
        values[name] = row[start] if is_number else row[start:stop]
        start = stop
    return values


def _field_value(entry: FieldType, value: Any) -> Any:
    if entry.is_message:
        message_type = message_class(entry.element)
        if not entry.is_collection:
            return message_object(message_type, value)
        rows = value.tolist() if isinstance(value, np.ndarray) else value
        return [message_object(message_type, row) for row in rows]
    if entry.is_collection and entry.element in _TYPECODES:
        numbers = np.ascontiguousarray(value, NUMBERS[entry.element]).ravel()
        return numbers if entry.count is not None else array(_TYPECODES[entry.element], numbers.tobytes())
    if entry.is_collection:
        return value.tolist() if isinstance(value, np.ndarray) else list(value)
    if entry.element in ("float", "double"):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


@cache
def _field_type(text: str) -> FieldType:
    is_collection, count = False, None
    if match := _SEQUENCE.fullmatch(text):
        text, is_collection = match[1], True
    elif match := _ARRAY.fullmatch(text):
        text, is_collection, count = match[1], True, int(match[2])
    return FieldType(STRING if _STRING.fullmatch(text) else text, is_collection, count)
