"""The score on graded faces: hand-computed values, tables, and the two verbs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.portrait_grades import read_grades
from face_expr_ros.core.portrait_score import COLUMNS, area_under_roc, column_values, pearson, score
from face_expr_ros.evaluation.portraits.measure import Reading, evaluate_portraits
from face_expr_ros.evaluation.portraits.report import result_lines, table, worst, write_page

NAN = float("nan")


def test_every_column_is_the_mean_of_its_blendshapes() -> None:
    names = ("eyeBlinkLeft", "mouthSmileLeft", "mouthSmileRight", "eyeLookUpLeft", "eyeLookDownLeft", "mouthPressLeft")
    values = np.array([[0.9, 0.2, 0.6, 0.5, 0.1, 0.4]])
    read = {column: float(of_face[0]) for column, of_face in column_values(names, values).items()}
    assert read.keys() == COLUMNS.keys()
    assert (read["blinkL"], read["blinkR"], read["smile"]) == (0.9, 0.0, pytest.approx(0.4))
    assert read["gazeV"] == pytest.approx(0.5 / 2 - 0.1 / 2)
    assert read["press"] == pytest.approx(0.4 / 4)


def test_pearson_of_three_points() -> None:
    # deviations (-1, 0, 1) and (-1, 2, -1): orthogonal; (-1, 0, 1) and (-1, -1, 2): 3 / sqrt(2 * 6)
    assert pearson(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 0.0])) == pytest.approx(0.0)
    assert pearson(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 3.0])) == pytest.approx(3 / 12**0.5)


def test_pearson_of_constants() -> None:
    assert pearson(np.array([1.0, 1.0]), np.array([0.0, 1.0])) is None
    assert pearson(np.array([0.0, 1.0]), np.array([0.5, 0.5])) == 0.0
    assert pearson(np.zeros(0), np.zeros(0)) is None


def test_area_under_roc_counts_pairs_and_half_of_ties() -> None:
    positive = np.array([True, True, False, False])
    assert area_under_roc(positive, np.array([0.9, 0.8, 0.1, 0.2])) == 1.0
    assert area_under_roc(positive, np.array([0.9, 0.1, 0.5, 0.5])) == 0.5
    assert area_under_roc(positive, np.array([0.9, 0.5, 0.5, 0.1])) == pytest.approx(3.5 / 4)
    assert area_under_roc(np.array([True]), np.array([0.3])) is None


def test_a_score_by_hand() -> None:
    grades = {"jawOpen": np.array([0.0, 0.0, NAN, 1.5, 2.0, 2.5, 3.0, 3.0]), "pucker": np.array([0.0] * 7 + [3.0])}
    read = {"jawOpen": np.array([0.0, 0.1, 0.9, 0.4, 0.6, 0.8, 1.0, 0.9]), "pucker": np.linspace(0, 1, 8)}
    result = score(grades, read)
    jaw = result["columns"]["jawOpen"]
    assert (jaw["rest"], jaw["full"], jaw["clear"], jaw["strong"]) == (pytest.approx(0.05), pytest.approx(0.9), 5, 3)
    assert jaw["auc"] == 1.0
    seen = [0, 1, 3, 4, 5, 6, 7]
    assert jaw["r"] == pytest.approx(np.corrcoef(grades["jawOpen"][seen], read["jawOpen"][seen])[0, 1])
    assert not result["columns"]["pucker"]["counts"]  # one clear face is too few
    assert result["mean_r"] == jaw["r"]


def test_columns_that_hardly_occur_do_not_count() -> None:
    grades = np.array([0.0, 0.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    result = score({"stretch": grades, "gazeH": grades}, {"stretch": grades, "gazeH": grades})
    assert (result["mean_r"], result["mean_auc"]) == (None, None)


TABLE = """file,passes,jawOpen,gazeH,gazeV,blinkL,occluded
a.png,2,0.5,L1,D2,x,0
b.png,1,3,R2,U1,,1
stylized.png,2,1,0,0,0,2
"""


def test_a_table_of_grades(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(TABLE)
    grades = read_grades(path)
    assert grades.files == ("a.png", "b.png")
    np.testing.assert_array_equal(grades.columns["jawOpen"], [0.5, 3.0])
    np.testing.assert_array_equal(grades.columns["gazeH"], [1.0, -2.0])
    np.testing.assert_array_equal(grades.columns["gazeV"], [-2.0, 1.0])
    assert np.isnan(grades.columns["blinkL"]).all()
    np.testing.assert_array_equal(grades.passes, [2, 1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,jawOpen\na.png,1\n", "expected a table of graded faces with the column 'file'"),
        ("file,beauty\na.png,1\n", "columns such as 'jawOpen'"),
        ("", "columns such as 'jawOpen'"),
        ("file,jawOpen\na.png,much\n", "expected a grade from 0 to 3 or x for jawOpen of 'a.png', got 'much'"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_grades(path)


def test_the_worst_faces_come_first() -> None:
    assert worst(np.array([0.0, 3.0, NAN, 0.0]), np.array([0.1, 0.2, 0.9, 0.5]), count=2) == [1, 3]
    assert worst(np.array([NAN, 1.5]), np.array([0.0, 0.5])) == [1]


@pytest.fixture
def folder(tmp_path: Path, portrait: NDArray[np.uint8]) -> Path:
    """A face, no face, and a file that is not an image."""
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "b_face.png"), portrait)
    cv2.imwrite(str(images / "a_nothing.png"), np.full((48, 64, 3), 90, np.uint8))
    (images / "c_broken.jpg").write_text("not an image")
    (images / "notes.txt").write_text("left out")
    return images


def test_the_pipeline_is_scored_and_a_page_is_written(folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,jawOpen,smile\na_nothing.png,0,0\nb_face.png,2,x\n")
    grades = read_grades(labels)
    result, readings = evaluate_portraits(grades, folder, PerceptionConfig())
    assert (result["faces"], result["found"]) == (2, 1)
    assert result["columns"]["jawOpen"]["rest"] == 0.0  # a face that is not found reads as zeros
    assert any("mean r" in line for line in result_lines(result))
    assert "| mean |" in table(result)
    write_page(tmp_path / "page.html", folder, grades, result, readings["pipeline"])
    assert "b_face.png: graded 2" in (tmp_path / "page.html").read_text()


def test_a_missing_image_is_refused(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,jawOpen\nmissing.png,0\n")
    with pytest.raises(ValueError, match=r"missing\.png', which is missing"):
        evaluate_portraits(read_grades(labels), tmp_path, PerceptionConfig())


def test_an_empty_reading_has_every_column() -> None:
    columns = column_values((), np.zeros((2, 0)))
    assert columns.keys() == COLUMNS.keys()
    assert Reading(columns, np.zeros(2, np.bool_)).columns["jawOpen"].tolist() == [0.0, 0.0]
