"""The perception node while it runs: its services, parameters, diagnostics and life cycle."""

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
from support.perception_dialog import Dialog, values
from visualization_msgs.msg import Marker


@pytest.fixture(scope="module")
def dialog(graph: Any, start: Any, portrait: NDArray[np.uint8]) -> Dialog:
    """One node for all tests of this file."""
    start("perception", "-r", "__ns:=/control")
    result = Dialog(graph, "/control", portrait)
    result.ask()
    return result


def test_reset_forgets_the_faces_and_ids_go_on(dialog: Dialog) -> None:
    before = dialog.ask().faces[0].face_id
    answer = dialog.graph.call(Trigger, f"{dialog.namespace}/perception/reset")
    assert answer.success
    assert dialog.ask().faces[0].face_id != before


def test_a_neutral_face_is_calibrated_to_zero(dialog: Dialog) -> None:
    dialog.ask()
    answer = dialog.graph.call(Trigger, f"{dialog.namespace}/perception/calibrate_neutral")
    assert (answer.success, answer.message) == (True, "the expression of 1 face is taken as neutral")
    dialog.ask_until(lambda answer: max(answer.faces[0].expression.blendshapes) < 0.15, "neutral after calibration")


def test_calibration_without_a_face_says_what_to_do(dialog: Dialog) -> None:
    dialog.ask(dialog.image(picture=np.full((480, 640, 3), 90, np.uint8)))
    answer = dialog.graph.call(Trigger, f"{dialog.namespace}/perception/calibrate_neutral")
    assert not answer.success
    assert "look into the camera" in answer.message


def set_parameter(dialog: Dialog, name: str, value: float | str) -> Any:
    given = ParameterValue(type=ParameterType.PARAMETER_DOUBLE)
    if isinstance(value, str):
        given = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
    else:
        given.double_value = value
    parameter = Parameter(name=name, value=given)
    request = SetParameters.Request(parameters=[parameter])
    return dialog.graph.call(SetParameters, f"{dialog.namespace}/perception/set_parameters", request).results[0]


@pytest.mark.slow
def test_the_opacity_of_the_mesh_changes_while_it_runs_and_the_filter_does_not(dialog: Dialog) -> None:
    markers: list[Marker] = dialog.listen(Marker, "mesh_markers")
    assert set_parameter(dialog, "output.mesh_opacity", 0.25).successful
    dialog.ask_until(lambda _: bool(markers) and bool(markers[-1].colors), "drawn")
    dialog.ask_until(lambda _: markers[-1].colors[0].a == 0.25, "a quarter opaque")
    refused = set_parameter(dialog, "smoothing.beta", 1.0)
    assert not refused.successful
    assert "read-only" in refused.reason


@pytest.mark.slow
def test_what_the_annotated_image_shows_changes_while_it_runs(dialog: Dialog) -> None:
    images: list[Image] = dialog.listen(Image, "annotated")

    def corner_is(level: int) -> bool:
        return bool(images) and images[-1].data[0] == level

    dialog.ask_until(lambda _: bool(images), "drawn")
    assert images[-1].data[0] != 0
    assert set_parameter(dialog, "output.annotated", "depth").successful
    dialog.ask_until(lambda _: corner_is(0), "depth, which is black where nobody is")
    assert (images[-1].width, images[-1].height) == (640, 480)
    refused = set_parameter(dialog, "output.annotated", "4d")
    assert "must be one of annotated, 2d_sparse" in refused.reason
    assert set_parameter(dialog, "output.annotated", "annotated").successful


def test_diagnostics_name_the_model_and_the_times_of_the_stages(dialog: Dialog) -> None:
    status = dialog.status(lambda status: status.message == "faces", "a good status", lambda: dialog.ask())
    given = values(status)
    assert status.level == DiagnosticStatus.OK
    assert given["image topic"] == "/control/image"
    assert len(given["model sha256"]) == 64
    for stage in ("decode", "landmarks", "tracker", "fitter", "expression", "smoother", "publish"):
        assert float(given[f"{stage} [ms]"]) >= 0


@pytest.mark.slow
def test_the_life_cycle_goes_round_and_faces_come_again(dialog: Dialog) -> None:
    def state() -> str:
        return dialog.graph.call(GetState, f"{dialog.namespace}/perception/get_state").current_state.label

    def state_after(transition: int) -> str:
        request = ChangeState.Request(transition=Transition(id=transition))
        dialog.graph.call(ChangeState, f"{dialog.namespace}/perception/change_state", request)
        return state()

    assert state() == "active"
    assert state_after(Transition.TRANSITION_ACTIVATE) == "active", "a transition that makes no sense does no harm"
    assert state_after(Transition.TRANSITION_DEACTIVATE) == "inactive"
    assert state_after(Transition.TRANSITION_CLEANUP) == "unconfigured"
    assert not dialog.graph.call(Trigger, f"{dialog.namespace}/perception/reset").success
    assert state_after(Transition.TRANSITION_CONFIGURE) == "inactive"
    assert state_after(Transition.TRANSITION_ACTIVATE) == "active"
    assert len(dialog.ask().faces) == 1
