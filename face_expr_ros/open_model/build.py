"""Builds bfm/open_face_model.npz: sample heads, align them, principal components, ARKit blendshapes, landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES

from .blendshapes import blendshapes
from .embedding_file import Embedding
from .head import MIRROR, PART_NAMES, Head, cut_head
from .landmarks68 import SELLION, landmarks68
from .makehuman import METERS_PER_UNIT, MakeHuman
from .neutral import align, close_lips, upper_face
from .sampling import draw_heads

FloatArray = NDArray[np.float64]

SAMPLE_COUNT = 1000  # and as many mirror images
SAMPLE_SEED = 20240
IDENTITY_COUNT = 40
# The sample's adults are scaled as one to a mean interpupillary distance of 63 mm (Dodgson 2004).
SIZE_CORRECTION = 1.08
SCALE = METERS_PER_UNIT * SIZE_CORRECTION
# MakeHuman's heads look down by this much against the Basel Face Model's mean (rigid fit of the 68 iBUG points), whose
# level is the zero pitch of AFLW2000-3D and 300W-LP. The eyes stay level: they turn back, by a part of LOOK_DOWN.
LEVEL = 5.4  # degrees
EYE_TURN = 16.0  # degrees that the eyes turn at LOOK_DOWN of 1.0
LOOK_DOWN = [ARKIT_NAMES.index(f"eyeLookDown{side}") for side in ("Left", "Right")]
IDENTITY_STEP = 1e-6
EXPRESSION_STEP = 2e-6


@dataclass(frozen=True)
class Identity:
    """The result of the principal component analysis.

    Attributes:
        mean: (V, 3) meters; basis: (I, V, 3) meters per standard deviation.
        explained: (I,) share of the sample's variance each component explains.
    """

    mean: FloatArray
    basis: FloatArray
    explained: FloatArray


def build_arrays(data: MakeHuman, embedding: Embedding, sample_count: int | None = None) -> dict[str, NDArray[Any]]:
    """All arrays of the model file, as face_model.write_arrays takes them.

    embedding: where the FaceMesh points lie; sample_count: heads to draw, SAMPLE_COUNT when None.
    """
    mirror = data.mirror()
    head = cut_head(data.base, mirror)
    heads = neutral_heads(data, head, sample_count or SAMPLE_COUNT, SAMPLE_SEED)
    identity = principal_components(heads, IDENTITY_COUNT)
    expression = blendshapes(data, head, identity.mean, SCALE)
    identity = replace(identity, mean=identity.mean + expression[LOOK_DOWN].sum(axis=0) * LEVEL / EYE_TURN)
    turn = leveling_turn()
    identity = replace(identity, mean=identity.mean @ turn.T, basis=identity.basis @ turn.T)
    expression = expression @ turn.T
    return {
        "name": np.array("open"),
        "mean": _rounded(identity.mean),
        "identity": _quantized(identity.basis, IDENTITY_STEP),
        "identity_step": np.array(IDENTITY_STEP, np.float32),
        "identity_explained": _rounded(identity.explained),
        "expression": _quantized(expression, EXPRESSION_STEP),
        "expression_step": np.array(EXPRESSION_STEP, np.float32),
        "expression_names": np.array(ARKIT_NAMES),
        "triangles": head.triangles.astype(np.int32),
        "uv": head.uv.astype(np.float32),
        "uv_triangles": head.uv_triangles.astype(np.int32),
        "part_names": np.array(PART_NAMES),
        "vertex_part": head.vertex_part.astype(np.uint8),
        "mirror": head.mirror.astype(np.int32),
        "landmarks68": np.searchsorted(head.vertices, landmarks68(mirror)).astype(np.int32),
        "sellion": np.array(np.searchsorted(head.vertices, SELLION), np.int32),
        "facemesh_triangle": embedding.triangle,
        "facemesh_barycentric": embedding.barycentric,
    }


def leveling_turn() -> FloatArray:
    """(3, 3): lifts the nose by LEVEL."""
    sine, cosine = np.sin(np.radians(LEVEL)), np.cos(np.radians(LEVEL))
    return np.array([[1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, -sine, cosine]])


def neutral_heads(data: MakeHuman, head: Head, count: int, seed: int) -> FloatArray:
    """Draws (2 count, V, 3) neutral heads in meters and model axes: each head and its mirror image."""
    drawn = draw_heads(data, head.vertices, count, seed) * SCALE
    both = np.concatenate([drawn, drawn[:, head.mirror] * MIRROR])
    closed = close_lips(both, data.base, head)
    return align(closed, int(np.searchsorted(head.vertices, SELLION)), upper_face(data.base, head))


def principal_components(heads: FloatArray, count: int) -> Identity:
    """Mean and the first count principal components of (N, V, 3) heads, scaled to one standard deviation each.

    The sign of a component is the one that makes its largest entry on the face's left half positive: the solver's
    is arbitrary, and the right half mirrors the left, so that the whole face has its largest entry twice.
    """
    mean = heads.mean(axis=0)
    centered = (heads - mean).reshape(len(heads), -1)
    values, vectors = np.linalg.eigh(centered @ centered.T)
    order = np.argsort(values)[::-1][:count]
    # vectors.T @ centered has norm sqrt(value); the deviation of a coefficient is sqrt(value / (N - 1)).
    basis = (vectors[:, order].T @ centered).reshape(count, *mean.shape) / np.sqrt(len(heads) - 1)
    left = basis[:, mean[:, 0] > 1e-6].reshape(count, -1)
    largest = np.take_along_axis(left, np.abs(left).argmax(axis=1)[:, None], axis=1)
    return Identity(mean, basis * np.sign(largest)[:, :, None], values[order] / values.sum())


def _rounded(values: FloatArray) -> NDArray[np.float32]:
    """Rounds to 0.1 micrometer, far above the noise of a linear algebra library, so that builds agree bit for bit."""
    return (np.round(values * 1e7) / 1e7).astype(np.float32) + np.float32(0.0)


def _quantized(values: FloatArray, step: float) -> NDArray[np.int16]:
    quantized = np.round(values / step)
    if np.abs(quantized).max() > np.iinfo(np.int16).max:
        raise ValueError(f"offsets up to {np.abs(values).max():.4f} m do not fit 16 bits of {step} m")
    return quantized.astype(np.int16)
