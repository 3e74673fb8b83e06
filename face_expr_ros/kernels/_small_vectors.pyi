"""Compiled; typed and checked by small_vectors.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
