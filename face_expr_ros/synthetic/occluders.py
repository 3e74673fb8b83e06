"""Hands and objects in front of a face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from face_expr_ros.drawing.lighting import CLOTH, SHINY, SKIN
from face_expr_ros.synthetic.headwear import cloth_texture
from face_expr_ros.synthetic.solids import ball, box, plain, rod, tube
from face_expr_ros.synthetic.styles import Color, Occluder
from face_expr_ros.synthetic.worn import Image, Piece

# Fingers of an adult's hand, thumb first, meters: position of the knuckle across and along the hand, length, radius.
_FINGERS = ((-0.030, 0.030, 0.062, 0.0105), (-0.030, 0.088, 0.075, 0.0088), (-0.009, 0.094, 0.083, 0.0090),
            (0.011, 0.090, 0.077, 0.0085), (0.030, 0.080, 0.060, 0.0075))  # fmt: skip


def occluder_pieces(occluder: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    """The surfaces of an occluder. Raises ValueError for an unknown kind."""
    if occluder.kind not in _KINDS:
        raise ValueError(f"occluder: expected a kind of {', '.join(_KINDS)}, got {occluder.kind!r}")
    return _KINDS[occluder.kind](occluder, skin, clothes, rng)


def _skin_texture(skin: Color, rng: np.random.Generator) -> Image:
    mottle = cv2.GaussianBlur(rng.standard_normal((64, 128)).astype(np.float32), (0, 0), 3.0)
    tone = 0.95 + 0.04 * mottle[..., None] / mottle.std()
    return np.clip(np.dstack([np.array(skin) * tone, np.full((64, 128), 90.0)]), 0, 255).astype(np.uint8)


def _placed(pieces: list[Piece], rotation: NDArray, position: NDArray) -> list[Piece]:
    return [replace(piece, points=piece.points @ rotation.T + position) for piece in pieces]


def _rotation(pitch: float, roll: float) -> NDArray:
    """(3, 3) rotation about x and then z, radians."""
    return Rotation.from_euler("xyz", [pitch, 0.0, roll]).as_matrix()


def _hand(occluder: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    """A hand from below and from the side, with its fingertips at the occluder's position."""
    curl, spread = rng.uniform(0.1, 0.9), rng.uniform(-0.05, 0.15)
    texture = _skin_texture(skin, rng)
    pieces = [
        ball((0.0, 0.055, 0.0), (0.041, 0.056, 0.017), texture, SKIN),
        rod(
            np.array([[0.0, 0.02, 0.0], [0.0, -0.03, 0.002], [0.0, -0.10, 0.006]]), (0.026, 0.025, 0.030), texture, SKIN
        ),
        rod(np.array([[0.0, -0.09, 0.005], [0.0, -0.35, 0.02]]), (0.042, 0.055), cloth_texture(clothes, rng), CLOTH),
    ]
    for number, (across, along, length, radius) in enumerate(_FINGERS):
        lean = spread * (number - 2.5) + (-0.6 if number == 0 else 0.0)
        pieces.append(_finger(across, along, length, radius, lean, curl * rng.uniform(0.8, 1.2), texture))
    rotation = _rotation(rng.uniform(-0.5, 0.1), occluder.side * (0.5 + occluder.tilt))
    if occluder.side < 0:
        pieces = [_mirrored(piece) for piece in pieces]
    tips = rotation @ np.array([0.0, 0.155 - 0.03 * curl, -0.02 * curl])
    return _placed(pieces, rotation, np.array(occluder.position) - tips)


def _mirrored(piece: Piece) -> Piece:
    return replace(piece, points=piece.points * [-1, 1, 1], triangles=piece.triangles[:, ::-1])


def _finger(
    across: float, along: float, length: float, radius: float, lean: float, curl: float, texture: Image
) -> Piece:
    """A finger of three segments that curl towards the palm, -z."""
    bend = np.cumsum([0.15 * curl, 0.5 * curl, 0.4 * curl])
    share = np.array([0.45, 0.30, 0.25]) * length
    step = np.column_stack([np.sin(lean) * np.cos(bend), np.cos(lean) * np.cos(bend), -np.sin(bend)]) * share[:, None]
    path = np.array([across, along, 0.0]) + np.vstack([[0.0, -0.01, 0.0], np.cumsum(step, axis=0)])
    return rod(path, radius * np.array([1.08, 1.0, 0.95, 0.85]), texture, SKIN)


