"""Camera driver of the soak test, a process that follows commands on stdin: rates, stamps, encodings, people.

Publishes ``image``, ``image/compressed`` while it is subscribed, ``camera_info``, and ``ground_truth``: a face for each
person, with the person's number as id and its place as region, and the stamp of the image.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from face_expr_ros.benchmarks.soak.images import CAMERA_INFOS, INVALID, VALID, jpeg
from face_expr_ros.benchmarks.soak.people import HEIGHT, WIDTH, Crowd
from face_expr_ros.benchmarks.soak.stamps import STAMPS
from face_expr_ros.msg import Face, FaceArray
from face_expr_ros.ros.malloc_tuning import keep_freed_memory

SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
TRUTH = QoSProfile(depth=200)
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class FeedSettings:
    """What the feed publishes; each line on stdin is a JSON object of those to change.

    Attributes:
        rate: images per second.
        stamps: a key of `STAMPS`.
        image: a key of `VALID` or `INVALID`.
        camera_info: a key of `CAMERA_INFOS`.
    """

    rate: float = 10.0
    stamps: str = "regular"
    image: str = "bgr8"
    camera_info: str = "pinhole"


class Feed(Node):
    """Publishes one image at a call."""

    def __init__(self, crowd: Crowd, rng: random.Random) -> None:
        super().__init__("feed")
        self._crowd, self._rng = crowd, rng
        self.settings = FeedSettings()
        self._stamps = STAMPS[self.settings.stamps](rng)
        self._image = self.create_publisher(Image, "image", SENSOR_DATA)
        self._compressed = self.create_publisher(CompressedImage, "image/compressed", SENSOR_DATA)
        self._info = self.create_publisher(CameraInfo, "camera_info", SENSOR_DATA)
        self._truth = self.create_publisher(FaceArray, "ground_truth", TRUTH)

    def configure(self, changes: dict[str, object]) -> None:
        """Change the settings."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        if "stamps" in changes:
            self._stamps = STAMPS[self.settings.stamps](self._rng)

    def wait_for_subscriber(self) -> None:
        """Wait until the persons of the images are subscribed: an image whose persons are lost cannot be checked."""
        deadline = time.monotonic() + _PATIENCE
        while not self._truth.get_subscription_count() and time.monotonic() < deadline:
            time.sleep(0.02)

    def publish(self, t: float) -> None:
        """Publish the image at a time in seconds."""
        settings = self.settings
        stamp = self._stamps(time.time_ns(), round(1e9 / settings.rate))
        header = Header(stamp=Time(nanoseconds=stamp).to_msg(), frame_id=f"{self.get_namespace().strip('/')}_lens")
        self._publish_truth(t, header)
        image = self._crowd.image(t)
        info = CAMERA_INFOS[settings.camera_info](image.shape[1], image.shape[0], header)
        if info is not None:
            self._info.publish(info)
        self._image.publish({**VALID, **INVALID}[settings.image](image, header))
        if self._compressed.get_subscription_count():
            self._compressed.publish(jpeg(image, header, settings.image in VALID))

    def _publish_truth(self, t: float, header: Header) -> None:
        faces = [
            Face(
                face_id=str(person),
                roi=RegionOfInterest(x_offset=place * WIDTH, y_offset=0, width=WIDTH, height=HEIGHT),
            )
            for place, person in enumerate(self._crowd.persons(t))
            if person is not None
        ]
        self._truth.publish(FaceArray(header=header, faces=faces))


def _read_commands(commands: queue.Queue[dict[str, object] | None]) -> None:
    for line in sys.stdin:
        commands.put(json.loads(line))
    commands.put(None)


def _run(feed: Feed) -> None:
    """Publish at the rate until the end of stdin; a tick that is late by more than a period is skipped."""
    feed.wait_for_subscriber()
    commands: queue.Queue[dict[str, object] | None] = queue.Queue()
    threading.Thread(target=_read_commands, args=(commands,), daemon=True).start()
    started = due = time.monotonic()
    while True:
        try:
            command = commands.get(timeout=max(0.0, due - time.monotonic()))
            if command is None:
                return
            feed.configure(command)
        except queue.Empty:
            now = time.monotonic()
            feed.publish(now - started)
            due = max(due + 1 / feed.settings.rate, now)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path, help="images of render_people, written by numpy.save")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(remove_ros_args(sys.argv)[1:])
    keep_freed_memory()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    crowd = Crowd(np.load(options.people, mmap_mode="r"), options.seed)
    feed = Feed(crowd, random.Random(options.seed))
    try:
        _run(feed)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second one does not interrupt the cleanup
    finally:
        feed.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
