"""TDDFA: a network estimates pose, shape and expression from a crop around each face.

It works with every bundle that has a network: 3DDFA_V2's, and one trained for the open face model. All faces of a frame
are one batch. `tddfa_parameters` describes the outputs; there is no state between frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.geometry import (
    FACING_CAMERA,
    crop_from_landmarks,
    poses_from_weak_perspectives,
    weak_perspective,
    weak_perspective_pixels,
)
from face_expr_ros.core.ibug import apparent_turn
from face_expr_ros.core.mirror import coefficient_mirror, mirrored_parameters
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Camera, FaceFit, FloatArray, Frame, Pose, Roi, Track
from face_expr_ros.models.batch_network import open_network
from face_expr_ros.models.bundle import Bundle
from face_expr_ros.perception.fitting.tddfa_parameters import (
    POSE_COUNT,
    confidence_from,
    crop_pixels,
    distortion,
    in_image,
    network_input,
)

_DEFAULT_POSITION = np.array([0.0, 0.0, 1.0])  # meters, of a face whose fit failed


class TddfaFitter:
    """Fits all tracks of a frame in one run of the network, and those with an approximate crop in a second one."""

    def __init__(self, config: FittingConfig, bundle: Bundle) -> None:
        """Loads the network.

        Raises:
            ConfigError: the bundle has no network.
            BundleError: the network's file is missing or damaged.
        """
        if bundle.network is None:
            raise ConfigError(
                f"fitting.backend tddfa: expected a bundle with a network, got {bundle.name!r}, which has none"
            )
        self._network = bundle.network
        network = self._network
        self._run = open_network(
            network.path,
            [network.input_name],
            config.provider,
            config.threads,
            lambda: network.onnx_path or network.path,
        )
        model = bundle.model
        self._model = model
        self._mean68 = model.ibug_points(model.mean).astype(np.float64)
        bases = model.ibug_points(model.bases)
        # (3 axes, 68, coefficients): three products, each too small for BLAS to start threads.
        self._basis68 = np.ascontiguousarray(bases.transpose(2, 1, 0), dtype=np.float64)
        self._mirror = coefficient_mirror(model) if self._network.mirror else None

    def reset(self) -> None:
        """There is no state."""

    def state_dict(self) -> dict[str, Any]:
        """There is no state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """There is no state."""

    def expression_gain(self) -> FloatArray:
        """(expression_count,) ones: the network's coefficients are not biased by a prior."""
        return np.ones(self._network.expression_count)

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order; a fresh one is fitted again in the crop around its first fit.

        A crop outside the image, or an invalid output of the network, gives the mean face in front of the camera with
        confidence 0.
        """
        fits = self._fit_crops(frame, [track.crop for track in tracks])
        fresh = [index for index, track in enumerate(tracks) if track.fresh and fits[index].confidence > 0.0]
        again = self._fit_crops(frame, [crop_from_landmarks(fits[index].landmarks68) for index in fresh])
        for index, fit in zip(fresh, again, strict=True):
            fits[index] = fit
        return fits

    def _fit_crops(self, frame: Frame, crops: list[Roi]) -> list[FaceFit]:
        cut = [crop_pixels(frame.image, crop) for crop in crops]
        inside = {index: pixels for index, pixels in enumerate(cut) if pixels is not None}
        found = self._fit_pixels(list(inside.values()), [crops[i] for i in inside], frame.camera) if inside else []
        fits = dict(zip(inside, found, strict=True))
        return [fits.get(index) or self._failed_fit(frame.camera) for index in range(len(crops))]

    def _fit_pixels(self, pixels: list[NDArray[np.uint8]], crops: list[Roi], camera: Camera) -> list[FaceFit]:
        """The fits to the pixels (h, w, 3) of crops."""
        network = self._network
        parameters, logits, finite = self._predict(network_input(pixels, network.input_size))
        matrices = in_image(parameters, crops, network.input_size, camera.height, network.model_unit, network.origin)
        distortions = distortion(matrices[:, :, :3])
        confidences = confidence_from(distortions) if logits is None else _sigmoid(logits)
        valid = finite & np.isfinite(distortions)
        found = iter(self._fits(parameters[valid, POSE_COUNT:], matrices[valid], confidences[valid], camera))
        return [next(found) if is_valid else self._failed_fit(camera) for is_valid in valid]

    def _predict(self, crops: NDArray[np.float32]) -> tuple[FloatArray, FloatArray | None, NDArray[np.bool_]]:
        """Parameters (n, P), logits (n,) of a face if the network has them, and whether all numbers are finite (n,).

        If the bundle says so, crops (n, 3, size, size) and their mirror images are one batch, and both results are
        averaged.
        """
        network, count, width = self._network, len(crops), len(self._network.mean)
        batch = crops if self._mirror is None else np.concatenate([crops, crops[..., ::-1]])
        outputs = self._run(batch)[0].astype(np.float64)
        finite = np.isfinite(outputs).all(axis=1)
        outputs[~finite] = 0.0
        parameters = outputs[:, :width] * network.std + network.mean
        logits = outputs[:, width] if outputs.shape[1] > width else None
        if self._mirror is not None:
            mirrored = mirrored_parameters(parameters[count:], self._mirror, network.input_size)
            parameters = (parameters[:count] + mirrored) / 2
            logits = None if logits is None else (logits[:count] + logits[count:]) / 2
            finite = finite[:count] & finite[count:]
        return parameters, logits, finite

    def _failed_fit(self, camera: Camera) -> FaceFit:
        """The mean face in front of the camera, with confidence 0."""
        matrix = weak_perspective(Pose(FACING_CAMERA, _DEFAULT_POSITION, camera.metric), camera)
        return self._fits(np.zeros((1, self._basis68.shape[2])), matrix[None], np.zeros(1), camera)[0]

    def _fits(
        self, coefficients: FloatArray, matrices: FloatArray, confidences: FloatArray, camera: Camera
    ) -> list[FaceFit]:
        """Fits from coefficients (n, P - 12), weak perspectives (n, 3, 4) of the whole image and confidences (n,)."""
        shapes, expressions = np.split(coefficients, [self._network.shape_count], axis=1)
        points68 = self._mean68 + (self._basis68 @ coefficients.T).transpose(2, 1, 0)
        points68 = points68 + self._model.ibug_offsets(apparent_turn(matrices))
        landmarks68 = weak_perspective_pixels(matrices, points68, camera.height)
        poses = poses_from_weak_perspectives(matrices, camera)
        residual = 0.0  # not defined without landmarks
        rows = zip(poses, shapes, expressions, landmarks68, matrices, confidences.tolist(), strict=True)
        return [
            FaceFit(pose, shape, expression, residual, points, matrix, confidence)
            for pose, shape, expression, points, matrix, confidence in rows
        ]


def _sigmoid(logits: FloatArray) -> FloatArray:
    return 0.5 + 0.5 * np.tanh(0.5 * logits)  # does not overflow
