"""Parameters, their files and their table come from the config classes; what does not fit is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from support.paths import ROOT

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.settings import ConfigError, from_mapping, settings
from face_expr_ros.ros.parameter_files import NODES, files, yaml_text
from face_expr_ros.ros.parameters import Parameters

LIVE = ("output.", "input_timeout")
MakeNode = Callable[..., Node]


@pytest.mark.parametrize("path", files(ROOT), ids=lambda path: path.name)
def test_the_committed_file_is_what_the_settings_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == files(ROOT)[path], "run: python -m face_expr_ros.ros.parameter_files"


@pytest.mark.parametrize("name", NODES)
def test_every_line_of_a_parameter_file_says_what_it_means(name: str) -> None:
    values = [line for line in yaml_text(name).splitlines() if not line.endswith(":") and not line.startswith("#")]
    assert len(values) == len(list(settings(NODES[name])))
    for entry, line in zip(settings(NODES[name]), values, strict=True):
        assert entry.help in line.partition("#")[2]
        assert entry.unit in line.partition("#")[2]


@pytest.mark.parametrize("namespace", ["/", "/robot", "/robot/head"])
@pytest.mark.parametrize(("name", "config_class"), NODES.items())
def test_a_parameter_file_holds_in_every_namespace(
    make_node: MakeNode, tmp_path: Path, name: str, config_class: type[Any], namespace: str
) -> None:
    file = tmp_path / f"{name}.yaml"
    number = next(entry for entry in settings(config_class) if entry.maximum is not None)
    most = number.check(number.type(number.maximum))
    line = f"{number.name.rpartition('.')[2]}: "
    file.write_text(yaml_text(name).replace(f"{line}{number.default}", f"{line}{most}", 1))
    node = make_node("--params-file", str(file), "-r", f"__ns:={namespace}", name=name)
    assert Parameters(node, config_class).config == from_mapping(config_class, {number.name: most})


@pytest.mark.parametrize(("name", "config_class"), NODES.items())
def test_the_committed_file_gives_the_defaults(make_node: MakeNode, name: str, config_class: type[Any]) -> None:
    node = make_node("--params-file", str(ROOT / f"config/{name}.yaml"), name=name)
    assert Parameters(node, config_class).config == config_class()


BAD_PARAMETERS = {
    "smoothing.bta:=1.0": "unknown setting 'smoothing.bta', did you mean smoothing.beta?",
    "smothing:=1.0": "unknown setting 'smothing'",
    "landmarks.max_faces:=0": "landmarks.max_faces: expected an integer from 1 to 20, got 0",
    "landmarks.max_faces:=2.5": "landmarks.max_faces: expected an integer from 1 to 20, got 2.5",
    "landmarks.max_faces:=[1, 2]": "landmarks.max_faces: expected an integer from 1 to 20, got [1, 2]",
    "smoothing.beta:=much": "smoothing.beta: expected a number from 0 to 1000, got 'much'",
    "smoothing.beta:=.nan": "smoothing.beta: expected a number from 0 to 1000, got nan",
    "input_timeout:=0.0": "input_timeout: expected a number from 0.1 to 3600 (s), got 0.0",
    "bundle:=other": "bundle: expected one of open, 3ddfa_v2, got 'other'",
    "autostart:=1": "autostart: expected true or false, got 1",
    "smoothing.method:=fast": "smoothing.method: expected one of none, one_euro, window, got 'fast'",
    "output.annotated:=4d": "output.annotated: expected one of annotated, 2d_sparse, 2d_dense, 3d, pose, depth, pncc, "
    "uv_tex, got '4d'",
}


@pytest.mark.parametrize("argument", BAD_PARAMETERS)
def test_a_bad_parameter_is_refused_with_what_was_wanted_and_given(make_node: MakeNode, argument: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Parameters(make_node("-p", argument), PerceptionConfig)
    assert BAD_PARAMETERS[argument] in str(refused.value)


def test_parameters_of_ros_itself_are_left_alone(make_node: MakeNode) -> None:
    arguments = (
        "use_sim_time:=true",
        "start_type_description_service:=false",
        "qos_overrides./image.subscription.depth:=3",
    )
    node = make_node(*(part for argument in arguments for part in ("-p", argument)))
    assert Parameters(node, PerceptionConfig).config == PerceptionConfig()
    assert node.get_parameter("use_sim_time").value is True


def test_a_whole_number_is_good_where_a_number_is_wanted(make_node: MakeNode) -> None:
    assert Parameters(make_node("-p", "smoothing.beta:=2"), PerceptionConfig).config.smoothing.beta == 2.0


@pytest.mark.parametrize("config_class", [PerceptionConfig, CameraConfig])
def test_every_parameter_is_described_with_unit_and_bounds(make_node: MakeNode, config_class: type[Any]) -> None:
    node = make_node()
    Parameters(node, config_class)
    for entry in settings(config_class):
        described = node.describe_parameter(entry.name)
        assert entry.help in described.description
        assert entry.unit in described.description
        ranges = [*described.floating_point_range, *described.integer_range]
        bounds = [(limits.from_value, limits.to_value) for limits in ranges]
        assert bounds == ([] if entry.minimum is None else [(entry.minimum, entry.maximum)])
        assert all(choice in described.additional_constraints for choice in entry.choices)


def test_a_live_parameter_changes_the_config_and_the_others_are_read_only(make_node: MakeNode) -> None:
    node = make_node()
    parameters = Parameters(node, PerceptionConfig, live=LIVE)

    def change(name: str, value: Any) -> Any:
        return node.set_parameters([Parameter(name, value=value)])[0]

    assert change("output.mesh_opacity", 0.25).successful
    assert parameters.config.output.mesh_opacity == 0.25
    assert not change("output.mesh_opacity", 1.5).successful
    assert not change("smoothing.beta", 0.1).successful
    assert change("use_sim_time", True).successful
    assert parameters.config.output.mesh_opacity == 0.25
    assert parameters.config.smoothing == PerceptionConfig().smoothing
