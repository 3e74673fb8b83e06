"""A contact sheet: renders of people beside portraits, to judge by eye how close the renders are to photographs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.sources.image_files import read_image
from face_expr_ros.synthetic.actor import random_shape
from face_expr_ros.synthetic.camera_effects import CameraEffects, with_depth_of_field
from face_expr_ros.synthetic.materials import Materials, open_materials
from face_expr_ros.synthetic.scene import SceneFace, render_scene_with_depth
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.expression.expressions import sample_expression

Image = NDArray[np.uint8]

SIDE = 256  # width and height of a picture, pixels
_COLUMNS = 8
_SUPERSAMPLED = 2  # factor by which renders are larger than their pictures before they are reduced
_TEXTURE = 1024
_FIELD_OF_VIEW = (16.0, 34.0)  # degrees
_WIDTH = (0.25, 0.36)  # range of the width of a picture at the face, meters
_APERTURE = (0.0, 90.0)  # range of the strength of the depth of field, see `with_depth_of_field`
_GAP = 16  # pixels between renders and portraits
_QUALITY = 92


def write_contact_sheet(folder: Path, count: int, materials: Path, portraits: Path | None) -> list[Path]:
    """Write ``renders.jpg``, and with portraits ``sheet.jpg`` with the renders at the left.

    Args:
        count: number of renders, and of portraits.
        portraits: folder with .jpg or .png files of one face each; None makes only the renders.

    Returns:
        The paths of the written files.
    Raises:
        ValueError: the folder has fewer portraits than ``count``.
    """
    found = [] if portraits is None else _portraits(portraits, count)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"renders.jpg": render_sheet(materials, count)}
    if found:
        between = np.full((len(pictures["renders.jpg"]), _GAP, 3), 255, np.uint8)
        pictures["sheet.jpg"] = np.hstack([pictures["renders.jpg"], between, _grid(found)])
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return [folder / name for name in pictures]


def render_sheet(materials: Path, count: int) -> Image:
    """Renders in rows of eight."""
    model, opened = open_face_model("open"), open_materials(materials)
    return _grid([photograph(model, opened, number) for number in progress(range(count), "rendering", count)])


def photograph(model: MorphableModel, materials: Materials, number: int) -> Image:
    """(SIDE, SIDE, 3) a render of a random person, as a random camera delivers it; reproducible from the number."""
    rng = np.random.default_rng([number, 61])
    appearance = varied_appearance(8_000_000 + number)
    renderer = materials.person(model, appearance, rng, _TEXTURE)
    shape = random_shape(rng, len(model.identity), spread=float(rng.uniform(0.6, 1.0)))
    expression = sample_expression(rng, model.expression_names, "") * float(rng.uniform(0.3, 1.0))
    side = SIDE * _SUPERSAMPLED
    camera = pinhole_camera(side, side, float(rng.uniform(*_FIELD_OF_VIEW)))
    distance = float(rng.uniform(*_WIDTH)) * float(camera.matrix[0, 0]) / side
    angles = np.radians([rng.normal(0, 18), rng.normal(0, 7), rng.normal(0, 6)])
    place = np.array([rng.normal(0, 0.015), rng.normal(-0.012, 0.012), distance])
    pose = Pose(rotation_from_euler(*(float(angle) for angle in angles)), place, metric=True)
    light, background = materials.scene(rng, side)
    face = SceneFace(renderer, model.vertices(shape, expression), pose)
    image, depth = render_scene_with_depth([face], camera, light, background)
    focused = with_depth_of_field(image, depth, focus=distance - 0.01, aperture=float(rng.uniform(*_APERTURE)))
    reduced = np.asarray(cv2.resize(focused, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    return CameraEffects.random(rng).apply(reduced, rng)


def _portraits(folder: Path, count: int) -> list[Image]:
    """The first portraits of a folder, cut to squares."""
    paths = sorted([*folder.rglob("*.jpg"), *folder.rglob("*.png")])[:count]
    if len(paths) < count:
        raise ValueError(f"expected at least {count} portraits (.jpg, .png) in {str(folder)!r}, got {len(paths)}")
    return [_square(path) for path in paths]


def _square(path: Path) -> Image:
    image = read_image(path)
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _grid(tiles: list[Image]) -> Image:
    """Tiles in rows; the last row is filled with black."""
    missing = -len(tiles) % min(_COLUMNS, len(tiles))
    tiles = [*tiles, *[np.zeros_like(tiles[0])] * missing]
    columns = min(_COLUMNS, len(tiles))
    return np.vstack([np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)])
