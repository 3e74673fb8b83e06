"""Blinks online and against labels, mouth state and agreement on video, MediaPipe, and mouths in photographs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.paths import ROOT

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.geometry import euler_angles, pinhole_camera, project, rotation_to_axis, to_camera
from face_expr_ros.core.types import Blendshapes, FloatArray
from face_expr_ros.evaluation.aflw2000 import GroundTruth
from face_expr_ros.evaluation.expression import mouth, videos
from face_expr_ros.evaluation.expression.baselines import open_mediapipe
from face_expr_ros.evaluation.expression.blinks import EYES, Blink, BlinkCounter, read_labels, score
from face_expr_ros.evaluation.expression.videos import LABELED, Reading, agreement_figures, labels_of, mouth_figures
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.sources.synthetic import SyntheticSource, random_frame
from face_expr_ros.synthetic import actor

SHARED = ROOT.parent / "shared"
TASK = SHARED / "models/mediapipe/face_landmarker.task"
PORTRAIT = SHARED / "data/stills/portrait.jpg"
NAMES = (*EYES, "eyeSquintLeft", "eyeSquintRight", "eyeLookDownLeft", "eyeLookDownRight")
NARROW = 0.15  # contribution of squinting or looking down to eyeBlink
NOISE = 0.01


def count(left: FloatArray, right: FloatArray, rate: float) -> list[Blink]:
    """The blinks that a counter finds in two curves of eyeBlink with `rate` values per second."""
    counter = BlinkCounter()
    found = [
        counter(Blendshapes(EYES, np.array(pair)), n / rate) for n, pair in enumerate(zip(left, right, strict=True))
    ]
    blinks = [blink for blink in found if blink]
    assert counter.count == len(blinks)
    return blinks


def open_eyes(seconds: float, rate: float = 30.0) -> FloatArray:
    return np.zeros(round(seconds * rate))


def closed_between(begin: float, end: float, seconds: float = 8.0, rate: float = 30.0) -> FloatArray:
    """Open eyes that are closed from `begin` to `end`, seconds."""
    times = np.arange(round(seconds * rate)) / rate
    return np.where((times >= begin - 1e-9) & (times < end - 1e-9), 0.9, 0.0)


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
@pytest.mark.parametrize(("closed", "opened"), [(1.0, 0.0), (0.45, 0.05), (0.9, 0.3)])
def test_blinks_of_the_actor_are_counted_but_not_glances_or_squints(rate: float, closed: float, opened: float) -> None:
    """A backend with the value `closed` for closed eyes, `opened` for open ones, and a little more for narrow ones."""
    rng = np.random.default_rng(1)
    times = np.arange(0, actor.LOOP, 1 / rate)
    truth = np.array([actor.state_at(t, NAMES).expression for t in times])
    left, right = (
        opened + (closed - opened) * np.clip(truth[:, eye] + NARROW * (truth[:, eye + 2] + truth[:, eye + 4]), 0, 1)
        for eye in (0, 1)
    )
    noise = NOISE * rng.standard_normal((2, len(times)))
    blinks = count(left + noise[0], right + noise[1], rate)
    middles = np.array([(blink.begin + blink.end) / 2 for blink in blinks])
    expected = np.array(actor._BLINKS) + 0.12
    assert len(middles) == len(expected)
    assert np.abs(middles - expected).max() <= 1.5 / rate


@pytest.mark.parametrize(("seconds", "blinks"), [(0.03, 0), (0.07, 1), (0.3, 1), (0.9, 1), (1.2, 0), (5.0, 0)])
def test_single_frames_and_long_closures_are_not_blinks(seconds: float, blinks: int) -> None:
    curve = closed_between(2.0, 2.0 + seconds)
    assert len(count(curve, curve, 30.0)) == blinks


def test_wink_is_not_a_blink() -> None:
    assert count(closed_between(2.0, 2.2), open_eyes(8.0), 30.0) == []


def test_blink_has_begin_and_end_of_the_closure() -> None:
    curve = closed_between(2.0, 2.2)
    (blink,) = count(curve, curve, 30.0)
    assert (blink.begin, blink.end) == pytest.approx((2.0, 2.2 - 1 / 30))


@pytest.mark.parametrize("again_after", [1.0, -3.0])
def test_gaps_and_time_jumps_do_not_end_a_blink(again_after: float) -> None:
    counter = BlinkCounter()
    shut, opened = (Blendshapes(EYES, np.full(2, value)) for value in (0.9, 0.0))
    for n in range(90):
        assert counter(opened, n / 30) is None
    assert counter(shut, 3.0) is None
    assert counter(shut, 3.1) is None
    assert counter(opened, 3.1 + again_after) is None


def test_blendshapes_without_eyelids_are_rejected() -> None:
    with pytest.raises(ValueError, match="without eyeBlinkLeft"):
        BlinkCounter()(Blendshapes(("bfm_exp_0",), np.zeros(1)), 0.0)


@pytest.mark.parametrize(
    ("found", "labels", "precision", "recall"),
    [
        ([(10, 12), (50, 55)], [(11, 14), (49, 56)], 1.0, 1.0),
        ([(18, 20)], [(11, 15)], 1.0, 1.0),  # three frames aside
        ([(19, 20)], [(11, 15)], 0.0, 0.0),  # four
        ([(10, 12), (14, 16)], [(10, 16)], 0.5, 1.0),  # one closure counted twice
        ([(10, 30)], [(10, 14), (20, 24)], 1.0, 0.5),  # two counted as one
        ([(8, 12), (11, 15)], [(4, 6), (10, 11)], 1.0, 1.0),  # the first could take either
        ([], [(1, 2)], 1.0, 0.0),
        ([(1, 2)], [], 0.0, 1.0),
        ([], [], 1.0, 1.0),
    ],
)
def test_each_label_is_matched_once(
    found: list[tuple[int, int]], labels: list[tuple[int, int]], precision: float, recall: float
) -> None:
    figures = score(found, labels)
    assert (figures["precision"], figures["recall"]) == (precision, recall)
    both = precision + recall
    assert figures["f1"] == pytest.approx(2 * precision * recall / both if both else 0.0)


@pytest.mark.parametrize(
    ("video", "blinks", "frames"), list(zip(LABELED, (14, 4, 2, 1), (587, 352, 75, 75), strict=True))
)
def test_package_labels_are_ordered_and_within_their_clip(video: str, blinks: int, frames: int) -> None:
    labels = np.array(labels_of(video))
    assert len(labels) == blinks
    assert (np.diff(labels.ravel()) >= 0).all()
    assert labels[0, 0] >= 0
    assert labels[-1, 1] < frames


@pytest.mark.parametrize(
    "text", ["first,last\n5,3\n", "first,last\n-1,3\n", "first,last\n5,x\n", "begin,end\n1,2\n", None]
)
def test_invalid_labels_are_rejected_with_the_file_name(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "blinks.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        read_labels(path)


def reading(lips: FloatArray, said: FloatArray, ours: FloatArray, theirs: FloatArray) -> Reading:
    return Reading(30.0, ("jawOpen", "mouthClose"), ours, theirs, lips, said, ())


def test_mouth_is_judged_only_with_an_unambiguous_gap() -> None:
    lips = np.repeat([0.0, 0.1, 0.3, np.nan], 10)
    said = np.repeat([0.0, 1.0, 1.0, np.nan], 10)
    said[0] = 1.0
    values = np.column_stack([np.nan_to_num(lips, nan=0.5), np.zeros(40)])
    figures = mouth_figures(reading(lips, said, values, values))
    assert figures == pytest.approx({"judged": 20 / 30, "agreement": 19 / 20, "open": 0.5, "correlation": 1.0})


def test_agreement_leaves_out_blendshapes_that_hardly_change() -> None:
    wave = 0.5 + 0.5 * np.sin(np.arange(60))
    wave[:5] = np.nan
    theirs = np.column_stack([wave, np.full(60, 0.01)])
    ours = np.column_stack([0.3 * wave + 0.1, wave])
    assert agreement_figures(reading(wave, wave, ours, theirs)) == pytest.approx({"jawOpen": 1.0})


def test_constant_values_have_no_agreement() -> None:
    wave = np.sin(np.arange(60.0))[:, None] * [1.0, 1.0]
    assert agreement_figures(reading(wave[:, 0], wave[:, 0], np.zeros((60, 2)), wave)) == {
        "jawOpen": 0.0,
        "mouthClose": 0.0,
    }


def test_folder_without_the_videos_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected at least one of obama.mp4, .* got none"):
        videos.evaluate_videos(PerceptionConfig(), tmp_path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synthetic clip with a blink and speech, under the name of a video without labels."""
    source = SyntheticSource(CameraConfig(width=480, height=360), texture_width=256)
    path = tmp_path_factory.mktemp("videos") / "obama.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20.0, (480, 360))
    for n in range(40):
        writer.write(source.at(4.0 + n / 20.0)[0].image)
    writer.release()
    return path.parent


