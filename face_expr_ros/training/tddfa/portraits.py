"""The open face model fitted to photographs of faces, the input of `turned.py`.

A folder of portraits holds ``.jpg`` files, one face each, and optionally CSV files with the columns ``file`` and
``occluded``; images whose ``occluded`` is 2 (stylized or broken) are excluded.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Camera, FaceFit, Frame, Track
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.perception.fitting import open_fitter
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources.image_files import read_image
from face_expr_ros.training.person_mask import person_mask

_FIELD_OF_VIEW = 25.0  # degrees, vertical: portraits are crops of larger images
_REFINEMENTS = 6  # repeated fits, with the previous shape as the prior, which reduces the influence of the mean shape
_MAX_RESIDUAL = 0.006  # meters


@dataclass(frozen=True)
class Portrait:
    """A photograph and the model fitted to it.

    Attributes:
        path: the file.
        image: (H, W, 3) uint8 BGR.
        person: (H, W) float32, 0..1: mask of the person.
        camera: assumed camera.
        fit: fit of the open face model.
    """

    path: Path
    image: NDArray[np.uint8]
    person: NDArray[np.float32]
    camera: Camera
    fit: FaceFit


def portrait_files(folder: Path) -> list[Path]:
    """The usable portraits in a folder and its subfolders, sorted by name."""
    excluded = set()
    for table in sorted(folder.glob("*.csv")):
        with table.open(newline="", encoding="utf-8") as file:
            excluded |= {row["file"] for row in csv.DictReader(file) if float(row.get("occluded") or 0) >= 2}
    return [path for path in sorted(folder.rglob("*.jpg")) if path.name not in excluded]


class PortraitFitter:
    """Fits the open face model to portraits independently of each other."""

    def __init__(self) -> None:
        config = PerceptionConfig()
        fitting = replace(config.fitting, backend="least_squares", field_of_view=_FIELD_OF_VIEW)
        config = replace(config, fitting=fitting, smoothing=replace(config.smoothing, method="none"))
        self._pipeline = Pipeline(config)
        self._fitter = open_fitter(fitting, open_bundle(config.bundle, fitting.network))

    def __call__(self, path: Path) -> Portrait | None:
        """The portrait; None where no face is found or the residual of the fit is too large."""
        image = read_image(path)
        height, width = image.shape[:2]
        camera = default_camera(width, height, _FIELD_OF_VIEW)
        frame = Frame(image, 0, "camera", camera)
        faces = [face for face in self._pipeline.still(frame) if face.landmarks is not None]
        if not faces:
            return None
        face = max(faces, key=lambda face: face.roi.width)
        track = Track("f1", face.roi, face.landmarks, fresh=False)
        self._fitter.reset()
        (fit,) = [self._fitter(frame, [track]) for _ in range(_REFINEMENTS)][-1]
        if fit.residual > _MAX_RESIDUAL:
            return None
        return Portrait(path, image, person_mask(image), camera, fit)
