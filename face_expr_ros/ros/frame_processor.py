"""Processing of one image message: decode, run the pipeline, publish."""

from __future__ import annotations

import threading
import time
import traceback
from functools import partial

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from face_expr_ros.core.config import OutputConfig, PerceptionConfig
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.ros.depth_input import DepthInput
from face_expr_ros.ros.diagnostics import Health
from face_expr_ros.ros.face_ids import with_unique_ids
from face_expr_ros.ros.image_loss import ImageLoss
from face_expr_ros.ros.image_messages import ImageDecoder
from face_expr_ros.ros.last_output import LastOutput
from face_expr_ros.ros.node_runner import LOG_INTERVAL
from face_expr_ros.ros.outputs import Outputs, check_output
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.ros.stamp_warnings import StampWarnings
from face_expr_ros.ros.stamps import stamp_ns
from face_expr_ros.serialization.camera_keeper import CameraKeeper, is_rectified
from face_expr_ros.serialization.image_encodings import DecodeError

MAX_CALIBRATION_AGE = 5.0  # seconds; a neutral expression is not taken from older images


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
        self._lock = threading.Lock()  # services may be called while an image is processed
        self._output_lock = threading.Lock()  # faces may be removed while an image is processed
        self._last_output = LastOutput()
        warn = node.get_logger().warning
        self._check_stamps = StampWarnings(warn, partial(warn, throttle_duration_sec=LOG_INTERVAL))
        self._outputs = Outputs(node, self._pipeline.model, parameters.config.output)
        self.loss = ImageLoss()
        self._decode = ImageDecoder()
        self.depth = DepthInput()
        config = parameters.config
        self.cameras = CameraKeeper(config.fitting.field_of_view, rectified=is_rectified(config.rectified, topic))
        model = self._pipeline.model
        self.health = Health(topic, {"model": model.name, "model sha256": model.sha256})

    def start(self) -> None:
        """Reset the diagnostics and offer the face model, when the node is activated."""
        self.health.start(time.monotonic())
        self.loss.reset()
        self._outputs.offer_face_model(Header(stamp=self._node.get_clock().now().to_msg()))

    def publish_offered(self) -> None:
        """Publish the face model once it has a subscriber; call several times a second."""
        self._outputs.publish_offered()

    def process(self, message: Image | CompressedImage) -> None:
        """Process one image; errors are counted and logged, and do not affect the next image."""
        try:
            self._process(message)
        except Exception as error:
            self._report(error)

    def _process(self, message: Image | CompressedImage) -> None:
        started, arrival_ns = time.perf_counter(), time.monotonic_ns()
        image = self._decode(message)
        camera = self.cameras.camera(image.shape[1], image.shape[0])
        stamp = stamp_ns(message.header.stamp)
        depth = self.depth.latest(message.header, camera.width, camera.height)
        frame = Frame(image, stamp, message.header.frame_id, camera, arrival_ns, depth)
        decoded = time.perf_counter()
        with self._lock:
            faces = self._pipeline(frame)
            self._check_stamps(self._pipeline.clock)
        processed = time.perf_counter()
        with self._output_lock:
            self._outputs(frame, faces, message.header, self._parameters.config.output)
            self._last_output.update(message.header, time.monotonic())
        published = time.perf_counter()
        age = (self._node.get_clock().now().nanoseconds - stamp) / 1e9
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

    def _report(self, error: Exception) -> None:
        text = str(error) if isinstance(error, DecodeError) else traceback.format_exc()
        self.health.frame_failed(time.monotonic(), text.strip().splitlines()[-1])
        self._node.get_logger().error(f"image skipped: {text}", throttle_duration_sec=LOG_INTERVAL)

    def check(self, config: OutputConfig) -> None:
        """Raises BundleError or ConfigError if the face model does not support these settings; see `check_output`."""
        check_output(config, self._pipeline.model)

    def on_camera_info(self, message: CameraInfo) -> None:
        """Use a CameraInfo for the images from now on."""
        self.cameras.update(message)
        self.loss.info_received(stamp_ns(message.header.stamp))

    def on_image(self, message: Image | CompressedImage, dropped: bool) -> None:
        """Record the arrival of an image; ``dropped``: it replaced one that was still waiting."""
        self.health.image_received(time.monotonic(), dropped)
        self.loss.image_received(stamp_ns(message.header.stamp))

    def clear(self, silence: float = 0.0) -> None:
        """Remove all faces from the outputs if the last result is older than ``silence`` seconds."""
        with self._output_lock:
            age = self._last_output.age(time.monotonic())
            if age is not None and age >= silence:
                self._outputs.clear(self._last_output.header)
                self._last_output.clear()

    def input_problem(self) -> str:
        """Why the latest image does not show what is in front of the camera now; empty if it does."""
        age = self._last_output.age(time.monotonic())
        timeout = min(self._parameters.config.input_timeout, MAX_CALIBRATION_AGE)
        if age is not None and age < timeout:
            return ""
        return f"no image was processed in the last {timeout:g} s; see /diagnostics"

    def reset(self) -> int:
        """Delete all tracks and return their number; ids are not reused."""
        with self._lock:
            count = self._pipeline.track_count
            self._pipeline.reset()
        return count

    def calibrate_neutral(self) -> int:
        """Store the current expressions of all tracked faces as neutral; returns their number."""
        with self._lock:
            return self._pipeline.calibrate_neutral()

    def close(self) -> None:
        """Release the models and destroy the publishers."""
        with self._lock:
            self._pipeline.close()
        self._outputs.close()
