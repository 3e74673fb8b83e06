"""What lifecycle managers expect of a lifecycle node: transitions that may be repeated, and a bond (Nav2)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

BOND_TOPIC = "bond"
BOND_PERIOD, BOND_TIMEOUT = 0.1, 4.0  # seconds, as Nav2's nodes
# Announcements of the end of a heartbeat, one per period: a subscriber with a queue of one message, as in bondpy, loses
# one that is followed at once by a message of another node, such as its own heartbeat.
_END_BEATS = 20

_GOALS = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
}
_IDS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
}


def accept_repeated_transitions(node: LifecycleNode) -> None:
    """Answer a transition to the current state with success, and ``configure`` of an active node by deactivating it.

    A manager configures and activates its nodes in this order and stops at the first failure; a node that has
    activated itself (``autostart``), or that was left active by an earlier manager, would be one.
    """
    services = {service.srv_name.rpartition("/")[2]: service for service in node.services}
    change_state, get_state = services["change_state"], services["get_state"]
    change: Callable[..., Any] = change_state.callback

    def answer(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        state = get_state.callback(GetState.Request(), GetState.Response()).current_state.id
        transition = _IDS.get(request.transition.label, request.transition.id)
        if _GOALS.get(transition) == state:
            node.get_logger().info("transition requested to the current state: nothing to do")
            response.success = True
            return response
        if transition == Transition.TRANSITION_CONFIGURE and state == State.PRIMARY_STATE_ACTIVE:
            node.get_logger().info("configure requested while active: deactivating, the models stay loaded")
            deactivate = Transition(id=Transition.TRANSITION_DEACTIVATE)
            return change(ChangeState.Request(transition=deactivate), response)
        return change(request, response)

    change_state.callback = answer


class Bond:
    """The heartbeat of an active node on the topic ``bond``, by which Nav2's lifecycle_manager notices its failure.

    It requires the package bond and is published only while subscribed. The id is the name of the node, so that the
    manager must be in its namespace.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._instance = ""  # empty while the node is not active
        self._ended: dict[str, int] = {}  # instances -> number of announcements left
        try:
            from bond.msg import Status
        except ImportError:
            return
        self._status_type = Status
        self._publisher = node.create_publisher(Status, BOND_TOPIC, 100)
        node.create_timer(BOND_PERIOD, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def start(self) -> None:
        """Start the heartbeat of a new instance; the end of the last one is no longer announced."""
        self._ended.clear()
        self._instance = str(uuid.uuid4())

    def stop(self) -> None:
        """End the heartbeat and announce it."""
        if self._instance:
            self._publish(self._instance, active=False)
            self._ended[self._instance] = _END_BEATS - 1
            self._instance = ""

    def _beat(self) -> None:
        if self._instance:
            self._publish(self._instance, active=True)
        for instance, count in list(self._ended.items()):
            self._publish(instance, active=False)
            self._ended[instance] = count - 1
            if count <= 1:
                del self._ended[instance]

    def _publish(self, instance: str, active: bool) -> None:
        if not hasattr(self, "_publisher") or not self._publisher.get_subscription_count():
            return
        message = self._status_type(
            id=self._node.get_name(),
            instance_id=instance,
            active=active,
            heartbeat_timeout=BOND_TIMEOUT,
            heartbeat_period=BOND_PERIOD,
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
