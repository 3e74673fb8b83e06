"""Random appearances with the variety of photographs: hairstyles, beards, glasses, headwear, make-up and age.

Frequencies are chosen to match portraits of adults on the web. The shape of the head is sampled independently.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.styles import Beard, Color, Glasses, Hairstyle, Headwear, Occluder

_FRAMES: tuple[Color, ...] = (
    (18, 18, 20), (24, 26, 34), (30, 44, 78), (60, 60, 64), (70, 110, 150), (160, 160, 165),
    (90, 140, 180), (70, 40, 120),
)  # fmt: skip


_LIPSTICKS: tuple[Color, ...] = (
    (40, 30, 170), (60, 50, 200), (80, 40, 130), (110, 90, 205), (120, 110, 190), (50, 30, 100), (90, 95, 180),
)  # fmt: skip
# Positions of fingertips for the left side, meters: chin, cheek, mouth, temple.
_HANDS = (
    (0.020, -0.112, 0.022),
    (0.055, -0.060, 0.012),
    (0.010, -0.070, 0.040),
    (0.066, 0.000, -0.010),
    (0.0, -0.09, 0.03),
)
_FINGERTIPS = ((0.012, -0.085, 0.024), (0.040, -0.050, 0.006), (0.020, -0.112, 0.012), (0.062, -0.01, -0.018))


def varied_appearance(seed: int) -> Appearance:
    """A random appearance, reproducible from the seed."""
    rng = np.random.default_rng([seed, 78])
    appearance = Appearance.random(int(rng.integers(1 << 30)))
    feminine, age = bool(rng.random() < 0.5), float(rng.random())
    appearance = replace(
        _with_age(rng, appearance, feminine, age), seed=seed, glasses=_glasses(rng) if rng.random() < 0.26 else None
    )
    if feminine:
        appearance = _with_makeup(rng, replace(appearance, stubble=0.0))
    elif rng.random() < 0.50:
        appearance = replace(appearance, beard=_beard(rng), stubble=min(appearance.stubble, 0.4))
    appearance = _with_hair(rng, appearance, feminine, age)
    clothes = tuple(float(v) for v in np.clip(rng.normal(rng.uniform(20, 220), 30, 3), 8, 245))
    appearance = replace(appearance, clothes=(clothes[0], clothes[1], clothes[2]))
    if rng.random() < 0.14:
        appearance = replace(
            appearance, collar=float(rng.choice([rng.uniform(0.004, 0.016), rng.uniform(0.02, 0.045)]))
        )
    return replace(appearance, occluder=_occluder(rng) if rng.random() < 0.07 else None)


def _with_age(rng: np.random.Generator, appearance: Appearance, feminine: bool, age: float) -> Appearance:
    """Vary skin and hair; wrinkles and gray hair appear with age (0..1)."""
    old = max(0.0, age - 0.55) / 0.45
    hair = np.array(appearance.hair)
    if rng.random() < 0.7 * old:
        hair = hair + rng.uniform(0.4, 1.0) * (np.array([150.0, 154.0, 156.0]) * rng.uniform(0.7, 1.2) - hair)
    elif rng.random() < (0.06 if feminine else 0.01):
        hair = rng.uniform(20, 190, 3)  # dyed
    brows = hair * rng.uniform(0.6, 1.6) if rng.random() < 0.5 else hair
    skin = np.array(appearance.skin) * (1 + rng.normal(0, 0.06)) * (1 + rng.normal(0, 0.022, 3))
    return replace(
        appearance,
        hair=_color(hair),
        brows=_color(brows),
        skin=_color(skin),
        brow_density=float(rng.uniform(0.35, 1.4)),
        brow_width=float(rng.uniform(0.55, 1.35)),
        lip_color=float(rng.uniform(0.1, 0.9)),
        wrinkles=float(rng.uniform(0.2, 1.0)) * old if rng.random() < 0.9 else 0.0,
        blemishes=float(max(0.0, rng.uniform(-1.0, 0.8))),
        eye_bags=float(max(0.0, rng.uniform(-0.8, 1.0))),
        gloss=float(rng.choice([rng.uniform(0.3, 1.0), rng.uniform(1.0, 1.9)], p=[0.7, 0.3])),
    )


def _color(values: NDArray) -> Color:
    blue, green, red = np.clip(values, 4, 250)
    return float(blue), float(green), float(red)


def _with_makeup(rng: np.random.Generator, appearance: Appearance) -> Appearance:
    lipstick = _LIPSTICKS[int(rng.integers(len(_LIPSTICKS)))] if rng.random() < 0.42 else None
    shadow = _color(rng.uniform(20, 140, 3)) if rng.random() < 0.22 else None
    return replace(appearance, lipstick=lipstick, eye_shadow=shadow)


def _with_hair(rng: np.random.Generator, appearance: Appearance, feminine: bool, age: float) -> Appearance:
    """Choose hair and headwear that are compatible."""
    baldness = float(rng.uniform(0.3, 1.15)) if not feminine and rng.random() < 0.10 + 0.25 * age else 0.0
    hairstyle = _hairstyle(rng, feminine) if baldness < 0.3 else None
    headwear = _headwear(rng, feminine) if rng.random() < 0.17 else None
    if headwear is not None and headwear.kind not in ("band", "headphones") and hairstyle is not None:
        hangs = hairstyle.length > 0 and headwear.kind not in ("scarf", "turban")
        hairstyle = replace(hairstyle, tail="", bangs=min(hairstyle.bangs, 0.9)) if hangs else None
    hairline = appearance.hairline + (0.008 if hairstyle is not None and hairstyle.length > 0 else 0.0)
    flat = hairstyle is not None or headwear is not None or baldness > 0
    volume = min(appearance.hair_volume, 0.003) if flat else appearance.hair_volume
    return replace(
        appearance, baldness=baldness, hairstyle=hairstyle, headwear=headwear, hairline=hairline, hair_volume=volume
    )


def _hairstyle(rng: np.random.Generator, feminine: bool) -> Hairstyle | None:
    """A random hairstyle, or None for hair without volume; long hair is more frequent if ``feminine``."""
    long, big = (0.78, 0.07) if feminine else (0.12, 0.08)
    kind = rng.random()
    if kind < long:
        return _long(rng)
    if kind < long + big:
        height = float(rng.uniform(0.025, 0.085))
        return Hairstyle(top=height, side=height * float(rng.uniform(0.6, 1.0)), curls=float(rng.uniform(0.002, 0.005)))
    if kind < long + big + 0.35:
        return None
    high = float(rng.uniform(0.008, 0.04))
    curls = float(rng.choice([0.0, 0.0, 0.002, 0.003]))
    bangs = float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.2, 1.0)]))
    side = min(high, float(rng.uniform(0.004, 0.018)))
    return Hairstyle(top=high, side=side, curls=curls, bangs=bangs, sweep=float(rng.normal(0, 0.2)))


def _long(rng: np.random.Generator) -> Hairstyle:
    edge = float(
        rng.choice([rng.uniform(0.85, 1.15), rng.uniform(1.1, 1.4), rng.uniform(1.85, 2.1)], p=[0.45, 0.35, 0.20])
    )
    wavy = rng.random() < 0.45
    return Hairstyle(
        length=float(rng.choice([rng.uniform(0.08, 0.16), rng.uniform(0.16, 0.30)], p=[0.35, 0.65])),
        face_edge=edge,
        parting=float(rng.choice([0.0, rng.uniform(-0.5, 0.5)])),
        top=float(rng.uniform(0.006, 0.022)),
        side=float(rng.uniform(0.006, 0.03 if wavy else 0.018)),
        waves=float(rng.uniform(0.003, 0.008)) if wavy else 0.0,
        curls=float(rng.choice([0.0, rng.uniform(0.001, 0.006)])) if wavy else 0.0,
        fall=float(rng.uniform(0.0, 0.5)),
        bangs=float(rng.uniform(0.4, 1.15)) if rng.random() < 0.28 else 0.0,
        sweep=float(rng.normal(0, 0.25)),
        tail=str(rng.choice(["", "bun", "top", "pony"], p=[0.55, 0.15, 0.12, 0.18])) if edge > 1.5 else "",
    )


def _beard(rng: np.random.Generator) -> Beard:
    kind = rng.choice(["stubble", "full", "goatee", "mustache", "jaw"], p=[0.38, 0.36, 0.14, 0.07, 0.05])
    density = float(rng.uniform(0.25, 0.6) if kind == "stubble" else rng.uniform(0.6, 1.0))
    long = (
        0.001
        if kind == "stubble"
        else float(rng.choice([rng.uniform(0.002, 0.008), rng.uniform(0.008, 0.03)], p=[0.75, 0.25]))
    )
    return Beard(
        density=density,
        length=long if kind != "mustache" else min(long, 0.005),
        mustache=0.0 if kind == "jaw" else 1.0,
        chin=0.0 if kind == "mustache" else 1.0,
        cheeks=float(rng.uniform(0.7, 1.0)) if kind in ("stubble", "full", "jaw") else 0.0,
        sideburns=float(rng.uniform(0.3, 1.0)) if kind in ("stubble", "full", "jaw") else float(rng.choice([0.0, 0.8])),
        gray=float(rng.choice([0.0, rng.uniform(0.1, 0.8)], p=[0.75, 0.25])),
    )


def _glasses(rng: np.random.Generator) -> Glasses:
    dark = rng.random() < 0.28
    rim = float(rng.choice([0.0, rng.uniform(0.0012, 0.002), rng.uniform(0.002, 0.0045)], p=[0.1, 0.45, 0.45]))
    if dark:
        lens = tuple(float(v) for v in rng.uniform(6, 50, 3))
        opacity = float(rng.choice([rng.uniform(0.45, 0.8), rng.uniform(0.86, 0.97)]))
    else:
        lens, opacity = (200.0, 205.0, 200.0), float(rng.uniform(0.02, 0.12))
    return Glasses(
        width=float(rng.uniform(0.044, 0.056)) + 0.004 * dark,
        height=float(rng.uniform(0.028, 0.044)) + 0.005 * dark,
        roundness=float(rng.uniform(2.0, 5.0)),
        rim=rim,
        half_rim=bool(rng.random() < 0.15),
        color=_FRAMES[int(rng.choice(len(_FRAMES), p=[0.36, 0.12, 0.12, 0.1, 0.08, 0.08, 0.08, 0.06]))],
        shiny=bool(rng.random() < 0.8),
        lens=(lens[0], lens[1], lens[2]),
        opacity=opacity,
        glare=float(rng.choice([0.0, rng.uniform(0.1, 0.9)], p=[0.45, 0.55])),
        slip=float(max(0.0, rng.normal(0, 0.006))),
    )


def _headwear(rng: np.random.Generator, feminine: bool) -> Headwear:
    kinds = ("beanie", "cap", "brim", "hood", "scarf", "band", "turban", "headphones")
    share = (
        (0.17, 0.17, 0.11, 0.12, 0.28, 0.06, 0.03, 0.06) if feminine else (0.22, 0.37, 0.10, 0.11, 0, 0.05, 0.06, 0.09)
    )
    colors = [_color(rng.normal(rng.uniform(15, 220), 25, 3)) for _ in range(2)]
    if rng.random() < 0.3:
        colors[0] = _color(rng.uniform(10, 230, 3))
    return Headwear(
        kind=str(rng.choice(kinds, p=share)),
        color=colors[0],
        second_color=colors[1] if rng.random() < 0.5 else colors[0],
        height=float(rng.normal(0, 0.005)),
        turn=float(rng.choice([rng.normal(0, 0.1), np.pi], p=[0.88, 0.12])),
    )


def _occluder(rng: np.random.Generator) -> Occluder:
    kind = str(rng.choice(["hand", "fingers", "microphone", "mug", "phone"], p=[0.40, 0.20, 0.20, 0.12, 0.08]))
    side = int(rng.choice([-1, 1]))
    x, y, z = {
        "hand": _HANDS[int(rng.integers(len(_HANDS)))],
        "fingers": _FINGERTIPS[int(rng.integers(len(_FINGERTIPS)))],
        "microphone": (0.012, -0.095, 0.050),
        "mug": (0.0, -0.115, 0.060),
        "phone": (0.098, -0.05, -0.07),
    }[kind]
    position = np.array([x * side, y, z]) + rng.normal(0, [0.008, 0.010, 0.003])
    center = (float(position[0]), float(position[1]), float(position[2]))
    return Occluder(kind, side, center, _color(rng.uniform(10, 230, 3)), float(rng.normal(0, 0.3)))
