"""Figures of TDDFA training: samples with their points, and the curves of a run."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.tddfa.points import learned_points
from face_expr_ros.training.tddfa.samples import Sample, Sampler
from face_expr_ros.training.tddfa.scenes import render_person
from face_expr_ros.training.tddfa.shards import Shard

Image = NDArray[np.uint8]

_COLUMNS, _ROWS, _SIZE = 8, 4, 120
_GREEN = (80, 220, 60)


def samples_picture(model: MorphableModel) -> Image:
    """Training samples, every other one with the 68 points."""
    points = learned_points(model)
    rng = np.random.default_rng(4)
    renderings = [render_person(model, points, varied_appearance(seed), rng, 1)[0] for seed in range(_COLUMNS * _ROWS)]
    names = ("image", "parameters", "points")
    shard = Shard(*(np.stack([getattr(rendering, name) for rendering in renderings]) for name in names))
    sampler = Sampler(points, _SIZE, seed=9)
    tiles = [_tile(sampler(shard, index), marked=index % 2 == 1) for index in range(len(renderings))]
    return np.vstack([np.hstack(tiles[row * _COLUMNS : (row + 1) * _COLUMNS]) for row in range(_ROWS)])


def _tile(sample: Sample, marked: bool) -> Image:
    tile = np.asarray(cv2.resize(sample.image, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC), np.uint8)
    if marked and sample.face:
        for x, y in sample.points[:68] * 1.5 + 0.25:
            cv2.circle(tile, (round(float(x)), round(float(y))), 2, _GREEN, -1, cv2.LINE_AA)
    return tile


def curves_picture(path: Path) -> Image:
    """Error of the points over the steps, in training and on held-out people, from a run's curves.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    steps = np.array([float(row["step"]) for row in rows])
    image = np.full((420, 760, 3), 255, np.uint8)
    left, top, width, height, limit = 70, 30, 660, 330, 12.0  # percent of the crop's side
    for percent in range(0, int(limit) + 1, 2):
        y = top + height - round(height * percent / limit)
        cv2.line(image, (left, y), (left + width, y), (225, 225, 225), 1)
        _text(image, f"{percent} %", (12, y + 5))
    for name, color in (("train_points", (200, 120, 40)), ("held_out_points", (40, 40, 210))):
        errors = np.minimum([float(row[name]) for row in rows], limit)
        places = np.column_stack([left + width * steps / steps[-1], top + height - height * errors / limit])
        cv2.polylines(image, [np.round(places).astype(np.int32)], False, color, 2, cv2.LINE_AA)
    _text(image, "error of the points, percent of the crop's side: training (blue), held-out people (red)", (left, 18))
    _text(image, f"{int(steps[-1]):,} steps", (left + width - 100, top + height + 30))
    return image


def _text(image: Image, text: str, place: tuple[int, int]) -> None:
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)