def _fingers(occluder: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    """One or two fingertips that touch the face at the occluder's position."""
    texture = _skin_texture(skin, rng)
    rotation = _rotation(rng.uniform(-0.9, -0.2), occluder.side * (0.6 + occluder.tilt))
    pieces = []
    for number in range(int(rng.integers(1, 3))):
        path = np.array([[0.0, -0.16, 0.01], [0.0, -0.05, 0.012], [0.0, -0.02, 0.008], [0.0, -0.006, 0.0]])
        pieces.append(rod(path + np.array([0.018 * number, -0.004 * number, 0.0]), 0.0082, texture, SKIN))
    pieces.append(ball((0.008, -0.15, 0.0), (0.04, 0.05, 0.02), texture, SKIN))
    return _placed(pieces, rotation, np.array(occluder.position))


def _microphone(occluder: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    rotation = _rotation(rng.uniform(-0.3, 0.7), occluder.side * (0.3 + occluder.tilt))
    metal = plain(occluder.color, 110)
    pieces = [
        ball((0.0, 0.0, 0.0), (0.024, 0.028, 0.024), plain(np.full(3, float(rng.uniform(30, 130))), 60), SHINY),
        rod(np.array([[0.0, -0.025, 0.0], [0.0, -0.21, 0.0]]), (0.020, 0.013), metal, SHINY),
        ball((0.0, -0.17, 0.004), (0.042, 0.040, 0.034), _skin_texture(skin, rng), SKIN),
    ]
    return _placed(pieces, rotation, np.array(occluder.position))


def _mug(occluder: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    rotation = _rotation(rng.uniform(-0.9, -0.1), 0.3 * occluder.tilt)
    height, radius = rng.uniform(0.04, 0.055), rng.uniform(0.034, 0.043)
    wall = tube(
        np.array([[0, height, 0], [0, 0, 0], [0, -height, 0.0]]),
        radius,
        radius,
        plain(occluder.color, 90),
        SHINY,
        sides=16,
    )
    lining = tube(
        np.array([[0, -height, 0], [0, height, 0.0]]),
        radius,
        radius,
        plain(np.array(occluder.color) * 0.5, 20),
        CLOTH,
        sides=16,
    )
    base = ball((0, -height, 0), (radius, 0.002, radius), plain(occluder.color, 60), SHINY)
    texture = _skin_texture(skin, rng)
    knuckles = np.linspace(-0.6, 0.6, 4) * height
    hand = [
        rod(
            np.array(
                [
                    [occluder.side * 0.065, y, 0.0],
                    [occluder.side * 0.03, y, radius],
                    [-occluder.side * 0.01, y, radius + 0.006],
                ]
            ),
            0.009,
            texture,
            SKIN,
        )
        for y in knuckles
    ]
    hand.append(ball((occluder.side * 0.075, -0.01, -0.005), (0.030, 0.045, 0.025), texture, SKIN))
    return _placed([wall, lining, base, *hand], rotation, np.array(occluder.position))


def _phone(occluder: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    rotation = _rotation(rng.uniform(-0.3, 0.3), occluder.side * 0.25)
    texture = _skin_texture(skin, rng)
    pieces = [box((0, 0, 0), (0.0045, 0.075, 0.036), np.eye(3), plain(occluder.color, 120), SHINY)]
    for y in np.linspace(-0.05, 0.02, 4):
        path = np.array([[0.012, y - 0.01, -0.045], [0.014, y, -0.01], [0.006, y + 0.004, 0.036]]) * [
            occluder.side,
            1,
            1,
        ]
        pieces.append(rod(path, 0.0085, texture, SKIN))
    pieces.append(ball((occluder.side * 0.03, -0.05, -0.02), (0.022, 0.05, 0.04), texture, SKIN))
    return _placed(pieces, rotation, np.array(occluder.position))


_KINDS: dict[str, Callable[[Occluder, Color, Color, np.random.Generator], list[Piece]]] = {
    "hand": _hand, "fingers": _fingers, "microphone": _microphone, "mug": _mug, "phone": _phone,
}  # fmt: skip
