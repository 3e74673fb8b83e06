"""The pipeline beside what nobody can save: MediaPipe's FaceMesh and the networks, bare, on the same frames.

The floor of a frame is MediaPipe's own FaceMesh graph, which `mediapipe.solutions.face_mesh` runs for one face, on
that frame, and ONNX Runtime on the very batches that the pipeline gave it for that frame. Pipeline and floor take turns
frame by frame, and who sees a frame first alternates, so that a busy moment and a warm cache serve both alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.benchmarks.clips import played
from face_expr_ros.benchmarks.clock import Times, spread
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Frame
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.mediapipe_graph import Graph, image_packet
from face_expr_ros.perception.pipeline import Pipeline

_FACE_MESH = """
    input_stream: "input"
    output_stream: "landmarks"
    node {
      calculator: "ConstantSidePacketCalculator"
      output_side_packet: "PACKET:0:num_faces"
      output_side_packet: "PACKET:1:with_attention"
      node_options: { [type.googleapis.com/mediapipe.ConstantSidePacketCalculatorOptions]: {
        packet { int_value: 1 } packet { bool_value: true }
      } }
    }
    node {
      calculator: "FaceLandmarkFrontCpu"
      input_stream: "IMAGE:input"
      input_side_packet: "NUM_FACES:num_faces"
      input_side_packet: "WITH_ATTENTION:with_attention"
      output_stream: "LANDMARKS:landmarks"
    }
"""
_WARM_UP = 30  # frames

Run = partial[Any]


class _Turns:
    """Pipeline and floor on one frame after the other."""

    whole: Times
    mediapipe: Times
    onnx: Times
    stages: list[dict[str, float]]
    runs: int  # of networks

    def __init__(self) -> None:
        self._pipeline = Pipeline(PerceptionConfig())
        self._graph = Graph(_FACE_MESH, ["landmarks"])
        self.forget()

    def forget(self) -> None:
        """What was measured so far was to warm up."""
        self.whole, self.mediapipe, self.onnx, self.stages, self.runs = Times(), Times(), Times(), [], 0

    def take(self, frame: Frame, floor_first: bool) -> None:
        graph = partial(self._look, frame.image)
        if floor_first:
            self.mediapipe.run(graph)
        with _recorded_runs() as runs:
            self.whole.run(partial(self._pipeline, frame))
        if not floor_first:
            self.mediapipe.run(graph)
        self.onnx.run(lambda: [run() for run in runs])
        self.stages.append(dict(self._pipeline.stage_seconds))
        self.runs += len(runs)

    def _look(self, image: NDArray[np.uint8]) -> None:
        self._graph(image_packet(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)))

    def close(self) -> None:
        self._graph.close()
        self._pipeline.close()


def measure_floor(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """The pipeline with its default settings and its floor, on ``count`` frames with one person.

    Returns:
        pipeline_over_floor: ratio of the medians; _mean of the means, which the detector's looks now and then are part
            of; _cpu of the processor times. pipeline_ms, floor_ms: wall-clock and processor time.
        floor_parts_ms: medians of the two parts. network_runs_per_frame: of ONNX Runtime.
        stages_ms: medians by stage, and their total; stages_mean_ms: means.
    """
    turns = _Turns()
    for number, frame in enumerate(progress(played(frames, _WARM_UP + count), "pipeline, floor", _WARM_UP + count)):
        if number == _WARM_UP:
            turns.forget()
        turns.take(frame, floor_first=bool(number % 2))
    turns.close()
    return _result(turns)


def _result(turns: _Turns) -> dict[str, Any]:
    floor = Times(_sums(turns.mediapipe.wall, turns.onnx.wall), _sums(turns.mediapipe.cpu, turns.onnx.cpu))
    whole, least = turns.whole.summary(), floor.summary()
    names = list(turns.stages[-1])
    stages = {name: spread([row.get(name, 0.0) for row in turns.stages]) for name in names}
    return {
        "pipeline_over_floor": _ratio(whole, least, "median"),
        "pipeline_over_floor_mean": _ratio(whole, least, "mean"),
        "pipeline_over_floor_cpu": _ratio(whole, least, "cpu"),
        "pipeline_ms": whole,
        "floor_ms": least,
        "floor_parts_ms": {
            "mediapipe": turns.mediapipe.summary()["median"],
            "onnxruntime": turns.onnx.summary()["median"],
        },
        "network_runs_per_frame": round(turns.runs / len(turns.stages), 2),
        "stages_ms": {**{name: stage["median"] for name, stage in stages.items()}, "total": whole["median"]},
        "stages_mean_ms": {**{name: stage["mean"] for name, stage in stages.items()}, "total": whole["mean"]},
    }


def _ratio(whole: dict[str, float], least: dict[str, float], name: str) -> float:
    return round(whole[name] / least[name], 3)


def _sums(first: list[float], second: list[float]) -> list[float]:
    return list(np.add(first, second))


@contextmanager
def _recorded_runs() -> Iterator[list[Run]]:
    """What ONNX Runtime is asked for meanwhile, ready to be asked again."""
    runs: list[Run] = []
    ask = OnnxNetwork.__call__

    def record(network: OnnxNetwork, *batches: Any) -> Any:
        runs.append(partial(ask, network, *batches))
        return ask(network, *batches)

    with patch.object(OnnxNetwork, "__call__", record):
        yield runs
