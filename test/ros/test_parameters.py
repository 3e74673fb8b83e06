"""Parameters, parameter files and tables are generated from the config classes; invalid values are rejected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter
from support.paths import ROOT

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.settings import ConfigError, from_mapping, settings
from face_expr_ros.ros.parameter_files import NODES, files, yaml_text
from face_expr_ros.ros.parameters import Parameters, parameter_overrides

LIVE = ("output.", "input_timeout")
MakeNode = Callable[..., Node]


@pytest.mark.parametrize("path", files(ROOT), ids=lambda path: path.name)
def test_the_committed_file_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == files(ROOT)[path], "run: python -m face_expr_ros.ros.parameter_files"


@pytest.mark.parametrize("name", NODES)
def test_every_value_of_a_parameter_file_is_described(name: str) -> None:
    values = [line for line in yaml_text(name).splitlines() if not line.endswith(":") and not line.startswith("#")]
    assert len(values) == len(list(settings(NODES[name])))
    for entry, line in zip(settings(NODES[name]), values, strict=True):
        assert entry.help in line.partition("#")[2]
        assert entry.unit in line.partition("#")[2]


@pytest.mark.parametrize("namespace", ["/", "/robot", "/robot/head"])
@pytest.mark.parametrize(("name", "config_class"), NODES.items())
def test_a_parameter_file_applies_in_every_namespace(
    make_node: MakeNode, tmp_path: Path, name: str, config_class: type[Any], namespace: str
) -> None:
    file = tmp_path / f"{name}.yaml"
    number = next(entry for entry in settings(config_class) if entry.maximum is not None)
    maximum = number.check(number.type(number.maximum))
    line = f"{number.name.rpartition('.')[2]}: "
    file.write_text(yaml_text(name).replace(f"{line}{number.default}", f"{line}{maximum}", 1))
    node = make_node("--params-file", str(file), "-r", f"__ns:={namespace}", name=name)
    assert Parameters(node, config_class).config == from_mapping(config_class, {number.name: maximum})


@pytest.mark.parametrize(("name", "config_class"), NODES.items())
def test_the_committed_file_contains_every_default(make_node: MakeNode, name: str, config_class: type[Any]) -> None:
    node = make_node("--params-file", str(ROOT / f"config/{name}.yaml"), name=name)
    assert parameter_overrides(node) == {entry.name: entry.default for entry in settings(config_class)}
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
def test_an_invalid_parameter_is_rejected_with_expected_and_actual_value(make_node: MakeNode, argument: str) -> None:
    with pytest.raises(ConfigError) as rejected:
        Parameters(make_node("-p", argument), PerceptionConfig)
    assert BAD_PARAMETERS[argument] in str(rejected.value)


def test_parameters_of_rclpy_are_ignored(make_node: MakeNode) -> None:
    arguments = (
        "use_sim_time:=true",
        "start_type_description_service:=false",
        "qos_overrides./image.subscription.depth:=3",
    )
    node = make_node(*(part for argument in arguments for part in ("-p", argument)))
    assert Parameters(node, PerceptionConfig).config == PerceptionConfig()
    assert node.get_parameter("use_sim_time").value is True


def test_an_integer_is_accepted_for_a_number(make_node: MakeNode) -> None:
    assert Parameters(make_node("-p", "smoothing.beta:=2"), PerceptionConfig).config.smoothing.beta == 2.0


@pytest.mark.parametrize("config_class", [PerceptionConfig, CameraConfig])
def test_every_descriptor_contains_description_unit_and_range(make_node: MakeNode, config_class: type[Any]) -> None:
    node = make_node()
    Parameters(node, config_class)
    for entry in settings(config_class):
        described = node.describe_parameter(entry.name)
        assert entry.help in described.description
        assert entry.unit in described.description
        ranges = [*described.floating_point_range, *described.integer_range]
        bounds = [(limits.from_value, limits.to_value) for limits in ranges]
        assert bounds == ([] if entry.minimum is None else [(entry.minimum, entry.maximum)])
        assert all(str(choice) in described.additional_constraints for choice in entry.choices)


@pytest.fixture(params=["post-set callback", "set callback"])
def live_node(request: pytest.FixtureRequest, make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node of this rclpy, and one of Humble, which has no post-set callback."""
    if request.param == "set callback":
        monkeypatch.delattr(Node, "add_post_set_parameters_callback")
    return make_node()


def change(node: Node, **values: Any) -> SetParametersResult:
    """Set parameters of the section ``output`` together."""
    return node.set_parameters_atomically([Parameter(f"output.{name}", value=value) for name, value in values.items()])


def test_a_live_parameter_changes_the_config(live_node: Node) -> None:
    configs: list[PerceptionConfig] = []
    parameters = Parameters(live_node, PerceptionConfig, live=LIVE, on_change=configs.append)
    assert change(live_node, mesh_opacity=0.25, mesh_axes=True).successful
    assert (parameters.config.output.mesh_opacity, parameters.config.output.mesh_axes) == (0.25, True)
    assert configs == [parameters.config]
    assert live_node.set_parameters([Parameter("use_sim_time", value=True)])[0].successful
    assert configs == [parameters.config]


def test_parameters_that_are_not_live_are_read_only(live_node: Node) -> None:
    parameters = Parameters(live_node, PerceptionConfig, live=LIVE)
    rejected = live_node.set_parameters([Parameter("smoothing.beta", value=0.1)])[0]
    assert not rejected.successful
    assert parameters.config.smoothing.beta == PerceptionConfig().smoothing.beta != 0.1


def test_one_invalid_value_rejects_the_whole_change(live_node: Node) -> None:
    configs: list[PerceptionConfig] = []
    parameters = Parameters(live_node, PerceptionConfig, live=LIVE, on_change=configs.append)
    assert not change(live_node, mesh_opacity=0.25, mesh_style="glass").successful
    assert parameters.config.output.mesh_opacity == live_node.get_parameter("output.mesh_opacity").value == 1.0
    assert not configs


def test_a_change_that_the_check_rejects_is_not_applied(live_node: Node) -> None:
    def check(config: PerceptionConfig) -> None:
        if config.output.mesh_detail == "facemesh" and config.output.mesh_axes:
            raise ConfigError("expected no axes with facemesh, got both")

    parameters = Parameters(live_node, PerceptionConfig, live=LIVE, check=check)
    assert change(live_node, mesh_detail="facemesh").successful
    rejected = change(live_node, mesh_axes=True)
    assert (rejected.successful, rejected.reason) == (False, "expected no axes with facemesh, got both")
    assert not parameters.config.output.mesh_axes
    assert change(live_node, mesh_detail="full", mesh_axes=True).successful


def test_a_change_that_another_callback_rejects_is_not_applied(make_node: MakeNode) -> None:
    """The other callback was added first and is therefore called last."""
    node, accept = make_node(), True
    node.add_on_set_parameters_callback(lambda parameters: SetParametersResult(successful=accept, reason="busy"))
    configs: list[PerceptionConfig] = []
    parameters = Parameters(node, PerceptionConfig, live=LIVE, on_change=configs.append)
    accept = False
    assert not change(node, mesh_opacity=0.25).successful
    assert parameters.config.output.mesh_opacity == 1.0
    assert not configs
