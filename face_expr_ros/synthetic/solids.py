"""Primitive solids that occluders and worn items are composed of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face_expr_ros.synthetic.worn import Image, Piece, grid_triangles, grid_uv

BALL = (9, 14)  # rows and columns of a ball's vertices


def plain(color: ArrayLike, gloss: float) -> Image:
    """A texture of one color with gloss in 0..255."""
    return np.broadcast_to(np.array([*np.ravel(color), gloss]), (2, 2, 4)).clip(0, 255).astype(np.uint8)


def ball(center: ArrayLike, radii: ArrayLike, texture: Image, material: int, bumps: NDArray | float = 0.0) -> Piece:
    """An ellipsoid; `bumps` of shape BALL offset its surface by fractions of the radius."""
    polar, azimuth = np.linspace(0, np.pi, BALL[0])[:, None], np.linspace(-np.pi, np.pi, BALL[1])[None]
    out = [np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)]
    out = np.stack(np.broadcast_arrays(*out), -1)
    raised = np.broadcast_to(bumps, BALL).copy()
    raised[:, -1], raised[[0, -1]] = raised[:, 0], 0
    points = np.asarray(center) + out * np.asarray(radii) * (1 + raised[..., None])
    return Piece(points.reshape(-1, 3), grid_triangles(*BALL), grid_uv(*BALL), texture, material)


def tube(
    path: ArrayLike, across: ArrayLike, tall: ArrayLike, texture: Image, material: int, *, sides: int = 4
) -> Piece:
    """A tube with open ends along a path (n, 3), with semi-axes `across` and `tall`, (n,) or scalar."""
    path = np.asarray(path, float)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    helper = np.where(np.abs(along[:, 2:]) > 0.7, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
    first = np.cross(along, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    angle = np.arange(sides + 1) / sides * 2 * np.pi + np.pi / sides
    wide, high = (np.broadcast_to(v, len(path))[:, None, None] for v in (across, tall))
    ring = wide * np.cos(angle)[None, :, None] * first[:, None] + high * np.sin(angle)[None, :, None] * second[:, None]
    points = (path[:, None] + ring).reshape(-1, 3)
    return Piece(
        points, grid_triangles(len(path), sides + 1)[:, ::-1], grid_uv(len(path), sides + 1), texture, material
    )


def rod(path: ArrayLike, radius: ArrayLike, texture: Image, material: int) -> Piece:
    """A round rod along a path (n, 3), closed at both ends by hemispheres."""
    path = np.asarray(path, float)
    radii = np.broadcast_to(radius, len(path))
    ends = np.radians([0.0, 35.0, 65.0])
    first, last = _unit(path[0] - path[1]), _unit(path[-1] - path[-2])
    head = path[0] + radii[0] * np.cos(ends)[:, None] * first
    tail = path[-1] + radii[-1] * np.cos(ends[::-1])[:, None] * last
    all_radii = np.concatenate([radii[0] * np.sin(ends), radii, radii[-1] * np.sin(ends[::-1])])
    return tube(np.vstack([head, path, tail]), all_radii, all_radii, texture, material, sides=8)


def _unit(vector: NDArray) -> NDArray:
    unit: NDArray = vector / np.linalg.norm(vector)
    return unit


def box(center: ArrayLike, half: ArrayLike, rotation: NDArray, texture: Image, material: int) -> Piece:
    """A box with half edges (3,) and a rotation (3, 3); faces do not share vertices, for sharp edges."""
    faces: list[list[NDArray]] = []
    triangles: list[NDArray] = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            normal, first = np.zeros(3), np.zeros(3)
            normal[axis], first[(axis + 1) % 3] = sign, 1.0
            second = np.cross(normal, first)
            faces.append(
                [normal - first - second, normal + first - second, normal + first + second, normal - first + second]
            )
            triangles.append(np.array([[0, 1, 2], [0, 2, 3]]) + 4 * len(triangles))
    points = np.asarray(center) + (np.array(faces).reshape(-1, 3) * np.asarray(half)) @ rotation.T
    uv = np.tile([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], (6, 1))
    return Piece(points, np.vstack(triangles).astype(np.int32), uv, texture, material)
