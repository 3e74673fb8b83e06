"""Processing of one image message: decode, run the pipeline, publish."""

from __future__ import annotations

import threading
import time
import traceback

from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from face_expr_ros.core.config import OutputConfig, PerceptionConfig
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.ros.diagnostics import Health
from face_expr_ros.ros.face_ids import with_unique_ids
from face_expr_ros.ros.node_runner import LOG_INTERVAL
from face_expr_ros.ros.outputs import Outputs, check_output
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.serialization.camera_info import CameraKeeper
from face_expr_ros.serialization.image_decoding import DecodeError, decode


class FrameProcessor:
    """Runs the pipeline on image messages and publishes the results.

    `process` is called from one worker thread, all other methods from the executor's thread.

    Raises:
        BundleError: the models cannot be loaded, or do not support ``output.annotated``.
        ConfigError: the face model does not support ``output.mesh_detail``, or ``id_prefix`` is not valid.
    """

    def __init__(self, node: LifecycleNode, parameters: Parameters[PerceptionConfig], topic: str) -> None:
        self._node = node
        self._parameters = parameters
        self._pipeline = Pipeline(with_unique_ids(parameters.config, node.get_namespace()))
        self._last_stamp_ns: int | None = None
        self._lock = threading.Lock()  # services may be called while an image is processed
        self._outputs = Outputs(node, self._pipeline.model, parameters.config.output)
        self.cameras = CameraKeeper(parameters.config.fitting.field_of_view)
        model = self._pipeline.model
        self.health = Health(topic, {"model": model.name, "model sha256": model.sha256})

    def start(self) -> None:
        """Reset the diagnostics and publish the face model, when the node is activated."""
        self.health.start(time.monotonic())
        self._outputs.publish_face_model(Header(stamp=self._node.get_clock().now().to_msg()))

    def process(self, message: Image | CompressedImage) -> None:
        """Process one image; errors are counted and logged, and do not affect the next image."""
        try:
            self._process(message)
        except Exception as error:
            self._report(error)

    def _process(self, message: Image | CompressedImage) -> None:
        started = time.perf_counter()
        image = decode(message)
        camera = self.cameras.camera(image.shape[1], image.shape[0])
        stamp = Time.from_msg(message.header.stamp)
        frame = Frame(image, stamp.nanoseconds, message.header.frame_id, camera)
        decoded = time.perf_counter()
        self._log_time_jump(stamp.nanoseconds)
        with self._lock:
            faces = self._pipeline(frame)
        processed = time.perf_counter()
        self._outputs(frame, faces, message.header, self._parameters.config.output)
        published = time.perf_counter()
        age = (self._node.get_clock().now().nanoseconds - stamp.nanoseconds) / 1e9
        with self._lock:
            stages = self._pipeline.stage_seconds
            self._pipeline.run_deferred_detection()
        seconds = {
            "decode": decoded - started,
            **stages,
            "publish": published - processed,
            "deferred detection": time.perf_counter() - published,
        }
        self.health.frame_published(time.monotonic(), len(faces), seconds, age)

    def _log_time_jump(self, stamp_ns: int) -> None:
        """Warn that the pipeline resets its tracks: a bag was restarted, or the clock was set back."""
        last = self._last_stamp_ns
        if last is not None and stamp_ns < last:
            self._node.get_logger().warning(
                f"image stamps jumped back by {(last - stamp_ns) * 1e-9:.3f} s: all tracks are reset",
                throttle_duration_sec=LOG_INTERVAL,
            )
        self._last_stamp_ns = stamp_ns

    def _report(self, error: Exception) -> None:
        text = str(error) if isinstance(error, DecodeError) else traceback.format_exc()
        self.health.frame_failed(time.monotonic(), text.strip().splitlines()[-1])
        self._node.get_logger().error(f"image skipped: {text}", throttle_duration_sec=LOG_INTERVAL)

    def check(self, config: OutputConfig) -> None:
        """Raises BundleError or ConfigError if the face model does not support these settings; see `check_output`."""
        check_output(config, self._pipeline.model)

    def reset(self) -> None:
        """Delete all tracks; ids are not reused."""
        with self._lock:
            self._pipeline.reset()

    def calibrate_neutral(self) -> int:
        """Store the current expressions of all tracked faces as neutral; returns their number."""
        with self._lock:
            return self._pipeline.calibrate_neutral()

    def close(self) -> None:
        """Release the models and destroy the publishers."""
        with self._lock:
            self._pipeline.close()
        self._outputs.close()
