"""The expression head on rendered faces, and the state that it stores per face."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig, LandmarksConfig
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.geometry import crop_from_landmarks, pinhole_camera, project, rotation_from_euler, to_camera
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.head import ExpressionHead, Head
from face_expr_ros.perception.expression.neutral import Neutrals
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.synthetic.scene import FaceRenderer

Shot = tuple[NDArray[np.uint8], NDArray[np.float32]]
Shots = dict[str, Shot]
CAMERA = pinhole_camera(640, 480, 45.0)
POSE = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.5]), metric=True)
FIT = FaceFit(POSE, np.zeros(40), np.zeros(52), 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)


@pytest.fixture(scope="module")
def head() -> ExpressionHead:
    return ExpressionHead()


@pytest.fixture(scope="module")
def shots() -> Shots:
    """A person with a neutral expression ("") and with blendshapes at 1: image and FaceMesh's points."""
    model = open_face_model("open")
    renderer, finder = FaceRenderer(model, texture_width=384), open_landmarks(LandmarksConfig())
    result = {}
    for names in ("", "jawOpen", "eyeBlinkLeft eyeBlinkRight", "mouthSmileLeft mouthSmileRight"):
        expression = np.array([float(name in names.split()) for name in model.expression_names])
        vertices = model.vertices(np.zeros(len(model.identity)), expression)
        image = renderer.render(vertices, POSE, CAMERA)
        crop = crop_from_landmarks(project(to_camera(vertices[model.landmarks68], POSE), CAMERA))
        track = Track("f1", crop, landmarks=None, fresh=True)
        (landmarks,) = finder(Frame(image, 0, "", CAMERA), [track])
        assert landmarks is not None
        result[names] = (image, landmarks.points)
    finder.close()
    return result


def values(head: ExpressionHead, image: NDArray[np.uint8], points: FloatArray, *rest: FloatArray) -> dict[str, float]:
    given, _ = head(image, points[None], [rest[0] if rest else None])
    return dict(zip(head.names, given[0], strict=True))


@pytest.mark.parametrize("shown", ["jawOpen", "eyeBlinkLeft eyeBlinkRight", "mouthSmileLeft mouthSmileRight"])
@pytest.mark.parametrize("known", [False, True])
def test_blendshapes_of_rendered_faces_are_estimated(
    head: ExpressionHead, shots: Shots, shown: str, known: bool
) -> None:
    rest = [head(shots[""][0], shots[""][1][None], [None])[1][0]] if known else []
    at_rest, full = values(head, *shots[""], *rest), values(head, *shots[shown], *rest)
    for name in shown.split():
        assert at_rest[name] < 0.2
        assert full[name] > 0.5


def test_a_batch_gives_the_values_of_single_faces(head: ExpressionHead, shots: Shots) -> None:
    image, points = shots["jawOpen"]
    moved = points + np.array([3.0, 2.0, 0.0], np.float32)
    together, states = head(image, np.stack([points, moved]), [None, np.ones(head.state_size)])
    alone = [head(image, points[None], [None])[0][0], head(image, moved[None], [np.ones(head.state_size)])[0][0]]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert states.shape == (2, head.state_size)


def test_values_are_invariant_to_the_position_in_the_image(head: ExpressionHead, shots: Shots) -> None:
    image, points = shots["jawOpen"]
    moved = values(head, np.roll(image, (8, -16), axis=(0, 1)), points + np.array([-16, 8, 0], np.float32))
    assert moved == pytest.approx(values(head, image, points), abs=1e-4)


def test_values_are_invariant_to_the_scale_of_the_image(head: ExpressionHead, shots: Shots) -> None:
    image, points = shots["jawOpen"]
    twice = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    larger = values(head, twice, points.astype(np.float64) * 2 + np.array([0.5, 0.5, 0.0]))
    assert larger == pytest.approx(values(head, image, points), abs=5e-3)  # patches may differ by a gray level


def test_no_faces_give_empty_arrays(head: ExpressionHead) -> None:
    given, states = head(np.zeros((48, 64, 3), np.uint8), np.zeros((0, 478, 3)), [])
    assert given.shape == (0, 52)
    assert states.shape == (0, head.state_size)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.zeros((478, 3)), r"\(n, 478, 3\), got \(478, 3\)"),
        (np.zeros((1, 468, 3)), r"\(1, 468, 3\)"),
        (np.full((1, 478, 3), np.nan), "finite"),
        (np.zeros((1, 478, 3)), "in one place"),
    ],
)
def test_invalid_landmarks_are_rejected(head: ExpressionHead, points: FloatArray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        head(np.zeros((48, 64, 3), np.uint8), points, [None])


def test_a_head_for_another_feature_version_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("face_expr_ros.perception.expression.head.FEATURE_VERSION", 99)
    with pytest.raises(BundleError, match="expected feature version '99', got '1'"):
        ExpressionHead()


@pytest.fixture
def stage() -> Head:
    return Head(ExpressionHead(), Neutrals(ExpressionConfig()))


def show(stage: Head, shot: Shot, stamp: float = 0.0, face_id: str = "f1", seen: bool = True) -> dict[str, float]:
    """The blendshapes of a face in an image at ``stamp`` seconds."""
    image, points = shot
    track = Track(face_id, Roi(0, 0, 9, 9), Landmarks(points, 1.0) if seen else None, fresh=False)
    (answer,) = stage(Frame(image, round(stamp * 1e9), "", CAMERA), [track], [FIT])
    return dict(zip(answer.names, answer.values, strict=True))


def test_a_calibrated_neutral_expression_gives_zeros(stage: Head, shots: Shots) -> None:
    show(stage, shots[""])
    assert stage.calibrate() == 1
    at_rest = show(stage, shots[""], 0.1)
    assert max(value for name, value in at_rest.items() if not name.startswith("eyeLook")) < 1e-3
    assert show(stage, shots["jawOpen"], 0.2)["jawOpen"] > 0.5


def test_values_fade_without_landmarks(stage: Head, shots: Shots) -> None:
    full = show(stage, shots["jawOpen"])["jawOpen"]
    later = [show(stage, shots[""], stamp, seen=False)["jawOpen"] for stamp in (0.0, 0.4, 4.0)]
    assert later == pytest.approx([full, full / np.e, 0.0], abs=1e-3)


def test_values_fade_with_degenerate_landmarks(stage: Head, shots: Shots) -> None:
    full = show(stage, shots["jawOpen"])["jawOpen"]
    image, points = shots[""]
    assert show(stage, (image, np.zeros_like(points)), 0.4)["jawOpen"] == pytest.approx(full / np.e, abs=1e-3)


@pytest.mark.parametrize("forget", [Head.reset, lambda stage: stage.keep([])])
def test_a_deleted_face_has_no_neutral_expression_and_no_history(
    stage: Head, shots: Shots, forget: Callable[[Head], None]
) -> None:
    fresh = show(stage, shots["jawOpen"])
    stage.calibrate()
    assert show(stage, shots["jawOpen"], 0.1) != fresh
    forget(stage)
    assert show(stage, shots[""], 0.2, seen=False) == dict.fromkeys(fresh, 0.0)
    assert show(stage, shots["jawOpen"], 0.3) == pytest.approx(fresh)


def test_the_neutral_expression_is_stored_per_face(stage: Head, shots: Shots) -> None:
    show(stage, shots["jawOpen"])
    stage.calibrate()
    of_another = show(stage, shots["jawOpen"], 0.1, face_id="f2")
    assert of_another == pytest.approx(show(Head(ExpressionHead(), Neutrals(ExpressionConfig())), shots["jawOpen"]))
