"""Shared fixtures: a ROS graph of its own for each run, nodes in this process and nodes as processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from hypothesis import settings
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from support.paths import ROOT

from face_expr_ros.benchmarks.soak.message_rules import violations
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import FloatArray, Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.models.fetch import fetch_models
from face_expr_ros.synthetic.scene import FaceRenderer
from face_expr_ros.training.expression import shards
from face_expr_ros.training.expression.samples import mirror_indices

# The same examples in every run without a time limit: failures must be caused by changes, not by chance or load.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

pytest_plugins = [
    "support.bag_fixtures",
    "support.launch_stand_ins",
    "support.page_fixtures",
    "support.timed_runs",
]
EXAMPLES_PER_TURN = 500  # of each test with --minutes, unless --examples is given
RELEASED = ROOT.parent / "shared/models/3ddfa_v2"  # the files of 3DDFA_V2, on machines that have them
PATIENCE = 60.0  # timeout of waits, seconds, with margin for a loaded machine
ASK_AGAIN = 5.0  # seconds without a response after which a service is called again


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out live graphs, the browser and slow tests")
    parser.addoption("--examples", type=int, help="examples of each generative test, new in each run")
    parser.addoption("--minutes", type=float, help="repeat the tests for this long, with new examples each time")


def pytest_configure(config: pytest.Config) -> None:
    """Isolate the ROS graph, provide enough shared memory for images, and filter warnings of dependencies."""
    if examples := config.getoption("--examples") or (config.getoption("--minutes") and EXAMPLES_PER_TURN):
        settings.register_profile("random", deadline=None, max_examples=examples, database=None)
        settings.load_profile("random")
    if config.getoption("--fast"):
        config.option.markexpr = "not slow and not graph and not browser"
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.randint(1, 50)))
    if worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):
        os.environ["ROS_DOMAIN_ID"] = str(int(os.environ["ROS_DOMAIN_ID"]) + int(worker))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if "FASTRTPS_DEFAULT_PROFILES_FILE" not in os.environ:
        os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(ROOT / "config/fastdds.xml"))
    config.addinivalue_line("filterwarnings", "ignore:module 'sre_:DeprecationWarning")  # lark, of rosidl


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test is marked by the folder it is in: graph, browser or integration."""
    for item in items:
        folder = item.path.relative_to(ROOT / "test").parts[0]
        if folder in ("graph", "browser", "integration"):
            item.add_marker(folder)


class Graph:
    """A node of the test with its own executor and the messages that it has received."""

    def __init__(self, name: str) -> None:
        self.node = Node(name)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}
        self.violations: Counter[str] = Counter()

    def listen(self, kind: type[Any], topic: str, qos: Any = 10) -> list[Any]:
        """Subscribe to a topic; the returned list is filled with its messages in order of arrival.

        Messages that violate `message_rules` are counted; the fixture fails if there are any.
        """
        received: list[Any] = []

        def receive(message: Any) -> None:
            received.append(message)
            self.violations.update(f"{topic}: {sentence}" for sentence in violations(message))

        self.node.create_subscription(kind, topic, receive, qos)
        return received

    def until(self, done: Callable[[], Any], what: str, each: Callable[[], Any] | None = None) -> None:
        """Spin until ``done``; ``each`` is called before each spin, for example to publish again."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}"
            if each is not None:
                each()
            self._executor.spin_once(timeout_sec=0.05)

    def call(self, kind: type[Any], name: str, request: Any = None) -> Any:
        """The response of a service.

        The call is repeated without a response: a service that has not yet discovered the reader of its responses sends
        them nowhere. The request may therefore be executed twice.
        """
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        self.until(client.service_is_ready, f"the service {name}")
        answers: list[Any] = []
        begun = time.monotonic()

        def ask() -> None:
            if time.monotonic() >= begun + len(answers) * ASK_AGAIN:
                answers.append(client.call_async(request or kind.Request()))

        self.until(lambda: any(answer.done() for answer in answers), f"an answer of {name}", each=ask)
        return next(answer for answer in answers if answer.done()).result()

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


class Process:
    """One of the package's nodes in a process of its own; ``environment`` extends that of this process."""

    def __init__(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        # A regular file: a full pipe without a reader would block the node.
        self._log = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by stop()
        command = [sys.executable, "-m", f"face_expr_ros.nodes.{name}", "--ros-args", *arguments]
        own = {**os.environ, **(environment or {})}
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=own)

    def wait(self) -> int:
        """Wait until the process exits; return its exit status."""
        return self._process.wait(PATIENCE)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, wait until the process exits and return its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self.wait()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """Output of the process so far."""
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        if self.running:
            self._process.kill()
            self._process.wait()
        self._log.close()


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    """Initialize rclpy."""
    rclpy.init(args=[])
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope="module")
def graph(ros: None) -> Iterator[Graph]:
    """A node of the test, one for all tests of a file."""
    result = Graph("test")
    yield result
    result.close()
    assert not result.violations


@pytest.fixture
def make_node(ros: None) -> Iterator[Callable[..., Node]]:
    """A function that creates plain nodes with command-line arguments, as a launch file does."""
    nodes: list[Node] = []

    def make(*arguments: str, name: str = "perception") -> Node:
        cli_args = ["--ros-args", *arguments]
        nodes.append(Node(name, cli_args=cli_args, automatically_declare_parameters_from_overrides=True))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


@pytest.fixture(scope="session")
def portrait() -> NDArray[np.uint8]:
    """(480, 640, 3) uint8 BGR: one rendered frontal face."""
    model = open_face_model("open")
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.6]), metric=True)
    return FaceRenderer(model, texture_width=384).render(model.mean, pose, pinhole_camera(640, 480, 45.0))


@pytest.fixture(scope="session")
def renderer() -> FaceRenderer:
    """A renderer of one person with a small texture."""
    return FaceRenderer(open_face_model("open"), texture_width=256)


@pytest.fixture(scope="session")
def tddfa_bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the bundle 3ddfa_v2, fetched from the released files; the test is skipped without them."""
    if not RELEASED.is_dir():
        pytest.skip(f"the files of 3DDFA_V2 are not in {RELEASED}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACE_EXPR_HOME", str(tmp_path_factory.mktemp("home")))
        yield Path(fetch_models("3ddfa_v2", RELEASED)["folder"])


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Process]]:
    """A function that starts nodes as processes, which are stopped at the end of the test file."""
    processes: list[Process] = []

    def make(name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        processes.append(Process(name, *arguments, environment=environment))
        return processes[-1]

    yield make
    for process in processes:
        process.close()


@pytest.fixture(scope="session")
def portraits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic portraits for the expression head: four people in two shards."""
    result = tmp_path_factory.mktemp("portraits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "PORTRAITS", 6)
        for number in range(2):
            shards.render_shard(result, number, people=2)
    return result


@pytest.fixture(scope="session")
def canonical() -> FloatArray:
    """(478, 3) a symmetric face."""
    model = open_face_model("open")
    points = model.facemesh_points(model.mean).astype(np.float64)
    return np.asarray((points + points[mirror_indices(points)] * [-1.0, 1.0, 1.0]) / 2)
