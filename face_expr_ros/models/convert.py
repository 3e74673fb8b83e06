"""Converts the released files of a bundle to arrays and ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from face_expr_ros.core.face_model import BundleError, load_face_model
from face_expr_ros.models.basel import DENSE, SPARSE, write_basel_model, write_mean_and_deviation
from face_expr_ros.models.decimation import write_decimation
from face_expr_ros.models.networks import write_faceboxes, write_mobilenet
from face_expr_ros.models.torch_files import read_torch_weights

MOBILENETS = {"mb05_120x120.pth": "mb05.onnx", "mb1_120x120.pth": "mb1.onnx"}


def convert_3ddfa_v2(sources: Mapping[str, Path], folder: Path) -> None:
    """Write the bundle's files to a folder, from the available sources.

    Raises:
        BundleError: neither form of the face model is complete, or a file is damaged or inconsistent with the others.
    """
    if DENSE not in sources and (missing := [name for name in SPARSE if name not in sources]):
        raise BundleError(f"expected a face model, {DENSE} or {', '.join(missing)}, got neither")
    origin = write_basel_model(sources, folder / "face_model.npz")
    write_decimation(load_face_model(folder / "face_model.npz"), folder / "decimation.npz")
    write_mean_and_deviation(sources["param_mean_std_62d_120x120.pkl"], folder / "param_mean_std.npz", origin)
    for source, network in MOBILENETS.items():
        if source in sources:
            write_mobilenet(read_torch_weights(sources[source].read_bytes(), source), folder / network)
    detector = sources["FaceBoxesProd.pth"]
    write_faceboxes(read_torch_weights(detector.read_bytes(), detector.name), folder / "faceboxes.onnx")


CONVERTERS = {"3ddfa_v2": convert_3ddfa_v2}
