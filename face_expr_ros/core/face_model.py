"""The morphable face model: mean + identity + expression bases over one mesh, read from a .npz file."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face_expr_ros.core.ibug import turned_offsets

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

SELLION_LANDMARK = 27  # of the iBUG points: the top of the nose bridge
HIDDEN_PARTS = ("eyelashes",)  # drawn only with a transparent texture


class BundleError(ValueError):
    """A model file is missing, damaged or of the wrong kind; the message names the file and what was expected."""


@dataclass(frozen=True)
class MorphableModel:
    """A linear face model in model axes (x to the subject's left, y up, z out of the face, origin at the sellion).

    A model without a surface (`sparse`) has only the 68 iBUG points: V = 68, and no triangles. The Basel Face Model has
    no parts, mirror and FaceMesh points: those arrays are empty.

    Attributes:
        name: name of the model, such as "open".
        sha256: hash of the model file.
        mean: (V, 3) neutral mean face, meters.
        identity: (I, V, 3) meters per unit of a shape coefficient, which is a standard deviation in the open model and
            a number of TDDFA's parameters in the Basel Face Model.
        expression: (E, V, 3) meters, each expression at 1.0.
        expression_names: E names; the open model's are ARKit's in Live Link order, the Basel Face Model's `bfm_exp_0`
            and so on.
        triangles: (T, 3) vertex indices, counter-clockwise from outside.
        uv: (U, 2) texture coordinates in 0..1, v up; uv_triangles: (T, 3) indices into uv.
        part_names: names of the mesh's parts; vertex_part: (V,) indices into part_names.
        mirror: (V,) index of each vertex's counterpart on the other side of the face.
        landmarks68: (68,) vertices of the iBUG points.
        sellion: the vertex at the origin.
        facemesh_triangle: (478,) and facemesh_barycentric: (478, 3): positions of MediaPipe's FaceMesh points on the
            surface.
        decimated_triangles: (D, 3) vertex indices of the decimated mesh; (0, 3) if it was not computed.
        ibug_triangle: (68,) and ibug_barycentric: (68, 3): positions where annotators mark the iBUG points, between
            vertices; empty if they are the vertices landmarks68.
        ibug_slide: (2, 68, 3) meters, how these positions move when the head turns, see `ibug.turned_offsets`; may be
            empty.
    """

    name: str
    sha256: str
    mean: FloatArray
    identity: FloatArray
    expression: FloatArray
    expression_names: tuple[str, ...]
    triangles: IntArray
    uv: FloatArray
    uv_triangles: IntArray
    part_names: tuple[str, ...]
    vertex_part: NDArray[np.uint8]
    mirror: IntArray
    landmarks68: IntArray
    sellion: int
    facemesh_triangle: IntArray
    facemesh_barycentric: FloatArray
    decimated_triangles: IntArray = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    ibug_triangle: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    ibug_barycentric: FloatArray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    ibug_slide: FloatArray = field(default_factory=lambda: np.zeros((0, 68, 3), np.float32))

    @property
    def sparse(self) -> bool:
        """Whether the model has only points and no surface to draw."""
        return len(self.triangles) == 0

    @property
    def visible_triangles(self) -> IntArray:
        """The triangles without those of ``HIDDEN_PARTS``; the same array if there are none."""
        hidden = [number for number, name in enumerate(self.part_names) if name in HIDDEN_PARTS]
        return self.triangles[~np.isin(self.triangle_part, hidden)] if hidden else self.triangles

    def vertices(self, shape: ArrayLike | None = None, expression: ArrayLike | None = None) -> FloatArray:
        """The (V, 3) face in meters for shape coefficients (at most I, standard deviations) and expression ones.

        Missing coefficients are zero; None means all zero.

        Raises:
            ValueError: there are more coefficients than basis vectors, or not all are finite.
        """
        from face_expr_ros.kernels.surface import reconstruct  # face_expr doctor must run without compiled kernels

        given = (("shape", shape, len(self.identity)), ("expression", expression, len(self.expression)))
        coefficients = np.concatenate([_checked_coefficients(*one) for one in given])
        basis = self.bases.reshape(-1, self.mean.size)
        return reconstruct(self.mean.ravel(), basis, coefficients).reshape(-1, 3)

    @cached_property
    def bases(self) -> FloatArray:
        """(I + E, V, 3): identity, then expression, so that a face is a single sum.

        Not a copy if both are parts of one array, as in a model that was read from a file: the bases are most of a
        model's memory.
        """
        parts, whole = (self.identity, self.expression), self.identity.base
        size = self.identity.nbytes
        is_joined = (
            whole is not None
            and whole is self.expression.base
            and whole.nbytes == size + self.expression.nbytes
            and [part.ctypes.data - whole.ctypes.data for part in parts] == [0, size]
        )
        return whole if is_joined and whole is not None else np.concatenate(parts)

    def points(self, vertices: NDArray[Any], triangle: NDArray[Any], barycentric: NDArray[Any]) -> NDArray[Any]:
        """The (..., n, 3) points at barycentric (n, 3) coordinates of triangle (n,), for vertices (..., V, 3)."""
        return np.einsum("...nkc,nk->...nc", vertices[..., self.triangles[triangle], :], barycentric)

    def facemesh_points(self, vertices: NDArray[Any]) -> NDArray[Any]:
        """The (478, 3) FaceMesh points of a face with the given (V, 3) vertices."""
        return self.points(vertices, self.facemesh_triangle, self.facemesh_barycentric)

    def ibug_points(self, vertices: NDArray[Any], turn: NDArray[Any] | float = 0.0) -> NDArray[Any]:
        """The (..., 68, 3) iBUG points, as annotators mark them, of faces with the given (..., V, 3) vertices.

        Args:
            turn: (...) sine of the apparent yaw, > 0 with the nose to image left.
        """
        if not len(self.ibug_triangle):
            return vertices[..., self.landmarks68, :]
        return self.points(vertices, self.ibug_triangle, self.ibug_barycentric) + self.ibug_offsets(turn)

    def ibug_offsets(self, turn: NDArray[Any] | float) -> NDArray[Any]:
        """The (..., 68, 3) offsets of the iBUG points of heads that are turned (...)."""
        if not len(self.ibug_slide):
            return np.zeros((*np.shape(turn), 68, 3))
        return turned_offsets(self.ibug_slide, turn)

    def part_vertices(self, part: str) -> NDArray[np.intp]:
        """The indices of the vertices of one part. Raises ValueError for a part this model does not have."""
        if part not in self.part_names:
            raise ValueError(f"part: expected one of {', '.join(self.part_names)}, got {part!r}")
        return np.flatnonzero(self.vertex_part == self.part_names.index(part))

    @property
    def triangle_part(self) -> NDArray[np.uint8]:
        """(T,) index into part_names: the part of each triangle's vertices, the highest index where they differ."""
        return self.vertex_part[self.triangles].max(axis=1)

    def eye_center(self, vertices: NDArray[Any], side: str) -> NDArray[Any]:
        """The (3,) center of one eyeball, side "left" or "right", in the given (V, 3) vertices."""
        ball = vertices[self.part_vertices(f"{side}_eyeball")]
        return (ball.min(axis=0) + ball.max(axis=0)) / 2


def load_face_model(path: Path) -> MorphableModel:
    """Read a face model file.

    Raises:
        BundleError: the file is missing or damaged, lacks an array, or has one of the wrong shape.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BundleError(f"the face model {str(path)!r} cannot be read: {error.strerror}") from error
    arrays = _NO_IBUG | read_arrays(data, path)  # a bundle that was fetched earlier may lack them
    _check_arrays(arrays, path)
    identity, expression = _read_bases(arrays)
    return MorphableModel(
        name=str(arrays["name"]),
        sha256=hashlib.sha256(data).hexdigest(),
        mean=arrays["mean"].astype(np.float32),
        identity=identity,
        expression=expression,
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
        triangles=arrays["triangles"].astype(np.int32),
        uv=arrays["uv"].astype(np.float32),
        uv_triangles=arrays["uv_triangles"].astype(np.int32),
        part_names=tuple(str(name) for name in arrays["part_names"]),
        vertex_part=arrays["vertex_part"],
        mirror=arrays["mirror"].astype(np.int32),
        landmarks68=arrays["landmarks68"].astype(np.int32),
        sellion=int(arrays["sellion"]),
        facemesh_triangle=arrays["facemesh_triangle"].astype(np.int32),
        facemesh_barycentric=arrays["facemesh_barycentric"].astype(np.float32),
        ibug_triangle=arrays["ibug_triangle"].astype(np.int32),
        ibug_barycentric=arrays["ibug_barycentric"].astype(np.float32),
        ibug_slide=arrays["ibug_slide"].astype(np.float32),
    )


def _read_bases(arrays: dict[str, NDArray[Any]]) -> tuple[FloatArray, FloatArray]:
    """The bases identity (I, V, 3) and expression (E, V, 3) of a file, as parts of one array, see `bases`."""
    count = len(arrays["identity"])
    both = np.empty((count + len(arrays["expression"]), *arrays["mean"].shape), np.float32)
    for name, part in (("identity", both[:count]), ("expression", both[count:])):
        part[:] = arrays[name] * np.float32(arrays[f"{name}_step"])
    return both[:count], both[count:]


def read_arrays(data: bytes, path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file. Raises BundleError if it is damaged or contains anything except arrays."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, TypeError) as error:
        raise BundleError(f"{str(path)!r} is not a complete .npz file ({error}); fetch it again") from error


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a .npz file whose bytes depend only on the arrays: sorted names, a fixed date, no compression."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(arrays[name], order="C"), version=(1, 0))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), buffer.getvalue())


_NO_IBUG = {
    "ibug_triangle": np.zeros(0, np.int32),
    "ibug_barycentric": np.zeros((0, 3), np.float32),
    "ibug_slide": np.zeros((0, 68, 3), np.float32),
}

# Name -> (shape, allowed dtype kinds); a letter is a size that must be the same in all arrays.
_LAYOUT: dict[str, tuple[tuple[str | int, ...], str]] = {
    "name": ((), "U"),
    "mean": (("V", 3), "f"),
    "identity": (("I", "V", 3), "if"),
    "identity_step": ((), "f"),
    "expression": (("E", "V", 3), "if"),
    "expression_step": ((), "f"),
    "expression_names": (("E",), "U"),
    "triangles": (("T", 3), "i"),
    "uv": (("U", 2), "f"),
    "uv_triangles": (("T", 3), "i"),
    "part_names": (("P",), "U"),
    "vertex_part": (("V",), "u"),
    "mirror": (("V",), "i"),
    "landmarks68": ((68,), "i"),
    "sellion": ((), "i"),
    "facemesh_triangle": ((478,), "i"),
    "facemesh_barycentric": ((478, 3), "f"),
    "ibug_triangle": ((68,), "i"),
    "ibug_barycentric": ((68, 3), "f"),
    "ibug_slide": ((2, 68, 3), "f"),
}
# Arrays that may be empty.
_OPTIONAL = (
    "vertex_part", "mirror", "facemesh_triangle", "facemesh_barycentric", "ibug_triangle", "ibug_barycentric",
    "ibug_slide",
)  # fmt: skip
# Arrays of indices -> the letter of the size that they index.
_INDICES = {
    "triangles": "V", "uv_triangles": "U", "vertex_part": "P", "mirror": "V", "landmarks68": "V", "sellion": "V",
    "facemesh_triangle": "T", "ibug_triangle": "T",
}  # fmt: skip


def _check_arrays(arrays: dict[str, NDArray[Any]], path: Path) -> None:
    if missing := sorted(set(_LAYOUT) - set(arrays)):
        raise BundleError(f"the face model {str(path)!r} lacks {', '.join(missing)}; build or fetch it again")
    sizes: dict[str, int] = {}
    for name, (shape, kind) in _LAYOUT.items():
        given = arrays[name]
        if name in _OPTIONAL and given.shape[:1] == (0,):
            shape = (0, *shape[1:])
        named = zip(shape, given.shape, strict=False)
        expected = tuple(sizes.setdefault(s, n) if isinstance(s, str) else s for s, n in named)
        if given.ndim != len(shape) or given.shape != expected or given.dtype.kind not in kind:
            text = f"{expected if given.ndim == len(shape) else shape} and kind {kind!r}"
            raise BundleError(
                f"the face model {str(path)!r}: expected {name} of shape {text}, got {given.shape} of {given.dtype}"
            )
        if given.dtype.kind == "f" and not np.isfinite(given).all():
            raise BundleError(f"the face model {str(path)!r}: expected finite values of {name}, got others")
    for name, size in _INDICES.items():
        indices = arrays[name]
        if indices.size and (indices.min() < 0 or indices.max() >= sizes[size]):
            raise BundleError(
                f"the face model {str(path)!r}: expected {name} in 0..{sizes[size] - 1}, "
                f"got {indices.min()} to {indices.max()}"
            )


def _checked_coefficients(what: str, given: ArrayLike | None, count: int) -> FloatArray:
    """(count,): the given coefficients, padded with zeros."""
    coefficients = np.asarray(() if given is None else given, dtype=np.float32)
    if coefficients.ndim != 1 or len(coefficients) > count:
        raise ValueError(f"{what}: expected at most {count} coefficients, got an array of shape {coefficients.shape}")
    if not np.isfinite(coefficients).all():
        raise ValueError(f"{what}: expected finite numbers, got {coefficients}")
    return np.pad(coefficients, (0, count - len(coefficients)))
