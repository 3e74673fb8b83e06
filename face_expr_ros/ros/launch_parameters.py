"""Check of a user's parameter file: ROS ignores keys that match no node without a message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

NODES = ("avatar_bridge", "camera", "head_control", "hri_bridge", "perception", "web_bridge")
_PARAMETERS = "ros__parameters"


class LaunchError(RuntimeError):
    """The launch cannot start or continue; launch shows the text."""


def check_params_file(path: Path, namespace: str) -> None:
    """Check that a parameter file applies to nodes of this package. It may contain those of other packages, too.

    Args:
        path: the file.
        namespace: of the nodes.

    Raises:
        LaunchError: the file does not exist or is not a parameter file, no key matches a node, a key is almost a
            node's name, or a node is named only in other namespaces.
    """
    keys, file = set(_node_keys(path)), f"params_file {path}"
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


def _node_keys(path: Path) -> Iterator[str]:
    """The full names of all nodes in a parameter file, with wildcards."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LaunchError(f"params_file {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise LaunchError(f"params_file {path}: expected YAML: {reason}") from error
    keys = list(_nested_keys(content, ""))
    if not keys:
        raise LaunchError(f"params_file {path}: expected <node>: {_PARAMETERS}: ..., found no {_PARAMETERS}")
    yield from keys


def _nested_keys(content: Any, prefix: str) -> Iterator[str]:
    """Namespaces may be nested: ``front: {perception: {ros__parameters: ...}}`` is /front/perception."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key == _PARAMETERS:
            yield prefix or "/"
        else:
            yield from _nested_keys(value, f"{prefix}/{str(key).strip('/')}")


def _matches(key: str, name: str) -> bool:
    """Whether a key applies to a node: ``*`` is one part of its full name, ``**`` any number of parts."""
    pattern = re.escape(key).replace(r"/\*\*", "(/[^/]+)*").replace(r"\*", "[^/]+")
    return re.fullmatch(pattern, name) is not None
