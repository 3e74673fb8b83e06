"""Batch processing of still images: one JSON line of faces per image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from face_expr_ros.core.atomic_files import atomic_text_file
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Camera, Frame
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.serialization.json_records import face_record
from face_expr_ros.sources.calibration import read_calibration_file, resized

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Counts:
    """Number of images in total, with a face, and unreadable."""

    images: int
    with_face: int
    unreadable: int


def analyze_stills(
    paths: Sequence[Path], jsonl: Path, config: PerceptionConfig, calibration: Path | None = None
) -> Counts:
    """Write one line per image, in order: ``file``, its base name, and ``faces``, or ``error``.

    Each image is processed independently.

    Raises:
        ValueError: a folder has no images.
    """
    files = image_files(paths)
    camera = None if calibration is None else read_calibration_file(calibration)
    with closing(Pipeline(config)) as pipeline, atomic_text_file(jsonl) as lines:
        records = []
        for file in progress(files, "images", unit="images"):
            record = _record(file, pipeline, config, camera)
            lines.write(json.dumps(record) + "\n")
            records.append({key: bool(value) for key, value in record.items()})
    with_face = sum(record.get("faces", False) for record in records)
    return Counts(len(records), with_face, sum("error" in record for record in records))


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files among the paths, and the images in the folders among them, sorted by name.

    Raises:
        ValueError: a folder has no images.
    """
    files: list[Path] = []
    for path in paths:
        found = sorted(file for file in path.iterdir() if _is_image(file)) if path.is_dir() else [path]
        if not found:
            raise ValueError(f"expected images ({', '.join(SUFFIXES)}) in the folder {str(path)!r}, got none")
        files += found
    return files


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and file.is_file()


def _record(file: Path, pipeline: Pipeline, config: PerceptionConfig, camera: Camera | None) -> dict[str, Any]:
    pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if pixels is None:
        return {"file": file.name, "error": f"expected an image, got {str(file)!r}, which cannot be decoded"}
    height, width = pixels.shape[:2]
    camera = resized(camera, width, height) if camera else default_camera(width, height, config.fitting.field_of_view)
    faces = pipeline.still(Frame(np.asarray(pixels, np.uint8), 0, "camera_optical_frame", camera))
    return {"file": file.name, "faces": [face_record(face) for face in faces]}
