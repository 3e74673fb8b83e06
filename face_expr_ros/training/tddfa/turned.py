"""Portraits turned to other poses, up to profile, after Zhu et al., "Face Alignment Across Large Poses", 2016.

The person in a portrait becomes a height field: a grid of its pixels at the depth of the fitted head model; hair and
shoulders continue the depth of the head's outline. Behind the outline, a shell of hair closes the back of the head.
Rotated and rendered with the package's rasterizer, this gives an image of the same face from another side; the fit
with the same rotation is its exact ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import project, to_camera
from face_expr_ros.core.types import Camera, FloatArray, Pose
from face_expr_ros.drawing.projection import to_pixels
from face_expr_ros.kernels import rasterizer
from face_expr_ros.training.tddfa.portraits import Portrait

Float32 = NDArray[np.float32]

_GRID = 2  # pixels between the grid's vertices
_EDGE = 2.0  # pixels removed along the person's outline, because they contain background
_SLOPE = 0.7  # increase of the depth per distance from the head model's outline, for hair and shoulders
_SKULL_BACK, _SKULL_HEIGHT = -0.2, 0.01  # meters, model axes: back of the head, and the height of its center
_RINGS = 7
_SHELL_TEXTURE = 0.3  # texture of the shell: fraction of the way from the outline to the center, which avoids smearing
_SAMPLES = 2  # antialiasing samples per pixel and axis
_CHIN = 8  # index in the 68 points
_HIDDEN_PARTS = ("eyelashes",)


@dataclass(frozen=True)
class HeightField:
    """A portrait's person as a textured mesh in model axes.

    Attributes:
        vertices: (N, 3) meters.
        source: (N, 2) texture coordinates of each vertex, pixels of the portrait.
        triangles: (T, 3).
        anchor: (N, 3) vertices of the face model, and weight: (N, 3), by which each vertex follows their displacement.
        colors: (H, W, 4) uint8 BGR and opacity.
    """

    vertices: Float32
    source: Float32
    triangles: NDArray[np.int32]
    anchor: NDArray[np.int32]
    weight: Float32
    colors: NDArray[np.uint8]


def height_field(portrait: Portrait, model: MorphableModel) -> HeightField:
    """The mesh of a portrait's person."""
    fit = portrait.fit
    vertices = model.vertices(fit.shape, fit.expression)
    depth, index, triangles = _head_depth(portrait, model, vertices)
    inside = np.isfinite(depth)
    distance, nearest = distance_transform_edt(~inside, return_indices=True)
    filled = depth[tuple(nearest)] + _SLOPE * distance * fit.pose.position[2] / portrait.camera.matrix[0, 0]
    filled = np.where(inside, depth, cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 3))
    shown = _shown(portrait.person, inside)
    grid, grid_triangles = _grid(shown > 0.5)
    places = _to_model(grid, filled, portrait)
    ring, ring_triangles, ring_source = _shell(shown > 0.5, filled, portrait, vertices[model.landmarks68])
    source = np.vstack([grid, ring_source]).astype(np.float32)
    anchor, weight = _anchors(source, nearest, index, triangles, vertices, np.vstack([places, ring]))
    colors = np.dstack([portrait.image, np.round(255 * shown).astype(np.uint8)])
    return HeightField(
        np.vstack([places, ring]).astype(np.float32), source,
        np.vstack([grid_triangles, ring_triangles + len(grid)]).astype(np.int32), anchor, weight, colors,
    )  # fmt: skip


