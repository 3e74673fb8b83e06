"""Compiled; typed and checked by boxes.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
