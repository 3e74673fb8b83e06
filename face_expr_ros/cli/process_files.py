"""The pipeline over files: one image, or a video frame by frame, with drawn images and 3D files of the faces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.atomic_files import atomic_path, atomic_text_file
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Camera, Face, Frame
from face_expr_ros.drawing.mesh_export import check_export, export_faces
from face_expr_ros.drawing.modes import check_mode, draw, draw_in_frame
from face_expr_ros.drawing.video_writer import video_writer
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.serialization.json_records import face_record
from face_expr_ros.sources.calibration import read_calibration_file, resized
from face_expr_ros.sources.source_frame import SourceFrame, Warn
from face_expr_ros.sources.video import VideoSource

DEFAULT_RATE = 30.0  # frames per second of a video whose container has no frame rate


@dataclass(frozen=True)
class Products:
    """Outputs besides the numbers.

    Attributes:
        out: the drawn image or video; 3D files are written beside it, with the same stem.
        draw: one of ``DRAW_MODES``.
        export: ``obj``, ``ply`` or None.
    """

    out: Path | None = None
    draw: str = "annotated"
    export: str | None = None

    def check(self, model: MorphableModel) -> None:
        """Raises a ValueError, before any work, for a product that this face model does not support."""
        if self.out is None and (self.export is not None or self.draw != "annotated"):
            raise ValueError(f"{self.export or self.draw} requires --out, the file to draw; 3D files go beside it")
        check_mode(self.draw, model)
        if self.export is not None:
            check_export(self.export, model)


def analyze_image(
    source: Path, products: Products, config: PerceptionConfig, calibration: Path | None = None
) -> dict[str, Any]:
    """Detect the faces of an image file, write the requested products, and return the record of ``--json``.

    Raises:
        ValueError: the image cannot be read, or a product cannot be made or written.
        OSError: a product cannot be written.
    """
    pixels = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(f"expected an image file, {str(source)!r} cannot be decoded as an image")
    camera = None if calibration is None else read_calibration_file(calibration)
    with closing(Pipeline(config)) as pipeline:
        products.check(pipeline.model)
        frame = _frame(pixels, 0, config, camera)
        faces = pipeline.still(frame)
        model = pipeline.model
    record: dict[str, Any] = {"faces": [face_record(face) for face in faces]}
    if products.out is not None:
        _write_image(products.out, draw(products.draw, frame, faces, model))
        if products.export is not None:
            record["exported"] = _names(export_faces(products.export, products.out, frame, faces, model))
    return record


def analyze_video(
    source: Path,
    products: Products,
    jsonl: Path | None,
    config: PerceptionConfig,
    warn: Warn,
    neutral_at: float | None = None,
    calibration: Path | None = None,
) -> dict[str, Any]:
    """Detect the faces of every frame of a video, write the requested products, and return a summary.

    Stamps are the frame number divided by the frame rate, so that the same file gives the same numbers. A 3D file
    shows a face in the frame of its highest confidence. Outputs are kept only when the whole video was processed.

    Args:
        source: the video file.
        products: the drawn video and the 3D files.
        jsonl: file of one JSON line per frame, or None.
        config: settings of the pipeline.
        warn: called with a sentence when the video ends early.
        calibration: file of ``--camera-info``; None is the one beside the video, if there is one.
        neutral_at: seconds; the expression of each face during the second before it is neutral from then on.

    Raises:
        ValueError: the video cannot be read, a product cannot be made, or no face is in view at ``neutral_at``.
        OSError: a product cannot be written.
    """
    camera = None if calibration is None else read_calibration_file(calibration)
    with (
        closing(VideoSource(source, loop=False, warn=warn)) as video,
        closing(Pipeline(config)) as pipeline,
        _VideoOutputs(products, jsonl, video.rate or DEFAULT_RATE, pipeline.model) as outputs,
    ):
        neutral_frame = -1 if neutral_at is None else round(neutral_at * outputs.rate)
        for number, image in enumerate(progress(_frames(video), source.name, video.frame_count)):
            frame = _frame(image.image, int(number / outputs.rate * 1e9), config, camera or image.camera)
            faces = pipeline(frame)
            if number == neutral_frame and not pipeline.calibrate_neutral():
                raise ValueError(_no_neutral(neutral_at, "no face is in view"))
            outputs.add(number, frame, faces)
        if neutral_frame > number:
            raise ValueError(_no_neutral(neutral_at, f"the video ends after {(number + 1) / outputs.rate:.2f} s"))
        return outputs.summary() | outputs.export()


class _VideoOutputs:
    """JSON lines, drawn video and 3D files of a video; a context that keeps them if it is left without an error.

    Attributes:
        rate: frames per second.
    """

    def __init__(self, products: Products, jsonl: Path | None, rate: float, model: MorphableModel) -> None:
        products.check(model)
        self.rate = rate
        self._products, self._jsonl, self._model = products, jsonl, model
        self._counts: list[int] = []
        self._best: dict[str, tuple[Face, Frame]] = {}  # the frame of the highest confidence of each face
        self._stack = ExitStack()
        self._lines: IO[str] | None = None
        self._writer: cv2.VideoWriter | None = None
        self._draft = Path()  # the unfinished video

    def __enter__(self) -> _VideoOutputs:
        self._lines = self._stack.enter_context(atomic_text_file(self._jsonl)) if self._jsonl else None
        if self._products.out is not None:
            self._draft = self._stack.enter_context(atomic_path(self._products.out))
        return self

    def __exit__(self, *problem: Any) -> None:
        self._stack.__exit__(*problem)

    def add(self, number: int, frame: Frame, faces: tuple[Face, ...]) -> None:
        """Write the outputs of one frame."""
        self._counts.append(len(faces))
        for face in faces:
            if face.id not in self._best or face.confidence > self._best[face.id][0].confidence:
                self._best[face.id] = face, frame
        if self._lines:
            self._lines.write(json.dumps(_frame_record(number, frame, faces)) + "\n")
        if self._products.out is not None:
            self._writer = self._writer or self._open_writer(self._products.out, frame.image)
            self._writer.write(draw_in_frame(self._products.draw, frame, faces, self._model))

    def summary(self) -> dict[str, Any]:
        """Numbers of frames and faces."""
        with_face = sum(count > 0 for count in self._counts)
        counts = {"frames": len(self._counts), "frames_with_face": with_face, "faces_max": max(self._counts)}
        return counts | {"ids": list(self._best)}

    def export(self) -> dict[str, Any]:
        """Write the 3D files; their names under the key ``exported``."""
        kind, out = self._products.export, self._products.out
        if kind is None or out is None:
            return {}
        files: list[Path] = []
        for face, frame in self._best.values():
            named = out.with_stem(f"{out.stem}_{face.id}") if len(self._best) > 1 else out
            files += export_faces(kind, named, frame, [face], self._model)
        return {"exported": _names(files)}

    def _open_writer(self, out: Path, pixels: NDArray[Any]) -> cv2.VideoWriter:
        height, width = pixels.shape[:2]
        return self._stack.enter_context(video_writer(self._draft, self.rate, (width, height), out))


def _no_neutral(neutral_at: float | None, reason: str) -> str:
    return f"expected a neutral face at {neutral_at:g} s, but {reason}: give another time to --neutral-at"


def _names(files: list[Path]) -> list[str]:
    return [str(file) for file in files]


def _frame(pixels: NDArray[Any], stamp_ns: int, config: PerceptionConfig, camera: Camera | None = None) -> Frame:
    height, width = pixels.shape[:2]
    camera = resized(camera, width, height) if camera else default_camera(width, height, config.fitting.field_of_view)
    return Frame(pixels.astype(np.uint8, copy=False), stamp_ns, "camera_optical_frame", camera)


def _frames(video: VideoSource) -> Iterator[SourceFrame]:
    while (frame := video.read(0.0)) is not None:
        yield frame


def _frame_record(number: int, frame: Frame, faces: tuple[Face, ...]) -> dict[str, Any]:
    return {"frame": number, "stamp": frame.stamp_ns * 1e-9, "faces": [face_record(face) for face in faces]}


def _write_image(out: Path, image: NDArray[Any]) -> None:
    with atomic_path(out) as draft:
        try:
            written = cv2.imwrite(str(draft), image)
        except cv2.error:
            written = False
        if not written:
            raise ValueError(f"{str(out)!r} cannot be written as an image: give a name that ends in .png or .jpg")
