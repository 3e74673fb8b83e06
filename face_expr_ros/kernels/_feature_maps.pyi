"""Compiled; typed and checked by feature_maps.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
