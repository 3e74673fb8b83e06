"""Reads AFLW2000-3D: the original data set's jpg and mat files, or a folder of images with a ground_truth.npz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.aflw2000 import COMPARED_EXPRESSIONS, GroundTruth

_GROUND_TRUTH = "ground_truth.npz"
_REANNOTATED = ("*eannotated*.npz", "*eannotated*.npy")  # as published: AFLW2000-3D-Reannotated.pts68.npy


@dataclass(frozen=True)
class Dataset:
    """Images and their ground truth.

    Attributes:
        paths: N image files, in the order of ``truth.names``.
        truth: the ground truth of the same N images.
    """

    paths: tuple[Path, ...]
    truth: GroundTruth


def open_dataset(folder: Path) -> Dataset:
    """Open the data set in a folder, in either layout.

    Raises:
        ValueError: the folder has neither layout, or a file is missing, damaged or lacks an array.
    """
    if (folder / _GROUND_TRUTH).is_file():
        return _from_npz(folder)
    if next(_original_files(folder), None):
        return _from_mat(folder)
    raise ValueError(
        f"expected AFLW2000-3D in {str(folder)!r}: images/ and {_GROUND_TRUTH}, or the original .jpg files, each with "
        f"a .mat of the same name; got neither"
    )


def _from_npz(folder: Path) -> Dataset:
    path = folder / _GROUND_TRUTH
    arrays = _load(path, _read_npz)
    names = tuple(str(name) for name in _array(arrays, "names", path, (None,)))
    if not names:
        raise ValueError(f"{str(path)!r}: expected names of images, got none")
    count = len(names)
    reannotated = _array(arrays, "pts68_reannotated", path, (count, 2, 68)) if "pts68_reannotated" in arrays else None
    truth = _truth(
        names,
        _array(arrays, "pts68", path, (count, None, 68)),
        reannotated,
        _array(arrays, "pose_para", path, (count, None)),
        _array(arrays, "exp_para", path, (count, None)),
    )
    return Dataset(tuple(_existing(folder / "images" / name) for name in names), truth)


def _from_mat(folder: Path) -> Dataset:
    paths = sorted(_original_files(folder))
    rows = [_read_mat(path.with_suffix(".mat")) for path in paths]
    points, pose, expression = (np.stack(column) for column in zip(*rows, strict=True))
    names = tuple(path.name for path in paths)
    return Dataset(tuple(paths), _truth(names, points, _read_reannotated(folder, names), pose, expression))


def _original_files(folder: Path) -> Any:
    return (path for path in folder.glob("*.jpg") if path.with_suffix(".mat").is_file())


def _read_mat(path: Path) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (3, 68), pose (>= 3,) and expression (>= 10,) of one image."""
    arrays = _load(path, lambda file: loadmat(str(file)))
    points = _array(arrays, "pt3d_68", path, (None, 68))
    pose, expression = (_array(arrays, name, path, (None, None)).ravel() for name in ("Pose_Para", "Exp_Para"))
    if len(pose) < 3 or len(expression) < COMPARED_EXPRESSIONS:
        raise ValueError(
            f"{str(path)!r}: expected Pose_Para of at least 3 and Exp_Para of at least {COMPARED_EXPRESSIONS} numbers, "
            f"got {len(pose)} and {len(expression)}"
        )
    return points, pose, expression


def _read_reannotated(folder: Path, names: tuple[str, ...]) -> FloatArray | None:
    """The re-annotated points, or None if there is no file of them next to the images.

    A .npy has a row for each image in the order of their names; a .npz has its own order in ``names``.
    """
    files = [path for pattern in _REANNOTATED for path in sorted(folder.glob(pattern))]
    if not files:
        return None
    path = files[0]
    if path.suffix == ".npy":
        points = _load(path, lambda file: np.load(file, allow_pickle=False))
        return _array({"points": points}, "points", path, (len(names), None, 68))
    arrays = _load(path, _read_npz)
    order = [str(name) for name in _array(arrays, "names", path, (None,))]
    points = _array(arrays, "pts68_reannotated", path, (len(order), None, 68))
    if missing := sorted(set(names) - set(order)):
        raise ValueError(f"{str(path)!r}: missing points of {missing[0]} and {len(missing) - 1} other images")
    return points[[order.index(name) for name in names]]


def _truth(
    names: tuple[str, ...], points: FloatArray, again: FloatArray | None, pose: FloatArray, expression: FloatArray
) -> GroundTruth:
    """The data set's arrays in our layout: points (N, >= 2, 68), pose (N, >= 3) of pitch, yaw and roll."""
    return GroundTruth(
        names=names,
        original=points[:, :2].transpose(0, 2, 1).astype(np.float64),
        reannotated=None if again is None else again[:, :2].transpose(0, 2, 1).astype(np.float64),
        angles=pose[:, [1, 0, 2]].astype(np.float64),
        expression=expression.astype(np.float64),
    )


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    # np.load does not close a file that it opened itself if the file is damaged.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _load(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except Exception as error:  # these readers raise many kinds of errors for damaged files
        raise ValueError(f"{str(path)!r} cannot be read ({error}); copy the data set again") from error


def _array(arrays: dict[str, Any], name: str, path: Path, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """An array of the file after validation; None in ``shape`` is any size, and numbers must be finite."""
    if name not in arrays:
        raise ValueError(f"{str(path)!r}: missing array {name}; found {', '.join(sorted(arrays))}")
    array = np.asarray(arrays[name])
    fits = array.ndim == len(shape) and all(size in (None, n) for size, n in zip(shape, array.shape, strict=True))
    if not fits:
        raise ValueError(f"{str(path)!r}: expected {name} of shape {shape} (None: any), got {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{str(path)!r}: expected finite values in {name}, got NaN or infinity")
    return array


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"missing image {str(path)!r}, which the ground truth refers to")
    return path
