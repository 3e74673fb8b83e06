"""A lifecycle manager takes over a perception node that is already active, and monitors it."""

from __future__ import annotations

from typing import Any

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
UNCONFIGURED, INACTIVE = State.PRIMARY_STATE_UNCONFIGURED, State.PRIMARY_STATE_INACTIVE
ACTIVE = State.PRIMARY_STATE_ACTIVE


class Manager:
    """Requests transitions and checks the state after each, as Nav2's lifecycle_manager does."""

    def __init__(self, graph: Any, node: str) -> None:
        self._graph, self._node = graph, node

    @property
    def state(self) -> int:
        return self._graph.call(GetState, f"{self._node}/get_state", GetState.Request()).current_state.id

    def change(self, transition: int, label: str = "") -> bool:
        request = ChangeState.Request(transition=Transition(id=transition, label=label))
        return self._graph.call(ChangeState, f"{self._node}/change_state", request).success


def test_an_active_node_can_be_configured_and_activated_again(graph: Any, start: Any) -> None:
    node = start("perception", "-r", "__ns:=/managed")
    graph.until(lambda: "detecting faces" in node.output, "the active node")
    manager = Manager(graph, "/managed/perception")
    for _ in range(2):
        assert manager.change(CONFIGURE)
        assert manager.state == INACTIVE
        assert manager.change(ACTIVATE)
        assert manager.state == ACTIVE
    assert manager.change(ACTIVATE)
    assert manager.change(0, "configure")
    assert manager.change(CONFIGURE)
    assert manager.change(DEACTIVATE)
    assert manager.state == INACTIVE
    assert manager.change(CLEANUP)
    assert manager.change(CLEANUP)
    assert manager.state == UNCONFIGURED
    assert not manager.change(ACTIVATE), "other invalid transitions are refused"
    assert node.stop() == 0, node.output


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_active_node_has_a_bond(graph: Any, start: Any, hri_environment: dict[str, str]) -> None:
    from bond.msg import Status

    node = start("perception", "-r", "__ns:=/bonded", environment=hri_environment)
    beats: list[Status] = graph.listen(Status, "/bonded/bond", 100)
    graph.until(lambda: len(beats) > 5, "heartbeats")
    assert {(beat.id, beat.active, beat.instance_id) for beat in beats} == {("perception", True, beats[0].instance_id)}
    manager = Manager(graph, "/bonded/perception")
    assert manager.change(DEACTIVATE)
    graph.until(lambda: sum(not beat.active for beat in beats) > 3, "the end of the bond, repeated: one may be lost")
    assert manager.change(ACTIVATE)
    graph.until(lambda: beats[-1].active, "a new bond")
    assert beats[-1].instance_id != beats[0].instance_id, "an instance that ended must not come back"
    assert node.stop() == 0, node.output


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bondpy_monitors_the_node(graph: Any, start: Any, hri_environment: dict[str, str]) -> None:
    """The other end of the bond is the package bondpy, where it is installed."""
    bondpy = pytest.importorskip("bondpy.bondpy")

    bonds: list[Any] = []

    def bond() -> Any:
        other = bondpy.Bond(graph.node, "/bondpy/bond", "perception")
        other.connect_timeout, other.heartbeat_timeout = 60.0, 3.0
        other.start()
        bonds.append(other)
        graph.until(lambda: other.sm.getState().getName() == "SM.Alive", "a bond")
        return other

    node = start("perception", "-r", "__ns:=/bondpy", environment=hri_environment)
    first, manager = bond(), Manager(graph, "/bondpy/perception")
    begin = graph.node.get_clock().now()
    graph.until(lambda: (graph.node.get_clock().now() - begin).nanoseconds > 5e9, "more than a heartbeat timeout")
    assert not first.is_broken()
    assert manager.change(DEACTIVATE)
    graph.until(first.is_broken, "the end of the bond")
    assert first.sister_died_first, "announced, not by a timeout"
    assert manager.change(ACTIVATE)
    second = bond()
    graph.until(lambda: second.heartbeat_timer.timer.is_alive(), "the second heartbeat, which starts the timeout")
    node._process.kill()
    graph.until(second.is_broken, "the end of the heartbeat")
    assert not second.sister_died_first
    for each in bonds:  # its shutdown destroys the subscription behind the node's back
        graph.node.destroy_subscription(each.sub)
        each.is_shutdown = True
