"""Calibration files of the node camera, found as camera_info_manager finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from face_expr_ros.ros.camera_info_url import calibration_of
from face_expr_ros.sources.source_frame import SourceError

CALIBRATION = """
image_width: 64
image_height: 48
camera_name: test
camera_matrix: {rows: 3, cols: 3, data: [50.0, 0.0, 31.5, 0.0, 51.0, 23.5, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0.2, 0.0, 0.0, 0.3]}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ROS_HOME with the calibration of the camera ``head``."""
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    file = tmp_path / "camera_info/head.yaml"
    file.parent.mkdir()
    file.write_text(CALIBRATION)
    return tmp_path


def test_the_calibration_of_the_camera_name_is_the_default(home: Path) -> None:
    camera = calibration_of("", "head")
    assert camera is not None
    assert camera.matrix[1, 1] == 51
    assert calibration_of("", "other") is None


@pytest.mark.parametrize("url", ["file://{file}", "{file}", "file://${{ROS_HOME}}/camera_info/${{NAME}}.yaml"])
def test_files_are_found_by_url_and_path(home: Path, url: str) -> None:
    assert calibration_of(url.format(file=home / "camera_info/head.yaml"), "head") is not None


def test_files_of_packages_are_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (home / "share/ament_index/resource_index/packages/my_robot").touch()
    (home / "share/my_robot/config").mkdir(parents=True)
    (home / "share/my_robot/config/eye.yaml").write_text(CALIBRATION)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(home))
    assert calibration_of("package://my_robot/config/eye.yaml", "head") is not None


WRONG = {
    "package://no_such_package/a.yaml": "the package 'no_such_package' of 'package://no_such_package/a.yaml' is not",
    "package://face_expr_ros": "expected file:///path, package://package/path or a path",
    "http://host/a.yaml": "expected file:///path, package://package/path or a path, got 'http://host/a.yaml'",
    "file:///no/such/file.yaml": "there is no file '/no/such/file.yaml'",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_refused(home: Path, url: str) -> None:
    with pytest.raises(SourceError) as refused:
        calibration_of(url, "head")
    assert WRONG[url] in str(refused.value)
