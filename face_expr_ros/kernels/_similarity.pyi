"""Compiled; typed and checked by similarity.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
