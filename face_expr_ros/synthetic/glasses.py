"""Glasses: rims, bridge, temples, and lenses with transparency, tint and glare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.drawing.lighting import CLOTH, SHINY
from face_expr_ros.synthetic.solids import plain, tube
from face_expr_ros.synthetic.styles import Glasses
from face_expr_ros.synthetic.worn import Piece

_SPOKES = 24
_OPAQUE = 0.85  # lenses of at least this opacity are rendered opaque
_EAR_TOP = np.array([0.0755, -0.004, -0.088])  # support of the temple at the subject's left ear, mean head, meters
_FRONT = 0.0105  # distance of the lens plane in front of the sellion, at the nose, meters
_WRAP = 0.16  # face-form (wrap) angle of each lens, radians
_PANTO = 0.12  # pantoscopic tilt of the lenses, radians


def glasses_pieces(style: Glasses, rng: np.random.Generator) -> list[Piece]:
    """The surfaces of a pair of glasses on the mean head."""
    frame = plain(style.color, 150 if style.shiny else 40)
    material = SHINY if style.shiny else CLOTH
    glass = _lens_texture(style, rng)
    pieces = []
    for side in (1, -1):
        center = np.array([side * (0.0095 + style.width / 2), -0.004 - 0.35 * style.slip, 0.0])
        outline = _outline(style, center)
        pieces += _rim(outline, style, frame, material)
        hinge = outline[np.argmax(side * outline[:, 0] + 0.4 * outline[:, 1])]
        ear = _EAR_TOP * [side, 1, 1]
        bar = 0.0012 + 0.65 * style.rim
        end = ear + np.array([0.0, -0.018, -0.014])
        pieces.append(
            tube(
                np.array([hinge, hinge + np.array([side * 0.004, 0, -0.004]), ear, end]),
                bar,
                1.6 * bar,
                frame,
                material,
            )
        )
        pieces.append(_lens(outline, style, glass))
    nose = _bridge(style)
    pieces.append(tube(nose, 0.0010 + 0.65 * style.rim, 0.0013 + 0.72 * style.rim, frame, material))
    return sorted(pieces, key=lambda piece: piece.transparent)


def _depth(x: NDArray, y: NDArray, slip: float) -> NDArray:
    """z of the curved and tilted lens surface at x, y, meters."""
    return _FRONT + 0.6 * slip - np.abs(x) * np.tan(_WRAP) - 2.2 * x * x + np.tan(_PANTO) * (y + 0.004)


def _outline(style: Glasses, center: NDArray) -> NDArray:
    """(n, 3) superellipse, wider at the top, counter-clockwise from the front."""
    angle = np.linspace(0, 2 * np.pi, _SPOKES, endpoint=False)
    power = 2 / style.roundness
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power * style.width / 2
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power * style.height / 2
    x = x * (1 + 0.10 * y / style.height)
    plane = np.column_stack([x + center[0], y + center[1] - 0.002])
    return np.column_stack([plane, _depth(plane[:, 0], plane[:, 1], style.slip)])


def _rim(outline: NDArray, style: Glasses, texture: NDArray[np.uint8], material: int) -> list[Piece]:
    if style.rim <= 0:
        return []
    path = np.vstack([outline, outline[:1]])
    if style.half_rim:
        upper = np.sin(np.linspace(0, 2 * np.pi, _SPOKES, endpoint=False)) > -0.2
        start = int(np.argmin(upper)) + int(np.argmax(np.roll(upper, -int(np.argmin(upper)))))
        path = np.roll(outline, -start, axis=0)[: upper.sum()]
    return [tube(path, 0.65 * style.rim, 0.65 * style.rim + 0.0008, texture, material)]


def _bridge(style: Glasses) -> NDArray:
    half = 0.0105
    x = np.linspace(-half, half, 5)
    y = np.full(5, 0.001 - 0.35 * style.slip) + 0.003 * (1 - (x / half) ** 2)
    return np.column_stack([x, y, _depth(np.full(5, half), y, style.slip) + 0.003 * (1 - (x / half) ** 2)])


def _lens(outline: NDArray, style: Glasses, texture: NDArray[np.uint8]) -> Piece:
    """A lens of few triangles: blending is too weak in pixels where transparent triangles meet."""
    corners = outline[::2]
    low, high = outline.min(axis=0), outline.max(axis=0)
    uv = (corners - low)[:, :2] / (high - low)[:2] * [1, -1] + [0, 1]
    count = len(corners)
    ahead, behind = np.arange(count // 2), count - 1 - np.arange(count // 2)
    strip = np.vstack(
        [np.column_stack([ahead[:-1], ahead[1:], behind[:-1]]), np.column_stack([ahead[1:], behind[1:], behind[:-1]])]
    )
    return Piece(corners, strip.astype(np.int32), uv, texture, SHINY, transparent=style.opacity < _OPAQUE)


def _lens_texture(style: Glasses, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Tint and a slanted stripe of glare."""
    y, x = np.mgrid[0:1:32j, 0:1:128j]
    tilt, offset, width = rng.uniform(-0.8, 0.8), rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.3)
    stripe = style.glare * np.exp(-(((x + tilt * (y - 0.5) - offset) / width) ** 4))
    opacity = style.opacity + (1 - style.opacity) * 0.6 * stripe
    share = (0.6 * stripe / opacity)[..., None]
    color = np.array(style.lens) * (1 - share) + 235.0 * share
    fourth = opacity if style.opacity < _OPAQUE else np.full(opacity.shape, 0.8)
    return np.clip(np.dstack([color, 255 * fourth]), 0, 255).astype(np.uint8)
