"""Hands and things before a face."""

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

# Of an adult's hand, thumb first, meters: knuckle, across the hand and along it from the wrist, length, radius.
_FINGERS = ((-0.030, 0.030, 0.062, 0.0105), (-0.030, 0.088, 0.075, 0.0088), (-0.009, 0.094, 0.083, 0.0090),
            (0.011, 0.090, 0.077, 0.0085), (0.030, 0.080, 0.060, 0.0075))  # fmt: skip


def occluder_pieces(thing: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    """The surfaces of a thing before the face. Raises ValueError for a kind that there is not."""
    if thing.kind not in _KINDS:
        raise ValueError(f"the kind of occluder must be one of {', '.join(_KINDS)}; {thing.kind!r} was given")
    return _KINDS[thing.kind](thing, skin, clothes, rng)


def _skin_texture(skin: Color, rng: np.random.Generator) -> Image:
    mottle = cv2.GaussianBlur(rng.standard_normal((64, 128)).astype(np.float32), (0, 0), 3.0)
    tone = 0.95 + 0.04 * mottle[..., None] / mottle.std()
    return np.clip(np.dstack([np.array(skin) * tone, np.full((64, 128), 90.0)]), 0, 255).astype(np.uint8)


def _placed(pieces: list[Piece], turn: NDArray, place: NDArray) -> list[Piece]:
    return [replace(piece, points=piece.points @ turn.T + place) for piece in pieces]


def _hand(thing: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    """A hand that comes from below and from the side, its fingertips at the place."""
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
    turn = Rotation.from_euler("xyz", [rng.uniform(-0.5, 0.1), 0.0, thing.side * (0.5 + thing.tilt)]).as_matrix()
    if thing.side < 0:
        pieces = [_mirrored(piece) for piece in pieces]
    tips = turn @ np.array([0.0, 0.155 - 0.03 * curl, -0.02 * curl])
    return _placed(pieces, turn, np.array(thing.place) - tips)


def _mirrored(piece: Piece) -> Piece:
    return replace(piece, points=piece.points * [-1, 1, 1], triangles=piece.triangles[:, ::-1])


def _finger(
    across: float, along: float, length: float, radius: float, lean: float, curl: float, texture: Image
) -> Piece:
    """Three joints that curl towards the palm, -z."""
    bend = np.cumsum([0.15 * curl, 0.5 * curl, 0.4 * curl])
    share = np.array([0.45, 0.30, 0.25]) * length
    step = np.column_stack([np.sin(lean) * np.cos(bend), np.cos(lean) * np.cos(bend), -np.sin(bend)]) * share[:, None]
    path = np.array([across, along, 0.0]) + np.vstack([[0.0, -0.01, 0.0], np.cumsum(step, axis=0)])
    return rod(path, radius * np.array([1.08, 1.0, 0.95, 0.85]), texture, SKIN)


def _fingers(thing: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    """One or two fingertips that touch the face."""
    texture = _skin_texture(skin, rng)
    turn = Rotation.from_euler("xyz", [rng.uniform(-0.9, -0.2), 0.0, thing.side * (0.6 + thing.tilt)]).as_matrix()
    pieces = []
    for number in range(int(rng.integers(1, 3))):
        path = np.array([[0.0, -0.16, 0.01], [0.0, -0.05, 0.012], [0.0, -0.02, 0.008], [0.0, -0.006, 0.0]])
        pieces.append(rod(path + np.array([0.018 * number, -0.004 * number, 0.0]), 0.0082, texture, SKIN))
    pieces.append(ball((0.008, -0.15, 0.0), (0.04, 0.05, 0.02), texture, SKIN))
    return _placed(pieces, turn, np.array(thing.place))


def _microphone(thing: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    turn = Rotation.from_euler("xyz", [rng.uniform(-0.3, 0.7), 0.0, thing.side * (0.3 + thing.tilt)]).as_matrix()
    metal = plain(thing.color, 110)
    pieces = [
        ball((0.0, 0.0, 0.0), (0.024, 0.028, 0.024), plain(np.full(3, float(rng.uniform(30, 130))), 60), SHINY),
        rod(np.array([[0.0, -0.025, 0.0], [0.0, -0.21, 0.0]]), (0.020, 0.013), metal, SHINY),
        ball((0.0, -0.17, 0.004), (0.042, 0.040, 0.034), _skin_texture(skin, rng), SKIN),
    ]
    return _placed(pieces, turn, np.array(thing.place))


def _mug(thing: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    turn = Rotation.from_euler("xyz", [rng.uniform(-0.9, -0.1), 0.0, 0.3 * thing.tilt]).as_matrix()
    height, radius = rng.uniform(0.04, 0.055), rng.uniform(0.034, 0.043)
    wall = tube(
        np.array([[0, height, 0], [0, 0, 0], [0, -height, 0.0]]),
        radius,
        radius,
        plain(thing.color, 90),
        SHINY,
        sides=16,
    )
    lining = tube(
        np.array([[0, -height, 0], [0, height, 0.0]]),
        radius,
        radius,
        plain(np.array(thing.color) * 0.5, 20),
        CLOTH,
        sides=16,
    )
    base = ball((0, -height, 0), (radius, 0.002, radius), plain(thing.color, 60), SHINY)
    texture = _skin_texture(skin, rng)
    knuckles = np.linspace(-0.6, 0.6, 4) * height
    hand = [
        rod(
            np.array(
                [[thing.side * 0.065, y, 0.0], [thing.side * 0.03, y, radius], [-thing.side * 0.01, y, radius + 0.006]]
            ),
            0.009,
            texture,
            SKIN,
        )
        for y in knuckles
    ]
    hand.append(ball((thing.side * 0.075, -0.01, -0.005), (0.030, 0.045, 0.025), texture, SKIN))
    return _placed([wall, lining, base, *hand], turn, np.array(thing.place))


def _phone(thing: Occluder, skin: Color, clothes: Color, rng: np.random.Generator) -> list[Piece]:
    turn = Rotation.from_euler("xyz", [rng.uniform(-0.3, 0.3), 0.0, thing.side * 0.25]).as_matrix()
    texture = _skin_texture(skin, rng)
    pieces = [box((0, 0, 0), (0.0045, 0.075, 0.036), np.eye(3), plain(thing.color, 120), SHINY)]
    for y in np.linspace(-0.05, 0.02, 4):
        path = np.array([[0.012, y - 0.01, -0.045], [0.014, y, -0.01], [0.006, y + 0.004, 0.036]]) * [thing.side, 1, 1]
        pieces.append(rod(path, 0.0085, texture, SKIN))
    pieces.append(ball((thing.side * 0.03, -0.05, -0.02), (0.022, 0.05, 0.04), texture, SKIN))
    return _placed(pieces, turn, np.array(thing.place))


_KINDS: dict[str, Callable[[Occluder, Color, Color, np.random.Generator], list[Piece]]] = {
    "hand": _hand, "fingers": _fingers, "microphone": _microphone, "mug": _mug, "phone": _phone,
}  # fmt: skip
