"""Synthetic people who come and go in the images of the soak test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.sources.synthetic import SyntheticSource

WIDTH, HEIGHT = 176, 200  # pixels of a place, the part of the image in which one person stands
PLACES = 3
PERSONS = 2 * PLACES  # two persons take turns at each place, so that a place and a person identify each other
PRESENCE = (5.0, 18.0)  # seconds for which a person stays
# Seconds for which a place is empty: longer than the 3 s for which a track outlives a pause of the images.
ABSENCE = (3.6, 7.0)
_POSES = 10  # images of each person
_STEP = 0.2  # seconds between them
_FIELD_OF_VIEW = 27.0  # degrees, vertical
_TEXTURE_WIDTH = 256  # texels

Images = NDArray[np.uint8]


def render_people(seed: int) -> Images:
    """(PERSONS + 1, poses, HEIGHT, WIDTH, 3) BGR: the images of each person, and of an empty place in the last row."""
    rows = [_images(seed + person, 1) for person in range(PERSONS)]
    return np.array([*rows, _images(seed, 0)])


def _images(seed: int, faces: int) -> Images:
    config = CameraConfig(width=WIDTH, height=HEIGHT, seed=seed, field_of_view=_FIELD_OF_VIEW, faces=faces)
    source = SyntheticSource(config, texture_width=_TEXTURE_WIDTH)
    return np.array([source.at(number * _STEP)[0].image for number in range(_POSES)])


class Crowd:
    """Who stands where at a time; the times of successive calls must not decrease.

    Args:
        images: of `render_people`.
        seed: of the times at which people come and go.
    """

    def __init__(self, images: Images, seed: int) -> None:
        self._images = images
        self._rng = np.random.default_rng(seed)
        self._persons: list[int | None] = [None] * PLACES
        self._previous = [2 * place + 1 for place in range(PLACES)]
        self._until = [float(self._rng.uniform(0.0, 2.0)) for _ in range(PLACES)]

    def persons(self, t: float) -> tuple[int | None, ...]:
        """The person at each place, from left to right, at a time in seconds; None where nobody stands."""
        for place in range(PLACES):
            while t >= self._until[place]:
                self._change(place)
        return tuple(self._persons)

    def image(self, t: float) -> Images:
        """(HEIGHT, PLACES * WIDTH, 3) BGR image at a time in seconds."""
        count = self._images.shape[1]
        pose = int(t / _STEP) % (2 * count - 2)
        pose = min(pose, 2 * count - 2 - pose)  # forward and backward
        return np.concatenate([self._images[PERSONS if who is None else who, pose] for who in self.persons(t)], axis=1)

    def _change(self, place: int) -> None:
        if self._persons[place] is None:
            self._previous[place] = self._persons[place] = 4 * place + 1 - self._previous[place]
        else:
            self._persons[place] = None
        least, most = ABSENCE if self._persons[place] is None else PRESENCE
        self._until[place] += float(self._rng.uniform(least, most))
