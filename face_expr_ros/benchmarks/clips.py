"""Rendered frames that the measurements show again and again: drawing them would cost more than what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Frame
from face_expr_ros.sources.synthetic import SyntheticSource

RATE = 30.0  # Hz, of the film
MOST_FACES = 10
_COUNT = 60  # frames of the film of one person
_FIELD_OF_VIEW = 45.0  # degrees, vertical
_COLUMNS, _ROWS = 5, 2  # places for a group in an image
_GROUP_COUNT, _PEOPLE = 20, 4  # frames of a group's film; people that are drawn, the others are the same at other times
_CLOSE_UP = 27.0  # degrees: a face fills its place
_TEXTURE = 256


@cache
def person(count: int = _COUNT) -> tuple[Frame, ...]:
    """Frames of 1280x720 that show one person, `RATE` to a second."""
    source = SyntheticSource(CameraConfig(field_of_view=_FIELD_OF_VIEW))
    return tuple(source.at(number / RATE)[0] for number in range(count))


@cache
def group(faces: int, count: int = _GROUP_COUNT) -> tuple[Frame, ...]:
    """Frames of 1280x720 with so many people, up to `MOST_FACES`, whose size does not depend on their number."""
    camera, tiles = person(1)[0].camera, _tiles(count)
    frames = []
    for number in range(count):
        image = np.full((camera.height, camera.width, 3), 90, np.uint8)
        for place in range(faces):
            tile = tiles[place % _PEOPLE][(number + place // _PEOPLE * count // 3) % count]
            row, column = divmod(place, _COLUMNS)
            height, width = tile.shape[:2]
            image[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
        frames.append(Frame(image, round(number / RATE * 1e9), "camera_optical_frame", camera))
    return tuple(frames)


@cache
def _tiles(count: int) -> list[list[NDArray[np.uint8]]]:
    """The images of each person alone, in the size of a place; they end as they began, so that nobody jumps."""
    width, height = 1280 // _COLUMNS, 720 // _ROWS
    films = []
    for seed in range(_PEOPLE):
        config = CameraConfig(width=width, height=height, seed=seed, field_of_view=_CLOSE_UP)
        source = SyntheticSource(config, texture_width=_TEXTURE)
        there = [source.at(number / RATE)[0].image for number in range(count // 2 + 1)]
        films.append([*there, *there[-2:0:-1]])
    return films


def resized(frames: Sequence[Frame], width: int, height: int) -> list[Frame]:
    """The same pictures with more or fewer pixels; what does not fit another format is cut off left and right."""
    result = []
    for frame in frames:
        rows, columns = frame.image.shape[:2]
        kept = min(columns, round(rows * width / height))
        left = (columns - kept) // 2
        image = cv2.resize(frame.image[:, left : left + kept], (width, height), interpolation=cv2.INTER_LINEAR)
        camera = pinhole_camera(width, height, _FIELD_OF_VIEW)
        result.append(replace(frame, image=np.asarray(image, np.uint8), camera=camera))
    return result


def played(frames: Sequence[Frame], count: int) -> Iterator[Frame]:
    """``count`` frames, forward and backward through the film so that nobody jumps, with stamps that go on."""
    order = [*frames, *frames[-2:0:-1]]
    for number in range(count):
        yield replace(order[number % len(order)], stamp_ns=round(number / RATE * 1e9))
