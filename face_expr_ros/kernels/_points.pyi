"""Compiled; typed and checked by points.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
