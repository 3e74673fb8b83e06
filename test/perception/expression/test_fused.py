"""The learned fusion on rendered faces: what it reads, what a neutral expression does, and its calibration."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.config import ExpressionConfig, LandmarksConfig
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.geometry import crop_from_landmarks, pinhole_camera, project, rotation_from_euler, to_camera
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Landmarks, Pose, Track
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.fused import FusedReader
from face_expr_ros.perception.expression.head import ExpressionHead, Head
from face_expr_ros.perception.expression.neutral import Neutrals, from_neutral, neutral_mask
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.synthetic.scene import FaceRenderer

CAMERA = pinhole_camera(640, 480, 45.0)
POSE = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.5]), metric=True)
Shot = tuple[Frame, Track, FaceFit]


@pytest.fixture(scope="module")
def shots() -> dict[str, Shot]:
    """One rendered person, neutral ("") and with closed eyes, an open jaw and a smile."""
    model = open_face_model("open")
    renderer, finder = FaceRenderer(model, texture_width=384), open_landmarks(LandmarksConfig())
    result = {}
    for names in ("", "eyeBlinkLeft eyeBlinkRight", "jawOpen", "mouthSmileLeft mouthSmileRight"):
        expression = np.array([float(name in names.split()) for name in model.expression_names])
        vertices = model.vertices(np.zeros(len(model.identity)), expression)
        frame = Frame(renderer.render(vertices, POSE, CAMERA), 0, "", CAMERA)
        crop = crop_from_landmarks(project(to_camera(vertices[model.landmarks68], POSE), CAMERA))
        (landmarks,) = finder(frame, [Track("f1", crop, landmarks=None, fresh=True)])
        fit = FaceFit(POSE, np.zeros(40), 0.6 * expression, 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)
        result[names] = frame, Track("f1", crop, landmarks, fresh=False), fit
    return result


def reader(fit_read: bool = True) -> FusedReader:
    head, names = ExpressionHead(), open_face_model("open").expression_names
    order = np.array([names.index(name) for name in head.names]) if fit_read else None
    return FusedReader(head, np.ones(len(names)), order)


def show(stage: Head, shot: Shot) -> dict[str, float]:
    frame, track, fit = shot
    (answer,) = stage(frame, [track], [fit])
    return dict(zip(answer.names, answer.values.tolist(), strict=True))


@pytest.mark.parametrize("fit_read", [True, False])
def test_movements_are_read_with_the_fit_and_without(shots: dict[str, Shot], fit_read: bool) -> None:
    for names, shot in shots.items():
        read = show(Head(reader(fit_read), Neutrals(ExpressionConfig())), shot)
        assert all(0.0 <= value <= 1.0 for value in read.values())
        assert all(read[name] > 0.5 for name in names.split())


def test_a_calibrated_face_reads_as_zero_when_neutral(shots: dict[str, Shot]) -> None:
    stage = Head(reader(), Neutrals(ExpressionConfig()))
    show(stage, shots[""])
    assert stage.calibrate() == 1
    read = show(stage, shots[""])
    assert max(value for name, value in read.items() if not name.startswith("eyeLook")) == pytest.approx(0, abs=1e-6)
    assert show(stage, shots["jawOpen"])["jawOpen"] > 0.5


def test_faces_are_read_alone_and_together_alike(shots: dict[str, Shot]) -> None:
    stage, together = Head(reader(), Neutrals(ExpressionConfig())), shots["jawOpen"]
    alone = show(stage, together)
    frame, track, fit = together
    twin = Track("f2", track.crop, track.landmarks, fresh=False)
    answers = stage(frame, [track, twin], [fit, fit])
    for answer in answers:
        np.testing.assert_allclose(answer.values, list(alone.values()), atol=1e-5)


def test_what_a_neutral_expression_reads_is_taken_off_and_one_stays_one() -> None:
    values, neutral = np.array([[0.2, 0.6, 1.0, 0.1]]), np.array([[0.2, 0.2, 0.2, 0.2]])
    np.testing.assert_allclose(from_neutral(values, neutral), [[0.0, 0.5, 1.0, 0.0]])


def test_the_gaze_is_not_part_of_a_neutral_expression() -> None:
    assert neutral_mask(("jawOpen", "eyeLookUpLeft")).tolist() == [1.0, 0.0]


def test_a_fusion_for_other_features_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("face_expr_ros.perception.expression.fused.FEATURE_VERSION", 99)
    with pytest.raises(BundleError, match="trained for another expression head"):
        reader()


def test_points_that_are_no_face_are_refused() -> None:
    points: FloatArray = np.zeros((478, 3))
    with pytest.raises(ValueError, match="in one place"):
        reader().align(points)


def test_a_face_without_landmarks_reads_as_zeros(shots: dict[str, Shot]) -> None:
    frame, track, fit = shots[""]
    unseen = Track("f9", track.crop, None, fresh=False)
    stage = Head(reader(), Neutrals(ExpressionConfig()))
    assert not stage(frame, [unseen], [fit])[0].values.any()
    assert isinstance(track.landmarks, Landmarks)
