"""Run time of the network-based fitter and of dense vertices relative to their lower bounds.

The lower bounds are the inference of the bare network and a BLAS matrix-vector product of the same size.
"""

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
from face_expr_ros.models.batch_network import open_network
from face_expr_ros.models.bundle import Bundle, open_bundle, open_face_model
from face_expr_ros.perception.fitting.tddfa import TddfaFitter
from face_expr_ros.sources.synthetic import SyntheticSource

FACES = (1, 2, 5, 10)
BUNDLES = ("3ddfa_v2", "open")  # the first one with a network is measured
_DENSE_VERTICES, _DENSE_COEFFICIENTS = 38_365, 50  # of 3DDFA_V2's face model, which may not be installed
_ROUNDS, _RUNS = 10, 20  # the two functions alternate in rounds, so that other load affects both
_SHIFT = 3.0  # pixels between the crops of two faces


def measure_fitting() -> dict[str, Any]:
    """Milliseconds of the fitter and of the bare network with the same batch size, by number of faces.

    Returns:
        tddfa_bundle: the measured bundle, or why none was measured.
        tddfa_ms, tddfa_network_ms, tddfa_over_network: by number of faces.
        dense_ms, dense_product_ms, dense_over_product: vertices from coefficients, and BLAS's product of that size.
    """
    return {**_measure_networks(FittingConfig()), **_measure_dense()}


def _measure_networks(config: FittingConfig) -> dict[str, Any]:
    bundle, reasons = _with_network(config)
    if bundle is None or bundle.network is None:
        return {"tddfa_bundle": f"none: {'; '.join(reasons)}"}
    fitter = TddfaFitter(config, bundle)
    network = open_network(bundle.network.path, [bundle.network.input_name], config.provider, config.threads)
    frame, crop = _rendered()
    fitter_ms, network_ms = {}, {}
    for faces in FACES:
        shifted = [replace(crop, x=crop.x + _SHIFT * number) for number in range(faces)]
        tracks = [Track(f"f{number}", roi, None, fresh=False) for number, roi in enumerate(shifted)]
        size = bundle.network.input_size
        batch = np.random.default_rng(0).uniform(-1, 1, (faces, 3, size, size)).astype(np.float32)
        fitter_ms[faces], network_ms[faces] = _alternate(partial(fitter, frame, tracks), partial(network, batch))
    return {
        "tddfa_bundle": f"{bundle.name} {bundle.network.path.stem}",
        "tddfa_ms": _by_faces(fitter_ms),
        "tddfa_network_ms": _by_faces(network_ms),
        "tddfa_over_network": _by_faces({faces: fitter_ms[faces] / network_ms[faces] for faces in FACES}),
    }


def _with_network(config: FittingConfig) -> tuple[Bundle | None, list[str]]:
    """The first installed bundle with a network, and the reasons why earlier ones are not available."""
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
    """A frame of the synthetic actor, and the crop around the face."""
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
    dense, product = _alternate(
        partial(model.vertices, coefficients[:-10], coefficients[-10:]), partial(sgemv, 1.0, matrix, coefficients)
    )
    return {
        "dense_ms": round(dense, 3),
        "dense_product_ms": round(product, 3),
        "dense_over_product": round(dense / product, 2),
    }


def _alternate(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of each function: the median over rounds of the fastest run of a round."""
    fastest: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for function, times in zip((first, second), fastest, strict=True):
            times.append(min(_seconds(function) for _ in range(_RUNS)))
    return float(np.median(fastest[0])) * 1e3, float(np.median(fastest[1])) * 1e3


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _by_faces(values: dict[int, float]) -> dict[str, float]:
    return {f"{faces} face{'s' if faces > 1 else ''}": round(value, 3) for faces, value in values.items()}
