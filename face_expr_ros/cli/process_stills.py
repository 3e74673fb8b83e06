"""`face_expr image`: one still image, or many with a line of results each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from face_expr_ros.cli.batch_results import BatchResults
from face_expr_ros.cli.file_inputs import file_names
from face_expr_ros.cli.process_files import Products, frame_of
from face_expr_ros.core.atomic_files import atomic_path
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Camera
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.mesh_export import export_faces
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.serialization.json_records import face_record
from face_expr_ros.sources.calibration import read_calibration_file
from face_expr_ros.sources.image_files import read_image
from face_expr_ros.sources.source_frame import SourceError


@dataclass(frozen=True)
class Counts:
    """Number of images in total, with a face, and unreadable."""

    images: int
    with_face: int
    unreadable: int


class StillAnalysis:
    """Detects the faces of single images and writes the requested products. A context.

    Raises:
        ValueError: a product is not supported by the face model.
    """

    def __init__(self, products: Products, config: PerceptionConfig, calibration: Path | None = None) -> None:
        self._camera: Camera | None = None if calibration is None else read_calibration_file(calibration)
        self._products, self._config = products, config
        self._pipeline = Pipeline(config)
        self._model = self._pipeline.model
        products.check(self._model)
        self._draw = products.drawer(self._model, in_frame=False)

    def close(self) -> None:
        """Free the networks."""
        self._pipeline.close()

    def __call__(self, source: Path, out: Path | None) -> dict[str, Any]:
        """The record of an image file: ``faces``, and ``exported`` where 3D files were written.

        Args:
            source: the image.
            out: the drawn image, or None.

        Raises:
            SourceError: the image cannot be read.
            ValueError, OSError: a product cannot be written.
        """
        frame = frame_of(read_image(source), 0, self._config, self._camera)
        faces = self._pipeline.still(frame)
        record: dict[str, Any] = {"faces": [face_record(face) for face in faces]}
        if out is not None:
            write_image(out, self._draw(frame, faces))
            if self._products.export is not None:
                files = export_faces(self._products.export, out, frame, faces, self._model)
                record["exported"] = [str(file) for file in files]
        return record


def analyze_image(
    source: Path, products: Products, config: PerceptionConfig, calibration: Path | None = None
) -> dict[str, Any]:
    """Detect the faces of one image file, write the requested products, and return the record of ``--json``.

    Raises:
        ValueError: the image cannot be read, or a product cannot be made or written.
        OSError: a product cannot be written.
    """
    with closing(StillAnalysis(products, config, calibration)) as analyze:
        return analyze(source, products.out)


def analyze_stills(
    files: Sequence[Path],
    drawn: Sequence[Path | None],
    results: BatchResults,
    products: Products,
    config: PerceptionConfig,
    calibration: Path | None = None,
) -> Counts:
    """Add one record per image to the results: ``file``, its name as of `file_names`, and ``faces`` or ``error``.

    Each image is processed independently of the others.

    Args:
        files: the images.
        drawn: the drawn file of each, or None.
        results: an open context; images that are complete in it are not processed again.

    Raises:
        ValueError, OSError: as `analyze_image`, except for images that cannot be read.
    """
    with closing(StillAnalysis(products, config, calibration)) as analyze:
        names = file_names(files)
        todo = [pair for pair in zip(files, drawn, strict=True) if not results.is_done(pair[0])]
        for file, out in progress(todo, "images", len(files), unit="images", done=len(files) - len(todo)):
            record: dict[str, Any] = {"file": names[file]}
            try:
                record |= analyze(file, out)
            except SourceError as error:
                record["error"] = str(error)
            results.add(record)
            results.complete(file)
    return still_counts(results)


def still_counts(results: BatchResults) -> Counts:
    """Numbers of all images."""
    records = [(bool(record.get("faces")), "error" in record) for record in results.records()]
    return Counts(len(records), sum(face for face, _ in records), sum(error for _, error in records))


def check_image_name(out: Path) -> None:
    """Raises a ValueError if no image format belongs to the suffix."""
    if not cv2.haveImageWriter(out.name):
        raise ValueError(f"{str(out)!r} cannot be written as an image: give a name that ends in .png or .jpg")


def write_image(out: Path, image: Image) -> None:
    """Write an image in the format of the suffix.

    Raises:
        ValueError: no format belongs to the suffix.
        OSError: the file cannot be written.
    """
    check_image_name(out)
    with atomic_path(out) as draft:
        if not cv2.imwrite(str(draft), image):
            raise OSError(f"{str(out)!r} could not be written: check the free space of the disk")
