"""The node ``perception``: detects and tracks the faces of an image topic."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidNamespaceException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.utilities import remove_ros_args
from rclpy.validate_namespace import validate_namespace
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.huge_pages import use_huge_pages
from face_expr_ros.core.latest_item import LatestItemWorker
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, InputStatus
from face_expr_ros.ros.frame_processor import FrameProcessor
from face_expr_ros.ros.image_loss import loss_problem
from face_expr_ros.ros.lifecycle_manager import Bond, accept_repeated_transitions
from face_expr_ros.ros.malloc_tuning import release_freed_memory
from face_expr_ros.ros.node_runner import StartError, create_events_executor, run_node
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.ros.topics import camera_info_topic, image_topic
from face_expr_ros.ros.tracking_services import TrackingServices

SENSOR_DATA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LIVE_PARAMETERS = ("output.", "input_timeout")
CHECK_PERIOD = 0.1  # seconds between two checks of input_timeout, and of subscribers of the face model
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class PerceptionNode(LifecycleNode):
    """Lifecycle node; inactive: models loaded, nothing subscribed; active: subscribed and publishing.

    Args:
        namespace: overrides the namespace of the command line, which all nodes of a process share.
    """

    def __init__(self, namespace: str | None = None) -> None:
        cli_args = None if namespace is None else ["--ros-args", "--remap", f"__ns:={namespace}"]
        super().__init__("perception", cli_args=cli_args, automatically_declare_parameters_from_overrides=True)
        self.failure = ""
        self._processor: FrameProcessor | None = None
        self._worker: LatestItemWorker[Image | CompressedImage] | None = None
        self._inputs: list[Subscription] = []
        self._bond = Bond(self)  # before anything that may fail: destroy_node stops it
        self.settings = Parameters(self, PerceptionConfig, LIVE_PARAMETERS, check=self._check)
        self._topic = image_topic(self, self.settings.config.image_transport)
        DiagnosticsPublisher(self, self._status)
        accept_repeated_transitions(self)
        TrackingServices(self, self._active_processor)
        self.create_timer(
            CHECK_PERIOD, self._check_input_and_subscribers, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the models and create the publishers."""
        self.failure = ""
        self.release()
        try:
            self._processor = FrameProcessor(self, self.settings, self._topic)
            # One thread for all activations: glibc gives each thread one of several heaps, and keeps the memory of all.
            self._worker = LatestItemWorker(self._processor.process, "perception")
            release_freed_memory()  # what only loading needed
            # In a thread of its own: on a busy machine it takes seconds, and the first image need not wait for it.
            threading.Thread(target=use_huge_pages, name="huge_pages", daemon=True).start()
        except (BundleError, ConfigError, OSError) as error:
            self.failure = str(error)
        except Exception:  # rclpy does not log it
            self.failure = traceback.format_exc()
        if self.failure:
            self.get_logger().error(f"cannot start: {self.failure}")
        return FAILURE if self.failure else SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to images and CameraInfo."""
        assert self._processor is not None
        super().on_activate(state)
        self._processor.start()
        image_type = Image if self.settings.config.image_transport == "raw" else CompressedImage
        self._inputs = [
            self._subscribe(CameraInfo, camera_info_topic(self), self._processor.on_camera_info),
            self._subscribe(image_type, self._topic, self._on_image),
        ]
        if self.settings.config.use_depth:
            self._inputs.append(self._subscribe(Image, "depth/image", self._processor.depth.update))
        self._bond.start()
        self.get_logger().info(f"detecting faces in {self._topic}")
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the models stay loaded."""
        self._stop()
        super().on_deactivate(state)
        return SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the models and destroy the publishers."""
        self.release()
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the models after a transition that failed; the node can be configured again."""
        self.get_logger().error(f"the transition failed in state {state.label}; the models are released")
        self.release()
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the models and destroy the publishers, from any state."""
        self.release()
        return SUCCESS

    def destroy_node(self) -> None:
        """Stop the worker thread, which publishes, and destroy the node."""
        self.release()
        super().destroy_node()

    def release(self) -> None:
        """Stop the worker thread, release the models and destroy the publishers; may be called twice."""
        self._stop()
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        if self._processor is not None:
            self._processor.close()
            self._processor = None
            release_freed_memory()

    def _stop(self) -> None:
        self._bond.stop()
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._worker is not None and self._processor is not None:
            self._worker.clear()
            self._processor.clear()

    def _check(self, config: PerceptionConfig) -> None:
        """Raises BundleError or ConfigError if the loaded models do not support a config."""
        if self._processor is not None:
            self._processor.check(config.output)

    def _subscribe(self, message_type: type[Any], topic: str, callback: Callable[[Any], None]) -> Subscription:
        overrides = QoSOverridingOptions.with_default_policies()
        return self.create_subscription(message_type, topic, callback, SENSOR_DATA, qos_overriding_options=overrides)

    def _on_image(self, message: Image | CompressedImage) -> None:
        # An executor may still deliver a queued image.
        if self._processor is not None and self._worker is not None and self._inputs:
            self._processor.on_image(message, dropped=self._worker.put(message))

    def _active_processor(self) -> FrameProcessor | None:
        return self._processor if self._inputs else None

    def _check_input_and_subscribers(self) -> None:
        """Remove all faces when no image has been processed for ``input_timeout``; publish the face model if needed."""
        processor = self._active_processor()
        if processor is not None:
            processor.clear(self.settings.config.input_timeout)
            processor.publish_offered()

    def _status(self) -> DiagnosticStatus | None:
        if self._processor is None or not self._inputs:
            return None
        inputs = InputStatus(
            publishers=self.count_publishers(self._topic),
            input_timeout=self.settings.config.input_timeout,
            camera_problem=self._processor.cameras.problem or self._processor.depth.problem,
            lost_share=self._processor.loss.share(),
            loss_problem=loss_problem(self._topic) if self._processor.loss.is_excessive() else "",
        )
        name = self.get_fully_qualified_name().lstrip("/")
        return self._processor.health.status(name, time.monotonic(), inputs)


def create(namespace: str | None = None) -> PerceptionNode:
    """The node, activated unless ``autostart`` is false.

    Raises:
        ConfigError: a parameter does not exist or its value is invalid.
        StartError: the models cannot be loaded.
    """
    node = PerceptionNode(namespace)
    if node.settings.config.autostart:
        is_active = node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
        if not is_active:
            raise StartError(node.failure or "the node could not be activated, see the log messages above")
    return node


def create_all(namespaces: Sequence[str]) -> list[PerceptionNode]:
    """A node for each namespace, each with its own topics, parameters, models and worker thread.

    Raises:
        StartError: a namespace is invalid or occurs twice; or as `create`.
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


def _check_namespace(namespace: str, namespaces: Sequence[str]) -> None:
    try:
        validate_namespace(namespace)
    except InvalidNamespaceException as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise StartError(f"expected a namespace such as /front, got {namespace!r}: {reason}") from error
    if namespaces.count(namespace) > 1:
        raise StartError(f"expected a different namespace for each camera, got {namespace!r} twice")


def create_from_args() -> Sequence[PerceptionNode]:
    """One node, or one for each namespace of ``--namespaces`` on the command line."""
    parser = ArgumentParser("perception", description=__doc__)
    parser.add_argument("--namespaces", nargs="+", metavar="NAMESPACE", help="run one node per namespace")
    namespaces = parser.parse_args(remove_ros_args(sys.argv)[1:]).namespaces
    return create_all(namespaces) if namespaces else [create()]


def main() -> int:
    """The executable ``perception``."""
    return run_node(create_from_args, "perception", create_events_executor)


if __name__ == "__main__":
    sys.exit(main())
