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
from face_expr_ros.sources.shot import Shot, Warn
from face_expr_ros.sources.video import VideoSource
from face_expr_ros.values import Camera, Face, Frame


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
    faces = pipeline.still(frame)
    pipeline.close()
    if out is not None:
        _write_image(out, annotate(frame, faces, pipeline.model))
    return {"faces": [face_record(face) for face in faces]}


def analyze_video(
    source: Path, out: Path | None, jsonl: Path | None, config: PerceptionConfig, warn: Warn
) -> dict[str, Any]:
    """Every frame of a video file: a JSON line each in ``jsonl``, the annotated video in ``out``; a summary.

    Stamps are the frame's number divided by the video's rate, so that the same file gives the same numbers. ``warn`` is
    called with a sentence when the file ends before it should.

    Raises:
        ValueError: the video cannot be read or ``out`` cannot be written.
    """
    video = VideoSource(source, loop=False, warn=warn)
    rate = video.rate or 30.0
    pipeline = Pipeline(config)
    counts: list[int] = []
    ids: dict[str, None] = {}
    with ExitStack() as stack:
        stack.callback(pipeline.close)
        stack.callback(video.close)
        lines = stack.enter_context(jsonl.open("w", encoding="utf-8")) if jsonl else None
        writer: cv2.VideoWriter | None = None
        for number, shot in enumerate(progress(_shots(video), source.name, video.frame_count)):
            frame = _frame(shot.image, int(number / rate * 1e9), config, shot.camera)
            faces = pipeline(frame)
            counts.append(len(faces))
            ids.update(dict.fromkeys(face.id for face in faces))
            if lines:
                lines.write(json.dumps(_frame_record(number, frame, faces)) + "\n")
            if out is not None:
                writer = writer or _open_writer(out, rate, frame.image, stack)
                writer.write(annotate(frame, faces, pipeline.model))
    with_face = sum(count > 0 for count in counts)
    return {"frames": len(counts), "frames_with_face": with_face, "faces_max": max(counts), "ids": list(ids)}


def _frame(pixels: NDArray[Any], stamp_ns: int, config: PerceptionConfig, camera: Camera | None = None) -> Frame:
    height, width = pixels.shape[:2]
    camera = camera or default_camera(width, height, config.fitting.field_of_view)
    return Frame(pixels.astype(np.uint8, copy=False), stamp_ns, "camera_optical_frame", camera)


def _shots(video: VideoSource) -> Iterator[Shot]:
    while (shot := video.read(0.0)) is not None:
        yield shot


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
