"""Compiled; typed and checked by surface.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
