"""The network's numbers against faces whose pose and place are known, bad crops, and the released implementation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from face_expr_ros.bundle import Bundle, Network, open_bundle, open_face_model
from face_expr_ros.config import ConfigError, FittingConfig
from face_expr_ros.evaluation.aflw2000 import nme, yaw_bins
from face_expr_ros.face_model import BundleError, MorphableModel
from face_expr_ros.fitting import open_fitter
from face_expr_ros.fitting.fused import FusedFitter
from face_expr_ros.fitting.least_squares import LeastSquaresFitter
from face_expr_ros.fitting.tddfa import TddfaFitter
from face_expr_ros.fitting.tddfa_parameters import confidence_from, crop_pixels, distortion, in_image, network_input
from face_expr_ros.geometry import (
    crop_from_landmarks,
    default_camera,
    euler_angles,
    pinhole_camera,
    project,
    rotation_from_euler,
    to_camera,
    weak_perspective,
    weak_perspective_pixels,
)
from face_expr_ros.models.onnx_graph import Graph
from face_expr_ros.onnx_network import OnnxNetwork
from face_expr_ros.rendering.scene import FaceRenderer
from face_expr_ros.values import Camera, FaceFit, FloatArray, Frame, Pose, Roi, Track

REAL = Path(__file__).parents[2] / "shared/data/aflw2000"
SIZE, SHAPES, EXPRESSIONS = 120, 40, 52
CAMERA = pinhole_camera(640, 480, field_of_view=45.0)
CROP = Roi(200.0, 100.0, 240.0, 240.0)
UNIT, ORIGIN = 1e-3, np.array([0.001, -0.02, 0.1])  # a network that counts millimeters from inside the head


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


def frame_of(camera: Camera = CAMERA, image: NDArray[np.uint8] | None = None) -> Frame:
    black = np.zeros((camera.height, camera.width, 3), np.uint8)
    return Frame(black if image is None else image, 0, "camera_optical_frame", camera)


def track(crop: Roi = CROP, *, fresh: bool = False) -> Track:
    return Track("f1", crop, None, fresh)


def crop_numbers(matrix: FloatArray, crop: Roi, height: int) -> FloatArray:
    """The 12 numbers of a network that sees a weak perspective (3, 4) in a crop: the inverse of `in_image`."""
    scale = SIZE / crop.width
    turn = matrix[:, :3] * scale * UNIT
    x = (matrix[0, 3] - 1 - crop.x) * scale + 1
    y = SIZE - (height - matrix[1, 3] - crop.y) * scale
    return np.column_stack([turn, np.array([x, y, -66.7]) - turn @ ORIGIN / UNIT]).ravel()


def bundle_that_answers(
    folder: Path, model: MorphableModel, answer: FloatArray, logit: float | None = None, shade: float = 0.0
) -> Bundle:
    """A bundle whose network gives the same parameters whatever it sees.

    With ``shade`` every number grows by it for each unit of the crop's mean.
    """
    width = len(answer)
    rng = np.random.default_rng(1)
    mean, std = rng.normal(size=width), rng.uniform(0.5, 2.0, width)
    said = (answer - mean) / std if logit is None else np.append((answer - mean) / std, logit)
    graph = Graph({"input": ["n", 3, SIZE, SIZE]})
    pooled = graph.node("Flatten", graph.node("GlobalAveragePool", "input"))
    weight = graph.constant(np.full((3, len(said)), shade / 3, np.float32))
    output = graph.node("Gemm", pooled, weight, graph.constant(said.astype(np.float32)))
    graph.save(folder / "net.onnx", {"output": (output, ["n", len(said)])})
    network = Network(
        folder / "net.onnx", "", "input", "output", SIZE, mean, std, SHAPES, EXPRESSIONS, UNIT, ORIGIN
    )  # fmt: skip
    return Bundle("mine", False, model, network, None)


def fit_of(bundle: Bundle, crop: Roi = CROP, camera: Camera = CAMERA, *, fresh: bool = False) -> FaceFit:
    (fit,) = TddfaFitter(FittingConfig(), bundle)(frame_of(camera), [track(crop, fresh=fresh)])
    return fit


# --- the numbers --------------------------------------------------------------------------------------------------


@given(
    x=st.floats(-50, 600), y=st.floats(-50, 400), side=st.floats(20, 500), yaw=st.floats(-1.4, 1.4),
    pitch=st.floats(-0.6, 0.6), z=st.floats(0.3, 3.0),
)  # fmt: skip
def test_numbers_of_a_crop_mean_the_same_face_in_the_whole_image(
    x: float, y: float, side: float, yaw: float, pitch: float, z: float
) -> None:
    pose = Pose(rotation_from_euler(yaw, pitch, 0.1), np.array([0.1, -0.05, z]), metric=True)
    matrix, crop = weak_perspective(pose, CAMERA), Roi(x, y, side, side)
    found = in_image(crop_numbers(matrix, crop, CAMERA.height)[None], [crop], SIZE, CAMERA.height, UNIT, ORIGIN)[0]
    assert found == pytest.approx(matrix, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("lens", [[], [-0.2, 0.05, 0.001, -0.001]])
@pytest.mark.parametrize("yaw", [-80, -30, 0, 50])
def test_pose_points_and_coefficients_are_those_the_network_speaks_of(
    tmp_path: Path, model: MorphableModel, yaw: float, lens: list[float]
) -> None:
    camera = Camera(640, 480, CAMERA.matrix, np.array(lens), metric=True)
    pose = Pose(rotation_from_euler(math.radians(yaw), -0.2, 0.1), np.array([0.12, 0.08, 0.7]), metric=True)
    rng = np.random.default_rng(2)
    shape, expression = rng.normal(size=SHAPES), rng.uniform(size=EXPRESSIONS) * 0.3
    numbers = crop_numbers(weak_perspective(pose, camera), CROP, camera.height)
    fit = fit_of(bundle_that_answers(tmp_path, model, np.concatenate([numbers, shape, expression])), camera=camera)
    assert fit.pose.position == pytest.approx(pose.position, rel=1e-4, abs=1e-5)
    assert np.degrees(euler_angles(fit.pose.rotation)) == pytest.approx(
        np.degrees(euler_angles(pose.rotation)), abs=0.01
    )
    assert fit.shape == pytest.approx(shape, abs=1e-4)
    assert fit.expression == pytest.approx(expression, abs=1e-4)
    assert fit.weak_perspective == pytest.approx(weak_perspective(fit.pose, camera), rel=1e-3, abs=0.05)
    points = model.vertices(shape, expression)[model.landmarks68]
    assert fit.landmarks68 == pytest.approx(weak_perspective_pixels(fit.weak_perspective, points, 480), abs=0.01)
    # A weak perspective leaves the lens's perspective by the depth of the face over its distance.
    assert np.abs(fit.landmarks68[:, :2] - project(to_camera(points, pose), camera)).mean() < 12.0  # pixels
    assert fit.confidence == pytest.approx(1.0, abs=1e-3)


def test_a_guessed_camera_gives_a_pose_that_says_so(tmp_path: Path, model: MorphableModel) -> None:
    camera = default_camera(640, 480, 63.0)
    fit = fit_of(bundle_that_answers(tmp_path, model, frontal(camera)), camera=camera)
    assert not fit.pose.metric


def frontal(camera: Camera = CAMERA, crop: Roi = CROP) -> FloatArray:
    """What a network says of the mean face that looks into the camera, 0.7 m away."""
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.7]), metric=True)
    numbers = crop_numbers(weak_perspective(pose, camera), crop, camera.height)
    return np.concatenate([numbers, np.zeros(SHAPES + EXPRESSIONS)])


@pytest.mark.parametrize(("logit", "confidence"), [(-800.0, 0.0), (0.0, 0.5), (2.0, 0.881), (800.0, 1.0)])
def test_a_network_with_a_face_logit_is_as_sure_as_it_says(
    tmp_path: Path, model: MorphableModel, logit: float, confidence: float
) -> None:
    fit = fit_of(bundle_that_answers(tmp_path, model, frontal(), logit))
    assert fit.confidence == pytest.approx(confidence, abs=1e-3)


def test_all_faces_of_a_frame_are_seen_in_one_run_each_in_its_own_crop(tmp_path: Path, model: MorphableModel) -> None:
    fitter = TddfaFitter(FittingConfig(), bundle_that_answers(tmp_path, model, frontal(), shade=1e-3))
    frame = frame_of(image=np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8))
    crops = [CROP, Roi(0.0, 0.0, 90.0, 90.0), Roi(math.nan, 0.0, 10.0, 10.0), Roi(500.0, 300.0, 300.0, 300.0)]
    together = fitter(frame, [track(crop) for crop in crops])
    for crop, fit in zip(crops, together, strict=True):
        (alone,) = fitter(frame, [track(crop)])
        assert fit.landmarks68 == pytest.approx(alone.landmarks68, abs=1e-3)  # pixels
    assert [fit.confidence > 0.5 for fit in together] == [True, True, False, True]
    assert fitter(frame, []) == []


def test_a_fresh_crop_is_looked_at_twice(tmp_path: Path, model: MorphableModel) -> None:
    bundle = bundle_that_answers(tmp_path, model, frontal())  # at the same place of every crop
    first, second = fit_of(bundle), fit_of(bundle, fresh=True)
    recentered = fit_of(bundle, crop_from_landmarks(first.landmarks68))
    assert second.landmarks68 == pytest.approx(recentered.landmarks68)
    assert np.abs(second.landmarks68 - first.landmarks68).max() > 1.0  # pixels


def test_nothing_is_remembered(tmp_path: Path, model: MorphableModel) -> None:
    fitter = TddfaFitter(FittingConfig(), bundle_that_answers(tmp_path, model, frontal(), shade=1e-3))
    rng = np.random.default_rng(0)
    frames = [frame_of(image=rng.integers(0, 255, (480, 640, 3), np.uint8)) for _ in range(2)]
    alone = fitter(frames[1], [track()])[0].landmarks68
    fitter.reset()
    fitter(frames[0], [track()])
    assert (fitter(frames[1], [track()])[0].landmarks68 == alone).all()
    assert (fitter.expression_gain() == np.ones(EXPRESSIONS)).all()


# --- confidence ---------------------------------------------------------------------------------------------------


def test_a_scaled_rotation_is_a_face_and_a_mirror_or_nothing_is_none() -> None:
    rotation = rotation_from_euler(0.4, -0.2, 0.1)
    off = distortion(np.array([4e-4 * rotation, rotation @ np.diag([1.0, 1.0, -1.0]), np.zeros((3, 3))]))
    assert off == pytest.approx([0.0, math.inf, math.inf], abs=1e-9)
    assert confidence_from(off) == pytest.approx([1.0, 0.0, 0.0])


@pytest.mark.parametrize(("stretch", "low", "high"), [(1.05, 0.8, 0.95), (1.116, 0.45, 0.55), (1.5, 0.0, 0.01)])
def test_the_less_of_a_rotation_the_less_of_a_face(stretch: float, low: float, high: float) -> None:
    matrix = rotation_from_euler(0.4, -0.2, 0.1) @ np.diag([1.0, stretch, 1.0])
    assert low < confidence_from(distortion(matrix[None]))[0] < high


# --- crops --------------------------------------------------------------------------------------------------------


def test_a_crop_within_the_image_is_not_copied() -> None:
    image = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    pixels = crop_pixels(image, Roi(9.6, 5.4, 30.0, 30.0))
    assert pixels is not None
    assert pixels.base is not None
    assert (pixels == image[5:35, 10:40]).all()


def test_a_crop_that_reaches_outside_is_black_there() -> None:
    image = np.full((60, 80, 3), 200, np.uint8)
    pixels = crop_pixels(image, Roi(-10.0, 50.0, 40.0, 40.0))
    assert pixels is not None
    assert pixels.shape == (40, 40, 3)
    assert (pixels[:10, 10:] == 200).all()
    assert (pixels[10:] == 0).all()
    assert (pixels[:, :10] == 0).all()


def test_a_huge_crop_is_thinned_and_shows_the_same(portrait: NDArray[np.uint8]) -> None:
    large = cv2.resize(portrait, None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR)
    small, huge = (
        crop_pixels(portrait, Roi(-50.0, -50.0, 600.0, 600.0)),
        crop_pixels(large, Roi(-400, -400, 4800, 4800)),
    )
    assert small is not None
    assert huge is not None
    assert max(huge.shape) < 2048
    difference = network_input([small], SIZE) - network_input([huge], SIZE)
    assert np.abs(difference).mean() * 128 < 3.0  # of 255


def test_the_networks_input_is_upstreams() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (77, 77, 3), np.uint8)
    wanted = (cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32) - 127.5) / 128
    assert (network_input([pixels], SIZE)[0] == wanted.transpose(2, 0, 1)).all()


@pytest.mark.parametrize(
    "crop",
    [
        Roi(math.nan, 0.0, 100.0, 100.0),
        Roi(0.0, 0.0, math.inf, math.inf),
        Roi(0.0, 0.0, math.nan, 100.0),
        Roi(100.0, 100.0, 0.0, 0.0),
        Roi(100.0, 100.0, 0.3, 0.3),
        Roi(100.0, 100.0, -50.0, -50.0),
        Roi(-200.0, -200.0, 100.0, 100.0),
        Roi(640.0, 0.0, 100.0, 100.0),
        Roi(1e300, 0.0, 100.0, 100.0),
    ],
    ids=repr,
)
def test_a_crop_that_shows_nothing_gives_a_face_without_confidence(
    tmp_path: Path, model: MorphableModel, crop: Roi
) -> None:
    fit = fit_of(bundle_that_answers(tmp_path, model, frontal()), crop, fresh=True)
    assert fit.confidence == 0.0
    assert_finite(fit)


def assert_finite(fit: FaceFit) -> None:
    for values in (fit.landmarks68, fit.weak_perspective, fit.shape, fit.expression, fit.pose.position):
        assert np.isfinite(values).all()
    assert fit.pose.rotation @ fit.pose.rotation.T == pytest.approx(np.eye(3), abs=1e-6)
    assert np.linalg.det(fit.pose.rotation) == pytest.approx(1.0)


@pytest.mark.parametrize("crop", [Roi(-1e9, -1e9, 2e9, 2e9), Roi(600.0, 440.0, 90.0, 90.0), Roi(3.0, 3.0, 1.0, 1.0)])
def test_a_crop_with_a_little_of_the_image_is_looked_at(tmp_path: Path, model: MorphableModel, crop: Roi) -> None:
    assert_finite(fit_of(bundle_that_answers(tmp_path, model, frontal()), crop, fresh=True))


@pytest.mark.parametrize("size", [1, 2])
def test_an_image_of_a_pixel_is_no_error(tmp_path: Path, model: MorphableModel, size: int) -> None:
    camera = default_camera(size, size, 63.0)
    assert_finite(fit_of(bundle_that_answers(tmp_path, model, frontal()), Roi(0, 0, 1, 1), camera, fresh=True))


@pytest.mark.parametrize("crop", [Roi(0.0, 0.0, 10_000.0, 10_000.0), Roi(-900.0, -900.0, 10_000.0, 10_000.0)])
def test_an_image_of_100_megapixels_is_not_copied(crop: Roi) -> None:
    image = np.zeros((10_000, 10_000, 3), np.uint8)  # the system gives no memory for zeros that nobody touches
    pixels = crop_pixels(image, crop)
    assert pixels is not None
    assert np.shares_memory(pixels, image) or pixels.nbytes < 4_000_000
    assert network_input([pixels], SIZE).shape == (1, 3, SIZE, SIZE)


@pytest.mark.parametrize("number", [0, 3, 11, 20, -1])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_network_that_answers_no_numbers_gives_a_face_without_confidence(
    tmp_path: Path, model: MorphableModel, wrong: float, number: int
) -> None:
    answer = frontal()
    answer[number] = wrong
    fit = fit_of(bundle_that_answers(tmp_path, model, answer), fresh=True)
    assert fit.confidence == 0.0
    assert_finite(fit)


# --- networks and settings that do not fit ------------------------------------------------------------------------


def test_a_network_that_is_no_network_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(BundleError, match=r"net\.onnx' cannot be opened"):
        OnnxNetwork(tmp_path / "net.onnx", ["input"])
    with pytest.raises(BundleError, match=r"absent\.onnx' cannot be opened"):
        OnnxNetwork(tmp_path / "absent.onnx", ["input"])


def test_a_network_with_another_input_says_which(tmp_path: Path, model: MorphableModel) -> None:
    bundle_that_answers(tmp_path, model, frontal())
    with pytest.raises(BundleError, match=r"net\.onnx should have the input 'image' and has 'input'"):
        OnnxNetwork(tmp_path / "net.onnx", ["image"])


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is CUDA here")
def test_cuda_where_there_is_none_is_a_config_error(tmp_path: Path, model: MorphableModel) -> None:
    with pytest.raises(ConfigError, match=r"CUDAExecutionProvider was asked for.*set fitting\.provider to cpu"):
        TddfaFitter(FittingConfig(provider="cuda"), bundle_that_answers(tmp_path, model, frontal()))


def test_the_network_answers_the_same_on_more_threads(tmp_path: Path, model: MorphableModel) -> None:
    bundle = bundle_that_answers(tmp_path, model, frontal())
    fits = [TddfaFitter(FittingConfig(threads=n), bundle)(frame_of(), [track()])[0] for n in (1, 2)]
    assert fits[0].landmarks68 == pytest.approx(fits[1].landmarks68)


def test_a_bundle_without_a_network_cannot_be_fitted_by_one(model: MorphableModel) -> None:
    with pytest.raises(ConfigError, match="bundle 'mine' has none"):
        open_fitter(FittingConfig(backend="tddfa"), Bundle("mine", False, model, None, None))


def test_auto_takes_all_that_a_bundle_has(tmp_path: Path, model: MorphableModel) -> None:
    bundle = bundle_that_answers(tmp_path, model, frontal())
    without = replace(bundle, model=replace(model, facemesh_triangle=np.zeros(0, np.int32)))
    assert isinstance(open_fitter(FittingConfig(), bundle), FusedFitter)
    assert isinstance(open_fitter(FittingConfig(), replace(bundle, network=None)), LeastSquaresFitter)
    assert isinstance(open_fitter(FittingConfig(), without), TddfaFitter)
    with pytest.raises(ConfigError, match="set it to tddfa or auto"):
        open_fitter(FittingConfig(backend="least_squares"), without)


# --- the released network -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def released(tddfa_bundle: Path) -> Bundle:
    """The bundle 3ddfa_v2 with the network mb05."""
    return open_bundle("3ddfa_v2")


@dataclass(frozen=True)
class Reference:
    """AFLW2000-3D's images with the true points (2, 68) that crops are made from, and the original's answers."""

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
    """Our answers on the same crops."""
    fitter = TddfaFitter(FittingConfig(), released)
    crops = [crop_from_landmarks(points.T.astype(np.float64)) for points in reference.points]
    return [fitter(frame, [track(crop)])[0] for frame, crop in zip(reference.frames(), crops, strict=True)]


def test_coefficients_are_those_of_the_original_implementation(
    released: Bundle, reference: Reference, fits: list[FaceFit]
) -> None:
    assert released.network is not None
    found = np.array([np.concatenate([fit.shape, fit.expression]) for fit in fits])
    wanted = reference.parameters[:, 12:]
    allowed = 1e-3 * np.maximum(np.abs(wanted), released.network.std[12:])
    assert (np.abs(found - wanted) / allowed).max() < 1.0


def test_the_weak_perspective_is_that_of_the_original_implementation(
    released: Bundle, reference: Reference, fits: list[FaceFit]
) -> None:
    network = released.network
    assert network is not None
    for fit, points, wanted in zip(fits, reference.points, reference.parameters, strict=True):
        crop = crop_from_landmarks(points.T.astype(np.float64))
        theirs = in_image(wanted[None], [crop], network.input_size, 450, network.model_unit, network.origin)[0]
        assert fit.weak_perspective[:, :3] == pytest.approx(theirs[:, :3], rel=1e-3, abs=1e-3 * np.abs(theirs).max())
        assert fit.weak_perspective[:2, 3] == pytest.approx(theirs[:2, 3], abs=0.01)  # pixels


def test_the_68_points_are_those_of_the_original_implementation(reference: Reference, fits: list[FaceFit]) -> None:
    for fit, wanted in zip(fits, reference.points68, strict=True):
        assert fit.landmarks68[:, :2] == pytest.approx(wanted[:2].T, abs=0.05)  # pixels
        depth = -fit.landmarks68[:, 2]  # theirs grows towards the camera, and its least is 0
        assert depth - depth.min() == pytest.approx(wanted[2], abs=0.05)


def test_the_error_of_the_68_points_equals_the_originals_to_three_digits(
    reference: Reference, fits: list[FaceFit]
) -> None:
    truth = reference.points.transpose(0, 2, 1).astype(np.float64)
    ours = nme(np.array([fit.landmarks68[:, :2] for fit in fits]), truth)
    theirs = nme(reference.points68[:, :2].transpose(0, 2, 1).astype(np.float64), truth)
    for number in range(3):
        members = yaw_bins(reference.yaw_deg) == number
        assert ours[members].mean() == pytest.approx(theirs[members].mean(), abs=5e-4)  # percent


@pytest.mark.slow
def test_real_faces_are_told_from_what_is_around_them(
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
    """A random square of an image of 450 x 450 that shares nothing with the face; None where there is hardly room."""
    for _ in range(40):
        side = rng.uniform(50, 230)
        x, y = rng.uniform(-side / 4, 450 - 0.75 * side, 2)
        apart = (x + side < face.x, x > face.x + face.width, y + side < face.y, y > face.y + face.height)
        if any(apart):
            return Roi(x, y, side, side)
    return None


@pytest.mark.parametrize("yaw", [-75, -40, 0, 30, 60])
def test_a_rendered_face_is_found_where_it_is(released: Bundle, model: MorphableModel, yaw: float) -> None:
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
def test_an_even_image_is_no_face(released: Bundle, shade: int) -> None:
    image = np.full((480, 640, 3), shade, np.uint8)
    assert TddfaFitter(FittingConfig(), released)(frame_of(image=image), [track(fresh=True)])[0].confidence < 0.1
