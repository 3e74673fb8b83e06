"""Check of a user's parameter file: ROS ignores keys that match no node without a message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from face_expr_ros.core.resources import resource_path

NODES = ("avatar_bridge", "camera", "head_control", "hri_bridge", "perception", "web_bridge")
_PARAMETERS = "ros__parameters"
_TYPES = (bool, int, float, str)  # of values, in the order in which rcl takes them; see `_check_types`
_TYPE_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")  # a number for rcl, a string for PyYAML


class LaunchError(RuntimeError):
    """The launch cannot start or continue; launch shows the text."""


def check_params_file(path: Path, namespace: str) -> None:
    """Check that a parameter file applies to nodes of this package. It may contain those of other packages, too.

    Args:
        path: the file.
        namespace: of the nodes.

    Raises:
        LaunchError: the file does not exist or is not a parameter file, no key matches a node, a key is almost a
            node's name, a node is named only in other namespaces, or a value has a type with which it is ignored.
    """
    sections = list(_sections(path))
    keys, file = {key for key, _ in sections}, f"params_file {path}"
    for key in sorted(keys):
        last = key.rpartition("/")[2]
        nearest = get_close_matches(last, NODES, n=1, cutoff=0.8)
        if nearest and last not in NODES:
            raise LaunchError(
                f"params_file {path}: {key!r} is not a node of this package, did you mean {nearest[0]!r}?"
            )
    prefix = f"/{namespace.strip('/')}".rstrip("/")
    for name in NODES:
        own = sorted(key for key in keys if key.rpartition("/")[2] == name)
        if own and not any(_matches(key, f"{prefix}/{name}") for key in keys):
            raise LaunchError(
                f"{file}: {', '.join(map(repr, own))} does not match {prefix}/{name}; "
                f"use '{prefix}/{name}' or '/**/{name}'"
            )
    if not any(_matches(key, f"{prefix}/{name}") for key in keys for name in NODES):
        raise LaunchError(
            f"params_file {path}: expected parameters of {', '.join(NODES)}, got {', '.join(sorted(keys))}"
        )
    for name in NODES:
        for key, values in sections:
            if _matches(key, f"{prefix}/{name}"):
                _check_types(file, _flat(values), name)


def _sections(path: Path) -> Iterator[tuple[str, Any]]:
    """The full names of all nodes in a parameter file, with wildcards, and their parameters."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LaunchError(f"params_file {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise LaunchError(f"params_file {path}: expected YAML: {reason}") from error
    sections = list(_nested_sections(content, ""))
    if not sections:
        raise LaunchError(f"params_file {path}: expected <node>: {_PARAMETERS}: ..., found no {_PARAMETERS}")
    yield from sections


def _nested_sections(content: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Namespaces may be nested: ``front: {perception: {ros__parameters: ...}}`` is /front/perception."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key == _PARAMETERS:
            yield prefix or "/", value
        else:
            yield from _nested_sections(value, f"{prefix}/{str(key).strip('/')}")


def _matches(key: str, name: str) -> bool:
    """Whether a key applies to a node: ``*`` is one part of its full name, ``**`` any number of parts."""
    pattern = re.escape(key).replace(r"/\*\*", "(/[^/]+)*").replace(r"\*", "[^/]+")
    return re.fullmatch(pattern, name) is not None


def _check_types(file: str, values: Mapping[str, Any], name: str) -> None:
    """Check the types of values by those of the default parameter file of a node.

    rcl keeps the values of both files if their types differ, and takes the first of bool, integer, float and string: it
    ignores a user's "90" for the integer 0. Values of an earlier type reach the node, which checks them.
    """
    (_, defaults), *_ = _sections(resource_path(f"config/{name}.yaml"))
    for parameter, default in _flat(defaults).items():
        value = values.get(parameter, default)
        if _rank(value) > _rank(default):
            raise LaunchError(
                f"{file}: {parameter} of {name}: expected {_TYPE_NAMES[type(default)]}, got {value!r}, "
                f"{_TYPE_NAMES[_TYPES[_rank(value)]]}, which ROS would ignore"
            )


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Parameters by their full names, which have dots."""
    result: dict[str, Any] = {}
    for key, value in values.items() if isinstance(values, Mapping) else ():
        result |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return result


def _rank(value: Any) -> int:
    """The place of a value's type in `_TYPES`; 0 for types that the node refuses."""
    if isinstance(value, str) and value in ("y", "n", "Y", "N"):
        return 0
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return _TYPES.index(float)
    return _TYPES.index(type(value)) if type(value) in _TYPES else 0
