"""What happens to one image message: decode, call the pipeline, publish."""

from __future__ import annotations

import threading
import time
import traceback

from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.ros.diagnostics import Health
from face_expr_ros.ros.node_runner import LOG_INTERVAL
from face_expr_ros.ros.outputs import Outputs
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.serialization.camera_info import CameraKeeper
from face_expr_ros.serialization.image_decoding import DecodeError, decode


class FrameProcessor:
    """The pipeline between the topics of a node. Images belong to one thread, everything else to the executor's.

    Raises:
        BundleError: the models cannot be loaded.
    """

    def __init__(self, node: LifecycleNode, parameters: Parameters[PerceptionConfig], topic: str) -> None:
        self._node = node
        self._parameters = parameters
        self._pipeline = Pipeline(parameters.config)
        self._last_stamp_ns: int | None = None
        self._lock = threading.Lock()  # services may come while an image is in work
        self._outputs = Outputs(node, self._pipeline.model, parameters.config.output)
        self.cameras = CameraKeeper(parameters.config.fitting.field_of_view)
        model = self._pipeline.model
        self.health = Health(topic, {"model": model.name, "model sha256": model.sha256})

    def begin(self) -> None:
        """The node became active."""
        self.health.start(time.monotonic())
        self._outputs.announce(Header(stamp=self._node.get_clock().now().to_msg()))

    def perceive(self, message: Image | CompressedImage) -> None:
        """One image, whatever is in it: a bad one is counted and reported, and the next one finds all in order."""
        try:
            self._perceive(message)
        except Exception as error:
            self._report(error)

    def _perceive(self, message: Image | CompressedImage) -> None:
        started = time.perf_counter()
        image = decode(message)
        camera = self.cameras.camera(image.shape[1], image.shape[0])
        stamp = Time.from_msg(message.header.stamp)
        frame = Frame(image, stamp.nanoseconds, message.header.frame_id, camera)
        decoded = time.perf_counter()
        self._notice_time_jump(stamp.nanoseconds)
        with self._lock:
            faces = self._pipeline(frame)
        perceived = time.perf_counter()
        self._outputs(frame, faces, message.header, self._parameters.config.output)
        published = time.perf_counter()
        age = (self._node.get_clock().now().nanoseconds - stamp.nanoseconds) / 1e9
        with self._lock:
            stages = self._pipeline.stage_seconds
            self._pipeline.run_deferred_detection()
        seconds = {
            "decode": decoded - started,
            **stages,
            "publish": published - perceived,
            "look ahead": time.perf_counter() - published,
        }
        self.health.succeeded(time.monotonic(), len(faces), seconds, age)

    def _notice_time_jump(self, stamp_ns: int) -> None:
        """Say that the pipeline starts anew: a bag begins again, or the clock was set."""
        last = self._last_stamp_ns
        if last is not None and stamp_ns < last:
            self._node.get_logger().warning(
                f"image stamps went back by {(last - stamp_ns) * 1e-9:.3f} s: all faces are forgotten, ids go on",
                throttle_duration_sec=LOG_INTERVAL,
            )
        self._last_stamp_ns = stamp_ns

    def _report(self, error: Exception) -> None:
        text = str(error) if isinstance(error, DecodeError) else traceback.format_exc()
        self.health.failed(time.monotonic(), text.strip().splitlines()[-1])
        self._node.get_logger().error(f"image left out: {text}", throttle_duration_sec=LOG_INTERVAL)

    def reset(self) -> None:
        """Forget all faces; ids go on."""
        with self._lock:
            self._pipeline.reset()

    def calibrate_neutral(self) -> int:
        """Take the faces in view as neutral; their number."""
        with self._lock:
            return self._pipeline.calibrate_neutral()

    def close(self) -> None:
        """Free models and topics."""
        with self._lock:
            self._pipeline.close()
        self._outputs.close()
