"""`face_expr evaluate aflw2000` from files to report, on rendered people written in the data set's two layouts."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from face_expr_ros.cli import main
from face_expr_ros.core.geometry import (
    euler_angles,
    pinhole_camera,
    project,
    rotation_from_euler,
    rotation_to_axis,
    to_camera,
)
from face_expr_ros.core.types import FloatArray, Pose
from face_expr_ros.evaluation import aflw2000_fits, curves
from face_expr_ros.evaluation.aflw2000 import GroundTruth, Prediction, measure, summarize
from face_expr_ros.evaluation.aflw2000_data import Dataset
from face_expr_ros.evaluation.aflw2000_fits import Evaluation, mirror_points
from face_expr_ros.evaluation.report import result_lines, write_report
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.sources.synthetic import random_frame

PEOPLE = 3
LARGEST_NME = 5.0  # percent: what the fit to FaceMesh's landmarks may be off on rendered people near the front
LARGEST_ANGLE = 8.0  # degrees
LARGEST_ROLL_ERROR = 25.0  # degrees: in profile the mouth lies before or behind the eyes


@pytest.fixture(scope="module")
def people() -> tuple[list[Any], GroundTruth]:
    """Images of rendered people and their ground truth: original points from 1, the same ones reannotated from 0."""
    model, camera = open_face_model("open"), pinhole_camera(450, 450, 45.0)
    images, points, angles = [], [], []
    for number in range(PEOPLE):
        frame, truth = random_frame(model, camera, np.random.default_rng([77, number]))
        vertices = model.vertices(truth.shape, truth.expression)[model.landmarks68]
        images.append(frame.image)
        points.append(project(to_camera(vertices, truth.pose), camera) + 1.0)
        angles.append(euler_angles(rotation_to_axis(truth.pose.position) @ truth.pose.rotation))
    names = tuple(f"image{number:05}.jpg" for number in range(PEOPLE))
    original = np.array(points)
    return images, GroundTruth(names, original, original - 1.0, np.array(angles), np.zeros((PEOPLE, 29)))


def write_npz(folder: Path, truth: GroundTruth) -> Path:
    np.savez(
        folder / "ground_truth.npz",
        names=np.array(truth.names),
        pts68=truth.original.transpose(0, 2, 1),
        pts68_reannotated=(truth.original - 1.0).transpose(0, 2, 1),
        pose_para=truth.angles[:, [1, 0, 2]],
        exp_para=truth.expression,
    )
    return folder / "images"


def write_mat(folder: Path, truth: GroundTruth) -> Path:
    for row, name in enumerate(truth.names):
        arrays = {"pt3d_68": truth.original[row].T, "Exp_Para": truth.expression[row][:, None]}
        savemat(folder / name.replace("jpg", "mat"), arrays | {"Pose_Para": truth.angles[row][None, [1, 0, 2]]})
    return folder


@pytest.fixture(params=[write_npz, write_mat])
def folder(request: pytest.FixtureRequest, tmp_path: Path, people: tuple[list[Any], GroundTruth]) -> Path:
    write_images(request.param(tmp_path, people[1]), *people)
    return tmp_path


def write_images(folder: Path, images: list[Any], truth: GroundTruth) -> tuple[Path, ...]:
    folder.mkdir(exist_ok=True)
    for name, image in zip(truth.names, images, strict=True):
        cv2.imwrite(str(folder / name), image)
    return tuple(folder / name for name in truth.names)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["face_expr", "evaluate", "aflw2000", *arguments])
    return main()


@pytest.mark.parametrize("options", [[], ["--flip"], ["--tracking"]], ids=["crops", "flip", "tracking"])
def test_rendered_people_have_small_errors(
    folder: Path,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    arguments = [
        "--data",
        str(folder),
        "--fitter",
        "least_squares",
        "--field-of-view",
        "45",
        "--json",
        str(folder / "result.json"),
    ]
    assert run(monkeypatch, *arguments, "--out", str(folder / "report"), *options) == 0
    result = json.loads((folder / "result.json").read_text())
    assert result["detection_rate"]["all"] == 1
    assert result["nme"]["original_from_zero"]["mean"] < LARGEST_NME
    assert result["mouth_nme"]["original_from_zero"]["mean"] < LARGEST_NME
    assert ("reannotated" in result["nme"]) == (folder / "ground_truth.npz").exists()
    assert max(result["pose_mae_deg"].values()) < LARGEST_ANGLE
    assert result["geodesic_deg"]["mean"] < 2 * LARGEST_ANGLE
    assert result["expression_r2"] is None
    assert any("Expression is not compared" in note for note in result["notes"])
    assert (result["bundle"], result["fitter"]) == ("open", "least_squares")
    assert result["field_of_view_deg"] == 45
    assert (result["flip"], result["tracking"]) == ("--flip" in options, "--tracking" in options)
    assert "all points, original" in capfd.readouterr().out
    assert (folder / "report" / "report.html").exists()


def test_mirroring_points_twice_gives_the_original(people: tuple[list[Any], GroundTruth]) -> None:
    points = people[1].original[0]
    assert mirror_points(mirror_points(points, 451), 451) == pytest.approx(points)
    assert mirror_points(points, 451)[36] == pytest.approx([451 - points[45, 0], points[45, 1]])


@pytest.mark.parametrize("roll", [-120.0, -40.0, 0.0, 25.0])
@pytest.mark.parametrize("yaw", [0.0, 60.0, 90.0])
def test_roll_of_the_points_is_that_of_the_head_even_in_profile(yaw: float, roll: float) -> None:
    model, camera = open_face_model("open"), pinhole_camera(450, 450, 20.0)
    pose = Pose(rotation_from_euler(*np.radians([yaw, 0.0, roll])), np.array([0.0, 0.0, 1.0]), metric=True)
    points = project(to_camera(model.mean[model.landmarks68], pose), camera)
    turned = np.degrees(aflw2000_fits.roll_of(points)) - roll
    assert abs((turned + 180.0) % 360.0 - 180.0) < LARGEST_ROLL_ERROR


def test_flip_averages_the_landmarks_of_image_and_mirror_image(people: tuple[list[Any], GroundTruth]) -> None:
    """A fitter that is always 3 pixels too far right is right on average."""
    image, truth = people[0][0], people[1].original[0]

    def look(image: Any, points: FloatArray) -> Prediction:
        return Prediction(points - 1.0 + np.array([3.0, 1.0]), np.eye(3), np.zeros(10))

    prediction = aflw2000_fits.with_flip(look)(image, truth)
    assert prediction is not None
    assert prediction.landmarks68 == pytest.approx(truth - 1.0 + np.array([0.0, 1.0]))


@pytest.mark.parametrize("lost", ["straight", "mirrored"])
def test_flip_keeps_a_face_found_only_in_the_original_image(lost: str, people: tuple[list[Any], GroundTruth]) -> None:
    image, truth = people[0][0], people[1].original[0]
    lost_flags = iter([lost == "straight", lost == "mirrored"])

    def look(image: Any, points: FloatArray) -> Prediction | None:
        return None if next(lost_flags) else Prediction(points - 1.0, np.eye(3), np.zeros(10))

    prediction = aflw2000_fits.with_flip(look)(image, truth)
    assert (prediction is None) == (lost == "straight")
    assert prediction is None or prediction.landmarks68 == pytest.approx(truth - 1.0)


# The report.


@pytest.fixture
def evaluated(tmp_path: Path, people: tuple[list[Any], GroundTruth]) -> tuple[Dataset, Evaluation]:
    """Perfect predictions, but for the last face, which is not found."""
    images, truth = people
    rows = zip(truth.original, truth.angles, strict=True)
    exact = [Prediction(points, rotation_from_euler(*angles), np.zeros(10)) for points, angles in rows]
    predictions = [*exact[:-1], None]
    errors = measure(truth, predictions)
    described = {"bundle": "<made up>", "fitter": "exact", "notes": ["3 images."]}
    result = described | summarize(truth, predictions, errors, basel=True)
    return Dataset(write_images(tmp_path / "images", images, truth), truth), Evaluation(predictions, errors, result)


def test_table_has_a_row_per_image_and_empty_cells_without_a_face(
    tmp_path: Path, evaluated: tuple[Dataset, Evaluation]
) -> None:
    write_report(tmp_path, *evaluated)
    with (tmp_path / "images.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(evaluated[0].truth.names)
    assert [row["found"] for row in rows] == ["1", "1", "0"]
    assert {row["yaw_bin"] for row in rows} <= {"0-30", "30-60"}
    assert rows[0]["nme_original"] == "0.0000"
    assert rows[-1]["nme_original"] == rows[-1]["geodesic_deg"] == rows[-1]["yaw_error_deg"] == ""


def test_page_is_one_file_with_results_curves_and_faces(tmp_path: Path, evaluated: tuple[Dataset, Evaluation]) -> None:
    write_report(tmp_path, *evaluated)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;made up&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!data:image/)', page)
    assert page.count("data:image/png;base64,") == 2
    assert page.count("data:image/jpeg;base64,") == 3
    assert "<h2>Not found: 1</h2>" in page
    assert "image00002.jpg: not found, yaw " in page
    assert "<td>66.667</td>" in page


def test_report_without_detections_is_written(tmp_path: Path, evaluated: tuple[Dataset, Evaluation]) -> None:
    dataset, evaluation = evaluated
    predictions: list[Prediction | None] = [None] * len(dataset.paths)
    errors = measure(dataset.truth, predictions)
    result = evaluation.result | summarize(dataset.truth, predictions, errors, basel=True)
    write_report(tmp_path, dataset, Evaluation(predictions, errors, result))
    assert "Largest errors" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_terminal_lines_show_bins_means_and_missing_values(evaluated: tuple[Dataset, Evaluation]) -> None:
    lines = result_lines(evaluated[1].result)
    assert lines[0].split() == ["NME,", "percent", "0-30", "30-60", "60-90", "of", "bins", "plain"]
    assert next(line for line in lines if line.startswith("faces found")).split()[-2:] == ["-", "66.667"]
    assert lines[-1] == "3 images."


def test_report_without_matplotlib_is_rejected_before_the_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(curves, "find_spec", lambda name: None)
    assert run(monkeypatch, "--data", str(tmp_path), "--out", str(tmp_path / "report")) == 2
    assert capsys.readouterr().err == (
        "face_expr: a report needs matplotlib, which is not installed: pip install matplotlib, or leave out --out\n"
    )
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "expected AFLW2000-3D in '.'"),
        (["--fitter", "guess"], "fitting.backend: expected one of"),
        (["--field-of-view", "180"], "fitting.field_of_view: expected a number from 5 to 170 (degrees), got 180.0"),
        (["--bundle", "closed"], "bundle: expected one of"),
        (["--out", "file/report"], "Not a directory"),
    ],
)
def test_invalid_options_give_a_one_line_error_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert run(monkeypatch, "--data", ".", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
