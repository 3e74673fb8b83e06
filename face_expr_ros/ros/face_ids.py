"""Ids of faces that are unique among the nodes of a graph, and after a restart: /tf and /humans are global."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.settings import ConfigError

NO_PREFIX = "none"
_NUMBERS = 999_999_999  # milliseconds after which the numbers repeat: 11 days
_lock = threading.Lock()
_last_start = 0


def with_unique_ids(config: PerceptionConfig, namespace: str) -> PerceptionConfig:
    """The config with the prefix of a node's namespace and a first number that no recent start has used.

    Args:
        config: an empty ``id_prefix`` and a ``first_id`` of 0 are replaced.
        namespace: of the node; ``/robot/front`` becomes ``robot_front_``.

    Raises:
        ConfigError: the prefix is not valid in ids of REP-155.
    """
    prefix = config.id_prefix
    if prefix == NO_PREFIX:
        prefix = ""
    elif not prefix and namespace.strip("/"):
        prefix = namespace.strip("/").replace("/", "_") + "_"
    if prefix and not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", prefix):
        raise ConfigError(
            f"id_prefix: expected letters, digits and underscores, starting with a letter, got {prefix!r}; "
            "an empty one is made from the namespace"
        )
    return replace(config, id_prefix=prefix, first_id=config.first_id or _first_of_this_start())


def _first_of_this_start() -> int:
    """A number from the time, in milliseconds: a start at another time has other ids.

    A tracker uses less than one number a millisecond, so that it never reaches the first number of a later start, of
    this process or of one that is started after this one was killed.
    """
    global _last_start
    with _lock:
        _last_start = max(time.time_ns() // 1_000_000, _last_start + 1)
        return _last_start % _NUMBERS + 1
