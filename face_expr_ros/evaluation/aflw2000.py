"""The AFLW2000-3D protocol: landmark error by yaw, head pose and expression, for one prediction per image.

The landmark error (NME) of a face is the mean distance of its 68 points in the image, divided by sqrt(w h) of the box
around the ground truth's own 68 points, in percent. Faces are binned by |yaw| into 0..30, 30..60 and 60..90 degrees;
publications report the mean of the three bins' means. The script of the published results compares coordinates
unchanged, although pixels of the original ground truth start at 1 and those of fits at 0; so does this module, and it
also reports the error without that offset (`original_from_zero`).

Pose errors exclude faces with any angle beyond 99 degrees, as in publications. The data set's pose is that of a weak
perspective, so it is compared with the rotation relative to the viewing ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.geometry import FACING_CAMERA, euler_angles, rotation_from_euler
from face_expr_ros.core.types import FloatArray

BIN_EDGES_DEG = (30.0, 60.0)  # the edge itself belongs to the lower bin
BIN_NAMES = ("0-30", "30-60", "60-90")
MAX_ANGLE_DEG = 99.0
MOUTH = slice(48, 68)
COMPARED_EXPRESSIONS = 10  # number of coefficients that the data set and 3DDFA_V2 share
CURVE_NME = np.arange(0.0, 10.01, 0.25)  # abscissas of the cumulative curves, percent

# The iBUG points of a mirrored face: point k of the mirror image is point MIRRORED[k] of the face.
MIRRORED = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
])  # fmt: skip


@dataclass(frozen=True)
class GroundTruth:
    """Ground truth of N images.

    Attributes:
        names: N file names.
        original: (N, 68, 2) points of the published fits, pixels that start at 1.
        reannotated: (N, 68, 2) points of the later annotation, pixels; None if not available.
        angles: (N, 3) yaw, pitch and roll in radians, signs of `geometry.euler_angles`.
        expression: (N, >= 10) coefficients of the Basel model's expression basis.
    """

    names: tuple[str, ...]
    original: FloatArray
    reannotated: FloatArray | None
    angles: FloatArray
    expression: FloatArray


@dataclass(frozen=True)
class Prediction:
    """The result of a fitter for one image.

    Attributes:
        landmarks68: (68, 2) image pixels, the center of the first pixel is (0, 0).
        rotation: (3, 3) from model axes to the frame of a camera whose optical axis points at the face.
        expression: (E,) coefficients in the fitter's own basis.
    """

    landmarks68: FloatArray
    rotation: FloatArray
    expression: FloatArray


@dataclass(frozen=True)
class Errors:
    """The errors of N images; NaN if no face was found.

    Attributes:
        bins: (N,) yaw bin, 0, 1 or 2.
        found: (N,) whether a face was found.
        nme, mouth_nme: (N,) percent, for each ground truth.
        angles: (N, 3) signed errors of yaw, pitch and roll, degrees.
        geodesic: (N,) angle between the two rotations, degrees.
        posed: (N,) whether the image is included in the pose errors.
    """

    bins: NDArray[np.intp]
    found: NDArray[np.bool_]
    nme: dict[str, FloatArray]
    mouth_nme: dict[str, FloatArray]
    angles: FloatArray
    geodesic: FloatArray
    posed: NDArray[np.bool_]


def measure(truth: GroundTruth, predictions: Sequence[Prediction | None]) -> Errors:
    """Errors of all images; a prediction of None is a face that was not found.

    Raises:
        ValueError: the number of predictions differs from the number of images.
    """
    if len(predictions) != len(truth.names):
        raise ValueError(f"expected {len(truth.names)} predictions, one per image, got {len(predictions)}")
    nothing = Prediction(np.full((68, 2), np.nan), np.full((3, 3), np.nan), np.zeros(0))
    points = np.array([(prediction or nothing).landmarks68 for prediction in predictions])
    rotations = np.array([(prediction or nothing).rotation for prediction in predictions])
    references = _references(truth)
    angles = np.degrees(truth.angles)
    return Errors(
        bins=yaw_bins(angles[:, 0]),
        found=np.array([prediction is not None for prediction in predictions], dtype=bool),
        nme={kind: nme(points, reference) for kind, reference in references.items()},
        mouth_nme={kind: nme(points, reference, MOUTH) for kind, reference in references.items()},
        angles=_angle_errors(rotations, truth.angles),
        geodesic=geodesic_deg(rotations, np.array([rotation_from_euler(*row) for row in truth.angles])),
        posed=(np.abs(angles) <= MAX_ANGLE_DEG).all(axis=1),
    )


def nme(points: FloatArray, truth: FloatArray, part: slice = slice(None)) -> FloatArray:
    """(N,) mean distance in percent of sqrt(w h) of the box of all true points; points, truth: (N, 68, 2) pixels."""
    size = np.sqrt((truth.max(axis=1) - truth.min(axis=1)).prod(axis=1))
    error: FloatArray = 100.0 * np.linalg.norm(points[:, part] - truth[:, part], axis=2).mean(axis=1) / size
    return error


def yaw_bins(yaw_deg: FloatArray) -> NDArray[np.intp]:
    """(N,) 0, 1 or 2."""
    return np.digitize(np.abs(yaw_deg), BIN_EDGES_DEG, right=True)


def geodesic_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    """(N,) angle of the rotation from a to b, both (N, 3, 3), degrees."""
    cosine = (np.einsum("nij,nij->n", a, b) - 1.0) / 2.0
    angle: FloatArray = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angle


def apparent_rotation(weak_perspective: FloatArray) -> FloatArray:
    """The rotation (3, 3), model axes to camera frame, of a (3, 4) matrix ``[f R | t]``, from its first two rows."""
    first, second = (row / np.linalg.norm(row) for row in weak_perspective[:2, :3])
    rotation: FloatArray = FACING_CAMERA @ np.array([first, second, np.cross(first, second)])
    return rotation


def summarize(
    truth: GroundTruth, predictions: Sequence[Prediction | None], errors: Errors, basel: bool
) -> dict[str, Any]:
    """The results under the names of the command line's JSON; None for averages without data.

    Args:
        basel: whether the predictions' expression is in the data set's own basis.
    """
    posed = errors.found & errors.posed
    mae = np.abs(errors.angles[posed]).mean(axis=0) if posed.any() else np.full(3, np.nan)
    pose = dict(zip(("yaw", "pitch", "roll"), mae.tolist(), strict=True)) | {"mean": float(mae.mean())}
    expression = expression_r2(truth, predictions) if basel else None
    return {
        "images": len(truth.names),
        "images_by_bin": np.bincount(errors.bins, minlength=3).tolist(),
        "found": int(errors.found.sum()),
        "detection_rate": {"bins": _means(errors.found, errors.bins), "all": _mean(errors.found)},
        "nme": {kind: _by_bin(values, errors) for kind, values in errors.nme.items()},
        "mouth_nme": {kind: _by_bin(values, errors) for kind, values in errors.mouth_nme.items()},
        "pose_mae_deg": {name: _number(value) for name, value in pose.items()},
        "geodesic_deg": {"mean": _mean(errors.geodesic[posed]), "median": _median(errors.geodesic[posed])},
        "pose_images": int(posed.sum()),
        "pose_excluded": int((~errors.posed).sum()),
        "expression_r2": expression["all"] if expression else None,
        "expression_r2_by_coefficient": expression["by_coefficient"] if expression else None,
        "cumulative": {"nme": CURVE_NME.tolist()} | {kind: curve(values) for kind, values in errors.nme.items()},
    }


def expression_r2(truth: GroundTruth, predictions: Sequence[Prediction | None]) -> dict[str, Any] | None:
    """R2 of the first ten expression coefficients.

    ``all`` weights the coefficients by their variance in the data set. None if fewer than two faces were found.
    """
    found = [row for row, prediction in enumerate(predictions) if prediction is not None]
    if len(found) < 2:
        return None
    true = truth.expression[found, :COMPARED_EXPRESSIONS]
    predicted = np.array([predictions[row].expression[:COMPARED_EXPRESSIONS] for row in found])  # type: ignore[union-attr]
    missed, spread = ((true - predicted) ** 2).sum(axis=0), ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = 1.0 - missed / spread
        return {"all": _number(1.0 - missed.sum() / spread.sum()), "by_coefficient": [_number(value) for value in each]}


def curve(values: FloatArray) -> list[float]:
    """Fraction of all images whose error is at most each of `CURVE_NME`; faces that were not found never are."""
    with np.errstate(invalid="ignore"):
        below: FloatArray = (values[:, None] <= CURVE_NME).mean(axis=0)
    return below.tolist()


def _references(truth: GroundTruth) -> dict[str, FloatArray]:
    references = {"original": truth.original, "original_from_zero": truth.original - 1.0}
    if truth.reannotated is not None:
        references["reannotated"] = truth.reannotated
    return references


def _angle_errors(rotations: FloatArray, angles: FloatArray) -> FloatArray:
    predicted = np.full((len(rotations), 3), np.nan)
    for row in np.flatnonzero(np.isfinite(rotations).all(axis=(1, 2))):
        predicted[row] = euler_angles(rotations[row])
    wrapped: FloatArray = np.degrees((predicted - angles + np.pi) % (2 * np.pi) - np.pi)
    return wrapped


def _by_bin(values: FloatArray, errors: Errors) -> dict[str, Any]:
    bins = _means(values[errors.found], errors.bins[errors.found])
    whole = [value for value in bins if value is not None]
    mean_of_bins = sum(whole) / 3 if len(whole) == 3 else None
    return {"bins": bins, "mean_of_bins": mean_of_bins, "mean": _mean(values[errors.found])}


def _means(values: NDArray[Any], bins: NDArray[np.intp]) -> list[float | None]:
    return [_mean(values[bins == number]) for number in range(3)]


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _median(values: FloatArray) -> float | None:
    return float(np.median(values)) if len(values) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
