"""Blendshapes of graded images from the pipeline and, for comparison, from MediaPipe's FaceLandmarker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.main_face import main_face
from face_expr_ros.core.portrait_grades import Grades
from face_expr_ros.core.portrait_score import FloatArray, column_values, score
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources.image_files import read_image

Image = NDArray[np.uint8]
Reader = Callable[[Image], Mapping[str, float]]  # blendshapes of the face in an image; empty where none is found


@dataclass(frozen=True)
class Reading:
    """Estimates on n images: values (n,) by column of the rubric, and (n,) whether a face was found."""

    columns: dict[str, FloatArray]
    found: NDArray[np.bool_]


def evaluate_portraits(
    grades: Grades, images: Path, config: PerceptionConfig, task: Path | None = None
) -> tuple[dict[str, Any], dict[str, Reading]]:
    """The score of the pipeline and, if ``task`` is given, of FaceLandmarker, and the estimates of each.

    Raises:
        ValueError: an image is missing or cannot be read, or ``task`` is not face_landmarker.task.
    """
    readings = {"pipeline": read_with_pipeline(grades, images, config)}
    result = _scored(grades, readings["pipeline"])
    if task is not None:
        readings["mediapipe"] = read_with_mediapipe(grades, images, task)
        result["mediapipe"] = _scored(grades, readings["mediapipe"])
    return result, readings


def _scored(grades: Grades, reading: Reading) -> dict[str, Any]:
    counts = {"faces": len(grades.files), "found": int(reading.found.sum())}
    return counts | score(grades.columns, reading.columns)


def read_with_pipeline(grades: Grades, images: Path, config: PerceptionConfig) -> Reading:
    """Each image is processed independently, without smoothing; of several faces, the main one is used."""
    with closing(Pipeline(config)) as pipeline:

        def read(image: Image) -> Mapping[str, float]:
            height, width = image.shape[:2]
            camera = default_camera(width, height, config.fitting.field_of_view)
            faces = pipeline.still(Frame(image, 0, "camera_optical_frame", camera))
            if not faces:
                return {}
            shown = main_face(faces, width, height).blendshapes
            return dict(zip(shown.names, shown.values.tolist(), strict=True))

        return _read_all(grades, images, read)


def read_with_mediapipe(grades: Grades, images: Path, task: Path) -> Reading:
    """FaceLandmarker's own blendshapes in its image mode."""
    from face_expr_ros.perception.landmarks.mediapipe_blendshapes import MediapipeBlendshapes

    with closing(MediapipeBlendshapes(task, video=False)) as landmarker:
        return _read_all(grades, images, lambda image: landmarker(image) or {})


def _read_all(grades: Grades, images: Path, reader: Reader) -> Reading:
    """Values are 0 where no face is found."""
    shown = [reader(read_image(images / file)) for file in progress(grades.files, images.name, unit="images")]
    names = sorted({name for values in shown for name in values})
    values = np.array([[values.get(name, 0.0) for name in names] for values in shown]).reshape(len(shown), len(names))
    return Reading(column_values(names, values), np.array([bool(values) for values in shown], np.bool_))
