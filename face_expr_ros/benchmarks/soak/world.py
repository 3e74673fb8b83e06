"""The graph of the soak test: which processes there are, how they are started, and how each shows that it works."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState, PointCloud2
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker

from face_expr_ros.benchmarks.soak.clients import Browsers, PacketReceivers
from face_expr_ros.benchmarks.soak.disk import SmallDisk
from face_expr_ros.benchmarks.soak.feed import SENSOR_DATA
from face_expr_ros.benchmarks.soak.hri_watch import HriWatch
from face_expr_ros.benchmarks.soak.link import ImpairedLink, LinkError
from face_expr_ros.benchmarks.soak.monitor import Monitor
from face_expr_ros.benchmarks.soak.people import render_people
from face_expr_ros.benchmarks.soak.processes import NodeProcess
from face_expr_ros.benchmarks.soak.records import Records
from face_expr_ros.benchmarks.soak.sim_time import SimTime
from face_expr_ros.msg import FaceArray, FaceEvent, FaceExpression, FaceModel, FacePose, FaceShape
from face_expr_ros.ros.hri_messages import hri_types
from face_expr_ros.ros.transforms import transform_message_type

CAMERAS = ("/front", "/rear")  # with feeds; /room has the package's camera node
RECOVERY = 120.0  # seconds within which every output must be published again after a fault
START = 600.0  # seconds within which all outputs must be published after the start
LATEST = 1  # depth of subscriptions of meshes and images: the monitor does not fall behind when it is slow
_BROWSERS = 4
_MEASURED = 240.0  # seconds of a test in which memory is judged
_FILL = 3.0  # seconds for which all outputs of a camera are subscribed at the start
# Outputs of perception that the bridges do not subscribe to.
OUTPUTS: Mapping[str, type[Any]] = {
    "pose": FacePose, "shape": FaceShape, "expression": FaceExpression, "face_events": FaceEvent,
    "face_model": FaceModel, "mesh_cloud": PointCloud2, "mesh_markers": Marker, "annotated": Image,
}  # fmt: skip


@dataclass(frozen=True)
class SoakSettings:
    """Settings of a soak test.

    Attributes:
        seconds: duration.
        seed: of all random choices.
        rate: images per second of each camera while its rate is not changed.
        pause: mean number of seconds between two faults.
        faults: names of the faults to cause; empty means all of `faults.FAULTS`.
        uses_network: run head_control and avatar_bridge in another network namespace, with loss and delay.
    """

    seconds: float
    seed: int = 1
    rate: float = 8.0
    pause: float = 2.0
    faults: tuple[str, ...] = ()
    uses_network: bool = True


class World:
    """All processes, and the clients and the monitor that receive their outputs.

    Attributes:
        processes: by name.
        outputs: by name of a process: the time of its last output, seconds of the monotonic clock.
        skipped: what cannot be tested on this machine, and why.
    """

    def __init__(self, settings: SoakSettings, folder: Path, records: Records) -> None:
        self.settings, self.folder, self.records = settings, folder, records
        self.skipped: dict[str, str] = {}
        self.processes: dict[str, NodeProcess] = {}
        self.outputs: dict[str, Callable[[], float]] = {}
        people = render_people(settings.seed)
        np.save(folder / "people.npy", people)
        cv2.imwrite(str(folder / "person.png"), people[0, 0])
        self.link = self._open_link()
        self.disk = SmallDisk(folder / "log")
        if self.disk.problem:
            self.skipped["disk full"] = self.disk.problem
        os.environ["ROS_LOG_DIR"] = str(self.disk.path)
        self.packets = PacketReceivers("vmc", "live_link", "openseeface")
        self.monitor = Monitor()
        self.sim_time = SimTime(self.monitor.node.create_publisher(Clock, "/clock", 10))
        self.browsers: Browsers | None = None

    def start(self) -> None:
        """Start all processes and wait until each shows an output."""
        self._write_files()
        self._add_cameras()
        self._add_bridges()
        for process in self.processes.values():
            process.start()
        for name, time_of_output in self.outputs.items():
            if self.monitor.until(lambda last=time_of_output: last() > 0.0, START) is None:  # type: ignore[misc]
                self.processes[name].check()
                self.records.problem(f"{name}: no output within {START:g} s after the start")
        if self.settings.seconds >= _MEASURED:
            self._subscribe_once()

    def _subscribe_once(self) -> None:
        """Fill the queues of all publishers: those of large messages take megabytes when they are first subscribed."""
        for namespace in (*CAMERAS, "/room"):
            for topic, kind in OUTPUTS.items():
                self.monitor.watch(f"{namespace}/{topic}", kind, f"{namespace}/{topic}", LATEST)
            time.sleep(_FILL)
            for topic in OUTPUTS:
                self.monitor.unwatch(f"{namespace}/{topic}")

    def close(self) -> None:
        """Stop all processes, which must end with status 0, and all clients."""
        self.sim_time.close()
        for process in self.processes.values():
            process.check()
            process.send_signal(signal.SIGINT)  # all at once; then each is awaited
        for process in reversed(self.processes.values()):
            process.stop(None)
        if self.browsers is not None:
            self.browsers.close()
        self.packets.close()
        self.monitor.close()
        if self.link is not None:
            self.link.close()
        self.disk.close()

    def add(self, name: str, module: str, *arguments: str, **options: Any) -> NodeProcess:
        """Add a process, which is not started."""
        process = self.processes[name] = NodeProcess(name, module, arguments, self.folder, **options)
        return process

    def add_feed(self, namespace: str, seed: int) -> NodeProcess:
        """Add a camera driver, which is not started."""
        arguments = (str(self.folder / "people.npy"), "--seed", str(seed), "--ros-args", "-r", f"__ns:={namespace}")
        return self.add(f"{namespace} feed", "benchmarks.soak.feed", *arguments, has_commands=True)

    def feed(self, namespace: str, **changes: Any) -> None:
        """Change what the feed of a camera publishes."""
        with suppress(BrokenPipeError):
            self.processes[f"{namespace} feed"].send(json.dumps(changes))

    def disturb(self, *namespaces: str, seconds: float = 0.0) -> None:
        """Persons may receive new ids for some seconds, and for a while after them; of all cameras if none is given."""
        for namespace in namespaces or tuple(self.monitor.identities):
            if namespace in self.monitor.identities:
                self.monitor.identities[namespace].disturb(time.monotonic() + seconds)

    def recovers(self, kind: str, *names: str, since: float) -> None:
        """Wait until each of these processes has shown an output after a time, and record the duration."""
        for name in names:
            last = self.outputs[name]
            waited = self.monitor.until(lambda last=last: last() > since, RECOVERY)  # type: ignore[misc]
            self.disturb()
            self.records.recovery(kind, name, None if waited is None else time.monotonic() - since)

    def last(self, *labels: str) -> Callable[[], float]:
        """A function: the time since which all of these topics have had a message."""
        return lambda: min(self.monitor.last.get(label, 0.0) for label in labels)

    def _open_link(self) -> ImpairedLink | None:
        if not self.settings.uses_network:
            self.skipped["network"] = "disabled"
            return None
        try:
            link = ImpairedLink(f"soak{os.getpid() % 100000}", self.settings.seed)
        except LinkError as error:
            self.skipped["network"] = str(error)
            return None
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        os.environ["ROS_STATIC_PEERS"] = f"{link.host};{link.guest}"
        return link

    def _write_files(self) -> None:
        host = self.link.host if self.link else "127.0.0.1"
        targets = [
            {"protocol": name, "host": host, "port": port, "rate": 10.0} for name, port in self.packets.ports.items()
        ]
        (self.folder / "avatars.yaml").write_text(json.dumps({"targets": targets}), encoding="utf-8")
        small = {"output.mesh_detail": "decimated", "landmarks.max_faces": 3}
        parameters = {
            "/**/perception": {"ros__parameters": small},
            "/rear/perception": {"ros__parameters": {"image_transport": "compressed"}},
        }
        (self.folder / "perception.yaml").write_text(json.dumps(parameters), encoding="utf-8")

    def _add_cameras(self) -> None:
        parameters = ("--ros-args", "--params-file", str(self.folder / "perception.yaml"))
        for number, namespace in enumerate(CAMERAS):
            self.add_feed(namespace, self.settings.seed + number)
            self.monitor.watch_camera(namespace)
            self.outputs[f"{namespace} feed"] = self.last(f"{namespace} images")
        self.add("perception", "nodes.perception", "--namespaces", *CAMERAS, *parameters)
        self.outputs["perception"] = self.last(*(f"{namespace} faces" for namespace in CAMERAS))
        room = {"width": 320, "height": 240, "faces": 2, "rate": min(4.0, self.settings.rate)}
        self.add("/room camera", "nodes.camera", "--ros-args", "-r", "__ns:=/room", *_parameters(room))
        self.add("/room perception", "nodes.perception", *parameters, "-r", "__ns:=/room")
        self.monitor.watch("/room images", FaceArray, "/room/ground_truth", SENSOR_DATA)
        self.monitor.watch("/room faces", FaceArray, "/room/faces")
        self.outputs["/room camera"] = self.last("/room images")
        self.outputs["/room perception"] = self.last("/room faces")
        if (tf_type := transform_message_type()) is not None:
            self.monitor.watch("tf", tf_type, "/tf", 100)
        else:
            self.skipped["tf"] = "tf2_msgs is not installed"
        self.records.watch_diagnostics(self.monitor)

    def _add_bridges(self) -> None:
        remote = {"prefix": self.link.command if self.link else ()}
        rate = min(20.0, max(5.0, 2.5 * self.settings.rate))
        head = {"output": "both", "rate": rate}
        front = ("--ros-args", "-r", "__ns:=/front")
        self.add("head_control", "nodes.head_control", *front, *_parameters(head), **remote)
        avatars = {"targets": str(self.folder / "avatars.yaml")}
        self.add("avatar_bridge", "nodes.avatar_bridge", *front, *_parameters(avatars), **remote)
        self.outputs["avatar_bridge"] = lambda: self.packets.last
        simulated = {"use_sim_time": True, "rate": max(5.0, rate / 2)}
        self.add("simulated head", "nodes.head_control", "--ros-args", "-r", "__ns:=/rear", *_parameters(simulated))
        port = _free_port()
        self.add("web_bridge", "nodes.web_bridge", *front, *_parameters({"port": port}))
        self.browsers = Browsers(f"http://127.0.0.1:{port}/", _BROWSERS, self.settings.seed)
        self.outputs["web_bridge"] = lambda: self.browsers.last_frame if self.browsers else 0.0
        self.monitor.watch("head joints", JointState, "/front/joint_targets")
        self.monitor.watch("head trajectories", JointTrajectory, "/front/joint_trajectory")
        self.monitor.watch("simulated joints", JointState, "/rear/joint_targets")
        self.outputs["head_control"] = self.last("head joints", "head trajectories")
        self.outputs["simulated head"] = self.last("simulated joints")
        if (types := hri_types()) is None:
            self.skipped["hri_bridge"] = "hri_msgs is not installed"
            return
        namespaces = {"namespaces": " ".join([*CAMERAS, "/room"])}
        self.add("hri_bridge", "nodes.hri_bridge", "--ros-args", *_parameters(namespaces))
        HriWatch(self.monitor, types)
        self.outputs["hri_bridge"] = self.last("hri tracked")


def _parameters(values: Mapping[str, Any]) -> list[str]:
    return [word for name, value in values.items() for word in ("-p", f"{name}:={json.dumps(value)}")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
