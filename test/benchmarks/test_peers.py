"""Comparison with other face trackers; times are not checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from face_expr_ros.benchmarks import peers
from face_expr_ros.benchmarks.peer_checkouts import OpenSeeFace, Tddfa
from face_expr_ros.benchmarks.table import table
from face_expr_ros.cli.run import bench
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.mediapipe_version import has_mediapipe

ROOT = Path(__file__).parents[2]
TASK = ROOT.parent / "shared/models/mediapipe/face_landmarker.task"
TRACKER = """
class Tracker:
    def __init__(self, width, height, **settings):
        assert (width, height, settings["max_faces"]) == (8, 6, 2)
    def predict(self, image):
        return ["face"] * int(image[0, 0, 0])
"""


class Fake:
    """Finds a face in every second frame."""

    def __init__(self, calls: list[str], name: str) -> None:
        self._calls, self._name, self._count = calls, name, 0

    def __call__(self, frame: Frame) -> int:
        self._calls.append(self._name)
        self._count += 1
        return self._count % 2

    def close(self) -> None:
        self._calls.append("closed")


def frame(value: int = 0, width: int = 8) -> Frame:
    image = np.full((6, width, 3), value, np.uint8)
    return Frame(image, 0, "", default_camera(width, 6, 45.0))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(peers, "_frames", lambda source, count: iter([frame()] * min(count, 12)))
    return []


def fakes(calls: list[str]) -> dict[str, Callable[[], peers.Tracker]]:
    return {name: lambda name=name: Fake(calls, name) for name in (peers.OURS, "other")}  # type: ignore[misc]


def test_trackers_alternate_and_are_closed(calls: list[str]) -> None:
    result = peers.measure_peers("clip.mp4", fakes(calls), frames=8, warm_up=2)
    assert calls[-2:] == ["closed", "closed"]
    pairs = [tuple(calls[k : k + 2]) for k in range(0, 20, 2)]
    assert {tuple(sorted(pair)) for pair in pairs} == {(peers.OURS, "other")}
    assert len(set(pairs)) == 2  # both orders occur
    assert result["frames"] == 8
    assert {row["frames_with_face"] for row in result["frame_ms"].values()} == {4}
    assert list(result["over_face_expr_ros"]) == ["other"]
    assert list(result["over_face_expr_ros"]["other"]) == ["median", "p95", "cpu"]
    lines = table(result).splitlines()
    assert lines.index("over_face_expr_ros") < lines.index("frame_ms")


def test_a_source_that_ends_early_is_measured_so_far(calls: list[str]) -> None:
    assert peers.measure_peers("clip.mp4", fakes(calls), frames=100, warm_up=2)["frames"] == 10


def test_a_source_shorter_than_the_warm_up_is_an_error(calls: list[str]) -> None:
    with pytest.raises(ValueError, match="expected more than 12 frames, which are the warm-up"):
        peers.measure_peers("clip.mp4", fakes(calls), frames=8, warm_up=12)


@pytest.mark.parametrize(
    ("opened", "message"),
    [
        (lambda folder: OpenSeeFace(folder, 1), "--openseeface: expected a checkout of OpenSeeFace"),
        (Tddfa, "--3ddfa-v2: expected a checkout of 3DDFA_V2"),
    ],
)
def test_a_folder_that_is_no_checkout_is_explained(
    tmp_path: Path, opened: Callable[[Path], peers.Tracker], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"{message} with its networks, got .* clone the repository"):
        opened(tmp_path)


def openseeface(folder: Path, source: str) -> OpenSeeFace:
    (folder / "models").mkdir()
    (folder / "models/lm_model0_opt.onnx").touch()
    (folder / "tracker.py").write_text(source, encoding="utf-8")
    return OpenSeeFace(folder, 2)


@pytest.fixture
def no_tracker_module() -> Iterator[None]:
    """The module of a fake checkout is removed afterwards."""
    sys.modules.pop("tracker", None)
    yield
    sys.modules.pop("tracker", None)


def test_a_module_that_a_checkout_needs_is_named(tmp_path: Path, no_tracker_module: None) -> None:
    with pytest.raises(ConfigError, match=r"tracker of .* cannot be imported .*absent_module.* README lists"):
        openseeface(tmp_path, "import absent_module")


def test_a_checkout_gets_images_of_one_size(tmp_path: Path, no_tracker_module: None) -> None:
    tracker = openseeface(tmp_path, TRACKER)
    assert [tracker(frame(2)), tracker(frame(0))] == [2, 0]
    with pytest.raises(ConfigError, match="expected images of one size, 8x6 as the first, got 10x6"):
        tracker(frame(width=10))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peers"], "expected at least one of --task, --openseeface and --3ddfa-v2"),
        (["--source", "clip.mp4"], "need --peers: add it"),
        (["--max-faces", "2"], "need --peers: add it"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(bench, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


@pytest.mark.skipif(not (has_mediapipe() and TASK.is_file()), reason="MediaPipe or face_landmarker.task is not here")
def test_mediapipe_finds_the_synthetic_person() -> None:
    result = peers.measure_peers("synthetic", peers.openers(task=TASK), frames=3, warm_up=1)
    assert [row["frames_with_face"] for row in result["frame_ms"].values()] == [3, 3]
    assert list(result["frame_ms"]) == [peers.OURS, "MediaPipe FaceLandmarker"]
