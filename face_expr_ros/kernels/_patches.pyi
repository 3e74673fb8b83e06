"""Compiled; typed and checked by patches.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
