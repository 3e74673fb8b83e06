"""Random expressions for synthetic faces: neutral, single movements, mixtures, grins and scripted expressions."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.types import FloatArray
from face_expr_ros.synthetic.actor import LOOP, random_expression, set_gaze, state_at

# Kinds of expressions and their probabilities.
NEUTRAL, SINGLE, MIXTURE, GRIN, SCRIPT = "neutral", "single", "mixture", "grin", "script"
_KINDS = {NEUTRAL: 0.10, SINGLE: 0.28, MIXTURE: 0.36, GRIN: 0.10, SCRIPT: 0.16}
_BLINK_PROBABILITY = 0.06  # for every kind but neutral
_ONE_SIDED = 0.4  # probability that a single movement is stronger on one side
_GAZE_STD = (0.2, 0.12)  # radians: horizontal, vertical
# Movements of a grin with their minimum and maximum; values below 0 mean absent.
_GRINS = (
    ("mouthSmile", 0.3, 1.0),
    ("mouthUpperUp", -0.2, 0.9),
    ("mouthLowerDown", -0.2, 0.9),
    ("mouthStretch", -0.6, 0.6),
    ("cheekSquint", -0.3, 0.8),
    ("eyeSquint", -0.5, 0.6),
)
_CLOSED_JAW = 0.35  # jawOpen at which the lips can still stay closed


def sample_expression(rng: np.random.Generator, names: tuple[str, ...], kind: str = "") -> FloatArray:
    """Random blendshape values (len(names),) in 0..1.

    Args:
        names: ARKit names of the model's expression basis.
        kind: NEUTRAL, SINGLE, MIXTURE, GRIN or SCRIPT; an empty string picks one at random.
    """
    kind = kind or str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    make = {NEUTRAL: _neutral, SINGLE: _single, MIXTURE: random_expression, GRIN: _grin, SCRIPT: _scripted}[kind]
    values = dict(zip(names, make(rng, names), strict=True))
    if kind != NEUTRAL and rng.random() < _BLINK_PROBABILITY:
        _blink(rng, values)
    if values.get("tongueOut", 0.0) > 0:  # the tongue needs an open mouth
        values["jawOpen"] = max(values["jawOpen"], 0.4 * values["tongueOut"])
    return np.clip(np.array([values[name] for name in names]), 0.0, 1.0)


def _neutral(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """All values 0 except a small gaze."""
    values = dict.fromkeys(names, 0.0)
    set_gaze(values, *rng.normal(0, 0.05, 2))
    return np.array([values[name] for name in names])


def _single(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """One movement, symmetric or one-sided; all movements are equally likely."""
    values = dict.fromkeys(names, 0.0)
    movements = sorted({name.removesuffix("Left").removesuffix("Right") for name in names if "Look" not in name})
    movement, amount = str(rng.choice(movements)), float(rng.uniform(0.05, 1.0))
    sides = [name for name in (movement, movement + "Left", movement + "Right") if name in values]
    if movement in ("jaw", "mouth"):  # left and right exclude each other
        sides = [str(rng.choice(sides))]
    shares = rng.permutation([1.0, rng.uniform(0, 0.3) if rng.random() < _ONE_SIDED else 1.0])
    for name, share in zip(sides, shares, strict=False):
        values[name] = amount * share
    if movement == "mouthClose":
        values["mouthClose"] *= _CLOSED_JAW
        values["jawOpen"] = values["mouthClose"]
    set_gaze(values, *rng.normal(0, _GAZE_STD))
    return np.array([values[name] for name in names])


def _grin(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """A smile with parted lips and a nearly closed jaw, which separates parted lips from an open jaw."""
    values = dict.fromkeys(names, 0.0)
    for movement, minimum, maximum in _GRINS:
        amount = rng.uniform(minimum, maximum)
        for side in ("Left", "Right"):
            values[movement + side] = max(0.0, amount * rng.uniform(0.8, 1.0))
    values["jawOpen"] = max(0.0, rng.normal(0.0, 0.12))
    set_gaze(values, *rng.normal(0, _GAZE_STD))
    return np.array([values[name] for name in names])


def _scripted(rng: np.random.Generator, names: tuple[str, ...]) -> FloatArray:
    """A random time of the actor's script, scaled by 0.6 to 1.2: speech, laughter, glances."""
    return state_at(float(rng.uniform(0, LOOP)), names).expression * rng.uniform(0.6, 1.2)


def _blink(rng: np.random.Generator, values: dict[str, float]) -> None:
    amount = rng.uniform(0.3, 1.0)
    for side in ("Left", "Right"):
        values[f"eyeBlink{side}"] = max(values[f"eyeBlink{side}"], amount * rng.uniform(0.9, 1.0))
        for other in ("eyeWide", "eyeSquint"):  # excluded by a closing lid
            values[f"{other}{side}"] *= 1 - amount
