"""Compiled; typed and checked by decimation.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
