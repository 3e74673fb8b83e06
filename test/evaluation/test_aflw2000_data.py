"""Both layouts of the data set AFLW2000-3D, and invalid data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from support.aflw2000_truth import COUNT, axes_first, perfect, random_truth

from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.aflw2000 import GroundTruth, measure
from face_expr_ros.evaluation.aflw2000_data import open_dataset
from face_expr_ros.sources.image_files import read_image


@pytest.fixture
def truth() -> GroundTruth:
    return random_truth()


def write_npz(folder: Path, truth: GroundTruth, **changes: object) -> None:
    arrays: dict[str, object] = {
        "names": np.array(truth.names),
        "pts68": np.dstack([truth.original, np.zeros((len(truth.names), 68))]).transpose(0, 2, 1),
        "pts68_reannotated": axes_first(truth.reannotated),
        "pose_para": np.hstack([truth.angles[:, [1, 0, 2]], np.ones((len(truth.names), 4))]),
        "exp_para": truth.expression,
    }
    arrays |= changes
    (folder / "images").mkdir(exist_ok=True)
    for name in truth.names:
        cv2.imwrite(str(folder / "images" / name), np.zeros((450, 450, 3), np.uint8))
    np.savez(folder / "ground_truth.npz", **{name: value for name, value in arrays.items() if value is not None})


def write_mat(folder: Path, truth: GroundTruth, **changes: object) -> None:
    for row, name in enumerate(truth.names):
        cv2.imwrite(str(folder / name), np.zeros((450, 450, 3), np.uint8))
        arrays: dict[str, object] = {
            "pt3d_68": np.vstack([truth.original[row].T, np.zeros(68)]),
            "Pose_Para": np.hstack([truth.angles[row, [1, 0, 2]], np.ones(4)])[None],
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": truth.expression[row][:, None],
        }
        arrays |= changes
        savemat(folder / Path(name).with_suffix(".mat"), {k: v for k, v in arrays.items() if v is not None})


def assert_same(read: GroundTruth, truth: GroundTruth) -> None:
    assert read.names == truth.names
    for name in ("original", "angles", "expression"):
        assert getattr(read, name) == pytest.approx(getattr(truth, name)), name


@pytest.mark.parametrize("write", [write_npz, write_mat])
def test_both_layouts_give_the_same_ground_truth(
    tmp_path: Path, truth: GroundTruth, write: Callable[..., None]
) -> None:
    write(tmp_path, truth)
    dataset = open_dataset(tmp_path)
    assert_same(dataset.truth, truth)
    assert [path.name for path in dataset.paths] == list(truth.names)
    assert read_image(dataset.paths[0]).shape == (450, 450, 3)


def test_npz_without_reannotated_points_is_read(tmp_path: Path, truth: GroundTruth) -> None:
    write_npz(tmp_path, truth, pts68_reannotated=None)
    read = open_dataset(tmp_path).truth
    assert read.reannotated is None
    assert set(measure(read, perfect(truth)).nme) == {"original", "original_from_zero"}


def test_reannotated_points_next_to_the_original_files_are_read(tmp_path: Path, truth: GroundTruth) -> None:
    write_mat(tmp_path, truth)
    assert open_dataset(tmp_path).truth.reannotated is None
    np.save(tmp_path / "AFLW2000-3D-Reannotated.pts68.npy", axes_first(truth.reannotated))
    assert open_dataset(tmp_path).truth.reannotated == pytest.approx(truth.reannotated)


def test_npz_of_reannotated_points_may_have_another_order(tmp_path: Path, truth: GroundTruth) -> None:
    write_mat(tmp_path, truth)
    points = axes_first(truth.reannotated)[::-1]
    np.savez(tmp_path / "reannotated.npz", names=np.array(truth.names[::-1]), pts68_reannotated=points)
    assert open_dataset(tmp_path).truth.reannotated == pytest.approx(truth.reannotated)


def leave_out_an_image(folder: Path, truth: GroundTruth) -> None:
    write_npz(folder, truth)
    (folder / "images" / truth.names[2]).unlink()


def damage_a_mat(folder: Path, truth: GroundTruth) -> None:
    write_mat(folder, truth)
    (folder / "image00001.mat").write_bytes(b"no mat" * 40)


def with_npy(points: FloatArray) -> Callable[[Path, GroundTruth], None]:
    def write(folder: Path, truth: GroundTruth) -> None:
        write_mat(folder, truth)
        np.save(folder / "reannotated.npy", points)

    return write


def reannotate_other_images(folder: Path, truth: GroundTruth) -> None:
    write_mat(folder, truth)
    np.savez(folder / "reannotated.npz", names=np.array(["a.jpg"]), pts68_reannotated=np.zeros((1, 2, 68)))


def npz(**changes: object) -> Callable[[Path, GroundTruth], None]:
    return lambda folder, truth: write_npz(folder, truth, **changes)


def mat(**changes: object) -> Callable[[Path, GroundTruth], None]:
    return lambda folder, truth: write_mat(folder, truth, **changes)


OBJECTS = np.array([object()] * COUNT, dtype=object)
BAD_DATA: dict[str, tuple[Callable[[Path, GroundTruth], Any], str]] = {
    "nothing": (lambda folder, truth: None, "got neither"),
    "npz lacks an array": (npz(pose_para=None), "missing array pose_para; found"),
    "npz of other sizes": (
        npz(pts68=np.zeros((COUNT, 3, 21))),
        r"expected pts68 of shape \(6, None, 68\) \(None: any\), got \(6, 3, 21\)",
    ),
    "npz without images": (npz(names=np.zeros(0, "U9")), "expected names of images, got none"),
    "npz not finite": (npz(pts68=np.full((COUNT, 3, 68), np.nan)), "expected finite values in pts68, got NaN"),
    "npz of objects": (npz(names=OBJECTS), "cannot be read"),
    "npz damaged": (lambda folder, truth: (folder / "ground_truth.npz").write_bytes(b"PK\3\4"), "cannot be read"),
    "image missing": (leave_out_an_image, "missing image .*image00002.jpg', which the ground truth refers to"),
    "mat lacks an array": (mat(Pose_Para=None), "missing array Pose_Para"),
    "mat of other sizes": (mat(pt3d_68=np.zeros((3, 21))), r"expected pt3d_68 of shape \(None, 68\)"),
    "mat with a short pose": (mat(Pose_Para=np.zeros((1, 2))), "of at least 3 .* got 2 and 29"),
    "mat damaged": (damage_a_mat, "image00001.mat' cannot be read"),
    "too few reannotated": (with_npy(np.zeros((2, 2, 68))), r"expected points of shape \(6, None, 68\)"),
    "reannotated others": (reannotate_other_images, "missing points of image00000.jpg and 5 other images"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_invalid_data_are_rejected_with_file_and_expectation(tmp_path: Path, truth: GroundTruth, case: str) -> None:
    write, words = BAD_DATA[case]
    write(tmp_path, truth)
    with pytest.raises(ValueError, match=words):
        open_dataset(tmp_path)
