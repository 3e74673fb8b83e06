"""TDDFA: a network looks at a crop around each face and gives pose, shape and expression at once.

It serves every bundle with a network: 3DDFA_V2's, and one trained for the open face model. All faces of a frame are
one batch. What the numbers mean is in `tddfa_parameters`; nothing is remembered from frame to frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.geometry import (
    FACING_CAMERA,
    crop_from_landmarks,
    poses_from_weak_perspectives,
    weak_perspective,
    weak_perspective_pixels,
)
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Camera, FaceFit, FloatArray, Frame, Pose, Roi, Track
from face_expr_ros.models.bundle import Bundle
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.fitting.tddfa_parameters import (
    POSE_COUNT,
    confidence_from,
    crop_pixels,
    distortion,
    in_image,
    network_input,
)

_ASIDE = np.array([0.0, 0.0, 1.0])  # meters; where a face is put that has no crop


class TddfaFitter:
    """Fits all tracks of a frame in one run of the network, and those whose crop is rough in a second one."""

    def __init__(self, config: FittingConfig, bundle: Bundle) -> None:
        """Loads the network.

        Raises:
            ConfigError: the bundle has no network, or the provider is not to be had here.
            BundleError: the network's file is missing or damaged.
        """
        if bundle.network is None:
            raise ConfigError(f"fitting.backend tddfa needs a network, and bundle {bundle.name!r} has none")
        self._network = bundle.network
        self._run = OnnxNetwork(self._network.path, [self._network.input_name], config.provider, config.threads)
        points = bundle.model.landmarks68
        self._mean68 = bundle.model.mean[points].astype(np.float64)
        bases = np.concatenate([bundle.model.identity[:, points], bundle.model.expression[:, points]])
        # (3 axes, 68, coefficients): three products, each too small for BLAS to wake other threads for it.
        self._basis68 = np.ascontiguousarray(bases.transpose(2, 1, 0), dtype=np.float64)

    def reset(self) -> None:
        """Nothing is remembered."""

    def expression_gain(self) -> FloatArray:
        """(expression_count,) ones: the network has no prior that pulls on a coefficient."""
        return np.ones(self._network.expression_count)

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order; a fresh one is looked at again in the crop around its first fit.

        A crop that shows nothing of the image, or a network that answers nonsense, gives the mean face in front of the
        camera with confidence 0.
        """
        fits = self._look(frame, [track.crop for track in tracks])
        fresh = [index for index, track in enumerate(tracks) if track.fresh and fits[index].confidence > 0.0]
        again = self._look(frame, [crop_from_landmarks(fits[index].landmarks68) for index in fresh])
        for index, fit in zip(fresh, again, strict=True):
            fits[index] = fit
        return fits

    def _look(self, frame: Frame, crops: list[Roi]) -> list[FaceFit]:
        pixels = [crop_pixels(frame.image, crop) for crop in crops]
        seen = {index: shown for index, shown in enumerate(pixels) if shown is not None}
        found = self._fit_seen(list(seen.values()), [crops[index] for index in seen], frame.camera) if seen else []
        fits = dict(zip(seen, found, strict=True))
        return [fits.get(index) or self._nobody(frame.camera) for index in range(len(crops))]

    def _fit_seen(self, pixels: list[NDArray[np.uint8]], crops: list[Roi], camera: Camera) -> list[FaceFit]:
        """The fits to the pixels (h, w, 3) of crops."""
        network, width = self._network, len(self._network.mean)
        answers = self._run(network_input(pixels, network.input_size))[0].astype(np.float64)
        numbers = np.isfinite(answers).all(axis=1)
        answers[~numbers] = 0.0
        parameters = answers[:, :width] * network.std + network.mean
        matrices = in_image(parameters, crops, network.input_size, camera.height, network.model_unit, network.origin)
        off = distortion(matrices[:, :, :3])
        confidences = expit(answers[:, width]) if answers.shape[1] > width else confidence_from(off)
        heads = numbers & np.isfinite(off)
        found = iter(self._answers(parameters[heads, POSE_COUNT:], matrices[heads], confidences[heads], camera))
        return [next(found) if head else self._nobody(camera) for head in heads]

    def _nobody(self, camera: Camera) -> FaceFit:
        matrix = weak_perspective(Pose(FACING_CAMERA, _ASIDE, camera.metric), camera)
        return self._answers(np.zeros((1, self._basis68.shape[2])), matrix[None], np.zeros(1), camera)[0]

    def _answers(
        self, coefficients: FloatArray, matrices: FloatArray, confidences: FloatArray, camera: Camera
    ) -> list[FaceFit]:
        """Fits from coefficients (n, P - 12), weak perspectives (n, 3, 4) of the image and confidences (n,)."""
        shapes, expressions = np.split(coefficients, [self._network.shape_count], axis=1)
        points68 = self._mean68 + (self._basis68 @ coefficients.T).transpose(2, 1, 0)
        landmarks68 = weak_perspective_pixels(matrices, points68, camera.height)
        poses = poses_from_weak_perspectives(matrices, camera)
        residual = 0.0  # no landmarks were given that the fit could miss
        rows = zip(poses, shapes, expressions, landmarks68, matrices, confidences.tolist(), strict=True)
        return [
            FaceFit(pose, shape, expression, residual, points, matrix, confidence)
            for pose, shape, expression, points, matrix, confidence in rows
        ]


create = TddfaFitter
