"""The expression head: a network of ours that reads landmarks and patches, and compares a face with its rest."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import BundleError, MorphableModel, read_arrays
from face_expr_ros.core.types import Blendshapes, FaceFit, FloatArray, Frame, Track
from face_expr_ros.models.bundle import package_file
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.expression.alignment import Alignment, align, features
from face_expr_ros.perception.expression.neutral import Neutrals
from face_expr_ros.perception.expression.patches import cut_patches
from face_expr_ros.perception.fitting import Fitter
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

FEATURE_VERSION = 1  # of alignment.py and patches.py: a head reads only the features that it was trained on
INPUTS = ("features", "patches", "rest", "known")
_FADING = 0.4  # seconds in which what was seen last fades to a third where FaceMesh does not see the face


class ExpressionHead:
    """The network alone, without memory.

    Attributes:
        names: of the blendshapes.
        state_size: length of a state, which says what is seen of a face in one frame.

    Raises:
        BundleError: a file is missing or damaged, or was made for other features.
    """

    def __init__(self) -> None:
        path = package_file("expression_head", "network")
        self._network = OnnxNetwork(path, INPUTS)
        self._canonical = read_canonical()
        described = self._network.metadata
        if described.get("feature_version") != str(FEATURE_VERSION):
            raise BundleError(
                f"{path} was trained on features of version {described.get('feature_version')!r} and this package "
                f"makes version {FEATURE_VERSION}: install this package's weights, or train the head again"
            )
        self.names: tuple[str, ...] = tuple(json.loads(described["names"]))
        self.state_size = int(described["state_size"])

    def __call__(
        self, image: NDArray[np.uint8], points: FloatArray, rests: Sequence[FloatArray | None]
    ) -> tuple[FloatArray, FloatArray]:
        """What the faces of an image show.

        Args:
            image: (height, width, 3) BGR, or (height, width) gray.
            points: (n, 478, 3) FaceMesh's landmarks; x and y in image pixels, z in the scale of x.
            rests: of each face, the state (state_size,) of the same face at rest; None where it is not known.
        Returns:
            blendshapes (n, 52) in 0..1, and states (n, state_size).
        Raises:
            ValueError: landmarks of another shape, not finite or all in one place.
        """
        if points.ndim != 3 or points.shape[1:] != (LANDMARK_COUNT, 3):
            raise ValueError(f"landmarks must have the shape (n, {LANDMARK_COUNT}, 3), and have {points.shape}")
        if not len(points):
            return np.zeros((0, len(self.names))), np.zeros((0, self.state_size))
        return self.read(image, list(points), [align(face, self._canonical) for face in points], rests)

    def align(self, points: FloatArray) -> Alignment:
        """Where a face with these landmarks (478, 3) is. Raises ValueError where they do not say."""
        return align(points, self._canonical)

    def read(
        self,
        image: NDArray[np.uint8],
        points: Sequence[FloatArray],
        aligned: Sequence[Alignment],
        rests: Sequence[FloatArray | None],
        fits: Sequence[FaceFit] = (),
    ) -> tuple[FloatArray, FloatArray]:
        """The same for at least one face that is aligned already. The fits are not read."""
        return self.answer(*self.inputs(image, points, aligned), rests)

    def inputs(
        self, image: NDArray[np.uint8], points: Sequence[FloatArray], aligned: Sequence[Alignment]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (n, FEATURES) and patches (n, P, SIDE, SIDE) of n aligned faces, see `alignment` and `patches`."""
        pairs = zip(points, aligned, strict=True)
        return (
            np.array([features(alignment, self._canonical) for alignment in aligned], np.float32),
            np.array([cut_patches(image, *pair) for pair in pairs], np.float32),
        )

    def answer(
        self, features: NDArray[np.float32], patches: NDArray[np.float32], rests: Sequence[FloatArray | None]
    ) -> tuple[FloatArray, FloatArray]:
        """Blendshapes (n, 52) in 0..1 and states (n, state_size) of n faces' `inputs`."""
        known = np.array([[rest is not None] for rest in rests], np.float32)
        unknown = np.zeros(self.state_size, np.float32)
        told = np.array([unknown if rest is None else rest for rest in rests], np.float32)
        values, states = self._network(features, patches, told, known)
        return values.astype(np.float64), states.astype(np.float64)


