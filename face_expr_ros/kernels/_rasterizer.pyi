"""Compiled; typed and checked by rasterizer.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