def test_synthetic_clip_has_the_expected_blink_and_mouth(clip: Path) -> None:
    read = videos.read_video(clip / "obama.mp4", PerceptionConfig())
    assert read.ours.shape == (40, 52)
    assert np.isfinite(read.ours).all()
    assert np.isnan(read.theirs).all()
    figures = score(read.blinks, [(15, 17)])  # at 4.7 s of the script
    assert figures["f1"] == 1.0
    assert mouth_figures(read)["correlation"] > 0.7  # speech opens it three to four times a second


@pytest.mark.skipif(not TASK.is_file(), reason="MediaPipe's face_landmarker.task is not here")
def test_synthetic_clip_agrees_with_mediapipe_on_the_blink(clip: Path) -> None:
    pytest.importorskip("mediapipe")
    result = videos.evaluate_videos(PerceptionConfig(), clip, TASK)
    assert result["blink"] == {}
    assert set(result["mouth_open"]) == {"obama.mp4"}
    assert set(result["agreement"]) == {"obama.mp4", "mean"}
    assert result["agreement"]["mean"]["eyeBlinkLeft"] > 0.8
    assert "tongueOut" not in result["agreement"]["mean"]


@pytest.mark.skipif(not (TASK.is_file() and PORTRAIT.is_file()), reason="MediaPipe's files are not here")
def test_mediapipe_gives_its_published_values_for_its_portrait() -> None:
    text = PORTRAIT.with_name("portrait_expected_blendshapes.pbtxt").read_text()
    expected = {label: float(value) for value, label in re.findall(r'score: (\S+)\s+label: "(\w+)"', text)}
    pytest.importorskip("mediapipe")
    read = open_mediapipe(TASK, video=False)
    values, empty = read(np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)), read(np.zeros((240, 320, 3), np.uint8))
    read.close()
    assert empty is None
    assert values is not None
    assert set(values) == set(expected) - {"_neutral"}
    assert max(abs(values[name] - expected[name]) for name in values) < 0.13  # the margin of MediaPipe's own test


