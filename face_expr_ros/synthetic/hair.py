"""Hair with volume, as surfaces around the head: short and long hairstyles, bangs and tails."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.drawing.lighting import HAIR
from face_expr_ros.synthetic.shell import Shell, drop_at
from face_expr_ros.synthetic.smoothstep import smoothstep
from face_expr_ros.synthetic.solids import BALL, ball
from face_expr_ros.synthetic.styles import Color, Hairstyle
from face_expr_ros.synthetic.worn import Piece, grid_triangles, grid_uv

_LOCKS, _ROWS = 30, 16  # columns and rows of one side of hanging hair
_AROUND, _CAP_ROWS = 56, 13
_BANG_LOCKS, _BANG_ROWS = 26, 9
_PARTING_FRONT, _PARTING_BACK = 0.77, -0.45  # drop coordinates of the parting's ends; negative is behind the crown
_PRESSED_HEIGHT = 0.006  # maximum height of hair under a hat, meters
_MIN_HEIGHT = 0.0035  # meters above the skin; less would let the skin of some heads show through


def hair_pieces(
    shell: Shell, style: Hairstyle, color: Color, rng: np.random.Generator, under: float = 0.0
) -> list[Piece]:
    """The surfaces of a hairstyle.

    Args:
        under: drop coordinate down to which a hat presses the hair flat; 0 is no hat.
    """
    texture = strand_texture(color, rng, style.curls)
    pieces = []
    if style.length > 0:
        pieces += [_hanging(shell, style, side, texture, rng, under) for side in (1, -1)]
    elif style.top > 0:
        pieces.append(_cap(shell, style, texture, rng))
    if style.bangs > 0:
        pieces.append(_bangs(shell, style, texture, rng, under))
    if style.tail:
        pieces += _tail(shell, style, texture, rng)
    return pieces


def strand_texture(color: Color, rng: np.random.Generator, curls: float = 0.0) -> NDArray[np.uint8]:
    """(64, 128, 4) uint8 BGR strands along v, with gloss; curls shorten the strands."""
    long = 1.0 if curls > 0.0015 else 9.0
    white = rng.standard_normal((2, 64, 128), dtype=np.float32)
    fine, broad = (
        cv2.GaussianBlur(white[0], (0, 0), 0.8, sigmaY=long),
        cv2.GaussianBlur(white[1], (0, 0), 3.5, sigmaY=3 * long),
    )
    strands = 0.5 + 0.20 * fine / fine.std() + 0.14 * broad / broad.std()
    strands = np.clip(strands, 0, 1)[..., None]
    along = np.linspace(0, 1, 64)[:, None, None]
    tone = (0.50 + 0.85 * strands) * (1.0 + rng.uniform(-0.25, 0.35) * (along - 0.4))
    return np.clip(np.dstack([np.array(color) * tone, 255 * (0.08 + 0.6 * strands**2)]), 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, rows: int, columns: int, scale: float) -> NDArray:
    """(rows, columns) smooth noise of standard deviation 1."""
    noise = cv2.GaussianBlur(rng.standard_normal((rows, columns)), (0, 0), scale)
    unit: NDArray = noise / noise.std()
    return unit


def _hanging(
    shell: Shell, style: Hairstyle, side: int, texture: NDArray[np.uint8], rng: np.random.Generator, under: float
) -> Piece:
    """One side of hanging hair, from the parting over the skull and straight down; the first lock frames the face."""
    lock = np.linspace(0, 1, _LOCKS)[None] ** 1.15
    way = np.linspace(0, 1, _ROWS)[:, None]
    over, below = np.minimum(way / 0.5, 1.0), np.maximum(way - 0.5, 0.0) / 0.5
    back = _PARTING_FRONT + (_PARTING_BACK - _PARTING_FRONT) * smoothstep(lock * 1.2)
    part = side * style.parting * np.maximum(1 - 1.6 * lock, 0)
    end = side * (style.face_edge + (np.pi - style.face_edge + 0.03) * lock)
    # In polar coordinates (azimuth, drop) around the crown: straight from the parting to the rim of the skull.
    start = np.stack([np.abs(back) * np.sin(part) - side * 0.01, back * np.cos(part)], axis=-1)
    rim = np.stack([np.sin(end), np.cos(end)], axis=-1)
    plane = start + over[..., None] * (rim - start)
    # Keep the foremost locks behind the hairline: over bare skin they would float above some heads or intersect them.
    plane = plane * (1 - 0.12 * np.sin(np.pi * over) * (1 - lock))[..., None]
    turned = np.arctan2(plane[..., 0], plane[..., 1])
    azimuth = np.where(below > 0, end, turned)
    tips = 1.0 + (style.length + 0.010 * _noise(rng, 1, _LOCKS, 1.0) + 0.02 * lock) / 0.1
    drop = np.where(below > 0, 1 + below * (np.maximum(tips, 1.02) - 1), np.hypot(plane[..., 0], plane[..., 1]))
    edge, full = smoothstep(lock / 0.22), smoothstep(way / 0.3)
    height = _MIN_HEIGHT + edge * (0.35 + 0.65 * full) * (
        style.top * (1 - below) + style.side * np.minimum(below * 3, 1)
    )
    bulge = style.waves * np.sin(way * 22 + rng.uniform(0, 6) + 2.2 * _noise(rng, 1, _LOCKS, 2.0)) * below
    bulge = bulge + (0.0015 + style.curls) * _noise(rng, _ROWS, _LOCKS, 0.8) * (0.3 + 0.7 * below) * edge
    height = np.maximum(height + bulge, _MIN_HEIGHT)
    height = np.where(drop < under, np.minimum(height, _PRESSED_HEIGHT), height)
    points = shell.points(azimuth + side * 0.03 * _noise(rng, 1, _LOCKS, 1.5) * below, drop, height, fall=style.fall)
    points[..., 2] += 0.02 * below * (1 - lock) ** 2 * (style.length > 0.15)  # over the shoulders
    triangles = grid_triangles(_ROWS, _LOCKS)
    tint = (0.70 + 0.30 * smoothstep(lock / 0.1) * np.ones_like(way)) * (1 - 0.25 * below)
    return Piece(
        points.reshape(-1, 3), triangles if side > 0 else triangles[:, ::-1], grid_uv(_ROWS, _LOCKS), texture, HAIR,
        tint.ravel(), two_sided=True, rests_on_shoulders=True,
    )  # fmt: skip


def _cap(shell: Shell, style: Hairstyle, texture: NDArray[np.uint8], rng: np.random.Generator) -> Piece:
    """Hair that ends at the hairline, of any height on top."""
    around = np.linspace(-np.pi, np.pi, _AROUND)[None]
    way = np.linspace(0, 1, _CAP_ROWS)[:, None]
    line = shell.hairline_at(around) - 0.02 * np.abs(_noise(rng, 1, _AROUND, 0.5))
    line[0, -1] = line[0, 0]
    drop = way**0.85 * line
    sides = smoothstep((drop - 0.45) / 0.5)
    bumps = _noise(rng, _CAP_ROWS, _AROUND, 0.9)
    bumps[:, -1] = bumps[:, 0]
    bumps = bumps * np.minimum(1, 4 * way)
    height = style.top * (1 - sides) + style.side * sides
    # Round the edge at the hairline with a radius that grows with the height.
    inwards = np.clip((line - drop) * 0.15 / np.maximum(0.7 * height, 0.004), 0, 1)
    height = height * np.sqrt(1 - (1 - inwards) ** 2) + (0.05 * height + style.curls) * bumps * inwards
    points = shell.points(around, drop, np.maximum(height, 0.0005), ears=False)
    points[..., 1] -= 0.6 * np.maximum(height - 0.02, 0) * sides  # big hair bulges below its hairline
    return Piece(
        points.reshape(-1, 3), grid_triangles(_CAP_ROWS, _AROUND), grid_uv(_CAP_ROWS, _AROUND), texture, HAIR,
        (1.0 - 0.25 * sides * np.ones_like(around)).ravel(), two_sided=True,
    )  # fmt: skip


def _bangs(shell: Shell, style: Hairstyle, texture: NDArray[np.uint8], rng: np.random.Generator, under: float) -> Piece:
    """Hair from the front of the crown down the forehead."""
    across = np.linspace(-1, 1, _BANG_LOCKS)[None]
    way = np.linspace(0, 1, _BANG_ROWS)[:, None]
    line = shell.hairline_at(across[0] * 1.0)[None]
    brows = drop_at(0.020 - 0.020 * np.abs(across) ** 2)
    jitter = 0.025 * _noise(rng, 1, _BANG_LOCKS, 0.8) * min(style.bangs, 1)
    tips = line + (brows - line) * style.bangs + jitter
    drop = 0.42 + way * (np.maximum(tips, line) - 0.42)
    azimuth = across * (0.75 + 0.30 * way) + style.sweep * smoothstep((way - 0.2) / 0.8)
    height = style.top * 0.75 * (1 - way) ** 2 + 0.0035 + 0.006 * np.sin(np.pi * np.minimum(way * 1.15, 1))
    height = height + 0.0009 * _noise(rng, 1, _BANG_LOCKS, 0.8) * way
    height = np.where(drop < under - 0.1, np.minimum(height, _PRESSED_HEIGHT), height)
    points = shell.points(azimuth, drop, height, fall=0.9, ears=False)
    return Piece(
        points.reshape(-1, 3), grid_triangles(_BANG_ROWS, _BANG_LOCKS), grid_uv(_BANG_ROWS, _BANG_LOCKS), texture, HAIR,
        (0.95 - 0.12 * way * np.ones_like(across)).ravel(), two_sided=True,
    )  # fmt: skip


def _tail(shell: Shell, style: Hairstyle, texture: NDArray[np.uint8], rng: np.random.Generator) -> list[Piece]:
    center, radii = {
        "bun": ((0.0, 0.050, -0.215), (0.035, 0.032, 0.030)),
        "top": ((0.0, 0.135, -0.120), (0.030, 0.028, 0.030)),
        "pony": ((0.0, -0.010, -0.225), (0.028, 0.085, 0.028)),
    }[style.tail]
    return [ball(center, radii, texture, HAIR, bumps=0.06 * _noise(rng, *BALL, 1.0))]
