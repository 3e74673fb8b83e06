"""The 68 iBUG points as vertices of MakeHuman's base mesh hm08.

They were selected on its edge loops and verified on images and against the Basel Face Model's mean; where several
vertices are possible (jaw line, inner lips), the nearest one after a similarity alignment of both sets was chosen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The deepest point of the nasal root on the midline: the origin of the model axes.
SELLION = 132

# The subject's right half and the midline; the left half is its mirror image.
_RIGHT = {
    **dict(enumerate((5448, 5456, 5752, 911, 739, 893, 3698, 914, 5296))),  # jaw line, ear to chin
    **dict(enumerate((5262, 232, 231, 223, 208), start=17)),  # upper edge of the brow
    **dict(enumerate((132, 131, 164, 294, 354, 313, 317), start=27)),  # bridge, tip, nostrils, base
    **dict(enumerate((21, 0, 54, 66, 47, 41), start=36)),  # eye, on the lid margins
    **dict(enumerate((429, 5354, 450, 455), start=48)),  # outer upper lip, corner to middle
    **dict(enumerate((492, 486, 406), start=57)),  # outer lower lip, middle to corner
    **dict(enumerate((432, 471, 474), start=60)),  # inner upper lip, corner to middle
    **dict(enumerate((493, 487), start=66)),  # inner lower lip, middle to side
}
_LEFT_OF = (
    {16 - k: k for k in range(8)}
    | {26 - k: 17 + k for k in range(5)}
    | {35: 31, 34: 32, 45: 36, 44: 37, 43: 38, 42: 39, 47: 40, 46: 41}
    | {54: 48, 53: 49, 52: 50, 55: 59, 56: 58, 64: 60, 63: 61, 65: 67}
)


def landmarks68(mirror: NDArray[np.int64]) -> NDArray[np.int64]:
    """(68,) vertices of the base mesh; mirror: (V,) the base mesh's mirror table."""
    points = dict(_RIGHT) | {left: int(mirror[_RIGHT[right]]) for left, right in _LEFT_OF.items()}
    return np.array([points[k] for k in range(68)])
