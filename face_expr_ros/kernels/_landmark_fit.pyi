"""Compiled; typed and checked by landmark_fit.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
