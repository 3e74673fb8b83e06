"""OpenAPI descriptions of error responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Body of an error response."""

    detail: str


def problems(texts: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI descriptions of error responses, by status."""
    return {status: {"model": Problem, "description": text} for status, text in texts.items()}
