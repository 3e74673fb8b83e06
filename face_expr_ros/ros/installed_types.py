"""The definitions of installed message types, and whether those of a recording are the same.

A subscriber deserializes with the installed definition: messages that were recorded with another one would be misread.
Types are compared by their hash (RIHS01, REP-2016), which covers names and types of all fields, also of nested types,
but not comments, constants or defaults.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from face_expr_ros.bags.messages import UNKNOWN_HASH, definition_hash, hash_of_definitions


def is_as_installed(connection: Any) -> bool:
    """Whether the recorded type of a topic, a connection of `Recording`, is the installed one, as far as known.

    Bags of ROS 2 before Iron contain neither definitions nor hashes: they are regarded as unchanged.
    """
    name = connection.msgtype
    stored, installed = connection.digest, installed_hash(name)
    comparisons = [stored in (installed, computed_hash(name))] if installed and stored not in ("", UNKNOWN_HASH) else []
    if connection.msgdef.data.strip() and (computed := computed_hash(name)):  # both computed by the same library
        comparisons.append(definition_hash(connection) == computed)
    return any(comparisons) or not comparisons


@cache
def installed_hash(name: str) -> str:
    """The hash of an installed type, such as "std_msgs/msg/String", by its own package; empty before ROS 2 Iron."""
    try:
        hashes = json.loads(_file(name, ".json").read_text(encoding="utf-8"))["type_hashes"]
        return next((str(entry["hash_string"]) for entry in hashes if entry["type_name"] == name), "")
    except (OSError, ValueError, KeyError, TypeError, PackageNotFoundError):
        return ""


@cache
def computed_hash(name: str) -> str:
    """The hash of an installed type, computed from its .msg file; empty if that cannot be done."""
    try:
        return hash_of_definitions(name, lambda kind: _file(kind, ".msg").read_text(encoding="utf-8"))
    except (OSError, ValueError, PackageNotFoundError):
        return ""


def _file(name: str, suffix: str) -> Path:
    package, kind, message = name.split("/")
    return Path(get_package_share_directory(package), kind, message + suffix)
