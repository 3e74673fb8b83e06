"""The settings of a robot's perception node from its parameter file, checked as the node does, without ROS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import ConfigError, from_mapping, without_rclpy_parameters

NODE = "perception"
_PARAMETERS = "ros__parameters"


def perception_config_of(path: Path | None, changes: Mapping[str, Any]) -> PerceptionConfig:
    """The settings of a parameter file, with ``changes`` by their dotted names; without a file the defaults.

    Raises:
        ConfigError: the file has no parameters for the node, or some that it would refuse.
    """
    given = {} if path is None else parameters_of(path)
    return from_mapping(PerceptionConfig, {**given, **changes})


def parameters_of(path: Path, node: str = NODE) -> dict[str, Any]:
    """The parameters that a file has for a node, by their dotted names.

    What is written for all nodes (``/**``) counts, too. Of the node's full name only the last part is looked at.

    Raises:
        ConfigError: the file is no ROS parameter file, has nothing for the node, or has it in several namespaces.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read as YAML: {' '.join(str(error).split())}") from error
    found = [(name, values) for name, values in _nodes(content, "") if name.split("/")[-1] in (node, "*", "**")]
    exact = sorted({name for name, _ in found if "*" not in name})
    if len(exact) > 1:
        raise ConfigError(f"parameters of one node {node} were wanted, {str(path)!r} has several: {', '.join(exact)}")
    if not found:
        names = ", ".join(name for name, _ in _nodes(content, "")) or "none"
        raise ConfigError(f"parameters of a node {node} were wanted, {str(path)!r} has those of {names}")
    given: dict[str, Any] = {}
    for name, values in found:
        if not isinstance(values, Mapping | None):
            raise ConfigError(f"{str(path)!r}: parameters by their names were wanted for {name}, {values!r} was given")
        given |= _dotted(values or {}, "")
    return without_rclpy_parameters(given)


def _nodes(content: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Name and parameters of every node in a file; a namespace may be part of the key or a level of its own."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key == _PARAMETERS:
            yield name, value
        else:
            yield from _nodes(value, f"{name}/{str(key).strip('/')}")


def _dotted(values: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + str(name), value