def damaged(folder: Path) -> Path:
    path = folder / "face_landmarker.task"
    path.write_bytes(b"nothing")
    return path


@pytest.mark.parametrize(
    ("make", "says"), [(lambda folder: folder / "none.task", "is not a file"), (damaged, "cannot be read")]
)
def test_invalid_task_file_is_rejected(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    pytest.importorskip("mediapipe")
    with pytest.raises(ValueError, match=says):
        open_mediapipe(make(tmp_path))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rendered people in the layout of the data set; the original points start at 1."""
    folder = tmp_path_factory.mktemp("aflw2000")
    (folder / "images").mkdir()
    model, camera = open_face_model("open"), pinhole_camera(450, 450, 45.0)
    names, points, pose = [], [], []
    for number in range(3):
        frame, truth = random_frame(model, camera, np.random.default_rng([78, number]))
        names.append(f"{number}.jpg")
        cv2.imwrite(str(folder / "images" / names[-1]), frame.image)
        vertices = model.vertices(truth.shape, truth.expression)[model.landmarks68]
        points.append(project(to_camera(vertices, truth.pose), camera).T)
        yaw, pitch, roll = euler_angles(rotation_to_axis(truth.pose.position) @ truth.pose.rotation)
        pose.append([pitch, yaw, roll, 0, 0, 0, 1])
    original = np.pad(np.array(points) + 1.0, ((0, 0), (0, 1), (0, 0)))
    np.savez(
        folder / "ground_truth.npz", names=names, pts68=original, pts68_reannotated=np.array(points),
        pose_para=np.array(pose), exp_para=np.zeros((3, 29)),
    )  # fmt: skip
    return folder


def test_expression_reduces_the_mouth_error_of_rendered_people(photographs: Path) -> None:
    figures = mouth.mouth_nme(PerceptionConfig(), photographs, field_of_view=45.0)
    assert set(figures) == {"original", "reannotated"}
    row = figures["reannotated"]["all"]
    assert row["images"] == 3
    assert row["fit"] < row["none"]
    assert row["reader"] < row["none"]
    assert row["fit"] < 5.0  # percent


def test_images_without_landmarks_are_left_out() -> None:
    points = np.random.default_rng(3).uniform(0, 100, (4, 3, 68, 2))
    points[2] = np.nan
    angles = np.radians([[10.0, 0, 0], [40, 0, 0], [0, 0, 0], [-20, 0, 0]])
    truth = GroundTruth(("a", "b", "c", "d"), np.nan_to_num(points[:, 0]), None, angles, np.zeros((4, 10)))
    figures = mouth._figures(truth, points)
    assert set(figures) == {"original"}
    assert figures["original"]["all"]["images"] == 3
    assert figures["original"]["frontal"]["images"] == 2
    assert figures["original"]["all"]["fit"] == pytest.approx(0.0)
    assert figures["original"]["all"]["reader"] > 0.0
