"""Copies the BlazeFace and FaceMesh networks of weights/facemesh/ out of the files in which MediaPipe publishes them.

    python -m face_expr_ros.models.facemesh_files face_landmarker.task mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl

Both are zip files. The networks are copied unchanged (Apache-2.0, see weights/facemesh/NOTICE).
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models.bundle import MANIFEST, package_file

# By the name in the manifest: the file in weights/facemesh/, and its path in MediaPipe's zip files.
NETWORKS = {
    "landmarks": ("facemesh_v2.tflite", "face_landmarks_detector.tflite"),
    "short_range": ("blazeface_short_range.tflite", "face_detector.tflite"),
    "full_range": (
        "blazeface_full_range.tflite",
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
    ),
}


def copy_networks(archives: Sequence[Path], folder: Path) -> None:
    """Copy all networks from MediaPipe's zip files into a folder.

    Raises:
        BundleError: an archive cannot be read, or a network is in none of them.
    """
    found = {}
    for archive in archives:
        try:
            with zipfile.ZipFile(archive) as files:
                paths = set(files.namelist())
                found |= {name: files.read(path) for name, path in NETWORKS.values() if path in paths}
        except (OSError, zipfile.BadZipFile) as error:
            raise BundleError(f"{archive}: expected a zip file of MediaPipe: {error}") from error
    if missing := [path for name, path in NETWORKS.values() if name not in found]:
        raise BundleError(f"expected {', '.join(missing)} in {', '.join(map(str, archives))}, found none")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        (folder / name).write_bytes(content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy the networks into weights/facemesh/ and check their hashes."""
    archives = sys.argv[1:] if arguments is None else arguments
    try:
        copy_networks([Path(archive) for archive in archives], resource_path(MANIFEST).parent / "facemesh")
        for name in NETWORKS:
            print(package_file("facemesh", name))
    except BundleError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
