"""Reads the user's own training data: images, their FaceMesh landmarks and blendshapes in one npz file.

Arrays of the file, for N portraits:

| array | shape | type | content |
|---|---|---|---|
| `image` | (N, height, width) | uint8 | gray |
| `landmarks` | (N, 478, 3) | float | FaceMesh landmarks, pixels of these images, z in the scale of x |
| `expression` | (N, K) | float | blendshapes in 0..1, NaN where unknown |
| `names` | (K,) | text | names of these blendshapes; optional, default: all 52 in the order of the model |
| `person` | (N,) | integer | index of the person |
| `angles` | (N, 2) | float | yaw and pitch, radians; optional |
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

# Name -> (shape, kind of numbers); a size given as a string must be the same wherever it appears.
_LAYOUT: dict[str, tuple[tuple[str | int, ...], type]] = {
    "image": (("N", "height", "width"), np.uint8),
    "landmarks": (("N", LANDMARK_COUNT, 3), np.floating),
    "expression": (("N", "K"), np.floating),
    "names": (("K",), np.str_),
    "person": (("N",), np.integer),
    "angles": (("N", 2), np.floating),
}
_OPTIONAL = ("names", "angles")
_MIN_FACE_WIDTH = 10.0  # pixels; smaller values indicate landmarks normalized to 0..1


def read_user_data(path: Path) -> Shard:
    """Read such a file; angles are NaN where it has none.

    Raises:
        ValueError: the file cannot be read, or an array is missing or invalid.
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
        found = ", ".join(sorted(arrays)) or "none"
        raise ValueError(f"{str(path)!r}: missing arrays {', '.join(missing)}; found {found}")


def _check_layout(arrays: Arrays, path: Path) -> None:
    sizes: dict[str | int, int] = {}
    for name, (shape, kind) in _LAYOUT.items():
        if name not in arrays:
            continue
        array = arrays[name]
        agrees = len(shape) == array.ndim and all(
            size == (expected if isinstance(expected, int) else sizes.setdefault(expected, size))
            for expected, size in zip(shape, array.shape, strict=True)
        )
        if not agrees or not np.issubdtype(array.dtype, kind):
            expected = ", ".join(f"{size} = {sizes[size]}" if size in sizes else str(size) for size in shape)
            raise ValueError(
                f"{name} in {str(path)!r}: expected {kind.__name__} of shape ({expected}), "
                f"got {array.dtype} of shape {array.shape}"
            )
    if sizes["N"] == 0:
        raise ValueError(f"{str(path)!r} contains no portraits: leave it out")


def _check_values(arrays: Arrays, names: tuple[str, ...], path: Path) -> None:
    landmarks, expression = arrays["landmarks"], arrays["expression"]
    found = arrays["names"].tolist()
    unknown = sorted(set(found) - set(names))
    if unknown or len(set(found)) < len(found):
        raise ValueError(
            f"names in {str(path)!r}: expected distinct ARKit blendshapes such as {names[0]}, "
            f"got {', '.join(unknown) or 'duplicates'}"
        )
    if not np.isfinite(landmarks).all():
        rows = np.flatnonzero(~np.isfinite(landmarks).all(axis=(1, 2)))
        raise ValueError(
            f"landmarks in {str(path)!r}: expected finite numbers, got NaN or infinity in portrait {rows[0]}: leave "
            f"out the {len(rows)} portraits in which FaceMesh found no face"
        )
    width = np.ptp(landmarks[..., 0], axis=1)
    if width.min() < _MIN_FACE_WIDTH:
        raise ValueError(
            f"landmarks in {str(path)!r}: expected pixels, got a face {width.min():.3g} pixels wide in portrait "
            f"{width.argmin()}: if they are normalized, multiply x and z by the image's width and y by its height"
        )
    invalid = expression[(expression < 0) | (expression > 1)]  # NaN is valid
    if len(invalid):
        raise ValueError(f"expression in {str(path)!r}: expected values in 0..1 or NaN, got {invalid[0]:g}")
