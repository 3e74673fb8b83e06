"""Compiled; typed and checked by one_euro.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
