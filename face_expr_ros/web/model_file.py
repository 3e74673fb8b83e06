"""The face model as a binary file for the browser; docs/web.md defines the layout."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import FloatArray
from face_expr_ros.drawing.vertex_colors import vertex_colors

MAGIC = b"FACEMDL1"
MEDIA_TYPE = "application/vnd.face-expr.model"
_ALIGNMENT = 4  # bytes; JavaScript typed arrays require aligned offsets

# Plausible displacement (root mean square, meters) of the vertices for a shape coefficient of one standard deviation.
# Outside this range the coefficients have another scale, as those of the Basel Face Model.
_PLAUSIBLE_RMS = (1e-5, 0.05)
_UNIT = 5e-3  # meters, root mean square: displacement for 1 in the stream for such models

Section = tuple[NDArray[Any], str | None]  # the array, and the name of the section with its scales


def model_bytes(model: MorphableModel) -> bytes:
    """Encode a model: magic, header length, JSON header, sections; meters, model axes."""
    sections = _sections(model)
    places, size = [], 0
    for name, (array, scale) in sections.items():
        kind = array.dtype.name
        places.append({"name": name, "dtype": kind, "shape": list(array.shape), "offset": size, "scale": scale})
        size += array.nbytes + -array.nbytes % _ALIGNMENT
    header = {
        "model": model.name,
        "sha256": model.sha256,
        "vertex_count": len(model.mean),
        "triangle_count": len(model.triangles),
        "identity_count": len(model.identity),
        "expression_count": len(model.expression),
        "blendshape_names": ARKIT_NAMES,
        "blendshapes_are_expression": blendshapes_are_expression(model),
        "part_names": model.part_names,
        "sections": places,
    }
    text = json.dumps(header).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % _ALIGNMENT)
    return MAGIC + struct.pack("<I", len(text)) + text + b"".join(_padded(array) for array, _ in sections.values())


def blendshapes_are_expression(model: MorphableModel) -> bool:
    """Whether the expression basis of the model is the ARKit blendshapes in their order."""
    return model.expression_names == ARKIT_NAMES


def shape_units(model: MorphableModel) -> FloatArray:
    """(I,) model coefficients for 1 in the stream's shape; 1 if the coefficients are standard deviations."""
    rms = np.sqrt((np.asarray(model.identity, np.float64) ** 2).sum(axis=2).mean(axis=1))
    plausible = (_PLAUSIBLE_RMS[0] <= rms) & (rms <= _PLAUSIBLE_RMS[1])
    return np.where(plausible | (rms == 0), 1.0, _UNIT / np.where(rms > 0, rms, 1.0))


def etag(data: bytes) -> str:
    """The entity tag of some data: its sha256."""
    return f'"{hashlib.sha256(data).hexdigest()}"'


def _sections(model: MorphableModel) -> Mapping[str, Section]:
    identity, identity_scale = _quantized(model.identity * shape_units(model)[:, None, None])
    expression, expression_scale = _quantized(model.expression)
    sections: dict[str, Section] = {
        "mean": (model.mean.astype("<f4"), None),
        "triangles": (model.triangles.astype("<u4"), None),
        "identity": (identity, "identity_scale"),
        "identity_scale": (identity_scale, None),
        "expression": (expression, "expression_scale"),
        "expression_scale": (expression_scale, None),
        "vertex_colors": (np.rint(vertex_colors(model) * 255).astype("u1"), None),
    }
    if len(model.uv):
        sections["uv"] = (_vertex_uv(model), None)
    if len(model.vertex_part):
        sections["vertex_part"] = (model.vertex_part.astype("u1"), None)
    if len(model.facemesh_triangle):
        sections["landmark_triangles"] = (model.facemesh_triangle.astype("<u4"), None)
        sections["landmark_barycentric"] = (model.facemesh_barycentric.astype("<f4"), None)
    return sections


def _quantized(basis: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """A basis (n, V, 3) as int16, and the scale (n,) of each vector."""
    maximum = np.abs(basis).reshape(len(basis), -1).max(axis=1, initial=0.0)
    scale = np.where(maximum > 0, maximum / 32767, 1.0)
    return np.rint(basis / scale[:, None, None]).astype("<i2"), scale.astype("<f4")


def _vertex_uv(model: MorphableModel) -> NDArray[Any]:
    """(V, 2): the texture coordinate of each vertex; one of several at a seam."""
    uv = np.zeros((len(model.mean), 2), "<f4")
    uv[model.triangles.ravel()] = model.uv[model.uv_triangles.ravel()]
    return uv


def _padded(array: NDArray[Any]) -> bytes:
    data = np.ascontiguousarray(array).tobytes()
    return data + bytes(-len(data) % _ALIGNMENT)
