"""Makes weights/facemesh/ from the files in which MediaPipe publishes its networks.

    python -m face_expr_ros.models.facemesh_files mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl

The BlazeFace networks are copied. FaceMesh with attention contains operators that only MediaPipe has: between the mesh
of the whole face and the networks of lips and eyes, which process parts of its feature map. It is cut there into two
networks that LiteRT runs; `perception.landmarks.facemesh` does what is between them. Weights and other operators are
unchanged. License: Apache-2.0, see weights/facemesh/NOTICE.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models.bundle import MANIFEST, package_file
from face_expr_ros.models.tflite_parts import TfliteNetwork

_MODULES = "mediapipe/modules"
_COPIED = {
    "blazeface_short_range.tflite": f"{_MODULES}/face_detection/face_detection_short_range.tflite",
    "blazeface_full_range.tflite": f"{_MODULES}/face_detection/face_detection_full_range_sparse.tflite",
}
_ATTENTION = f"{_MODULES}/face_landmark/face_landmark_with_attention.tflite"
# Hidden features: of the whole face, (1, 3, 3, 128), then of lips, right and left eye, (1, 2, 2, 128) each, and
# of the three again, (1, 4, 4, 128) each.
_FACE_APPEARANCE = ("p_re_lu_17",)
_PART_APPEARANCE = ("p_re_lu_30", "p_re_lu_43", "p_re_lu_63", "p_re_lu_27", "p_re_lu_40", "p_re_lu_60")
_CUT = "transform_tensor_bilinear_v2"  # the first custom operator whose result has weights applied to it
_FILES = ("mesh", "parts", "points", "short_range", "full_range")  # in the manifest


def make_files(wheel: Path, folder: Path) -> None:
    """Write the networks, and the arrays that connect the parts of FaceMesh, into a folder.

    Raises:
        BundleError: the wheel cannot be read or has no such networks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as files:
            for name, path in _COPIED.items():
                (folder / name).write_bytes(files.read(path))
            network = TfliteNetwork(files.read(_ATTENTION))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{wheel}: expected a wheel of mediapipe up to 0.10.21: {error}") from error
    mesh = network.part(["input_1"], ["output_mesh", "conv_faceflag", "p_re_lu_3", *_FACE_APPEARANCE])
    (folder / "facemesh_mesh.tflite").write_bytes(mesh)
    answers = ["conv_lips", "conv_left_eye", "conv_right_eye", "conv_left_iris", "conv_right_iris"]
    parts = network.part([_CUT, f"{_CUT}_1", f"{_CUT}_2"], [*answers, *_PART_APPEARANCE])
    (folder / "facemesh_parts.tflite").write_bytes(parts)
    lips, right_eye, left_eye = network.custom_options("Landmarks2TransformMatrix")
    corners = [[part["left_rotation_idx"], part["right_rotation_idx"]] for part in (lips, right_eye, left_eye)]
    np.savez(
        folder / "facemesh_points.npz",
        lips=np.array(lips["subset_idxs"], np.int64),
        right_eye=np.array(right_eye["subset_idxs"], np.int64),
        left_eye=np.array(left_eye["subset_idxs"], np.int64),
        corners=np.array(corners, np.int64),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files of weights/facemesh/ and check their hashes."""
    (wheel,) = sys.argv[1:] if arguments is None else arguments
    try:
        make_files(Path(wheel), resource_path(MANIFEST).parent / "facemesh")
        for name in _FILES:
            print(package_file("facemesh", name))
    except BundleError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