def read_canonical() -> FloatArray:
    """(478, 3) the canonical face that landmarks are aligned to, meters. Raises BundleError without its file."""
    path = package_file("expression_head", "arrays")
    return np.asarray(read_arrays(path.read_bytes(), path)["canonical"], np.float64)


class FaceReader(Protocol):
    """Reads aligned faces; a state is what is remembered of a neutral expression."""

    names: tuple[str, ...]

    def align(self, points: FloatArray) -> Alignment:
        """Raises ValueError where landmarks (478, 3) determine no face."""

    def read(
        self,
        image: NDArray[np.uint8],
        points: Sequence[FloatArray],
        aligned: Sequence[Alignment],
        rests: Sequence[FloatArray | None],
        fits: Sequence[FaceFit],
    ) -> tuple[FloatArray, FloatArray]:
        """Blendshapes (n, 52) in 0..1 and states (n, S) of n > 0 faces."""


class Head:
    """The stage: a reader of faces with each face's rest.

    Where FaceMesh does not see a face, as in profile, what was seen last fades.
    """

    def __init__(self, reader: FaceReader, neutrals: Neutrals) -> None:
        self._head = reader
        self.names = self._head.names
        self._neutrals = neutrals
        self._in_view: list[str] = []
        self._last: dict[str, tuple[int, FloatArray]] = {}

    def reset(self) -> None:
        """Forget all faces."""
        self._in_view, self._last = [], {}
        self._neutrals.reset()

    def keep(self, face_ids: Collection[str]) -> None:
        """Forget all faces but these."""
        self._neutrals.keep(face_ids)
        self._last = {face_id: last for face_id, last in self._last.items() if face_id in face_ids}

    def calibrate(self) -> int:
        """Take what the last frame's faces showed for a second as their rest; the number of faces."""
        return self._neutrals.calibrate(self._in_view)

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The blendshapes of each face, seen from its rest where that is known."""
        seen = self._seen(frame, tracks, fits)
        self._in_view = list(seen)
        self._last |= {face_id: (frame.stamp_ns, values) for face_id, values in seen.items()}
        return [Blendshapes(self._head.names, self._faded(track.id, frame.stamp_ns)) for track in tracks]

    def _seen(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> dict[str, FloatArray]:
        """The values of the faces that FaceMesh sees."""
        pairs = zip(tracks, fits, strict=True)
        seen = [(track.id, fit, *found) for track, fit in pairs if (found := self._aligned(track)) is not None]
        if not seen:
            return {}
        ids, shown_fits, points, aligned = zip(*seen, strict=True)
        rests = [self._neutrals.get(face_id) for face_id in ids]
        values, states = self._head.read(frame.image, points, aligned, rests, shown_fits)
        for face_id, state, shown in zip(ids, states, values, strict=True):
            self._neutrals.observe(face_id, state, shown, frame.stamp_ns)
        return dict(zip(ids, values, strict=True))

    def _aligned(self, track: Track) -> tuple[FloatArray, Alignment] | None:
        """None where there are no landmarks, or none that are a face's: FaceMesh may draw anything where it errs."""
        if track.landmarks is None:
            return None
        try:
            return track.landmarks.points, self._head.align(track.landmarks.points)
        except ValueError:
            return None

    def _faded(self, face_id: str, stamp_ns: int) -> FloatArray:
        if face_id not in self._last:
            return np.zeros(len(self._head.names))
        seen_ns, values = self._last[face_id]
        return values * math.exp(-max(0, stamp_ns - seen_ns) * 1e-9 / _FADING)


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> Head:
    """The backend; it serves every face model."""
    return Head(ExpressionHead(), Neutrals(config))
