"""The 52 ARKit blendshapes of the open model, from the CC0 face units for MakeHuman by Mika Suominen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from face_expr_ros.core.arkit import ARKIT_NAMES, mirrored_name

from .head import MIRROR, PART_NAMES, Head
from .makehuman import MakeHuman

FloatArray = NDArray[np.float64]

# Rotation vectors (x to the subject's left, y up; degrees) of the left eyeball; the right one mirrors them.
# MakeHuman's eyeballs are larger than real ones: 1.3 times larger angles of a real eye give the same iris motion.
_LEFT_GAZE_DEGREES = {
    "eyeLookDown": (16.0, 0.0, 0.0),
    "eyeLookIn": (0.0, -22.0, 0.0),
    "eyeLookOut": (0.0, 22.0, 0.0),
    "eyeLookUp": (-18.0, 0.0, 0.0),
}


def blendshapes(data: MakeHuman, head: Head, mean: FloatArray, scale: float) -> FloatArray:
    """(52, V, 3) offsets in meters of the ARKit blendshapes at 1.0; scale: meters per unit of MakeHuman's offsets.

    The face units shear the eyeballs; here they are rotated rigidly about their centers in the (V, 3) mean.
    """
    offsets = np.stack([data.face_unit(name)[head.vertices] for name in ARKIT_NAMES]) * scale
    ball = np.flatnonzero(head.vertex_part == PART_NAMES.index("left_eyeball"))
    center = (mean[ball].min(axis=0) + mean[ball].max(axis=0)) / 2
    for name, angles in _LEFT_GAZE_DEGREES.items():
        turned = Rotation.from_rotvec(angles, degrees=True).apply(mean[ball] - center) + center
        left, right = (ARKIT_NAMES.index(f"{name}{side}") for side in ("Left", "Right"))
        offsets[left, ball] = turned - mean[ball]
        offsets[right, head.mirror[ball]] = offsets[left, ball] * MIRROR
    counterpart = [ARKIT_NAMES.index(mirrored_name(name)) for name in ARKIT_NAMES]
    return (offsets + offsets[counterpart][:, head.mirror] * MIRROR) / 2
