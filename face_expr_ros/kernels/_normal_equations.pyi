"""Compiled; typed and checked by normal_equations.py."""

from typing import Any

def __getattr__(name: str) -> Any: ...
