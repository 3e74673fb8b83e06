"""Compiled; typed and checked by face_numbers.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
