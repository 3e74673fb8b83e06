"""The running perception node: services, parameters, diagnostics and life cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import NDArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from support.perception_client import PerceptionClient, values
from visualization_msgs.msg import Marker


@pytest.fixture(scope="module")
def client(graph: Any, start: Any, portrait: NDArray[np.uint8]) -> PerceptionClient:
    """One node for all tests of this module."""
    start("perception", "-r", "__ns:=/control")
    result = PerceptionClient(graph, "/control", portrait)
    result.ask()
    return result


def test_reset_deletes_the_tracks_without_reusing_ids(client: PerceptionClient) -> None:
    before = client.ask().faces[0].face_id
    answer = client.graph.call(Trigger, f"{client.namespace}/perception/reset")
    assert answer.success
    assert client.ask().faces[0].face_id != before


def test_calibration_sets_the_blendshapes_to_zero(client: PerceptionClient) -> None:
    client.ask()
    answer = client.graph.call(Trigger, f"{client.namespace}/perception/calibrate_neutral")
    assert (answer.success, answer.message) == (True, "stored the neutral expression of 1 face")
    client.ask_until(lambda answer: max(answer.faces[0].expression.blendshapes) < 0.15, "neutral after calibration")


def test_calibration_without_a_face_fails_with_a_hint(client: PerceptionClient) -> None:
    client.ask(client.image(picture=np.full((480, 640, 3), 90, np.uint8)))
    answer = client.graph.call(Trigger, f"{client.namespace}/perception/calibrate_neutral")
    assert not answer.success
    assert "look into the camera" in answer.message


def set_parameter(client: PerceptionClient, name: str, value: float | str) -> Any:
    parameter_value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE)
    if isinstance(value, str):
        parameter_value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
    else:
        parameter_value.double_value = value
    parameter = Parameter(name=name, value=parameter_value)
    request = SetParameters.Request(parameters=[parameter])
    return client.graph.call(SetParameters, f"{client.namespace}/perception/set_parameters", request).results[0]


@pytest.mark.slow
def test_the_mesh_opacity_is_live_and_the_filter_is_read_only(client: PerceptionClient) -> None:
    markers: list[Marker] = client.listen(Marker, "mesh_markers")
    assert set_parameter(client, "output.mesh_opacity", 0.25).successful
    client.ask_until(lambda _: bool(markers) and bool(markers[-1].colors), "published")
    client.ask_until(lambda _: markers[-1].colors[0].a == 0.25, "published with opacity 0.25")
    rejected = set_parameter(client, "smoothing.beta", 1.0)
    assert not rejected.successful
    assert "read-only" in rejected.reason


@pytest.mark.slow
def test_the_draw_mode_of_the_annotated_image_is_live(client: PerceptionClient) -> None:
    images: list[Image] = client.listen(Image, "annotated")

    def corner_is(level: int) -> bool:
        return bool(images) and images[-1].data[0] == level

    client.ask_until(lambda _: bool(images), "published")
    assert images[-1].data[0] != 0
    assert set_parameter(client, "output.annotated", "depth").successful
    client.ask_until(lambda _: corner_is(0), "a depth image with a black background")
    assert (images[-1].width, images[-1].height) == (640, 480)
    rejected = set_parameter(client, "output.annotated", "4d")
    assert "one of annotated, 2d_sparse" in rejected.reason
    assert set_parameter(client, "output.annotated", "annotated").successful


def test_diagnostics_contain_the_model_and_stage_times(client: PerceptionClient) -> None:
    status = client.status(
        lambda status: status.message == "faces detected", "a status without a problem", lambda: client.ask()
    )
    details = values(status)
    assert status.level == DiagnosticStatus.OK
    assert details["image topic"] == "/control/image"
    assert len(details["model sha256"]) == 64
    for stage in ("decode", "landmarks", "tracker", "fitter", "expression", "smoother", "publish"):
        assert float(details[f"{stage} [ms]"]) >= 0


@pytest.mark.slow
def test_the_node_can_be_cleaned_up_and_configured_again(client: PerceptionClient) -> None:
    def state() -> str:
        return client.graph.call(GetState, f"{client.namespace}/perception/get_state").current_state.label

    def state_after(transition: int) -> str:
        request = ChangeState.Request(transition=Transition(id=transition))
        client.graph.call(ChangeState, f"{client.namespace}/perception/change_state", request)
        return state()

    assert state() == "active"
    assert state_after(Transition.TRANSITION_ACTIVATE) == "active", "an invalid transition has no effect"
    assert state_after(Transition.TRANSITION_DEACTIVATE) == "inactive"
    assert state_after(Transition.TRANSITION_CLEANUP) == "unconfigured"
    assert not client.graph.call(Trigger, f"{client.namespace}/perception/reset").success
    assert state_after(Transition.TRANSITION_CONFIGURE) == "inactive"
    assert state_after(Transition.TRANSITION_ACTIVATE) == "active"
    assert len(client.ask().faces) == 1
