"""Run time of the pipeline relative to its lower bound: FaceMesh and the networks alone, on the same frames.

The lower bound (floor) of a frame is MediaPipe's own FaceMesh graph, which `mediapipe.solutions.face_mesh` runs for one
face, on that frame, and ONNX Runtime on the batches that the pipeline passed to it for that frame. Pipeline and floor
alternate frame by frame, in alternating order, so that other load and warm caches affect both equally.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.benchmarks.clips import played
from face_expr_ros.benchmarks.clock import Times, spread
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Frame
from face_expr_ros.models.onnx_session import OnnxNetwork, observed_runs
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


class _Measurement:
    """Times of pipeline and floor, which alternate frame by frame."""

    pipeline: Times
    mediapipe: Times
    onnx: Times
    stages: list[dict[str, float]]
    network_runs: int

    def __init__(self) -> None:
        self._pipeline = Pipeline(PerceptionConfig())
        self._graph = Graph(_FACE_MESH, ["landmarks"])
        self.reset()

    def reset(self) -> None:
        """Discard the times of the warm-up."""
        self.pipeline, self.mediapipe, self.onnx, self.stages, self.network_runs = Times(), Times(), Times(), [], 0

    def measure(self, frame: Frame, floor_first: bool) -> None:
        graph = partial(self._run_graph, frame.image)
        runs: list[Callable[[], Any]] = []

        def record(network: OnnxNetwork, batches: Sequence[NDArray[np.float32]]) -> None:
            runs.append(partial(network, *batches))

        if floor_first:
            self.mediapipe.run(graph)
        with observed_runs(record):
            self.pipeline.run(partial(self._pipeline, frame))
        if not floor_first:
            self.mediapipe.run(graph)
        self.onnx.run(lambda: [run() for run in runs])
        self.stages.append(dict(self._pipeline.stage_seconds))
        self.network_runs += len(runs)

    def _run_graph(self, image: NDArray[np.uint8]) -> None:
        self._graph(image_packet(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)))

    def close(self) -> None:
        self._graph.close()
        self._pipeline.close()


def measure_floor(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """Measure the pipeline with its default settings and its floor on ``count`` frames with one person.

    Returns:
        pipeline_over_floor: ratio of the medians; _mean: of the means, which include the periodic detection passes;
            _cpu: of the CPU times. pipeline_ms, floor_ms: wall-clock and CPU time.
        floor_parts_ms: medians of the two parts. network_runs_per_frame: number of ONNX Runtime calls.
        stages_ms: medians by stage, and their total; stages_mean_ms: means.
    """
    measurement = _Measurement()
    for number, frame in enumerate(progress(played(frames, _WARM_UP + count), "pipeline, floor", _WARM_UP + count)):
        if number == _WARM_UP:
            measurement.reset()
        measurement.measure(frame, floor_first=bool(number % 2))
    measurement.close()
    return _result(measurement)


def _result(measured: _Measurement) -> dict[str, Any]:
    mediapipe, onnx = measured.mediapipe, measured.onnx
    pipeline = measured.pipeline.summary()
    floor = Times(_sums(mediapipe.wall, onnx.wall), _sums(mediapipe.cpu, onnx.cpu)).summary()
    stages = {name: spread([row.get(name, 0.0) for row in measured.stages]) for name in measured.stages[-1]}
    return {
        "pipeline_over_floor": _ratio(pipeline, floor, "median"),
        "pipeline_over_floor_mean": _ratio(pipeline, floor, "mean"),
        "pipeline_over_floor_cpu": _ratio(pipeline, floor, "cpu"),
        "pipeline_ms": pipeline,
        "floor_ms": floor,
        "floor_parts_ms": {"mediapipe": mediapipe.summary()["median"], "onnxruntime": onnx.summary()["median"]},
        "network_runs_per_frame": round(measured.network_runs / len(measured.stages), 2),
        "stages_ms": {**{name: stage["median"] for name, stage in stages.items()}, "total": pipeline["median"]},
        "stages_mean_ms": {**{name: stage["mean"] for name, stage in stages.items()}, "total": pipeline["mean"]},
    }


def _ratio(pipeline: dict[str, float], floor: dict[str, float], name: str) -> float:
    return round(pipeline[name] / floor[name], 3)


def _sums(first: list[float], second: list[float]) -> list[float]:
    return list(np.add(first, second))
