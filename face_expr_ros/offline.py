"""The pipeline over files: one image, or a video frame by frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.config import PerceptionConfig
from face_expr_ros.geometry import default_camera
from face_expr_ros.pipeline import Pipeline
from face_expr_ros.progress import progress
from face_expr_ros.records import face_record
from face_expr_ros.rendering.overlays import annotate
from face_expr_ros.values import Face, Frame


def analyze_image(source: Path, out: Path | None, config: PerceptionConfig) -> dict[str, Any]:
    """The faces of an image file as a record, and the annotated image in ``out``.

    Raises:
        ValueError: the image cannot be read or ``out`` cannot be written.
    """
    pixels = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(f"an image was wanted, {str(source)!r} cannot be read as one")
    pipeline = Pipeline(config)
    frame = _frame(pixels, 0, config)
    faces = pipeline(frame)
    pipeline.close()
    if out is not None:
        _write_image(out, annotate(frame, faces, pipeline.model))
    return {"faces": [face_record(face) for face in faces]}


def analyze_video(source: Path, out: Path | None, jsonl: Path | None, config: PerceptionConfig) -> dict[str, Any]:
    """Every frame of a video file: a JSON line each in ``jsonl``, the annotated video in ``out``; a summary.

    Stamps are the frame's number divided by the video's rate, so that the same file gives the same numbers.

    Raises:
        ValueError: the video cannot be read or ``out`` cannot be written.
    """
    video = cv2.VideoCapture(str(source))
    if not video.isOpened():
        raise ValueError(f"a video was wanted, {str(source)!r} cannot be opened as one")
    rate = video.get(cv2.CAP_PROP_FPS) or 30.0
    pipeline = Pipeline(config)
    counts: list[int] = []
    ids: dict[str, None] = {}
    with ExitStack() as stack:
        lines = stack.enter_context(jsonl.open("w", encoding="utf-8")) if jsonl else None
        writer: cv2.VideoWriter | None = None
        total = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) or None
        for number, pixels in enumerate(progress(_frames(video), source.name, total)):
            frame = _frame(pixels, int(number / rate * 1e9), config)
            faces = pipeline(frame)
            counts.append(len(faces))
            ids.update(dict.fromkeys(face.id for face in faces))
            if lines:
                lines.write(json.dumps(_frame_record(number, frame, faces)) + "\n")
            if out is not None:
                writer = writer or _open_writer(out, rate, pixels, stack)
                writer.write(annotate(frame, faces, pipeline.model))
    pipeline.close()
    if not counts:
        raise ValueError(f"{str(source)!r} holds no frame that can be decoded")
    with_face = sum(count > 0 for count in counts)
    return {"frames": len(counts), "frames_with_face": with_face, "faces_max": max(counts), "ids": list(ids)}


def _frame(pixels: NDArray[Any], stamp_ns: int, config: PerceptionConfig) -> Frame:
    height, width = pixels.shape[:2]
    camera = default_camera(width, height, config.fitting.field_of_view)
    return Frame(pixels.astype(np.uint8, copy=False), stamp_ns, "camera_optical_frame", camera)


def _frames(video: cv2.VideoCapture) -> Iterator[NDArray[Any]]:
    while True:
        good, pixels = video.read()
        if not good:
            return
        yield pixels


def _frame_record(number: int, frame: Frame, faces: tuple[Face, ...]) -> dict[str, Any]:
    return {"frame": number, "stamp": frame.stamp_ns * 1e-9, "faces": [face_record(face) for face in faces]}


def _open_writer(out: Path, rate: float, pixels: NDArray[Any], stack: ExitStack) -> cv2.VideoWriter:
    height, width = pixels.shape[:2]
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
    if not writer.isOpened():
        raise ValueError(
            f"{str(out)!r} cannot be written as a video; name a file that ends in .mp4 in a folder that exists"
        )
    stack.callback(writer.release)
    return writer


def _write_image(out: Path, image: NDArray[Any]) -> None:
    try:
        written = cv2.imwrite(str(out), image)
    except cv2.error:
        written = False
    if not written:
        raise ValueError(f"{str(out)!r} cannot be written as an image; name a .png or .jpg in a folder that exists")
