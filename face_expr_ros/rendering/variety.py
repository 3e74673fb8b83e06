"""People as photographs show them: looks drawn from hairdos, beards, glasses, hats and all else, from a seed.

How often each thing is drawn is meant for portraits of adults on the web; the shape of the head is drawn elsewhere and
independently.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.styles import Beard, Color, Glasses, Hairdo

_FRAMES: tuple[Color, ...] = (
    (18, 18, 20), (24, 26, 34), (30, 44, 78), (60, 60, 64), (70, 110, 150), (160, 160, 165),
    (90, 140, 180), (70, 40, 120),
)  # fmt: skip


def varied_appearance(seed: int) -> Appearance:
    """One person."""
    rng = np.random.default_rng([seed, 78])
    look = Appearance.random(int(rng.integers(1 << 30)))
    feminine = rng.random() < 0.5
    look = replace(
        look, seed=seed, hairdo=_hairdo(rng, feminine), glasses=_glasses(rng) if rng.random() < 0.27 else None
    )
    if look.hairdo is not None and look.hairdo.length > 0:
        look = replace(look, hairline=look.hairline + 0.010)
    if not feminine:
        look = replace(look, beard=_beard(rng) if rng.random() < 0.52 else None)
    else:
        look = replace(look, stubble=0.0)
    return look


def _hairdo(rng: np.random.Generator, feminine: bool) -> Hairdo | None:
    """Long hair for most of one half of the people and for few of the other."""
    long, big = (0.78, 0.07) if feminine else (0.12, 0.08)
    kind = rng.random()
    if kind < long:
        return _long(rng)
    if kind < long + big:
        height = float(rng.uniform(0.025, 0.085))
        return Hairdo(top=height, side=height * float(rng.uniform(0.6, 1.0)), curls=float(rng.uniform(0.002, 0.005)))
    if kind < long + big + 0.35:
        return None
    high = float(rng.uniform(0.008, 0.04))
    curls = float(rng.choice([0.0, 0.0, 0.002, 0.003]))
    bangs = float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.2, 1.0)]))
    side = min(high, float(rng.uniform(0.004, 0.018)))
    return Hairdo(top=high, side=side, curls=curls, bangs=bangs, sweep=float(rng.normal(0, 0.2)))


def _long(rng: np.random.Generator) -> Hairdo:
    edge = float(
        rng.choice([rng.uniform(0.85, 1.15), rng.uniform(1.1, 1.4), rng.uniform(1.85, 2.1)], p=[0.45, 0.35, 0.20])
    )
    wavy = rng.random() < 0.45
    return Hairdo(
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