def draw_turned(field: HeightField, change: Float32, pose: Pose, camera: Camera) -> NDArray[np.uint8]:
    """Render the person in another pose: (camera.height, camera.width, 4) uint8 BGR on black, and coverage.

    Args:
        change: (V, 3) meters by which the face model's vertices differ from those of the fit.
    """
    moved = field.vertices + np.einsum("nk,nkc->nc", field.weight, change[field.anchor])
    pixels = to_pixels(to_camera(moved, pose), camera)
    target = rasterizer.Target(camera.width, camera.height, _SAMPLES)
    rasterizer.draw(target, pixels, field.triangles, cull=False)
    y, x = np.nonzero(target.index >= 0)
    where = _source_of(target.in_samples(pixels), field, target.index[y, x], x, y)
    places = np.full((*target.index.shape, 2), -9, np.float32)
    places[y, x] = where
    fine = cv2.remap(field.colors, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    fine[..., :3] = cv2.multiply(fine[..., :3], cv2.merge([fine[..., 3]] * 3), scale=1 / 255)
    return np.asarray(cv2.resize(fine, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.uint8)


def _source_of(
    points: Float32, field: HeightField, index: NDArray[np.int32], x: NDArray[np.intp], y: NDArray[np.intp]
) -> Float32:
    """(n, 2) perspective-correct texture coordinates of the samples (x, y) in the triangles ``index``."""
    corners = field.triangles[index]
    a, b, c = (points[corners[:, k]] for k in range(3))
    along, across = b[:, :2] - a[:, :2], c[:, :2] - a[:, :2]
    offset = np.column_stack([x, y]) - a[:, :2]
    area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    area = np.where(np.abs(area) < 1e-6, 1e-6, area)
    second = (offset[:, 0] * across[:, 1] - offset[:, 1] * across[:, 0]) / area
    third = (along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]) / area
    # Edge-on triangles are degenerate: clip, so that their samples do not extrapolate.
    flat = np.clip(np.stack([1 - second - third, second, third], axis=1), 0, 1)
    weights = flat / np.stack([a[:, 2], b[:, 2], c[:, 2]], axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("nk,nkc->nc", weights, field.source[corners]).astype(np.float32)


def _head_depth(
    portrait: Portrait, model: MorphableModel, vertices: Float32
) -> tuple[Float32, NDArray[np.int32], NDArray[np.int32]]:
    """Depth (H, W) of the fitted head (inf outside it), the triangle of each pixel, and the triangles."""
    hidden = [model.part_names.index(name) for name in _HIDDEN_PARTS]
    triangles = model.triangles[~np.isin(model.triangle_part, hidden)]
    pixels = to_pixels(to_camera(vertices, portrait.fit.pose), portrait.camera)
    depth, index = rasterizer.depth_map(pixels, triangles, portrait.camera.width, portrait.camera.height)
    return depth, index, triangles


def _shown(person: Float32, head: NDArray[np.bool_]) -> Float32:
    """(H, W) 0..1: mask of the person, eroded; only the component that contains the head."""
    solid = (person > 0.5).astype(np.uint8)
    count, labels = cv2.connectedComponents(solid)
    sizes = np.bincount(labels[head & (solid > 0)], minlength=count)
    body = (labels == sizes.argmax()) & (solid > 0)
    inward = cv2.distanceTransform(body.astype(np.uint8), cv2.DIST_L2, 5)
    return np.clip(inward - _EDGE + 0.5, 0, 1).astype(np.float32)


def _grid(shown: NDArray[np.bool_]) -> tuple[Float32, NDArray[np.int32]]:
    """Pixels (N, 2) of the grid's vertices, and the triangles whose corners are all inside the mask."""
    rows, columns = (np.arange(0, size, _GRID) for size in shown.shape)
    use = shown[np.ix_(rows, columns)]
    number = np.full(use.shape, -1, np.int32)
    number[use] = np.arange(use.sum())
    v, u = np.nonzero(use)
    quad = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], axis=-1).reshape(-1, 4)
    quad = quad[(quad >= 0).all(axis=1)]
    return np.column_stack([columns[u], rows[v]]).astype(np.float32), np.vstack(
        [quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]
    )


def _to_model(pixels: Float32, depth: Float32, portrait: Portrait) -> Float32:
    """(N, 3) points in model axes: pixels (N, 2) of the portrait, back-projected with a depth map."""
    z = map_coordinates(depth, [pixels[:, 1], pixels[:, 0]], order=1, mode="nearest")
    matrix = portrait.camera.matrix
    rays = (pixels - matrix[:2, 2]) / [matrix[0, 0], matrix[1, 1]]
    seen = np.column_stack([rays * z[:, None], z])
    return ((seen - portrait.fit.pose.position) @ portrait.fit.pose.rotation).astype(np.float32)


def _shell(
    shown: NDArray[np.bool_], depth: Float32, portrait: Portrait, landmarks: FloatArray
) -> tuple[Float32, NDArray[np.int32], Float32]:
    """Rings of vertices from the outline of the head to its back, their triangles, and their pixels."""
    contours, _ = cv2.findContours(shown.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)[:, 0].astype(np.float32)
    start = _to_model(outline, depth, portrait)
    middle = project(to_camera(np.array([[0.0, _SKULL_HEIGHT, -0.09]]), portrait.fit.pose), portrait.camera)[0]
    turns = np.linspace(0, np.radians(80), _RINGS)
    rings, sources = [], []
    for turn in turns:
        flat = (start - [0, _SKULL_HEIGHT, 0]) * [np.cos(turn), np.cos(turn), 1] + [0, _SKULL_HEIGHT, 0]
        flat[:, 2] = start[:, 2] + (np.minimum(_SKULL_BACK, start[:, 2]) - start[:, 2]) * np.sin(turn)
        rings.append(flat)
        sources.append(outline + _SHELL_TEXTURE * (turn / turns[-1]) * (middle - outline))
    part = start[:, 1] > landmarks[_CHIN, 1]  # no shell below the chin, where the body continues
    here = np.arange(len(outline))
    after = (here + 1) % len(outline)
    here, after = here[part & part[after]], after[part & part[after]]
    quads = [
        np.column_stack([k * len(outline) + here, k * len(outline) + after, (k + 1) * len(outline) + after,
                         (k + 1) * len(outline) + here])
        for k in range(_RINGS - 1)
    ]  # fmt: skip
    quad = np.vstack(quads)
    return np.vstack(rings), np.vstack([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]), np.vstack(sources)


def _anchors(
    source: Float32, nearest: NDArray[np.intp], index: NDArray[np.int32], triangles: NDArray[np.int32],
    vertices: Float32, places: Float32,
) -> tuple[NDArray[np.int32], Float32]:  # fmt: skip
    """The face model's triangle that each vertex follows, and inverse-distance weights of its corners."""
    column, row = np.round(source).astype(int).T
    row, column = np.clip(row, 0, index.shape[0] - 1), np.clip(column, 0, index.shape[1] - 1)
    anchor = triangles[index[nearest[0][row, column], nearest[1][row, column]]]
    distance = np.linalg.norm(vertices[anchor] - places[:, None], axis=2)
    weight = 1 / np.maximum(distance, 1e-4)
    return anchor, (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
