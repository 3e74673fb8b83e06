"""Compiled; typed and checked by face_parts.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
