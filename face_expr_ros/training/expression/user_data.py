"""Faces of the user's own to learn from: pictures, FaceMesh's landmarks in them and what the faces show, in one npz.

The file's arrays, N portraits:

| array | shape | type | content |
|---|---|---|---|
| `image` | (N, height, width) | uint8 | gray |
| `landmarks` | (N, 478, 3) | float | FaceMesh's points, pixels of these images, z in the scale of x |
| `expression` | (N, K) | float | blendshapes in 0..1, NaN where one is not known |
| `names` | (K,) | text | of these blendshapes; without it, all 52 in the order of the model |
| `person` | (N,) | integer | which portraits show the same person |
| `angles` | (N, 2) | float | yaw and pitch, radians; may be left out |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import read_arrays
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.landmarks import LANDMARK_COUNT
from face_expr_ros.training.expression.shards import Shard

Arrays = dict[str, NDArray[Any]]

# Name -> (shape, kind of numbers); a word stands for a size that must agree wherever it appears.
_LAYOUT: dict[str, tuple[tuple[str | int, ...], type]] = {
    "image": (("N", "height", "width"), np.uint8),
    "landmarks": (("N", LANDMARK_COUNT, 3), np.floating),
    "expression": (("N", "K"), np.floating),
    "names": (("K",), np.str_),
    "person": (("N",), np.integer),
    "angles": (("N", 2), np.floating),
}
_OPTIONAL = ("names", "angles")
_LEAST_FACE = 10.0  # pixels across; less are landmarks in parts of the image's width, or no face to learn from


def read_user_data(path: Path) -> Shard:
    """The portraits of such a file; angles are NaN where it has none.

    Raises:
        ValueError: it cannot be read, or an array is missing or not as it should be.
    """
    names = open_face_model("open").expression_names
    arrays = read_arrays(path.read_bytes(), path)
    _check_presence(arrays, path)
    arrays.setdefault("names", np.array(names))
    _check_layout(arrays, path)
    _check_values(arrays, names, path)
    expression = np.full((len(arrays["person"]), len(names)), np.nan, np.float32)
    expression[:, [names.index(name) for name in arrays["names"]]] = arrays["expression"]
    return Shard(
        image=arrays["image"],
        landmarks=arrays["landmarks"].astype(np.float32),
        expression=expression,
        angles=arrays.get("angles", np.full((len(expression), 2), np.nan)).astype(np.float32),
        person=arrays["person"].astype(np.int64),
    )


def _check_presence(arrays: Arrays, path: Path) -> None:
    missing = [name for name in _LAYOUT if name not in arrays and name not in _OPTIONAL]
    if missing:
        given = ", ".join(sorted(arrays)) or "nothing"
        raise ValueError(f"{str(path)!r} needs the arrays {', '.join(missing)} too, and holds {given}")


def _check_layout(arrays: Arrays, path: Path) -> None:
    sizes: dict[str | int, int] = {}
    for name, (shape, kind) in _LAYOUT.items():
        if name not in arrays:
            continue
        array = arrays[name]
        agrees = len(shape) == array.ndim and all(
            size == (want if isinstance(want, int) else sizes.setdefault(want, size))
            for want, size in zip(shape, array.shape, strict=True)
        )
        if not agrees or not np.issubdtype(array.dtype, kind):
            wanted = ", ".join(f"{want} = {sizes[want]}" if want in sizes else str(want) for want in shape)
            raise ValueError(
                f"{name} in {str(path)!r} should be {kind.__name__} of the shape ({wanted}), "
                f"and is {array.dtype} of the shape {array.shape}"
            )
    if sizes["N"] == 0:
        raise ValueError(f"{str(path)!r} holds no portraits: leave it out")


def _check_values(arrays: Arrays, names: tuple[str, ...], path: Path) -> None:
    landmarks, expression = arrays["landmarks"], arrays["expression"]
    given = arrays["names"].tolist()
    unknown = sorted(set(given) - set(names))
    if unknown or len(set(given)) < len(given):
        raise ValueError(
            f"names in {str(path)!r} should be blendshapes of ARKit, each once, such as {names[0]}, "
            f"and has {', '.join(unknown) or 'one twice'}"
        )
    if not np.isfinite(landmarks).all():
        rows = np.flatnonzero(~np.isfinite(landmarks).all(axis=(1, 2)))
        raise ValueError(
            f"landmarks in {str(path)!r} should be finite numbers; those of portrait {rows[0]} are not: "
            f"leave out the {len(rows)} portraits in which FaceMesh found no face"
        )
    across = np.ptp(landmarks[..., 0], axis=1)
    if across.min() < _LEAST_FACE:
        raise ValueError(
            f"landmarks in {str(path)!r} should be pixels of the images, and those of portrait {across.argmin()} are "
            f"{across.min():.3g} pixels across: multiply x and z by the image's width and y by its height, if they are "
            f"parts of those"
        )
    wrong = expression[(expression < 0) | (expression > 1)]  # NaN is neither
    if len(wrong):
        raise ValueError(f"expression in {str(path)!r} should be in 0..1, or NaN where not known, and has {wrong[0]:g}")
