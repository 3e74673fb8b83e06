"""Compiled; typed and checked by face_alignment.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
