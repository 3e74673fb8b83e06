"""Compiled; typed and checked by regions.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
