"""Which MediaPipe is installed, found without importing it, which takes a second."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def has_solutions() -> bool:
    """Whether the installed MediaPipe has the graphs and networks of its Solutions: up to 0.10.21."""
    spec = find_spec("mediapipe")
    folders = [] if spec is None else spec.submodule_search_locations or []
    return any(any(Path(folder, "python").glob("_framework_bindings*")) for folder in folders)
