"""The node ``perception``: images in, faces out."""

from __future__ import annotations

import sys
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.exceptions import InvalidNamespaceException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.utilities import remove_ros_args
from rclpy.validate_namespace import validate_namespace
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.latest_item import LatestItemWorker
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, InputStatus
from face_expr_ros.ros.frame_processor import FrameProcessor
from face_expr_ros.ros.node_runner import StartError, light_executor, run_node
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.ros.topics import camera_info_topic, image_topic

SENSOR_DATA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LIVE_PARAMETERS = ("output.", "input_timeout")
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class PerceptionNode(LifecycleNode):
    """Inactive: the models are loaded and nothing is subscribed. Active: faces come out.

    Args:
        namespace: of the node, before that of the command line, which all nodes of a process share; None leaves it.
    """

    def __init__(self, namespace: str | None = None) -> None:
        own = None if namespace is None else ["--ros-args", "--remap", f"__ns:={namespace}"]
        super().__init__("perception", cli_args=own, automatically_declare_parameters_from_overrides=True)
        self.failure = ""
        self._perceiver: FrameProcessor | None = None
        self._worker: LatestItemWorker[Image | CompressedImage] | None = None
        self._inputs: list[Subscription] = []
        self.settings = Parameters(self, PerceptionConfig, LIVE_PARAMETERS)
        self._topic = image_topic(self, self.settings.config.image_transport)
        DiagnosticsPublisher(self, self._status)
        self.create_service(Trigger, "~/reset", self._reset)
        self.create_service(Trigger, "~/calibrate_neutral", self._calibrate_neutral)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the models and offer the topics."""
        self.failure = ""
        try:
            self._perceiver = FrameProcessor(self, self.settings, self._topic)
        except (BundleError, ConfigError, OSError) as error:
            self.failure = str(error)
        except Exception:  # rclpy would swallow it in silence
            self.failure = traceback.format_exc()
        if self.failure:
            self.get_logger().error(f"cannot start: {self.failure}")
        return FAILURE if self.failure else SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        assert self._perceiver is not None
        super().on_activate(state)
        self._perceiver.begin()
        self._worker = LatestItemWorker(self._perceiver.perceive, "perception")
        kind = Image if self.settings.config.image_transport == "raw" else CompressedImage
        self._inputs = [
            self._subscribe(CameraInfo, camera_info_topic(self), self._perceiver.cameras.update),
            self._subscribe(kind, self._topic, self._on_image),
        ]
        self.get_logger().info(f"looking for faces in {self._topic}")
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the models stay loaded."""
        self._stop()
        super().on_deactivate(state)
        return SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free models and topics."""
        self.release()
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """The same from any state."""
        self.release()
        return SUCCESS

    def destroy_node(self) -> None:
        """First ends the thread that publishes."""
        self.release()
        super().destroy_node()

    def release(self) -> None:
        """Stop the work and free models and topics; safe to call twice."""
        self._stop()
        if self._perceiver is not None:
            self._perceiver.close()
            self._perceiver = None

    def _stop(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _subscribe(self, kind: type[Any], topic: str, callback: Callable[[Any], None]) -> Subscription:
        overrides = QoSOverridingOptions.with_default_policies()
        return self.create_subscription(kind, topic, callback, SENSOR_DATA, qos_overriding_options=overrides)

    def _on_image(self, message: Image | CompressedImage) -> None:
        assert self._perceiver is not None
        assert self._worker is not None
        self._perceiver.health.arrived(time.monotonic(), dropped=self._worker.put(message))

    def _status(self) -> DiagnosticStatus | None:
        if self._perceiver is None or not self._inputs:
            return None
        surroundings = InputStatus(
            publishers=self.count_publishers(self._topic),
            input_timeout=self.settings.config.input_timeout,
            camera_problem=self._perceiver.cameras.problem,
        )
        name = self.get_fully_qualified_name().lstrip("/")
        return self._perceiver.health.status(name, time.monotonic(), surroundings)

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._perceiver is None:
            return _answer(response, False, "the node is not configured")
        self._perceiver.reset()
        return _answer(response, True, "all faces are forgotten")

    def _calibrate_neutral(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._perceiver is None:
            return _answer(response, False, "the node is not configured")
        count = self._perceiver.calibrate_neutral()
        if not count:
            return _answer(
                response, False, "no face is in view: look into the camera with a neutral face and try again"
            )
        return _answer(response, True, f"the expression of {count} face{'s' * (count > 1)} is taken as neutral")


def _answer(response: Trigger.Response, success: bool, message: str) -> Trigger.Response:
    response.success, response.message = success, message
    return response


def create(namespace: str | None = None) -> PerceptionNode:
    """The node, active unless ``autostart`` is false.

    Raises:
        ConfigError: a parameter does not exist or cannot have its value.
        StartError: the models cannot be loaded.
    """
    node = PerceptionNode(namespace)
    if node.settings.config.autostart:
        started = node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
        if not started:
            raise StartError(node.failure or "the node could not be activated, see the messages above")
    return node


def create_all(namespaces: Sequence[str]) -> list[PerceptionNode]:
    """A node for each namespace, each with topics, parameters, models and a thread of its own.

    Raises:
        StartError: a namespace is not one, or is given twice; or as `create`.
        ConfigError: as `create`.
    """
    for namespace in namespaces:
        _check_namespace(namespace, namespaces)
    nodes: list[PerceptionNode] = []
    try:
        for namespace in namespaces:
            nodes.append(create(namespace))
    except BaseException:
        for node in nodes:
            node.destroy_node()
        raise
    return nodes


def _check_namespace(namespace: str, all_given: Sequence[str]) -> None:
    try:
        validate_namespace(namespace)
    except InvalidNamespaceException as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise StartError(f"a namespace such as /front was wanted, {namespace!r} was given: {reason}") from error
    if all_given.count(namespace) > 1:
        raise StartError(f"a namespace for each camera was wanted, {namespace!r} was given twice")


def create_from_args() -> Sequence[PerceptionNode]:
    """One node, or one for each namespace of ``--namespaces`` on the command line, which rclpy has checked before."""
    parser = ArgumentParser("perception", description=__doc__)
    parser.add_argument("--namespaces", nargs="+", metavar="NAMESPACE", help="a node in each, all in this process")
    namespaces = parser.parse_args(remove_ros_args(sys.argv)[1:]).namespaces
    return create_all(namespaces) if namespaces else [create()]


def main() -> int:
    """The executable ``perception``."""
    return run_node(create_from_args, "perception", light_executor)


if __name__ == "__main__":
    sys.exit(main())
