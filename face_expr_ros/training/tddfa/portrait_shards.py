"""Training shards from photographs for the TDDFA network: original portraits, and turned ones (`turned.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import (
    crop_from_landmarks,
    euler_angles,
    project,
    rotation_from_euler,
    to_camera,
    weak_perspective,
)
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Camera, FloatArray, Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.training.shard_files import shard_path
from face_expr_ros.training.tddfa.points import LearnedPoints, learned_points
from face_expr_ros.training.tddfa.portraits import Portrait, PortraitFitter, portrait_files
from face_expr_ros.training.tddfa.scenes import MARGIN, SIDE, Rendering, crop_camera
from face_expr_ros.training.tddfa.shards import SHARD_SIZE, write_shard
from face_expr_ros.training.tddfa.turned import HeightField, draw_turned, height_field

HELD_OUT = 2  # number of first shards whose portraits are in no other shard
_DRAWINGS_OF_A_PORTRAIT = 16
_AS_THEY_ARE = 4  # unchanged images among these
_PORTRAITS = SHARD_SIZE // _DRAWINGS_OF_A_PORTRAIT
_TURNED_ASIDE = np.radians(6)  # minimum yaw at which one side of the head is more visible
_FARTHEST = ((0, 6, 12, 20), (50, 60, 80, 97))  # yaw of a portrait, and its maximum yaw when turned, degrees
_MOST_SOURCE_YAW = np.radians(55)  # beyond it FaceMesh, and therefore the fit, is unreliable
_SHAPE_CHANGE = 0.5  # standard deviations


def synthesize_portraits(folder: Path, portraits: Path, count: int, processes: int) -> dict[str, Any]:
    """Write at least ``count`` images made from the portraits to ``folder``; existing shards are counted.

    Raises:
        ValueError: the folder has too few portraits.
    """
    files = portrait_files(portraits)
    if len(files) < (HELD_OUT + 1) * _PORTRAITS:
        raise ValueError(f"expected at least {(HELD_OUT + 1) * _PORTRAITS} portraits in {portraits}, got {len(files)}")
    numbers = range(-(-count // SHARD_SIZE))
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in numbers if not shard_path(folder, number).exists()]
    with ProcessPoolExecutor(processes) as pool:
        jobs = [pool.submit(_make, folder, number, files_of_shard(files, number)) for number in missing]
        for job in progress(as_completed(jobs), "turning portraits", len(jobs)):
            job.result()
    return {"folder": str(folder), "drawings": len(numbers) * SHARD_SIZE, "new": len(missing) * SHARD_SIZE}


def files_of_shard(files: list[Path], number: int) -> list[Path]:
    """The portraits of a shard: chunks of a fixed random order, repeated; the first HELD_OUT chunks occur once."""
    order = np.random.default_rng(4).permutation(len(files))
    chunks = len(files) // _PORTRAITS
    chunk = number if number < chunks else HELD_OUT + (number - HELD_OUT) % (chunks - HELD_OUT)
    return [files[index] for index in order[chunk * _PORTRAITS : (chunk + 1) * _PORTRAITS]]


def _make(folder: Path, number: int, files: list[Path]) -> None:
    cv2.setNumThreads(1)
    model = open_face_model("open")
    fitter = PortraitFitter()
    found = [portrait for portrait in map(fitter, files) if portrait is not None and _usable(portrait)]
    rng = np.random.default_rng([number, 5])
    write_shard(folder, number, list(draw_portraits(model, learned_points(model), found, rng)))


def _usable(portrait: Portrait) -> bool:
    return abs(euler_angles(portrait.fit.pose.rotation)[0]) < _MOST_SOURCE_YAW


def draw_portraits(
    model: MorphableModel, points: LearnedPoints, portraits: list[Portrait], rng: np.random.Generator
) -> Iterator[Rendering]:
    """SHARD_SIZE images, cycling through the portraits."""
    fields = [height_field(portrait, model) for portrait in portraits]
    for number in range(SHARD_SIZE):
        portrait, field = portraits[number % len(portraits)], fields[number % len(portraits)]
        if number // len(portraits) < _AS_THEY_ARE:
            yield draw_as_it_is(model, points, portrait)
        else:
            yield draw_from_aside(model, points, portrait, field, rng)


def draw_as_it_is(model: MorphableModel, points: LearnedPoints, portrait: Portrait) -> Rendering:
    """The portrait itself, cropped; coverage is 255 inside the original image."""
    fit = portrait.fit
    crop = crop_from_landmarks(fit.landmarks68)
    scale = SIDE / (MARGIN * crop.width)
    middle = np.array([crop.x + crop.width / 2, crop.y + crop.height / 2])
    shift = (SIDE - 1) / 2 - scale * middle
    transform = np.column_stack([scale * np.eye(2), shift])
    matrix = np.vstack([transform, [0, 0, 1]]) @ portrait.camera.matrix
    camera = replace(portrait.camera, width=SIDE, height=SIDE, matrix=matrix)
    opaque = np.dstack([portrait.image, np.full(portrait.image.shape[:2], 255, np.uint8)])
    image = _reduced(opaque, transform)
    return _drawing(
        image, model.vertices(fit.shape, fit.expression), fit.pose, camera, points, fit.shape, fit.expression
    )


def _reduced(image: NDArray[np.uint8], transform: FloatArray) -> NDArray[np.uint8]:
    """An affine warp (2, 3) that reduces the scale, antialiased: at twice the size, then averaged."""
    twice = np.column_stack([2 * transform[:, :2], 2 * transform[:, 2] + 0.5])
    fine = cv2.warpAffine(image, twice, (2 * SIDE, 2 * SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def draw_from_aside(
    model: MorphableModel, points: LearnedPoints, portrait: Portrait, field: HeightField, rng: np.random.Generator
) -> Rendering:
    """The person in another pose and with a slightly different shape, on an empty background."""
    fit = portrait.fit
    shape = fit.shape + rng.normal(0, _SHAPE_CHANGE, len(fit.shape))
    vertices = model.vertices(shape, fit.expression)
    change = vertices - model.vertices(fit.shape, fit.expression)
    pose = turned_pose(fit.pose, rng)
    camera = crop_camera(vertices[model.landmarks68], pose)
    image = draw_turned(field, change, pose, camera)
    return _drawing(image, vertices, pose, camera, points, shape, fit.expression)


def turned_pose(source: Pose, rng: np.random.Generator) -> Pose:
    """A random pose: a larger yaw towards the visible side, or to either side for a frontal portrait.

    The more visible a side of the head is in a portrait, the farther it can be turned without smearing artifacts.
    """
    yaw, pitch, _ = euler_angles(source.rotation)
    side = np.sign(yaw) if abs(yaw) > _TURNED_ASIDE else rng.choice([-1.0, 1.0])
    farthest = float(np.interp(np.degrees(abs(yaw)), *_FARTHEST))
    turned = side * np.radians(rng.uniform(-15, farthest) if rng.random() < 0.4 else rng.uniform(35, farthest))
    nod = 0.5 * pitch + np.radians(rng.normal(0, 11))
    rotation = rotation_from_euler(float(turned), float(nod), float(np.radians(rng.normal(0, 8))))
    distance = float(np.exp(rng.uniform(np.log(0.5), np.log(4.0))))
    return Pose(rotation, np.array([0.0, 0.0, distance]), metric=True)


def _drawing(
    image: NDArray[np.uint8], vertices: FloatArray, pose: Pose, camera: Camera, points: LearnedPoints,
    shape: FloatArray, expression: FloatArray,
) -> Rendering:  # fmt: skip
    seen = project(to_camera(vertices[points.vertices], pose), camera)
    parameters = np.concatenate([weak_perspective(pose, camera).ravel(), shape, expression])
    return Rendering(image, parameters.astype(np.float32), seen.astype(np.float32))
