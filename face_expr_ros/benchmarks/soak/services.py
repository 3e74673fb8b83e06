"""Service calls of the soak test, whose answers must be true, and command-line verbs on a full disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from face_expr_ros.benchmarks.soak.world import World

TIMEOUT = 60.0  # seconds from a request to its answer, on a loaded machine
_VERB_TIMEOUT = 300.0  # seconds

_PERCEPTION = (
    ("output.annotated", "pose", True),
    ("output.annotated", "annotated", True),
    ("output.annotated", "photo", False),
    ("output.mesh_style", "wireframe", True),
    ("output.mesh_style", "textured", True),
    ("output.mesh_style", "shaded", True),
    ("output.mesh_detail", "decimated", True),
    ("output.mesh_detail", "facemesh", True),
    ("output.mesh_opacity", 0.5, True),
    ("output.mesh_opacity", 7.0, False),
    ("output.mesh_opacity", float("nan"), False),
    ("output.mesh_axes", True, True),
    ("output.mesh_axes", False, True),
    ("output.tf", False, True),
    ("output.tf", True, True),
    ("output.names", False, True),
    ("output.names", True, True),
    ("input_timeout", 0.5, True),
    ("input_timeout", 2.0, True),
    ("input_timeout", -1.0, False),
    ("landmarks.max_faces", 1, False),  # read at startup only
    ("tracker.max_distance", "far", False),
)
_HEAD = (
    ("follow", "largest", True),
    ("follow", "speaker", True),
    ("follow", "id", True),
    ("follow", "nearest", True),
    ("follow", "everyone", False),
    ("switch_after", 0.0, True),
    ("return_speed", 1.0, True),
    ("return_speed", 0.3, True),
    ("return_speed", float("inf"), False),
    ("rate", 10.0, False),
)
# Node -> (name, value, whether it is accepted).
PARAMETERS: Mapping[str, tuple[tuple[str, Any, bool], ...]] = {
    "/front/perception": _PERCEPTION,
    "/rear/perception": _PERCEPTION,
    "/room/perception": _PERCEPTION,
    "/rear/head_control": _HEAD,
}


def set_parameter(world: World, node: str, name: str, value: Any, is_valid: bool) -> None:
    """Set a parameter; an answer other than expected is a problem."""
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    answer = _call(world, SetParameters, f"{node}/set_parameters", request)
    if answer is None:
        return
    result = answer.results[0]
    if result.successful != is_valid:
        expected = "accepted" if is_valid else "refused"
        world.records.problem(f"{node}: expected {name} = {value!r} to be {expected}, got: {result.reason!r}")
    elif not is_valid and not result.reason:
        world.records.problem(f"{node}: {name} = {value!r} was refused without a reason")


def cycle(world: World, node: str, is_full: bool) -> None:
    """Deactivate and activate a node; with ``is_full`` clean up and configure it as well."""
    deactivate(world, node)
    if is_full:
        _change(world, node, Transition.TRANSITION_CLEANUP)
        _change(world, node, Transition.TRANSITION_CONFIGURE)
    activate(world, node)


def deactivate(world: World, node: str) -> None:
    """Deactivate a node."""
    _change(world, node, Transition.TRANSITION_DEACTIVATE)


def activate(world: World, node: str) -> None:
    """Activate a node, which must then be active."""
    _change(world, node, Transition.TRANSITION_ACTIVATE)
    state = _call(world, GetState, f"{node}/get_state", GetState.Request())
    if state is not None and state.current_state.id != State.PRIMARY_STATE_ACTIVE:
        world.records.problem(f"{node}: expected the state active, got {state.current_state.label}")


def check_that_services_fail(world: World, node: str) -> None:
    """The services of an inactive node must not report success."""
    for service in ("reset", "calibrate_neutral"):
        answer = _call(world, Trigger, f"{node}/{service}", Trigger.Request())
        if answer is not None and answer.success:
            world.records.problem(f"{node}/{service}: success while inactive: {answer.message}")


def trigger(world: World, service: str) -> None:
    """Call a service that may fail with a reason."""
    answer = _call(world, Trigger, service, Trigger.Request())
    if answer is not None and not answer.message:
        world.records.problem(f"{service}: an answer without a message")


def check_full_disk(world: World) -> None:
    """A verb that writes to the full disk must fail with one sentence, and leave nothing behind."""
    before = set(world.disk.path.iterdir())
    out = world.disk.path / "faces.json"
    image = world.folder / "person.png"
    code = "import sys; from face_expr_ros.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "image", str(image), "--json", str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_VERB_TIMEOUT)
    except subprocess.TimeoutExpired:
        world.records.problem(f"face_expr image on a full disk: still running after {_VERB_TIMEOUT:g} s")
        return
    new = {path.name for path in set(world.disk.path.iterdir()) - before if not path.name.endswith(".log")}
    if done.returncode != 2 or "No space left" not in done.stderr or "Traceback" in done.stderr or new:
        world.records.problem(
            f"face_expr image on a full disk: expected status 2, one sentence and no file, got {done.returncode}, "
            f"{done.stderr.strip()[-300:]!r} and {sorted(new)}"
        )


def _change(world: World, node: str, transition: int) -> None:
    request = ChangeState.Request(transition=Transition(id=transition))
    answer = _call(world, ChangeState, f"{node}/change_state", request)
    if answer is not None and not answer.success:
        world.records.problem(f"{node}: transition {transition} failed")


def _call(world: World, kind: type[Any], name: str, request: Any) -> Any:
    answer = world.monitor.call_service(kind, name, request, TIMEOUT)
    if answer is None:
        world.records.problem(f"{name}: no answer within {TIMEOUT:g} s")
    return answer
