"""Which MediaPipe is installed. It is optional; finding it does not import it, which takes a second."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from face_expr_ros.core.settings import ConfigError

INSTALL = (
    "MediaPipe up to 0.10.21 (0.10.18 on aarch64), for Python up to 3.12: pip install -r requirements/mediapipe.txt"
)
INSTALL_ANY = "MediaPipe of any version: pip install mediapipe"


def has_mediapipe() -> bool:
    """Whether any MediaPipe is installed."""
    return bool(_folders())


def has_solutions() -> bool:
    """Whether a MediaPipe with the graphs and networks of its Solutions is installed: up to 0.10.21."""
    return any(any((folder / "python").glob("_framework_bindings*")) for folder in _folders())


def require_mediapipe(setting: str, value: str, instead: str, *, solutions: bool = True) -> None:
    """Raise ConfigError unless the MediaPipe is installed that a setting's value needs."""
    if not (has_solutions() if solutions else has_mediapipe()):
        raise ConfigError(f"{setting}: {value} needs {INSTALL if solutions else INSTALL_ANY}; or choose {instead}")


def _folders() -> list[Path]:
    spec = find_spec("mediapipe")
    return [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]
