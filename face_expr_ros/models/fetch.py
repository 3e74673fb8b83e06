"""Installs a bundle: downloads and checks its files, converts them in a temporary folder, and moves that in place."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.bundle import RECORD, bundle_entry, bundle_folder, open_bundle, sha256_of
from face_expr_ros.models.convert import CONVERTERS
from face_expr_ros.models.download import download


def license_of(bundle: str) -> tuple[str, str, str]:
    """Name, summary and URL of the license that must be accepted before a bundle is fetched."""
    fetch = _fetch_entry(bundle)
    return fetch["licence_name"], fetch["licence_text"].strip(), fetch["licence_url"]


def fetch_models(bundle: str, source: Path | None = None) -> dict[str, Any]:
    """Install a bundle; an earlier one is replaced only on success.

    Args:
        bundle: a bundle of the manifest that is fetched.
        source: a folder with the files, under the names in the manifest or at upstream's paths; None downloads them.

    Returns:
        `bundle`, `files` (name, sha256 and bytes of every source), `sparse`, `missing` (name -> what is unavailable
        without it), `folder`, and `installed` (name, sha256 and bytes of every converted file).

    Raises:
        BundleError: the bundle does not exist, or a file is missing, has a wrong hash or cannot be converted. Then
            nothing is installed, and an installed bundle is unchanged.
    """
    fetch = _fetch_entry(bundle)
    target = bundle_folder(bundle)
    target.parent.mkdir(parents=True, exist_ok=True)
    downloads = target.parent / f"{bundle}.downloads"
    sources = _downloaded(fetch, downloads) if source is None else _found(fetch, source)
    with _staging_folder(target.parent, bundle) as staging:
        CONVERTERS[bundle](sources, staging)
        files = _described({path.name: path for path in sorted(staging.iterdir())})
        listed = _described(sources)
        _write_record(staging / RECORD, listed, files)
        _put_in_place(staging, target)
    shutil.rmtree(downloads, ignore_errors=True)
    return {
        "bundle": bundle,
        "files": listed,
        "sparse": open_bundle(bundle).sparse,
        "missing": {
            file["name"]: file["without"]
            for file in fetch["files"]
            if "without" in file and file["name"] not in sources
        },
        "folder": str(target),
        "installed": files,
    }


def _fetch_entry(bundle: str) -> dict[str, Any]:
    entry = bundle_entry(bundle)
    if "fetch" not in entry:
        raise BundleError(f"bundle {bundle!r} is part of this package and need not be fetched")
    fetch: dict[str, Any] = entry["fetch"]
    return fetch


def _downloaded(fetch: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """All upstream files, downloaded to a folder that keeps them until they are converted."""
    sources = {}
    for file in fetch["files"]:
        if "path" in file:
            sources[file["name"]] = path = folder / file["name"]
            if not path.exists() or sha256_of(path) != file["sha256"]:
                download(fetch["url"].format(path=file["path"]), path, size=file["bytes"], sha256=file["sha256"])
    return sources


def _found(fetch: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """The files of a folder after checking their hashes; optional ones may be missing."""
    if not folder.is_dir():
        raise BundleError(f"--from: expected a folder with the model files, got {folder}")
    sources = {}
    for file in fetch["files"]:
        places = [folder / place for place in (file["name"], file.get("path")) if place]
        path = next((place for place in places if place.is_file()), None)
        if path is not None:
            _check_source(path, file)
            sources[file["name"]] = path
        elif not file.keys() & {"without", "instead_of"}:
            raise BundleError(f"{folder} lacks {file['name']} ({file['bytes']} bytes, sha256 {file['sha256']})")
    return sources


def _check_source(path: Path, file: Mapping[str, Any]) -> None:
    actual, size = sha256_of(path), path.stat().st_size
    if actual != file["sha256"]:
        raise BundleError(
            f"{path} is not the released file: expected {file['bytes']} bytes with sha256 {file['sha256']}, "
            f"got {size} bytes with {actual}; replace it"
        )


@contextmanager
def _staging_folder(parent: Path, bundle: str) -> Iterator[Path]:
    """A temporary folder next to the bundle's, on the same file system."""
    with tempfile.TemporaryDirectory(prefix=f".{bundle}.", dir=parent) as folder:
        staging = Path(folder) / "new"
        staging.mkdir()
        yield staging


def _put_in_place(staging: Path, target: Path) -> None:
    """Move the finished folder in place; an older one is deleted with the staging folder."""
    older = staging.with_name("older")
    if target.exists():
        target.rename(older)
    try:
        staging.rename(target)
    except OSError:
        if older.exists():
            older.rename(target)
        raise


def _described(paths: Mapping[str, Path]) -> list[dict[str, Any]]:
    return [{"name": name, "sha256": sha256_of(path), "bytes": path.stat().st_size} for name, path in paths.items()]


def _write_record(path: Path, sources: list[dict[str, Any]], files: list[dict[str, Any]]) -> None:
    record = {
        "sources": {file["name"]: file["sha256"] for file in sources},
        "files": {file["name"]: {"sha256": file["sha256"], "bytes": file["bytes"]} for file in files},
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
