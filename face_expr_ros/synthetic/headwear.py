"""Hats, hoods, scarves, headphones and collars as surfaces around the head."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.drawing.lighting import CLOTH, SHINY
from face_expr_ros.synthetic.shell import Shell, drop_at
from face_expr_ros.synthetic.solids import ball, plain, tube
from face_expr_ros.synthetic.styles import Color, Headwear
from face_expr_ros.synthetic.worn import Image, Piece, grid_triangles, grid_uv

_AROUND, _ROWS = 48, 14


def headwear_pieces(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    """The surfaces of headwear. Raises ValueError for an unknown kind."""
    if style.kind not in _KINDS:
        raise ValueError(f"headwear: expected a kind of {', '.join(_KINDS)}, got {style.kind!r}")
    return _KINDS[style.kind](shell, style, rng)


def pressed_hair_drop(style: Headwear) -> float:
    """The drop coordinate down to which headwear presses the hair flat; 0 if it does not."""
    return {"band": 0.0, "headphones": 0.0, "hood": 0.9, "scarf": 3.0}.get(style.kind, 0.95)


def cloth_texture(color: Color, rng: np.random.Generator, second: Color | None = None, stripes: float = 0.0) -> Image:
    """(64, 128, 4) uint8 BGR woven cloth, with stripes of a second color, or ribs if there is none."""
    weave = cv2.GaussianBlur(rng.standard_normal((64, 128)).astype(np.float32), (0, 0), 0.9)
    folds = cv2.GaussianBlur(rng.standard_normal((64, 128)).astype(np.float32), (0, 0), 9)
    tone = 1 + 0.16 * weave + 0.10 * folds / folds.std()
    base = np.broadcast_to(np.array(color), (64, 128, 3))
    if stripes:
        wave = np.sin(np.arange(64) * stripes)[:, None, None] > 0.2
        base = np.where(wave, np.array(color if second is None else second) * (0.8 if second is None else 1.0), base)
    return np.clip(np.dstack([base * tone[..., None], np.full((64, 128), 12.0)]), 0, 255).astype(np.uint8)


def _dome(
    shell: Shell, edge: NDArray, height: Callable[[NDArray], NDArray], texture: Image, *, ears: bool = False,
    start: float = 0.0,
) -> Piece:  # fmt: skip
    """A surface around the head from the crown, or from the fraction `start`, down to the drop `edge` (around,).

    Args:
        height: meters above the skin as a function of the fraction of the way down (rows, 1).
    """
    azimuth = np.linspace(-np.pi, np.pi, _AROUND)[None]
    way = np.linspace(start, 1, _ROWS)[:, None]
    points = shell.points(azimuth, way * edge[None], height(way), fall=0.6, ears=ears)
    tint = np.broadcast_to(1.0 - 0.15 * way, (_ROWS, _AROUND)).ravel()
    return Piece(
        points.reshape(-1, 3), grid_triangles(_ROWS, _AROUND), grid_uv(_ROWS, _AROUND), texture, CLOTH,
        tint, two_sided=True,
    )  # fmt: skip


def _edge(front: float, side: float, back: float) -> NDArray:
    """The drop coordinates (around,) of an edge at the given heights y, meters."""
    azimuth = np.abs(np.linspace(-np.pi, np.pi, _AROUND))
    smooth = (1 - np.cos(azimuth * 2)) / 2
    heights = np.where(azimuth < np.pi / 2, front + (side - front) * smooth, back + (side - back) * smooth)
    below = drop_at(np.minimum(heights, 0.035))
    # Above the center of the skull the drop is an angle: ten millimeters are about a tenth of it.
    return below - np.maximum(heights - 0.035, 0.0) * 8.5


def _beanie(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    slouch = float(rng.uniform(0.0, 0.04))
    texture = cloth_texture(style.color, rng, style.second_color, float(rng.choice([0.0, 0.3, 0.8])))
    edge = _edge(0.040 + style.height, -0.012 + style.height, -0.03 + style.height)
    fold = float(rng.uniform(0.6, 0.85))
    return [
        _dome(
            shell, edge, lambda way: 0.010 + slouch * (1 - way) ** 2 + 0.005 * (way > fold) * (way < 0.999), texture,
            ears=True,
        )
    ]  # fmt: skip


def _crown_of_cap(shell: Shell, style: Headwear, rng: np.random.Generator) -> tuple[Piece, NDArray]:
    texture = cloth_texture(style.color, rng)
    edge = _edge(0.050 + style.height, 0.024 + style.height, -0.005 + style.height)
    deep = float(rng.uniform(0.010, 0.025))
    return _dome(shell, edge, lambda way: 0.011 + deep * (1 - way**3) * way**0.5, texture), edge


def _cap(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    crown, edge = _crown_of_cap(shell, style, rng)
    across = np.linspace(-1, 1, 15)[None]
    out = np.linspace(0, 1, 5)[:, None]
    azimuth = style.turn + 0.95 * across
    drop = np.interp((azimuth + np.pi) % (2 * np.pi) - np.pi, np.linspace(-np.pi, np.pi, _AROUND), edge)
    rim = shell.points(azimuth, drop - 0.01, 0.012, ears=False)
    ahead = np.array([np.sin(style.turn), -0.32, np.cos(style.turn)])
    reach = float(rng.uniform(0.06, 0.08)) * np.sqrt(np.maximum(1 - across**2, 0)) * out
    points = rim + reach[..., None] * ahead
    points[..., 1] -= 0.010 * across**2 * out  # a visor is curved
    visor = Piece(
        points.reshape(-1, 3), grid_triangles(5, 15), grid_uv(5, 15), cloth_texture(style.second_color, rng), CLOTH,
        two_sided=True,
    )  # fmt: skip
    return [crown, visor]


def _brim(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    crown, edge = _crown_of_cap(shell, style, rng)
    azimuth = np.linspace(-np.pi, np.pi, _AROUND)[None]
    out = np.linspace(0, 1, 4)[:, None]
    rim = shell.points(azimuth, edge[None] - 0.02, 0.010, ears=False)
    width, fall = float(rng.uniform(0.035, 0.10)), float(rng.uniform(-0.15, 0.45))
    away = np.stack(np.broadcast_arrays(np.sin(azimuth), -fall, np.cos(azimuth)), axis=-1)
    points = rim + width * out[..., None] * away
    brim = Piece(
        points.reshape(-1, 3), grid_triangles(4, _AROUND), grid_uv(4, _AROUND), cloth_texture(style.color, rng), CLOTH,
        two_sided=True,
    )  # fmt: skip
    band = _dome(shell, edge, lambda way: 0.0135 + 0 * way, cloth_texture(style.second_color, rng), start=0.86)
    return [crown, brim, band]


def _turban(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    thick = float(rng.uniform(0.018, 0.035))
    texture = cloth_texture(style.color, rng, None, 0.45)
    edge = _edge(0.052 + style.height, -0.002 + style.height, -0.02)
    return [
        _dome(shell, edge, lambda way: 0.010 + thick * np.sqrt(np.maximum(1 - (1.25 * way - 0.3) ** 4, 0)), texture)
    ]


def _band(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    edge = _edge(0.046 + style.height, 0.020 + style.height, -0.02)
    return [_dome(shell, edge, lambda way: 0.009 + 0 * way, cloth_texture(style.color, rng), start=0.70)]


def _headphones(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    texture, cushion = plain(style.color, 60), plain(style.second_color, 30)
    azimuth = np.concatenate([np.full(9, np.pi / 2), np.full(8, -np.pi / 2)])
    drop = np.concatenate([np.linspace(1.35, 0.0, 9), np.linspace(0.17, 1.35, 8)])
    arch = shell.points(azimuth, drop, 0.018, fall=0.0, ears=True)
    pieces = [tube(arch, 0.004, 0.011, texture, SHINY, sides=6)]
    for side in (1, -1):
        pieces.append(ball((side * 0.081, -0.030, -0.093), (0.017, 0.036, 0.032), cushion, CLOTH))
        pieces.append(ball((side * 0.095, -0.030, -0.093), (0.014, 0.031, 0.027), texture, SHINY))
    return pieces


def _drape(shell: Shell, side: int, edge: float, length: float, height: float, texture: Image, front: float) -> Piece:
    """One side of a cloth over the head that hangs to the shoulders; its front edge frames the face."""
    lock, way = np.linspace(0, 1, 22)[None], np.linspace(0, 1, 18)[:, None]
    over, below = np.minimum(way / 0.5, 1.0), np.maximum(way - 0.5, 0.0) / 0.5
    end = side * (edge + (np.pi - edge + 0.02) * lock)
    back = front - (front + 0.45) * lock
    rim = np.stack([np.sin(end), np.cos(end)], axis=-1)
    start = np.stack([np.zeros_like(back), back], axis=-1)
    plane = start + over[..., None] * (rim - start)
    # Compensate the straight line so that the edge keeps its height around the forehead.
    plane = plane * (1 + 0.06 * np.sin(np.pi * over) * (1 - lock))[..., None]
    azimuth = np.where(below > 0, end, np.arctan2(plane[..., 0], plane[..., 1]))
    drop = np.where(below > 0, 1 + below * length / 0.1, np.hypot(plane[..., 0], plane[..., 1]))
    folds = 0.12 * height * np.sin(9 * lock + 3 * way)
    rise = np.minimum(1.0, 0.35 + 3.5 * lock)
    points = shell.points(azimuth, drop, 0.005 + height * rise + folds, fall=0.35)
    triangles = grid_triangles(18, 22)
    return Piece(
        points.reshape(-1, 3), triangles if side > 0 else triangles[:, ::-1], grid_uv(18, 22), texture, CLOTH,
        np.broadcast_to(1 - 0.2 * below, azimuth.shape).ravel(), two_sided=True, rests_on_shoulders=True,
    )  # fmt: skip


def _hood(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    texture = cloth_texture(style.color, rng)
    height, edge = float(rng.uniform(0.02, 0.035)), float(rng.uniform(1.0, 1.3))
    return [_drape(shell, side, edge, 0.21, height, texture, 0.72) for side in (1, -1)]


def _scarf(shell: Shell, style: Headwear, rng: np.random.Generator) -> list[Piece]:
    texture = cloth_texture(style.color, rng)
    height, edge = float(rng.uniform(0.004, 0.014)), float(rng.uniform(0.86, 1.05))
    # At the height of the forehead, a drop of one is about an eighth of a meter.
    halves = [_drape(shell, side, edge, 0.21, height, texture, 0.86 - 8 * style.height) for side in (1, -1)]
    return [*halves, _throat(shell, edge + 0.25, texture)]


def _throat(shell: Shell, edge: float, texture: Image) -> Piece:
    """Cloth under the chin, from ear to ear; it moves with the jaw."""
    azimuth, way = np.linspace(-edge, edge, 24)[None], np.linspace(0, 1, 9)[:, None]
    top = drop_at(-0.111 + 0.055 * np.clip((np.abs(azimuth) - 0.35) / 0.6, 0, 1) ** 1.5)
    drop = top + way * (3.12 - top)
    points = shell.points(azimuth, drop, 0.003 + 0.012 * np.sqrt(way), fall=0.45)
    return Piece(
        points.reshape(-1, 3), grid_triangles(9, 24), grid_uv(9, 24), texture, CLOTH,
        np.broadcast_to(0.72 - 0.1 * way, (9, 24)).ravel(), two_sided=True, rests_on_shoulders=True,
        follows_expression=True,
    )  # fmt: skip


def collar_pieces(shell: Shell, color: Color, rise: float, rng: np.random.Generator) -> list[Piece]:
    """A turtleneck, or a scarf if `rise` is at least 0.02, around the neck up to `rise` meters above the usual edge."""
    azimuth, way = np.linspace(-np.pi, np.pi, _AROUND)[None], np.linspace(0, 1, 9)[:, None]
    thick = 0.008 if rise < 0.02 else float(rng.uniform(0.012, 0.024))
    slope = 0.02 * np.cos(azimuth)  # higher at the nape than under the chin
    top = drop_at(-0.128 + rise - slope + 0.02)
    bulge = thick * np.sin(np.pi * np.minimum(0.12 + 0.8 * way, 1)) + 0.004
    folds = (0.15 + 0.1 * (rise > 0.02)) * thick * np.sin(3 * azimuth + 9 * way) * np.sin(np.pi * way)
    points = shell.points(azimuth, 3.15 + way * (top - 3.15), bulge + folds, fall=0.5, ears=False)
    texture = cloth_texture(color, rng)
    tint = np.broadcast_to(0.9 - 0.15 * (1 - way), (9, _AROUND)).ravel()
    return [
        Piece(
            points.reshape(-1, 3), grid_triangles(9, _AROUND)[:, ::-1], grid_uv(9, _AROUND), texture, CLOTH, tint,
            two_sided=True, rests_on_shoulders=True, follows_expression=True,
        )
    ]  # fmt: skip


_KINDS: dict[str, Callable[[Shell, Headwear, np.random.Generator], list[Piece]]] = {
    "beanie": _beanie, "cap": _cap, "brim": _brim, "hood": _hood, "scarf": _scarf, "band": _band, "turban": _turban,
    "headphones": _headphones,
}  # fmt: skip
