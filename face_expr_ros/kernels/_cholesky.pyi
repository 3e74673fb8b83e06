"""Compiled; typed and checked by cholesky.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
