"""The Basel Face Model of 3DDFA_V2 as a face model file of this package.

Upstream's vertices are in micrometers in model axes (x to the subject's left, y up, z out of the face) from an origin
inside the head. Here they are in meters from the sellion, the 28th iBUG point of the mean. The coefficients are
unchanged, so that the network's outputs can be used directly.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from face_expr_ros.core.face_model import SELLION_LANDMARK, BundleError, write_arrays
from face_expr_ros.models.pickles import BROKEN, read_pickled_arrays

Arrays = dict[str, NDArray[Any]]
MICROMETER = 1e-6
PARAMETERS = 12  # pose parameters before the coefficients
DENSE = "bfm_noneck_v3.pkl"
SPARSE = ("bfm68/u_base.txt", "bfm68/w_shp_base.txt", "bfm68/w_exp_base.txt")


def write_basel_model(sources: Mapping[str, Path], path: Path) -> NDArray[np.float64]:
    """Write the face model: dense if `bfm_noneck_v3.pkl` is among the sources, else the 68 iBUG points.

    Returns:
        (3,) the sellion of the mean in meters, which was subtracted from every vertex.

    Raises:
        BundleError: a file is damaged or inconsistent with the others.
    """
    arrays = _dense(sources) if DENSE in sources else _sparse(sources)
    sellion = int(arrays["landmarks68"][SELLION_LANDMARK])
    origin = arrays["mean"][sellion].astype(np.float64)
    one = np.array(1.0, np.float32)  # the bases stay float, with the values of the released model
    named: Arrays = {
        "name": np.array("3ddfa_v2"),
        "sellion": np.array(sellion),
        "identity_step": one,
        "expression_step": one,
    }
    arrays["mean"] = arrays["mean"] - origin
    names = np.array([f"bfm_exp_{i}" for i in range(len(arrays["expression"]))])
    floats: Arrays = {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in arrays.items()
    }
    write_arrays(path, {**floats, **named, **_ABSENT, "expression_names": names})
    return origin


def write_mean_and_deviation(source: Path, path: Path, origin: NDArray[np.float64]) -> None:
    """Write `mean` and `std` (62,), which turn the network's output into parameters, and the face model's `origin`."""
    arrays = read_pickled_arrays(source.read_bytes(), source.name)
    mean, std = (_sized(arrays, name, source.name, (None,)) for name in ("mean", "std"))
    if mean.shape != std.shape:
        raise BundleError(f"{source.name}: expected mean and std of the same length, got {mean.shape} and {std.shape}")
    write_arrays(path, {"mean": mean.astype(np.float32), "std": std.astype(np.float32), "origin": origin})


def _dense(sources: Mapping[str, Path]) -> Arrays:
    basel = read_pickled_arrays(sources[DENSE].read_bytes(), DENSE)
    vertices = _sized(basel, "u", DENSE, (None, 1)).shape[0] // 3
    keypoints = _sized(basel, "keypoints", DENSE, (204,)).astype(np.int64)
    # The model's own triangles index another mesh; those of tri.pkl index this one. Both are clockwise.
    (triangles,) = read_pickled_arrays(sources["tri.pkl"].read_bytes(), "tri.pkl").values()
    triangles = _sized({"triangles": triangles}, "triangles", "tri.pkl", (3, None)).T[:, ::-1]
    if not (keypoints.min() >= 0 and keypoints.max() < 3 * vertices and triangles.max() < vertices):
        raise BundleError(f"{DENSE} and tri.pkl are inconsistent: expected indices below {vertices}, got larger ones")
    return {
        **_bases(basel["u"], basel["w_shp"], basel["w_exp"], DENSE),
        "landmarks68": (keypoints[::3] // 3).astype(np.int32),
        "triangles": triangles.astype(np.int32),
        "uv": _texture_coordinates(sources, vertices),
        "uv_triangles": triangles.astype(np.int32),
    }


def _sparse(sources: Mapping[str, Path]) -> Arrays:
    mean, identity, expression = (_text(sources[name]) for name in SPARSE)
    nothing = np.zeros((0, 3), np.int32)
    return {
        **_bases(mean, identity, expression, "bfm68"),
        "landmarks68": np.arange(68, dtype=np.int32),
        "triangles": nothing,
        "uv": np.zeros((0, 2)),
        "uv_triangles": nothing,
    }


def _bases(mean: NDArray[Any], identity: NDArray[Any], expression: NDArray[Any], file: str) -> Arrays:
    """Mean (V, 3) and bases (n, V, 3) in meters from columns of 3 V micrometers: x, y, z of each vertex."""
    rows = mean.size
    if rows % 3 or any(basis.ndim != 2 or len(basis) != rows for basis in (identity, expression)):
        shapes = f"{mean.shape}, {identity.shape} and {expression.shape}"
        raise BundleError(f"{file}: expected mean and bases of shapes (3 V), (3 V, n) and (3 V, m), got {shapes}")
    parts = {"mean": mean.reshape(1, rows), "identity": identity.T, "expression": expression.T}
    columns = {name: part.astype(np.float64).reshape(-1, rows // 3, 3) * MICROMETER for name, part in parts.items()}
    return {**columns, "mean": columns["mean"][0]}


def _texture_coordinates(sources: Mapping[str, Path], vertices: int) -> NDArray[np.float64]:
    """(V, 2), v up: those of the full Basel mesh at the vertices of this one."""
    try:
        kept = np.load(io.BytesIO(sources["indices.npy"].read_bytes()), allow_pickle=False)
        uv = scipy.io.loadmat(io.BytesIO(sources["BFM_UV.mat"].read_bytes()))["UV"]
        taken: NDArray[np.float64] = uv[kept]
    except (*BROKEN, OSError, NotImplementedError, scipy.io.matlab.MatReadError) as error:
        raise BundleError(
            f"indices.npy and BFM_UV.mat are damaged or inconsistent: {error}; fetch them again"
        ) from error
    if taken.shape != (vertices, 2):
        raise BundleError(f"indices.npy: expected the indices of {vertices} vertices, as in {DENSE}, got {len(kept)}")
    return taken


def _text(path: Path) -> NDArray[np.float64]:
    try:
        return np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise BundleError(f"{path} is not a table of numbers: {error}; fetch it again") from error


def _sized(arrays: Mapping[str, NDArray[Any]], name: str, file: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """An array after its shape is checked; None is any size."""
    if name not in arrays:
        raise BundleError(f"{file} lacks {name!r}; it has {', '.join(map(repr, arrays)) or 'nothing'}")
    given = arrays[name].shape
    if len(given) != len(shape) or any(want not in (None, size) for want, size in zip(shape, given, strict=True)):
        raise BundleError(f"{file}: expected {name!r} of shape {shape} (None is any size), got {given}")
    return arrays[name]


# Arrays that the Basel Face Model of 3DDFA_V2 does not have.
_ABSENT: Arrays = {
    "part_names": np.zeros(0, "U1"),
    "vertex_part": np.zeros(0, np.uint8),
    "mirror": np.zeros(0, np.int32),
    "facemesh_triangle": np.zeros(0, np.int32),
    "facemesh_barycentric": np.zeros((0, 3), np.float32),
    "ibug_triangle": np.zeros(0, np.int32),
    "ibug_barycentric": np.zeros((0, 3), np.float32),
    "ibug_slide": np.zeros((0, 68, 3), np.float32),
}
