"""Declaring and checking settings: ROS parameters, YAML files, their checks and the docs table come from one place."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, get_type_hints

ConfigClass = TypeVar("ConfigClass")
Entry = TypeVar("Entry")

# Parameters that rclpy declares and reads in every node; the last is a section.
_RCLPY_PARAMETERS = ("use_sim_time", "start_type_description_service", "qos_overrides")


class ConfigError(ValueError):
    """An unknown setting, or a value that is not allowed."""


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str | int, ...] = (),
) -> Any:
    """A dataclass field with its description, unit and bounds as metadata."""
    metadata = {"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Setting:
    """One setting under its dotted name, e.g. ``smoothing.minimum_cutoff``."""

    name: str
    type: type
    default: Any
    help: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str | int, ...]

    def check(self, value: Any) -> Any:
        """Return ``value`` in the setting's type.

        Raises:
            ConfigError: the type is wrong or the value is out of bounds.
        """
        if self.type is float and type(value) is int and self._within_bounds(value):
            value = float(value)
        if type(value) is bool and {"true", "false"} <= set(self.choices):
            value = "true" if value else "false"  # YAML reads the words as truth values
        allowed = not self.choices or value in self.choices
        if type(value) is not self.type or not allowed or not self._within_bounds(value):
            raise ConfigError(f"{self.name}: expected {self.expected()}, got {value!r}")
        return value

    def _within_bounds(self, value: Any) -> bool:
        if self.type not in (int, float):
            return True
        low = -sys.float_info.max if self.minimum is None else self.minimum
        high = sys.float_info.max if self.maximum is None else self.maximum
        return bool(low <= value <= high)  # False for NaN, infinity and integers beyond the range of float

    def expected(self) -> str:
        """A description of the allowed values."""
        unit = f" ({self.unit})" if self.unit else ""
        if self.choices:
            return "one of " + ", ".join(str(choice) or '""' for choice in self.choices) + unit
        text = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}[self.type]
        if self.minimum is not None and self.maximum is not None:
            text += f" from {self.minimum:g} to {self.maximum:g}"
        elif self.minimum is not None:
            text += f" of at least {self.minimum:g}"
        return text + unit


def settings(config: Any, prefix: str = "") -> Iterator[Setting]:
    """Every setting of a config class in declaration order; nested sections become dotted names."""
    hints = get_type_hints(config)
    for entry in fields(config):
        kind = hints[entry.name]
        if is_dataclass(kind):
            yield from settings(kind, f"{prefix}{entry.name}.")
        else:
            yield Setting(name=prefix + entry.name, type=kind, default=entry.default, **entry.metadata)


def from_mapping(config: type[ConfigClass], values: Mapping[str, Any]) -> ConfigClass:
    """Build a config from dotted names and values; other settings keep their defaults.

    Raises:
        ConfigError: a name is unknown, or a value has the wrong type or is out of bounds.
    """
    known = {entry.name: entry for entry in settings(config)}
    for name in values:
        if name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f", did you mean {nearest[0]}?" if nearest else f"; available: {', '.join(known)}"
            raise ConfigError(f"unknown setting {name!r}{hint}")
    return _build(config, {name: known[name].check(value) for name, value in values.items()})


def backend(table: Mapping[str, Entry], name: str, value: str) -> Entry:
    """The entry of a table of backends for the setting ``name``.

    Raises:
        ConfigError: the table has no entry for ``value``.
    """
    if value not in table:
        raise ConfigError(f"{name}: expected one of {', '.join(table)}, got {value!r}")
    return table[value]


def without_rclpy_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a node or a parameter file without those that rclpy declares and reads itself."""
    return {name: value for name, value in values.items() if name.split(".")[0] not in _RCLPY_PARAMETERS}


def _build(config: type[ConfigClass], values: Mapping[str, Any]) -> ConfigClass:
    hints = get_type_hints(config)
    arguments = {name: value for name, value in values.items() if "." not in name}
    for entry in fields(config):  # type: ignore[arg-type]
        if is_dataclass(hints[entry.name]):
            section = entry.name + "."
            inner = {name[len(section) :]: value for name, value in values.items() if name.startswith(section)}
            arguments[entry.name] = _build(hints[entry.name], inner)
    return config(**arguments)
