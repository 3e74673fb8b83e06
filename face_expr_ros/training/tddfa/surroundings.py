"""Photographed backgrounds: regions of portraits without a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.progress import progress
from face_expr_ros.sources.image_files import read_image
from face_expr_ros.training.person_mask import person_mask
from face_expr_ros.training.tddfa.portraits import portrait_files

Image = NDArray[np.uint8]

_SIDES = (50, 200)  # range of the sides of the regions, pixels
_TRIES = 40
_MAX_PERSON = 0.15  # person mask of the background
_MARGIN = 7  # pixels between a person and a background


def write_surroundings(path: Path, portraits: Path, size: int) -> int:
    """Write the backgrounds of a folder of portraits as (N, size, size, 3) uint8 unless the file exists; returns N."""
    if not path.exists():
        rng = np.random.default_rng(6)
        files = progress(portrait_files(portraits), "backgrounds", unit="portraits")
        found = [part for file in files for part in _parts(file, size, rng)]
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.save(file, np.array(found, np.uint8).reshape(-1, size, size, 3))
        os.replace(unfinished, path)
    return len(np.load(path, mmap_mode="r"))


def _parts(file: Path, size: int, rng: np.random.Generator) -> Iterator[Image]:
    image = read_image(file)
    square = empty_square(person_mask(image) > _MAX_PERSON, rng)
    if square is not None:
        x, y, side = square
        method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        yield np.asarray(cv2.resize(image[y : y + side, x : x + side], (size, size), interpolation=method), np.uint8)


def empty_square(person: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int, int] | None:
    """Left, top and side of a random square outside the mask ``person`` (H, W); None where none is found."""
    sums = cv2.integral(cv2.dilate(person.astype(np.uint8), np.ones((_MARGIN, _MARGIN), np.uint8)))
    for _ in range(_TRIES):
        side = int(rng.integers(*_SIDES))
        if side >= min(person.shape):
            continue
        x, y = int(rng.integers(person.shape[1] - side)), int(rng.integers(person.shape[0] - side))
        if sums[y + side, x + side] - sums[y, x + side] - sums[y + side, x] + sums[y, x] == 0:
            return x, y, side
    return None
