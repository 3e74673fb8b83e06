"""Opens model files against weights/manifest.yaml."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from face_expr_ros.face_model import BundleError, MorphableModel, load_face_model
from face_expr_ros.resources import resource_path

MANIFEST = "weights/manifest.yaml"


@cache
def manifest() -> dict[str, Any]:
    """The bundles by name, each with licence, source, and its files and hashes or the reason why it is unavailable."""
    bundles: dict[str, Any] = yaml.safe_load(resource_path(MANIFEST).read_text(encoding="utf-8"))["bundles"]
    return bundles


def open_face_model(bundle: str) -> MorphableModel:
    """The face model of a bundle, after its hash is checked.

    Raises:
        BundleError: there is no such bundle, it is unavailable, or a file is missing or not the one in the manifest.
    """
    entry = _bundle(bundle)["face_model"]
    return load_face_model(_checked_file(bundle, entry))


def _bundle(name: str) -> dict[str, Any]:
    if name not in manifest():
        raise BundleError(f"there is no bundle {name!r} in {MANIFEST}; there are {', '.join(manifest())}")
    bundle: dict[str, Any] = manifest()[name]
    if reason := bundle.get("unavailable"):
        raise BundleError(f"bundle {name!r} is not available: {reason}")
    return bundle


def _checked_file(bundle: str, entry: dict[str, str]) -> Path:
    path = resource_path(entry["file"])
    given = _sha256(path)
    if given != entry["sha256"]:
        raise BundleError(
            f"{path} is not the file that bundle {bundle!r} needs: its sha256 should be {entry['sha256']} "
            f"and is {given}; restore it from the repository or rebuild it"
        )
    return path


def write_hash(path: Path) -> None:
    """Write the sha256 of a rebuilt file into the source tree's manifest; a file the manifest does not name is left."""
    target = resource_path(MANIFEST)
    pattern = rf"(file: \S*{re.escape(path.name)}\n\s*sha256: )\S*"
    text = target.read_text(encoding="utf-8")
    target.write_text(re.sub(pattern, rf"\g<1>{_sha256(path)}", text), encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
