"""Builds bfm/open_face_model.npz: sample heads, align them, principal components, ARKit blendshapes, landmarks."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .head import PART_NAMES, Head, cut_head
from .landmarks68 import SELLION, landmarks68
from .makehuman import METRES_PER_UNIT, MakeHuman
from .sampling import draw_heads

FloatArray = NDArray[np.float64]

SAMPLE_COUNT = 1500
SAMPLE_SEED = 20240
IDENTITY_COUNT = 40
# The sample's adults are scaled as one to a mean interpupillary distance of 63 mm (Dodgson 2004).
SIZE_CORRECTION = 1.065
IDENTITY_STEP = 1e-6
EXPRESSION_STEP = 2e-6

# ARKit's 52 blendshapes in Live Link order.
_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
ARKIT_NAMES = (
    *(f"{name}Left" for name in _EYE),
    *(f"{name}Right" for name in _EYE),
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft",
    "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """The result of the principal component analysis.

    Attributes:
        mean: (V, 3) metres; basis: (I, V, 3) metres per standard deviation.
        explained: (I,) share of the sample's variance each component explains.
    """

    mean: FloatArray
    basis: FloatArray
    explained: FloatArray


def build_arrays(data: MakeHuman, embedding: Path | None, sample_count: int = SAMPLE_COUNT) -> dict[str, NDArray[Any]]:
    """All arrays of the model file; embedding: the .csv with the FaceMesh points."""
    mirror = data.mirror()
    head = cut_head(data.base, mirror)
    sellion = int(np.searchsorted(head.vertices, SELLION))
    heads = draw_heads(data, head.vertices, sample_count, SAMPLE_SEED) * (METRES_PER_UNIT * SIZE_CORRECTION)
    identity = principal_components(align(heads, sellion, _upper_face(data, head)), IDENTITY_COUNT)
    facemesh_triangle, facemesh_barycentric = read_embedding(embedding)
    return {
        "name": np.array("open"),
        "mean": _rounded(identity.mean),
        "identity": _quantized(identity.basis, IDENTITY_STEP),
        "identity_step": np.array(IDENTITY_STEP, np.float32),
        "expression": _quantized(blendshapes(data, head), EXPRESSION_STEP),
        "expression_step": np.array(EXPRESSION_STEP, np.float32),
        "expression_names": np.array(ARKIT_NAMES),
        "triangles": head.triangles.astype(np.int32),
        "uv": head.uv.astype(np.float32),
        "uv_triangles": head.uv_triangles.astype(np.int32),
        "part_names": np.array(PART_NAMES),
        "vertex_part": head.vertex_part.astype(np.uint8),
        "mirror": head.mirror.astype(np.int32),
        "landmarks68": np.searchsorted(head.vertices, landmarks68(mirror)).astype(np.int32),
        "sellion": np.array(sellion, np.int32),
        "facemesh_triangle": facemesh_triangle,
        "facemesh_barycentric": facemesh_barycentric,
    }


def align(heads: FloatArray, origin: int, stable: NDArray[np.int64]) -> FloatArray:
    """Turns every (V, 3) head so that its stable vertices fit the mean's best (Kabsch), then puts origin at zero.

    What is left is shape: no head pose. Sizes are kept.
    """
    heads = heads - heads[:, stable].mean(axis=1, keepdims=True)
    mean = heads.mean(axis=0)[stable]
    left, _, right = np.linalg.svd(np.einsum("nvi,vj->nij", heads[:, stable], mean))
    flips = np.ones((len(heads), 3))
    flips[:, 2] = np.linalg.det(left @ right)
    turned = heads @ ((left * flips[:, None, :]) @ right)
    return turned - turned[:, [origin]]


def principal_components(heads: FloatArray, count: int) -> Identity:
    """Mean and the first count principal components of (N, V, 3) heads, scaled to one standard deviation each.

    The sign of a component is the one that makes its largest entry positive, so that it does not hang on the solver.
    """
    mean = heads.mean(axis=0)
    centred = (heads - mean).reshape(len(heads), -1)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    order = np.argsort(values)[::-1][:count]
    # vectors.T @ centred has norm sqrt(value); the deviation of a coefficient is sqrt(value / (N - 1)).
    basis = (vectors[:, order].T @ centred) / np.sqrt(len(heads) - 1)
    largest = np.take_along_axis(basis, np.abs(basis).argmax(axis=1)[:, None], axis=1)
    basis *= np.sign(largest)
    return Identity(mean, basis.reshape(count, *mean.shape), values[order] / values.sum())


def blendshapes(data: MakeHuman, head: Head) -> FloatArray:
    """(52, V, 3) offsets in metres of the ARKit blendshapes at 1.0."""
    offsets = np.stack([data.face_unit(name)[head.vertices] for name in ARKIT_NAMES])
    return offsets * (METRES_PER_UNIT * SIZE_CORRECTION)


def read_embedding(path: Path | None) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The FaceMesh points' triangles (478,) and barycentric coordinates (478, 3) from their .csv file."""
    if path is None:
        return np.zeros(478, np.int32), np.full((478, 3), 1 / 3, np.float32)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if [int(row["landmark"]) for row in rows] != list(range(478)):
        raise ValueError(f"{path.name!r} must have the landmarks 0..477 in order; {len(rows)} rows were given")
    barycentric = np.array([[float(row[key]) for key in ("a", "b", "c")] for row in rows], np.float32)
    return np.array([int(row["triangle"]) for row in rows], np.int32), barycentric


def _upper_face(data: MakeHuman, head: Head) -> NDArray[np.int64]:
    """Skin that neither jaw nor neck nor ears move: above the nose base, between the ears."""
    base = data.base.vertices[head.vertices]
    skin = head.vertex_part == PART_NAMES.index("skin")
    return np.flatnonzero(skin & (base[:, 1] > 6.9) & (base[:, 2] > 0.6))


def _rounded(values: FloatArray) -> NDArray[np.float32]:
    """Rounds to 0.1 micrometre, far above the noise of a linear algebra library, so that builds agree bit for bit."""
    return (np.round(values * 1e7) / 1e7).astype(np.float32) + np.float32(0.0)


def _quantized(values: FloatArray, step: float) -> NDArray[np.int16]:
    quantized = np.round(values / step)
    if np.abs(quantized).max() > np.iinfo(np.int16).max:
        raise ValueError(f"offsets up to {np.abs(values).max():.4f} m do not fit 16 bits of {step} m")
    return quantized.astype(np.int16)
