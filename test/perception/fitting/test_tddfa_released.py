"""The released network against the original implementation, and on rendered faces."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import ROOT
from support.tddfa_networks import (
    CAMERA,
    frame_of,
    track,
)

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import (
    crop_from_landmarks,
    default_camera,
    project,
    rotation_from_euler,
    to_camera,
)
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Pose, Roi
from face_expr_ros.evaluation.aflw2000 import nme, yaw_bins
from face_expr_ros.models.bundle import Bundle, open_bundle, open_face_model
from face_expr_ros.perception.fitting.tddfa import TddfaFitter
from face_expr_ros.perception.fitting.tddfa_parameters import in_image
from face_expr_ros.synthetic.scene import FaceRenderer

REAL = ROOT.parent / "shared/data/aflw2000"


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def released(tddfa_bundle: Path) -> Bundle:
    """The bundle 3ddfa_v2 with the network mb05."""
    return open_bundle("3ddfa_v2")


@dataclass(frozen=True)
class Reference:
    """Images of AFLW2000-3D with the true points (2, 68) that define the crops, and the output of the original."""

    images: list[Path]
    points: NDArray[np.float32]
    parameters: NDArray[np.float32]
    points68: NDArray[np.float32]
    yaw_deg: NDArray[np.float32]

    def frames(self) -> Iterator[Frame]:
        for path in self.images:
            image = cv2.imread(str(path))
            yield Frame(image, 0, "", default_camera(image.shape[1], image.shape[0], 63.0))


@pytest.fixture(scope="module")
def reference() -> Reference:
    if not REAL.is_dir():
        pytest.skip(f"the images of AFLW2000-3D are not in {REAL}")
    with np.load(REAL / "ground_truth.npz", allow_pickle=False) as truth:
        images = [next((REAL / "images").glob(f"{Path(name).stem}.*")) for name in truth["names"].tolist()]
        return Reference(
            images, truth["pts68"][:, :2], truth["mb05_params"], truth["mb05_pts68"], np.abs(truth["yaw_deg"])
        )


@pytest.fixture(scope="module")
def fits(released: Bundle, reference: Reference) -> list[FaceFit]:
    """Our fits on the same crops."""
    fitter = TddfaFitter(FittingConfig(), released)
    crops = [crop_from_landmarks(points.T.astype(np.float64)) for points in reference.points]
    return [fitter(frame, [track(crop)])[0] for frame, crop in zip(reference.frames(), crops, strict=True)]


def test_coefficients_match_the_original_implementation(
    released: Bundle, reference: Reference, fits: list[FaceFit]
) -> None:
    assert released.network is not None
    found = np.array([np.concatenate([fit.shape, fit.expression]) for fit in fits])
    expected = reference.parameters[:, 12:]
    allowed = 1e-3 * np.maximum(np.abs(expected), released.network.std[12:])
    assert (np.abs(found - expected) / allowed).max() < 1.0


def test_the_weak_perspective_matches_the_original_implementation(
    released: Bundle, reference: Reference, fits: list[FaceFit]
) -> None:
    network = released.network
    assert network is not None
    for fit, points, expected in zip(fits, reference.points, reference.parameters, strict=True):
        crop = crop_from_landmarks(points.T.astype(np.float64))
        theirs = in_image(expected[None], [crop], network.input_size, 450, network.model_unit, network.origin)[0]
        assert fit.weak_perspective[:, :3] == pytest.approx(theirs[:, :3], rel=1e-3, abs=1e-3 * np.abs(theirs).max())
        assert fit.weak_perspective[:2, 3] == pytest.approx(theirs[:2, 3], abs=0.01)  # pixels


def test_the_68_points_match_the_original_implementation(reference: Reference, fits: list[FaceFit]) -> None:
    for fit, expected in zip(fits, reference.points68, strict=True):
        assert fit.landmarks68[:, :2] == pytest.approx(expected[:2].T, abs=0.05)  # pixels
        depth = -fit.landmarks68[:, 2]  # the original's depth grows towards the camera, and its minimum is 0
        assert depth - depth.min() == pytest.approx(expected[2], abs=0.05)


def test_the_nme_matches_the_original_to_three_digits(reference: Reference, fits: list[FaceFit]) -> None:
    truth = reference.points.transpose(0, 2, 1).astype(np.float64)
    ours = nme(np.array([fit.landmarks68[:, :2] for fit in fits]), truth)
    theirs = nme(reference.points68[:, :2].transpose(0, 2, 1).astype(np.float64), truth)
    for number in range(3):
        members = yaw_bins(reference.yaw_deg) == number
        assert ours[members].mean() == pytest.approx(theirs[members].mean(), abs=5e-4)  # percent


@pytest.mark.slow
def test_confidence_separates_real_faces_from_background(
    released: Bundle, reference: Reference, fits: list[FaceFit]
) -> None:
    fitter = TddfaFitter(FittingConfig(), released)
    rng = np.random.default_rng(0)
    beside = []
    for frame, points in zip(reference.frames(), reference.points, strict=True):
        crop = crop_away_from(crop_from_landmarks(points.T.astype(np.float64)), rng)
        beside += [fitter(frame, [track(crop, fresh=True)])[0].confidence] if crop else []
    assert len(beside) > 300
    assert np.mean([fit.confidence > 0.5 for fit in fits]) > 0.99
    assert np.mean(np.array(beside) > 0.5) < 0.02


def crop_away_from(face: Roi, rng: np.random.Generator) -> Roi | None:
    """A random square in an image of 450 x 450 that does not overlap the face; None if none is found."""
    for _ in range(40):
        side = rng.uniform(50, 230)
        x, y = rng.uniform(-side / 4, 450 - 0.75 * side, 2)
        apart = (x + side < face.x, x > face.x + face.width, y + side < face.y, y > face.y + face.height)
        if any(apart):
            return Roi(x, y, side, side)
    return None


@pytest.mark.parametrize("yaw", [-75, -40, 0, 30, 60])
def test_a_rendered_face_is_fitted_from_a_shifted_crop(released: Bundle, model: MorphableModel, yaw: float) -> None:
    pose = Pose(rotation_from_euler(math.radians(yaw), 0.0, 0.0), np.array([0.05, 0.02, 0.6]), metric=True)
    image = FaceRenderer(model, texture_width=384).render(model.mean, pose, CAMERA)
    truth = project(to_camera(model.mean[model.landmarks68], pose), CAMERA)
    box = crop_from_landmarks(truth)
    shifted = Roi(box.x + 0.1 * box.width, box.y - 0.05 * box.width, box.width, box.width)
    fit = TddfaFitter(FittingConfig(), released)(frame_of(image=image), [track(shifted, fresh=True)])[0]
    assert fit.confidence > 0.8
    assert np.linalg.norm(fit.landmarks68[:, :2] - truth, axis=1).mean() < 0.08 * box.width / math.sqrt(2)
    assert np.degrees(geodesic(fit.pose.rotation, pose.rotation)) < 12.0
    assert fit.pose.position == pytest.approx(pose.position, rel=0.12, abs=0.01)


def geodesic(a: FloatArray, b: FloatArray) -> float:
    return float(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1)))


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_uniform_image_has_low_confidence(released: Bundle, shade: int) -> None:
    image = np.full((480, 640, 3), shade, np.uint8)
    assert TddfaFitter(FittingConfig(), released)(frame_of(image=image), [track(fresh=True)])[0].confidence < 0.1
