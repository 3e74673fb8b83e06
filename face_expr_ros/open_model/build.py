"""Builds bfm/open_face_model.npz: sample heads, align them, principal components, ARKit blendshapes, landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES

from .blendshapes import blendshapes
from .embedding_file import Embedding, IbugEmbedding
from .head import MIRROR, PART_NAMES, Head, cut_head
from .landmarks68 import SELLION, landmarks68
from .makehuman import METERS_PER_UNIT, MakeHuman
from .neutral import align, close_lips, upper_face
from .sampling import sample_heads

FloatArray = NDArray[np.float64]

SAMPLE_COUNT = 1000  # in addition, the same number of mirror images
SAMPLE_SEED = 20240
IDENTITY_COUNT = 40
# All heads are scaled by one factor so that the adults' mean interpupillary distance is 63 mm (Dodgson 2004).
SIZE_CORRECTION = 1.08
SCALE = METERS_PER_UNIT * SIZE_CORRECTION
# Downward pitch of MakeHuman's heads relative to the Basel Face Model's mean (rigid fit of the 68 iBUG points), which
# defines zero pitch of AFLW2000-3D and 300W-LP. The eyes stay level: a part of LOOK_DOWN rotates them back.
LEVEL = 5.4  # degrees
EYE_TURN = 16.0  # rotation of the eyes at LOOK_DOWN of 1.0, degrees
LOOK_DOWN = [ARKIT_NAMES.index(f"eyeLookDown{side}") for side in ("Left", "Right")]
IDENTITY_STEP = 1e-6
EXPRESSION_STEP = 2e-6


@dataclass(frozen=True)
class Identity:
    """The result of the principal component analysis.

    Attributes:
        mean: (V, 3) meters; basis: (I, V, 3) meters per standard deviation.
        explained: (I,) fraction of the sample's variance that each component explains.
    """

    mean: FloatArray
    basis: FloatArray
    explained: FloatArray


def build_arrays(
    data: MakeHuman, embedding: Embedding, ibug: IbugEmbedding, sample_count: int | None = None
) -> dict[str, NDArray[Any]]:
    """All arrays of the model file, for `face_model.write_arrays`.

    Args:
        embedding, ibug: positions of the FaceMesh points and of the annotated iBUG points.
        sample_count: number of sampled heads; None is SAMPLE_COUNT.
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
        "ibug_triangle": ibug.triangle,
        "ibug_barycentric": ibug.barycentric,
        "ibug_slide": ibug.slide,
    }


def leveling_turn() -> FloatArray:
    """(3, 3) rotation that raises the nose by LEVEL."""
    sine, cosine = np.sin(np.radians(LEVEL)), np.cos(np.radians(LEVEL))
    return np.array([[1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, -sine, cosine]])


def neutral_heads(data: MakeHuman, head: Head, count: int, seed: int) -> FloatArray:
    """Sample (2 count, V, 3) neutral heads in meters and model axes: each head and its mirror image."""
    sampled = sample_heads(data, head.vertices, count, seed) * SCALE
    both = np.concatenate([sampled, sampled[:, head.mirror] * MIRROR])
    closed = close_lips(both, data.base, head)
    return align(closed, int(np.searchsorted(head.vertices, SELLION)), upper_face(data.base, head))


def principal_components(heads: FloatArray, count: int) -> Identity:
    """Mean and the first ``count`` principal components of (N, V, 3) heads, scaled to one standard deviation each.

    The sign of a component is chosen so that its largest entry on the face's left half is positive: the solver's sign
    is arbitrary, and on the whole face the largest entry occurs twice because of symmetry.
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
    """Round to 0.1 micrometer, far above numerical noise, so that builds are reproducible to the bit."""
    return (np.round(values * 1e7) / 1e7).astype(np.float32) + np.float32(0.0)


def _quantized(values: FloatArray, step: float) -> NDArray[np.int16]:
    quantized = np.round(values / step)
    if np.abs(quantized).max() > np.iinfo(np.int16).max:
        raise ValueError(f"expected offsets that fit 16 bits of {step} m, got up to {np.abs(values).max():.4f} m")
    return quantized.astype(np.int16)
