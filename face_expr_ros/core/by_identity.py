"""A cache for functions of tuples that are the same objects in every frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

_MAX_ENTRIES = 64  # tuples that come from messages are new objects each time


def cached_by_identity(function: Callable[..., Result]) -> Callable[..., Result]:
    """The function with a cache that compares its arguments by identity; they must not be mutable.

    `functools.lru_cache` computes the hash of a tuple at each call: for the names of all blendshapes, this takes longer
    than most of what is computed from their values.
    """
    known: dict[tuple[int, ...], tuple[tuple[Any, ...], Result]] = {}

    def cached(*arguments: Any) -> Result:
        key = tuple(map(id, arguments))
        found = known.get(key)
        if found is None:
            if len(known) >= _MAX_ENTRIES:
                known.clear()
            # With the arguments: an id is that of no other object while they exist.
            found = known[key] = arguments, function(*arguments)
        return found[1]

    return cached
