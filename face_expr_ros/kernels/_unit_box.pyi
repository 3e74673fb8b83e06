"""Compiled; typed and checked by unit_box.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
