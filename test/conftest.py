"""Options and shared fixtures; those of a ROS graph are in support/ros_graph.py."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from support.paths import ROOT

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
    "support.ros_graph" if find_spec("rclpy") else "support.without_ros",
]
EXAMPLES_PER_TURN = 500  # of each test with --minutes, unless --examples is given
RELEASED = ROOT.parent / "shared/models/3ddfa_v2"  # the files of 3DDFA_V2, on machines that have them


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
