"""A user's parameter file that does not apply to the nodes is refused with a message."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.paths import ROOT

from face_expr_ros.ros.launch_parameters import NODES, LaunchError, check_params_file
from face_expr_ros.ros.parameter_files import NODES as CONFIGURED

PARAMETERS = "{ros__parameters: {a: 1}}"


def check(folder: Path, text: str, namespace: str = "") -> None:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    check_params_file(folder / "mine.yaml", namespace)


@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        (f"perception: {PARAMETERS}", ""),
        (f"/perception: {PARAMETERS}", "/"),
        (f"/**: {PARAMETERS}", "front"),
        (f"/**/camera: {PARAMETERS}", "front"),
        (f"/**/camera: {PARAMETERS}", "robot/front"),
        (f"/*/camera: {PARAMETERS}", "front"),
        (f"front: {{perception: {PARAMETERS}}}", "/front"),
        (f"/front/perception: {PARAMETERS}\n/rear/perception: {PARAMETERS}", "rear"),
        (f"/perception: {PARAMETERS}\n/controller_server: {PARAMETERS}", ""),
    ],
)
def test_files_that_apply_are_accepted(tmp_path: Path, text: str, namespace: str) -> None:
    check(tmp_path, text, namespace)


@pytest.mark.parametrize(
    ("text", "namespace", "message"),
    [
        (
            f"/**/percepton: {PARAMETERS}",
            "",
            "percepton' is not a node of this package, did you mean 'perception'",
        ),
        (
            f"perception: {PARAMETERS}",
            "front",
            "'/perception' does not match /front/perception; use '/front/",
        ),
        (f"/rear/camera: {PARAMETERS}", "front", "'/rear/camera' does not match /front/camera"),
        (f"/*/camera: {PARAMETERS}", "", "does not match /camera"),
        (f"/planner: {PARAMETERS}", "", "expected parameters of avatar_bridge, .*, got /planner"),
        ("perception: {input_timeout: 1.0}", "", "found no ros__parameters"),
        ("", "", "found no ros__parameters"),
        ("a: [", "", "expected YAML"),
    ],
)
def test_files_that_do_not_apply_are_refused(tmp_path: Path, text: str, namespace: str, message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        check(tmp_path, text, namespace)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{image_rotation: '90'}", "image_rotation of perception: expected an integer, got '90', a string, which"),
        ("{landmarks: {max_faces: 8.0}}", "landmarks.max_faces of perception: expected an integer, got 8.0, a number"),
        ("{landmarks.max_faces: '8'}", "landmarks.max_faces of perception: expected an integer"),
        ("{use_depth: 'false'}", "use_depth of perception: expected true or false, got 'false', a string"),
        ("{output: {tf: 0}}", "output.tf of perception: expected true or false, got 0, an integer"),
        (
            "{input_timeout: '3.0'}",
            r"input_timeout of (perception|head_control): expected a number, got '3.0', a string",
        ),
    ],
)
@pytest.mark.parametrize("key", ["perception", "/**/perception", "/**"])
def test_values_that_rcl_would_ignore_are_refused(tmp_path: Path, key: str, values: str, message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        check(tmp_path, f"{key}: {{ros__parameters: {values}}}")


def test_values_of_other_types_are_left_to_the_node(tmp_path: Path) -> None:
    values = "{input_timeout: 3, tracker: {max_distance: 1e0}, use_depth: no, autostart: y, id_prefix: 7, mine: [1, 2]}"
    check(tmp_path, f"/**/perception: {{ros__parameters: {values}}}")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"params_file .*/none\.yaml: No such file or directory"):
        check_params_file(tmp_path / "none.yaml", "")


@pytest.mark.parametrize("name", NODES)
def test_the_default_files_apply_in_any_namespace(name: str) -> None:
    check_params_file(ROOT / f"config/{name}.yaml", "front")
    assert name in CONFIGURED
