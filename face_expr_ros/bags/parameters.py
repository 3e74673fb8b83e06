"""Settings of the perception node from a ROS parameter file, validated as in the node, without ROS."""

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
    """The settings of a parameter file, or the defaults, with ``changes``: dotted parameter name -> value.

    Raises:
        ConfigError: the file has no parameters of the node, or invalid ones.
    """
    given = {} if path is None else parameters_of(path)
    return from_mapping(PerceptionConfig, {**given, **changes})


def parameters_of(path: Path, node: str = NODE) -> dict[str, Any]:
    """The parameters of a node in a file: dotted name -> value.

    Parameters of all nodes (``/**``) are included. Only the last part of a node's full name is compared.

    Raises:
        ConfigError: the file is not a ROS parameter file, or has the node in no namespace or in several.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read as YAML: {' '.join(str(error).split())}") from error
    found = [(name, values) for name, values in _nodes(content, "") if name.split("/")[-1] in (node, "*", "**")]
    exact = sorted({name for name, _ in found if "*" not in name})
    if len(exact) > 1:
        raise ConfigError(f"expected parameters of one node {node}, {str(path)!r} has several: {', '.join(exact)}")
    if not found:
        names = ", ".join(name for name, _ in _nodes(content, "")) or "none"
        raise ConfigError(f"expected parameters of a node {node}, {str(path)!r} has those of {names}")
    given: dict[str, Any] = {}
    for name, values in found:
        if not isinstance(values, Mapping | None):
            raise ConfigError(f"{str(path)!r}: expected a mapping of parameters for {name}, got {values!r}")
        given |= _dotted(values or {}, "")
    return without_rclpy_parameters(given)


def _nodes(content: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Name and parameters of every node in a file; a namespace may be part of the key or a separate level."""
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
