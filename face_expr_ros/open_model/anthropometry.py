"""Anthropometric measurements of the sampled heads, for comparison with published surveys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import sampling
from .build import SAMPLE_SEED, neutral_heads
from .head import PART_NAMES, cut_head
from .landmarks68 import landmarks68
from .makehuman import MakeHuman

FloatArray = NDArray[np.float64]

ADULT_YEARS = 18.0


def anthropometry_table(data: MakeHuman, count: int) -> str:
    """A Markdown table: mean and standard deviation of measurements of the sampled adults, millimeters."""
    people = sampling.sample_people(data, count, SAMPLE_SEED)
    adult = np.array([person.age_years >= ADULT_YEARS for person, _ in people])
    male = np.array([person.male for person, _ in people])
    groups = {"men": adult & (male > 0.7), "women": adult & (male < 0.3), "adults": adult}
    rows = ["| measure, mm | " + " | ".join(f"{name} ({chosen.sum()})" for name, chosen in groups.items()) + " |"]
    rows.append("|---" * (len(groups) + 1) + "|")
    for name, values in measures(data, count).items():
        cells = (f"{values[chosen].mean():.1f} ± {values[chosen].std():.1f}" for chosen in groups.values())
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def measures(data: MakeHuman, count: int) -> dict[str, FloatArray]:
    """Name -> (count,) millimeters, in the order of the sampled heads."""
    mirror = data.mirror()
    head = cut_head(data.base, mirror)
    heads = 1e3 * neutral_heads(data, head, count, SAMPLE_SEED)[:count]
    points = heads[:, np.searchsorted(head.vertices, landmarks68(mirror))]
    _, y, z = data.base.vertices[head.vertices].T
    skin = head.vertex_part == PART_NAMES.index("skin")
    face, skull = skin & (y > 6.85) & (y < 7.3) & (z > 0.75), skin & (y > 7.5) & (z < 1.2)
    eyes = [heads[:, head.vertex_part == PART_NAMES.index(f"{side}_eyeball")] for side in ("left", "right")]
    centers = [(eye.min(axis=1) + eye.max(axis=1)) / 2 for eye in eyes]
    return {
        "interpupillary distance": np.linalg.norm(centers[0] - centers[1], axis=1),
        "bizygomatic breadth": np.ptp(heads[:, face, 0], axis=1),
        "sellion to menton": np.linalg.norm(points[:, 27] - points[:, 8], axis=1),
        "head breadth": np.ptp(heads[:, skull, 0], axis=1),
        "head length": np.ptp(heads[:, skin & (y > 7.3), 2], axis=1),
        "mouth breadth": np.linalg.norm(points[:, 48] - points[:, 54], axis=1),
    }
