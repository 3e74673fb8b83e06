"""Winks of real people: one closed eye of a blink in a labeled video, in a frame in which the eyes are open.

No video with labeled winks is available. Both frames show the same person within half a second, so the composed image
differs from a real wink little: the cheek below the eye is not raised.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Face, FloatArray, Frame
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources.video import VideoSource

Image = NDArray[np.uint8]

APART = 6  # frames between a blink and the frame with open eyes
CLEAR = 0.5  # difference of the two eyes from which a wink counts as detected
_CORNERS = {"Left": (263, 362), "Right": (33, 133)}  # of each eye, FaceMesh's points
_NOSE = (168, 6, 197)
_FIELD_OF_VIEW = PerceptionConfig().fitting.field_of_view  # degrees
_SIZE, _RAISED, _FEATHER = (0.85, 0.62), 0.08, 4.0  # semi-axes and offset of the ellipse, in widths of the eye


def wink_figures(path: Path, blinks: Sequence[tuple[int, int]], config: PerceptionConfig) -> dict[str, float]:
    """The lids of winks composed from the blinks of a video, each image processed alone.

    ``winks``: number of images, two for each blink; ``closed`` and ``opened``: mean eyeBlink of the closed and of the
    open eye; ``detected``: fraction in which they differ by at least `CLEAR`.
    """
    unsmoothed = replace(config, smoothing=replace(config.smoothing, method="none"))
    with closing(Pipeline(unsmoothed)) as pipeline:
        lids = np.array(list(_lids_of_winks(path, blinks, pipeline))).reshape(-1, 2)
    if not len(lids):
        return {"winks": 0.0}
    closed, opened = lids.mean(axis=0)
    detected = float((lids[:, 0] - lids[:, 1] >= CLEAR).mean())
    return {"winks": float(len(lids)), "closed": float(closed), "opened": float(opened), "detected": detected}


def wink(opened: Image, points: FloatArray, closed: Image, closed_points: FloatArray, side: str) -> Image:
    """The image ``opened`` with the eye of one side from ``closed``.

    Args:
        points, closed_points: (478, >= 2) FaceMesh's points of both images, pixels.
        side: "Left" or "Right", the subject's own.
    """
    corners = points[list(_CORNERS[side]), :2]
    width, center = float(np.linalg.norm(corners[0] - corners[1])), corners.mean(axis=0)
    fixed = [*_CORNERS[side], *_NOSE]
    transform, _ = cv2.estimateAffinePartial2D(
        closed_points[fixed, :2].astype(np.float32), points[fixed, :2].astype(np.float32)
    )
    size = opened.shape[1], opened.shape[0]
    moved = cv2.warpAffine(closed, transform, size, borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    y, x = np.mgrid[: size[1], : size[0]]
    distance = np.hypot(
        (x - center[0]) / (_SIZE[0] * width), (y - center[1] + _RAISED * width) / (_SIZE[1] * width)
    )  # fmt: skip
    share = np.clip((1.0 - distance) * _FEATHER, 0.0, 1.0)[..., None]
    border = (distance > 1.0) & (distance < 1.15)
    tone = (opened[border].mean(axis=0) - moved[border].mean(axis=0)) if border.any() else 0.0
    return np.clip(opened * (1.0 - share) + (moved + tone) * share, 0, 255).astype(np.uint8)


def _lids_of_winks(path: Path, blinks: Sequence[tuple[int, int]], pipeline: Pipeline) -> Iterator[tuple[float, float]]:
    """eyeBlink of the closed and of the open eye, for each wink."""
    pairs = frame_pairs(blinks)
    images = _images(path, {number for pair in pairs for number in pair})
    for shut, apart in pairs:
        faces = [_face(images[number], pipeline) if number in images else None for number in (apart, shut)]
        landmarks = [face.landmarks if face else None for face in faces]
        if landmarks[0] is None or landmarks[1] is None:
            continue
        for side, other in (("Left", "Right"), ("Right", "Left")):
            image = wink(images[apart], landmarks[0].points, images[shut], landmarks[1].points, side)
            face = _face(image, pipeline)
            if face is not None:
                shown = dict(zip(face.blendshapes.names, face.blendshapes.values.tolist(), strict=True))
                yield shown[f"eyeBlink{side}"], shown[f"eyeBlink{other}"]


def frame_pairs(blinks: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The middle frame of each blink, and a frame before or after it outside all blinks."""
    pairs = []
    for first, last in blinks:
        others = [
            number
            for number in (first - APART, last + APART)
            if number >= 0 and not any(begin - APART / 2 <= number <= end + APART / 2 for begin, end in blinks)
        ]
        if others:
            pairs.append(((first + last) // 2, others[0]))
    return pairs


def _images(path: Path, numbers: set[int]) -> dict[int, Image]:
    images: dict[int, Image] = {}
    with closing(VideoSource(path, loop=False, warn=warnings.warn)) as video:
        number = 0
        while (shot := video.read(0.0)) is not None and number <= max(numbers, default=-1):
            if number in numbers:
                images[number] = shot.image.copy()
            number += 1
    return images


def _face(image: Image, pipeline: Pipeline) -> Face | None:
    """The largest face."""
    height, width = image.shape[:2]
    frame = Frame(image, 0, "", default_camera(width, height, _FIELD_OF_VIEW))
    return max(pipeline.still(frame), key=lambda face: face.roi.height, default=None)
