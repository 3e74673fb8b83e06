"""Run time of the pipeline relative to its lower bound: its networks alone, on the same inputs.

The lower bound of a frame is measured in two ways. In place, it is the CPU time of the networks within the pipeline
itself: the same runs of the same frame, with the same caches and the same other load. Repeated (the floor), it is the
time to copy the same inputs into the memory of other instances of the networks and to run those, in the same process,
frame by frame in alternating order. The networks together have about 15 MB of weights, more than the processor's inner
caches, so that each finds its weights as cold in the floor as in the pipeline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from face_expr_ros.benchmarks.clips import played
from face_expr_ros.benchmarks.clock import Times, spread
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.huge_pages import use_huge_pages
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Frame
from face_expr_ros.models.network_runs import Inputs, Network, observed_runs, timed_runs
from face_expr_ros.perception.pipeline import Pipeline

_WARM_UP = 30  # frames


class _Measurement:
    """Times of pipeline and floor, which alternate frame by frame.

    Two pipelines with the same settings get the same frames: one is timed, the other records the inputs, so that the
    floor can also run before the timed pipeline and recording is not timed.
    """

    pipeline: Times
    floor: Times
    stages: list[dict[str, float]]
    threads: list[float]  # CPU time of the timed pipeline on its thread, seconds, for each frame
    in_place: list[list[float]]  # that of the network runs within it

    def __init__(self) -> None:
        self._pipeline, self._recorded = Pipeline(PerceptionConfig()), Pipeline(PerceptionConfig())
        self.reset()

    def reset(self) -> None:
        """Discard the times of the warm-up."""
        self.pipeline, self.floor, self.stages, self.threads, self.in_place = Times(), Times(), [], [], []

    def measure(self, frame: Frame, floor_first: bool) -> None:
        runs = self._record(frame)
        if floor_first:
            self.floor.run(lambda: [run() for run in runs])
        started = time.thread_time()
        with timed_runs() as seconds:
            self.pipeline.run(partial(self._pipeline, frame))
        self.threads.append(time.thread_time() - started)
        if not floor_first:
            self.floor.run(lambda: [run() for run in runs])
        self.stages.append(dict(self._pipeline.stage_seconds))
        self.in_place.append(seconds)

    def _record(self, frame: Frame) -> list[Callable[[], Any]]:
        """The network runs of a frame."""
        runs: list[Callable[[], Any]] = []

        def record(network: Network, inputs: Inputs, run: Callable[[], Any]) -> Any:
            runs.append(partial(network.repeat, *[values.copy() for values in inputs]))
            return run()

        with observed_runs(record):
            self._recorded(frame)
        return runs

    def close(self) -> None:
        self._pipeline.close()
        self._recorded.close()


def measure_floor(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """Measure the pipeline with its default settings and its floor on ``count`` frames with one person.

    Returns:
        pipeline_over_networks: median, over the frames, of the CPU time of the pipeline's thread over that of its
            networks in place.
        pipeline_over_floor: ratio of the medians; _mean: of the means, which include the periodic detection passes;
            _cpu: of the CPU times. pipeline_ms, floor_ms: wall-clock and CPU time; networks_ms: CPU time in place.
        network_runs_per_frame: number of network runs.
        stages_ms: medians by stage, and their total; stages_mean_ms: means.
    """
    measurement = _Measurement()
    for number, frame in enumerate(progress(played(frames, _WARM_UP + count), "pipeline, floor", _WARM_UP + count)):
        if number == _WARM_UP:
            use_huge_pages()  # as the node does
            measurement.reset()
        measurement.measure(frame, floor_first=bool(number % 2))
    measurement.close()
    return _result(measurement)


def _result(measured: _Measurement) -> dict[str, Any]:
    pipeline, floor = measured.pipeline.summary(), measured.floor.summary()
    stages = {name: spread([row.get(name, 0.0) for row in measured.stages]) for name in measured.stages[-1]}
    in_place = [sum(seconds) for seconds in measured.in_place]
    ratios = np.array(measured.threads) / in_place
    return {
        "pipeline_over_networks": round(float(np.median(ratios)), 3),
        "pipeline_over_floor": _ratio(pipeline, floor, "median"),
        "pipeline_over_floor_mean": _ratio(pipeline, floor, "mean"),
        "pipeline_over_floor_cpu": _ratio(pipeline, floor, "cpu"),
        "pipeline_ms": pipeline,
        "floor_ms": floor,
        "networks_ms": spread(in_place),
        "network_runs_per_frame": round(sum(map(len, measured.in_place)) / len(measured.stages), 2),
        "stages_ms": {**{name: stage["median"] for name, stage in stages.items()}, "total": pipeline["median"]},
        "stages_mean_ms": {**{name: stage["mean"] for name, stage in stages.items()}, "total": pipeline["mean"]},
    }


def _ratio(pipeline: dict[str, float], floor: dict[str, float], name: str) -> float:
    return round(pipeline[name] / floor[name], 3)
