"""TDDFA: a network looks at a crop around each face and gives pose, shape and expression at once.

It serves every bundle with a network: 3DDFA_V2's, and one trained for the open face model. All faces of a frame are
one batch. What the numbers mean is in `tddfa_parameters`; nothing is remembered from frame to frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from face_expr_ros.bundle import Bundle
from face_expr_ros.config import ConfigError, FittingConfig
from face_expr_ros.fitting.tddfa_parameters import (
    POSE_COUNT,
    confidence_from,
    crop_pixels,
    distortion,
    in_image,
    network_input,
)
from face_expr_ros.geometry import (
    FACING_CAMERA,
    crop_from_landmarks,
    pose_from_weak_perspective,
    weak_perspective,
    weak_perspective_pixels,
)
from face_expr_ros.onnx_network import OnnxNetwork
from face_expr_ros.values import Camera, FaceFit, FloatArray, Frame, Pose, Roi, Track

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
        self._run = OnnxNetwork(self._network.path, self._network.input_name, config.provider, config.threads)
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
        seen = [shown for shown in pixels if shown is not None]
        answers = iter(self._infer(seen) if seen else ())
        return [
            self._nobody(frame.camera) if shown is None else self._fit(next(answers), crop, frame)
            for shown, crop in zip(pixels, crops, strict=True)
        ]

    def _infer(self, pixels: list[NDArray[np.uint8]]) -> FloatArray:
        """(n, P or P + 1) what the network says of crops (h, w, 3)."""
        return self._run(network_input(pixels, self._network.input_size))[0].astype(np.float64)

    def _fit(self, answer: FloatArray, crop: Roi, frame: Frame) -> FaceFit:
        network = self._network
        parameters = answer[: len(network.mean)] * network.std + network.mean
        matrix = in_image(parameters, crop, network.input_size, frame.camera.height, network.model_unit, network.origin)
        off = distortion(matrix[:, :3])
        if not (np.isfinite(answer).all() and np.isfinite(off)):
            return self._nobody(frame.camera)
        logit = answer[len(parameters) :]
        confidence = float(expit(logit[0])) if len(logit) else confidence_from(off)
        return self._answer(parameters[POSE_COUNT:], matrix, frame.camera, confidence)

    def _nobody(self, camera: Camera) -> FaceFit:
        pose = Pose(FACING_CAMERA, _ASIDE, camera.metric)
        return self._answer(np.zeros(self._basis68.shape[2]), weak_perspective(pose, camera), camera, 0.0)

    def _answer(self, coefficients: FloatArray, matrix: FloatArray, camera: Camera, confidence: float) -> FaceFit:
        shape, expression = np.split(coefficients, [self._network.shape_count])
        points68 = self._mean68 + (self._basis68 @ coefficients).T
        return FaceFit(
            pose=pose_from_weak_perspective(matrix, camera),
            shape=shape,
            expression=expression,
            residual=0.0,  # no landmarks were given that the fit could miss
            landmarks68=weak_perspective_pixels(matrix, points68, camera.height),
            weak_perspective=matrix,
            confidence=confidence,
        )


create = TddfaFitter
