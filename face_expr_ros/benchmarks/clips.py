"""Rendered clips for the benchmarks, reused in all of them because rendering takes longer than what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Frame

if TYPE_CHECKING:
    from face_expr_ros.sources.synthetic import SyntheticSource

RATE = 30.0  # Hz
MAX_FACES = 10
CLIP_FRAMES = 60  # frames of the clip of one person
FIELD_OF_VIEW = 45.0  # degrees, vertical
_COLUMNS, _ROWS = 5, 2  # grid of the faces of a group
_GROUP_COUNT = 20  # frames of the clip of a group
_IDENTITIES = 4  # rendered identities of a group; the other faces repeat them with a time offset
_CLOSE_UP = 27.0  # degrees, vertical field of view with which a face fills its tile
_TEXTURE_WIDTH = 256  # texels


def _source(config: CameraConfig, texture_width: int | None = None) -> SyntheticSource:
    """The rendering is imported when it is used, so that a measured process that only plays a clip is not larger."""
    from face_expr_ros.sources.synthetic import SyntheticSource

    return SyntheticSource(config) if texture_width is None else SyntheticSource(config, texture_width=texture_width)


@cache
def person(count: int = CLIP_FRAMES) -> tuple[Frame, ...]:
    """Frames of 1280x720 with one person at `RATE`."""
    source = _source(CameraConfig(field_of_view=FIELD_OF_VIEW))
    return tuple(source.at(number / RATE)[0] for number in range(count))


@cache
def group(faces: int, count: int = _GROUP_COUNT) -> tuple[Frame, ...]:
    """Frames of 1280x720 with up to `MAX_FACES` faces, whose size does not depend on their number."""
    camera, tiles = person(1)[0].camera, _tiles(count)
    frames = []
    for number in range(count):
        image = np.full((camera.height, camera.width, 3), 90, np.uint8)
        for index in range(faces):
            tile = tiles[index % _IDENTITIES][(number + index // _IDENTITIES * count // 3) % count]
            row, column = divmod(index, _COLUMNS)
            height, width = tile.shape[:2]
            image[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
        frames.append(Frame(image, round(number / RATE * 1e9), "camera_optical_frame", camera))
    return tuple(frames)


@cache
def _tiles(count: int) -> list[list[NDArray[np.uint8]]]:
    """The tiles of each identity, forward and backward, so that they can be repeated without a jump."""
    width, height = 1280 // _COLUMNS, 720 // _ROWS
    clips = []
    for seed in range(_IDENTITIES):
        config = CameraConfig(width=width, height=height, seed=seed, field_of_view=_CLOSE_UP)
        source = _source(config, _TEXTURE_WIDTH)
        forward = [source.at(number / RATE)[0].image for number in range(count // 2 + 1)]
        clips.append([*forward, *forward[-2:0:-1]])
    return clips


def resized(frames: Sequence[Frame], width: int, height: int) -> list[Frame]:
    """The frames in another resolution; a narrower aspect ratio is cropped at the left and right."""
    result = []
    for frame in frames:
        rows, columns = frame.image.shape[:2]
        kept = min(columns, round(rows * width / height))
        left = (columns - kept) // 2
        image = cv2.resize(frame.image[:, left : left + kept], (width, height), interpolation=cv2.INTER_LINEAR)
        camera = pinhole_camera(width, height, FIELD_OF_VIEW)
        result.append(replace(frame, image=np.asarray(image, np.uint8), camera=camera))
    return result


def played(frames: Sequence[Frame], count: int) -> Iterator[Frame]:
    """``count`` frames, forward and backward through the clip to avoid jumps, with increasing stamps."""
    order = [*frames, *frames[-2:0:-1]]
    for number in range(count):
        yield replace(order[number % len(order)], stamp_ns=round(number / RATE * 1e9))
