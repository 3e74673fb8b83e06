"""Rotations as matrices, vectors and quaternions.

`scipy.spatial.transform` has all of this, but importing it loads 40 MB of other parts of SciPy, which a running node
does not need. The tests compare both.
"""

from __future__ import annotations

import math

import numpy as np

from face_expr_ros.core.types import FloatArray


def about_axis(axis: int, angle: float) -> FloatArray:
    """The rotation (3, 3) about x (0), y (1) or z (2) by an angle in radians, right-handed."""
    rotation = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    cosine, sine = math.cos(angle), math.sin(angle)
    rotation[i, i] = rotation[j, j] = cosine
    rotation[i, j], rotation[j, i] = -sine, sine
    return rotation


def quaternion_from_rotation(rotation: FloatArray) -> FloatArray:
    """The quaternion x, y, z, w of a proper rotation (3, 3); the one whose largest component is positive.

    Shepperd, "Quaternion from rotation matrix", 1978. Equals ``Rotation.from_matrix(rotation).as_quat()`` up to the
    sign in a tenth of the time, most of which SciPy spends on checking the matrix.
    """
    m = rotation.tolist()
    trace = m[0][0] + m[1][1] + m[2][2]
    i = max(range(3), key=lambda axis: m[axis][axis])
    if trace >= m[i][i]:
        found = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1], 1.0 + trace]
    else:
        j, k = (i + 1) % 3, (i + 2) % 3
        found = [0.0, 0.0, 0.0, m[k][j] - m[j][k]]
        found[i], found[j], found[k] = 1.0 - trace + 2.0 * m[i][i], m[j][i] + m[i][j], m[k][i] + m[i][k]
    quaternion = np.array(found)
    normalized: FloatArray = quaternion / math.sqrt(quaternion @ quaternion)
    return normalized


def canonical_quaternion(rotation: FloatArray) -> FloatArray:
    """The quaternion x, y, z, w >= 0 of a proper rotation (3, 3)."""
    quaternion = quaternion_from_rotation(rotation)
    return -quaternion if quaternion[3] < 0.0 else quaternion


def rotation_from_quaternion(quaternion: FloatArray) -> FloatArray:
    """The rotation (3, 3) of a quaternion x, y, z, w of any length but 0: the inverse of `quaternion_from_rotation`."""
    x, y, z, w = (quaternion * math.sqrt(2.0 / (quaternion @ quaternion))).tolist()
    return np.array([
        [1.0 - y * y - z * z, x * y - z * w, x * z + y * w],
        [x * y + z * w, 1.0 - x * x - z * z, y * z - x * w],
        [x * z - y * w, y * z + x * w, 1.0 - x * x - y * y],
    ])  # fmt: skip


def rotation_vector(rotation: FloatArray) -> FloatArray:
    """Axis times angle (3,), radians in 0..pi, of a proper rotation (3, 3)."""
    x, y, z, w = canonical_quaternion(rotation).tolist()
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 0.0 else 2.0
    return np.array([x, y, z]) * scale


def rotation_from_vector(vector: FloatArray) -> FloatArray:
    """The rotation (3, 3) of axis times angle (3,), radians: the inverse of `rotation_vector`."""
    angle = math.sqrt(vector @ vector)
    scale = math.sin(angle / 2) / angle if angle > 0.0 else 0.5
    return rotation_from_quaternion(np.append(vector * scale, math.cos(angle / 2)))


def fraction_of(rotation: FloatArray, fraction: float) -> FloatArray:
    """The rotation (3, 3) about the same axis by a fraction of the angle, which is at most pi."""
    return rotation_from_vector(fraction * rotation_vector(rotation))


def interpolated(times: FloatArray, known: FloatArray, rotations: FloatArray) -> FloatArray:
    """Rotations (n, 3, 3) at times (n,) by spherical linear interpolation (Shoemake, 1985).

    Args:
        times: between the first and the last of the known times.
        known: (m,) increasing, m > 0; rotations: (m, 3, 3) at these times.
    """
    places = np.interp(times, known, np.arange(len(known)))
    before = np.minimum(places.astype(int), max(len(known) - 2, 0))
    after = np.minimum(before + 1, len(known) - 1)
    steps = {i: rotation_vector(rotations[i].T @ rotations[j]) for i, j in zip(before, after, strict=True)}
    fractions = (places - before).tolist()
    turned = [
        rotations[i] @ rotation_from_vector(fraction * steps[i]) for i, fraction in zip(before, fractions, strict=True)
    ]
    return np.array(turned)
