"""The expressions that people are drawn with: one movement alone, natural mixtures, grins, moments of an act, rest."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.types import FloatArray
from face_expr_ros.synthetic.actor import LOOP, random_expression, set_gaze, state_at

# Kinds and how often each is drawn.
REST, ALONE, MIXTURE, GRIN, ACT = "rest", "alone", "mixture", "grin", "act"
_KINDS = {REST: 0.10, ALONE: 0.28, MIXTURE: 0.36, GRIN: 0.10, ACT: 0.16}
_BLINKING = 0.06  # of all but rest: people blink whatever else they do
_ONE_SIDED = 0.4
_GAZE_SPREAD = (0.2, 0.12)  # radians: aside, up
# What a grin is made of, from least to most; below 0 is none.
_GRINS = (
    ("mouthSmile", 0.3, 1.0),
    ("mouthUpperUp", -0.2, 0.9),
    ("mouthLowerDown", -0.2, 0.9),
    ("mouthStretch", -0.6, 0.6),
    ("cheekSquint", -0.3, 0.8),
    ("eyeSquint", -0.5, 0.6),
)
_CLOSED_JAW = 0.35  # jawOpen at which the lips can still stay closed


def drawn_expression(rng: np.random.Generator, names: tuple[str, ...], kind: str = "") -> FloatArray:
    """(len(names),) in 0..1.

    Args:
        names: ARKit's, of the model's expression basis.
        kind: one of the above; empty draws one.
    """
    kind = kind or str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    make = {REST: _rest, ALONE: _alone, MIXTURE: random_expression, GRIN: _grin, ACT: _act}[kind]
    values = dict(zip(names, make(rng, names), strict=True))
    if kind != REST and rng.random() < _BLINKING:
        _blink(rng, values)
    if values.get("tongueOut", 0.0) > 0:  # it comes out of an open mouth
        values["jawOpen"] = max(values["jawOpen"], 0.4 * values["tongueOut"])
    return np.clip(np.array([values[name] for name in names]), 0.0, 1.0)


def _rest(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """Nothing but a small gaze."""
    values = dict.fromkeys(names, 0.0)
    set_gaze(values, *rng.normal(0, 0.05, 2))
    return np.array([values[name] for name in names])


def _alone(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """One movement, both sides alike or one side alone, every movement as often as any other."""
    values = dict.fromkeys(names, 0.0)
    movements = sorted({name.removesuffix("Left").removesuffix("Right") for name in names if "Look" not in name})
    movement, amount = str(rng.choice(movements)), float(rng.uniform(0.05, 1.0))
    sides = [name for name in (movement, movement + "Left", movement + "Right") if name in values]
    if movement in ("jaw", "mouth"):  # to the left or to the right
        sides = [str(rng.choice(sides))]
    shares = rng.permutation([1.0, rng.uniform(0, 0.3) if rng.random() < _ONE_SIDED else 1.0])
    for name, share in zip(sides, shares, strict=False):
        values[name] = amount * share
    if movement == "mouthClose":
        values["mouthClose"] *= _CLOSED_JAW
        values["jawOpen"] = values["mouthClose"]
    set_gaze(values, *rng.normal(0, _GAZE_SPREAD))
    return np.array([values[name] for name in names])


def _grin(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """A smile that shows the teeth, with the jaw closed or nearly: lips that part are not yet an open jaw."""
    values = dict.fromkeys(names, 0.0)
    for movement, least, most in _GRINS:
        amount = rng.uniform(least, most)
        for side in ("Left", "Right"):
            values[movement + side] = max(0.0, amount * rng.uniform(0.8, 1.0))
    values["jawOpen"] = max(0.0, rng.normal(0.0, 0.12))
    set_gaze(values, *rng.normal(0, _GAZE_SPREAD))
    return np.array([values[name] for name in names])


def _act(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """A moment of the actor's script, stronger or weaker: speech, laughter, glances."""
    return state_at(float(rng.uniform(0, LOOP)), names).expression * rng.uniform(0.6, 1.2)


def _blink(rng: np.random.Generator, values: dict[str, float]) -> None:
    amount = rng.uniform(0.3, 1.0)
    for side in ("Left", "Right"):
        values[f"eyeBlink{side}"] = max(values[f"eyeBlink{side}"], amount * rng.uniform(0.9, 1.0))
        for other in ("eyeWide", "eyeSquint"):  # a lid that closes is neither
            values[f"{other}{side}"] *= 1 - amount
