"""What the network's fit and a dense face cost beside what nobody can save: the network itself, a matrix product."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.linalg.blas import sgemv

from face_expr_ros.core.config import CameraConfig, FittingConfig
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.geometry import crop_from_landmarks, project, to_camera
from face_expr_ros.core.types import Frame, Roi, Track
from face_expr_ros.models.bundle import Bundle, open_bundle, open_face_model
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.fitting.tddfa import TddfaFitter
from face_expr_ros.sources.synthetic import SyntheticSource

FACES = (1, 2, 5, 10)
BUNDLES = ("3ddfa_v2", "open")  # the first that has a network is measured
_DENSE_VERTICES, _DENSE_COEFFICIENTS = 38_365, 50  # of 3DDFA_V2's face model, which may not be installed
_ROUNDS, _RUNS = 10, 20  # the two sides take turns, so that a busy moment hits both
_SHIFT = 3.0  # pixels from one face's crop to the next


def measure_fitting() -> dict[str, Any]:
    """Milliseconds of the fitter and of the bare network on the same batch, by the number of faces.

    Returns:
        tddfa_bundle: what was measured, or why nothing was. tddfa_ms, tddfa_network_ms, tddfa_over_network: by faces.
        dense_ms, dense_product_ms, dense_over_product: vertices from coefficients, and BLAS's product of that size.
    """
    return {**_measure_networks(FittingConfig()), **_measure_dense()}


def _measure_networks(config: FittingConfig) -> dict[str, Any]:
    bundle, reasons = _with_network(config)
    if bundle is None or bundle.network is None:
        return {"tddfa_bundle": f"none: {'; '.join(reasons)}"}
    fitter = TddfaFitter(config, bundle)
    network = OnnxNetwork(bundle.network.path, [bundle.network.input_name], config.provider, config.threads)
    frame, crop = _rendered()
    stage, floor = {}, {}
    for faces in FACES:
        shifted = [replace(crop, x=crop.x + _SHIFT * number) for number in range(faces)]
        tracks = [Track(f"f{number}", roi, None, fresh=False) for number, roi in enumerate(shifted)]
        size = bundle.network.input_size
        batch = np.random.default_rng(0).uniform(-1, 1, (faces, 3, size, size)).astype(np.float32)
        stage[faces], floor[faces] = _take_turns(partial(fitter, frame, tracks), partial(network, batch))
    return {
        "tddfa_bundle": f"{bundle.name} {bundle.network.path.stem}",
        "tddfa_ms": _by_faces(stage),
        "tddfa_network_ms": _by_faces(floor),
        "tddfa_over_network": _by_faces({faces: stage[faces] / floor[faces] for faces in FACES}),
    }


def _with_network(config: FittingConfig) -> tuple[Bundle | None, list[str]]:
    """The first bundle that has a network here, and why those before it have none."""
    reasons = []
    for name in BUNDLES:
        try:
            bundle = open_bundle(name, config.network)
        except BundleError as error:
            reasons.append(str(error))
            continue
        if bundle.network is not None:
            return bundle, reasons
        reasons.append(f"bundle {name!r} has no network")
    return None, reasons


def _rendered() -> tuple[Frame, Roi]:
    """The synthetic actor, and the crop around the face."""
    model = open_face_model("open")
    frame, (truth,) = SyntheticSource(CameraConfig(), model).at(0.0)
    points = to_camera(model.vertices(truth.shape, truth.expression)[model.landmarks68], truth.pose)
    return frame, crop_from_landmarks(project(points, frame.camera))


def _measure_dense() -> dict[str, float]:
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(_DENSE_COEFFICIENTS, _DENSE_VERTICES, 3)).astype(np.float32)
    model = replace(open_face_model("open"), mean=basis[0], identity=basis[:-10], expression=basis[-10:])
    coefficients = rng.normal(size=_DENSE_COEFFICIENTS).astype(np.float32)
    matrix = basis.reshape(_DENSE_COEFFICIENTS, -1).T
    dense, product = _take_turns(
        partial(model.vertices, coefficients[:-10], coefficients[-10:]), partial(sgemv, 1.0, matrix, coefficients)
    )
    return {
        "dense_ms": round(dense, 3),
        "dense_product_ms": round(product, 3),
        "dense_over_product": round(dense / product, 2),
    }


def _take_turns(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of each: the median over rounds of the quickest run in a round, which nothing else has disturbed."""
    quickest: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for work, times in zip((first, second), quickest, strict=True):
            times.append(min(_seconds(work) for _ in range(_RUNS)))
    return float(np.median(quickest[0])) * 1e3, float(np.median(quickest[1])) * 1e3


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _by_faces(values: dict[int, float]) -> dict[str, float]:
    return {f"{faces} face{'s' if faces > 1 else ''}": round(value, 3) for faces, value in values.items()}
