"""The expression head: our network that reads landmarks and image patches, relative to a neutral expression."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import BundleError, MorphableModel, read_arrays
from face_expr_ros.core.types import Blendshapes, FaceFit, FloatArray, Frame, Landmarks, Track
from face_expr_ros.models.batch_network import open_network
from face_expr_ros.models.bundle import package_file
from face_expr_ros.perception.expression.alignment import FEATURES, Alignment, align, features
from face_expr_ros.perception.expression.neutral import Neutrals
from face_expr_ros.perception.expression.patches import PARTS, SIDE, cut_patches
from face_expr_ros.perception.fitting import Fitter
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

FEATURE_VERSION = 1  # of alignment.py and patches.py; a head works only with the features that it was trained on
INPUTS = ("features", "patches", "rest", "known")
_DECAY = 0.4  # seconds; time constant with which the last blendshapes decay while there are no landmarks


class ExpressionHead:
    """The network alone, without state between frames.

    Args:
        provider: see `open_network`.

    Attributes:
        names: of the blendshapes.
        state_size: length of the state vector, which describes the expression in one frame.

    Raises:
        BundleError: a file is missing or damaged, or was made for other features.
    """

    def __init__(self, provider: str = "cpu") -> None:
        path = package_file("expression_head", "network")
        self._network = open_network(path, INPUTS, provider, onnx=partial(package_file, "expression_head", "onnx"))
        self._canonical = read_canonical()
        metadata = self._network.metadata
        if metadata.get("feature_version") != str(FEATURE_VERSION):
            raise BundleError(
                f"{path}: expected feature version {str(FEATURE_VERSION)!r}, got {metadata.get('feature_version')!r}; "
                "install this package's weights, or train the head again"
            )
        self.names: tuple[str, ...] = tuple(json.loads(metadata["names"]))
        self.state_size = int(metadata["state_size"])

    def __call__(
        self, image: NDArray[np.uint8], points: FloatArray, rests: Sequence[FloatArray | None]
    ) -> tuple[FloatArray, FloatArray]:
        """The expressions of the faces in an image.
        Args:
            image: (height, width, 3) BGR, or (height, width) gray.
            points: (n, 478, 3) FaceMesh's landmarks; x and y in image pixels, z in the scale of x.
            rests: for each face the state (state_size,) of its neutral expression; None where it is not known.
        Returns:
            blendshapes (n, 52) in 0..1, and states (n, state_size).
        Raises:
            ValueError: landmarks of another shape, not finite or all in one place.
        """
        if points.ndim != 3 or points.shape[1:] != (LANDMARK_COUNT, 3):
            raise ValueError(f"expected landmarks of shape (n, {LANDMARK_COUNT}, 3), got {points.shape}")
        if not len(points):
            return np.zeros((0, len(self.names))), np.zeros((0, self.state_size))
        return self.read(image, list(points), [align(face, self._canonical) for face in points], rests)

    def align(self, points: FloatArray) -> Alignment:
        """The alignment of landmarks (478, 3) to the canonical face. Raises ValueError as `alignment.align` does."""
        return align(points, self._canonical)

    def read(
        self,
        image: NDArray[np.uint8],
        points: Sequence[FloatArray],
        aligned: Sequence[Alignment],
        rests: Sequence[FloatArray | None],
        fits: Sequence[FaceFit] = (),
        appearance: Sequence[NDArray[np.float32] | None] = (),
    ) -> tuple[FloatArray, FloatArray]:
        """The same for one or more faces that are already aligned. Fits and appearance are not read."""
        return self.answer(*self.inputs(image, points, aligned), rests)

    def inputs(
        self, image: NDArray[np.uint8], points: Sequence[FloatArray], aligned: Sequence[Alignment]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (n, FEATURES) and patches (n, P, SIDE, SIDE) of n aligned faces, see `alignment` and `patches`."""
        described = np.empty((len(aligned), FEATURES), np.float32)
        patches = np.empty((len(aligned), len(PARTS), SIDE, SIDE), np.float32)
        for face, (place, alignment) in enumerate(zip(points, aligned, strict=True)):
            described[face] = features(alignment, self._canonical)
            patches[face] = cut_patches(image, place, alignment)
        return described, patches

    def answer(
        self, features: NDArray[np.float32], patches: NDArray[np.float32], rests: Sequence[FloatArray | None]
    ) -> tuple[FloatArray, FloatArray]:
        """Blendshapes (n, 52) in 0..1 and states (n, state_size) for the `inputs` of n faces."""
        known = np.array([[rest is not None] for rest in rests], np.float32)
        neutral = np.zeros((len(rests), self.state_size), np.float32)
        for face, rest in enumerate(rests):
            if rest is not None:
                neutral[face] = rest
        values, states = self._network(features, patches, neutral, known)
        return values.astype(np.float64), states.astype(np.float64)

    def estimates(
        self, features: NDArray[np.float32], patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`answer` without neutral expressions, as the network gives it."""
        count = len(features)
        neutral = np.zeros((count, self.state_size), np.float32)
        values, states = self._network(features, patches, neutral, np.zeros((count, 1), np.float32))
        return values, states


def read_canonical() -> FloatArray:
    """(478, 3) the canonical face that landmarks are aligned to, meters. Raises BundleError without its file."""
    path = package_file("expression_head", "arrays")
    return np.asarray(read_arrays(path.read_bytes(), path)["canonical"], np.float64)


class FaceReader(Protocol):
    """Reads aligned faces; the state of a neutral expression is stored as its reference."""

    names: tuple[str, ...]

    def align(self, points: FloatArray) -> Alignment:
        """The alignment of landmarks (478, 3). Raises ValueError if they are degenerate."""

    def read(
        self,
        image: NDArray[np.uint8],
        points: Sequence[FloatArray],
        aligned: Sequence[Alignment],
        rests: Sequence[FloatArray | None],
        fits: Sequence[FaceFit],
        appearance: Sequence[NDArray[np.float32] | None],
    ) -> tuple[FloatArray, FloatArray]:
        """Blendshapes (n, 52) in 0..1 and states (n, S) of n > 0 faces; ``appearance`` as in `Landmarks`."""


class Head:
    """The stage: a reader of faces with each face's neutral expression.

    Without landmarks, as in profile, the last blendshapes decay to 0.
    """

    def __init__(self, reader: FaceReader, neutrals: Neutrals) -> None:
        self._head = reader
        self.names = self._head.names
        self._neutrals = neutrals
        self._in_view: list[str] = []
        self._last: dict[str, tuple[int, FloatArray]] = {}

    def reset(self) -> None:
        """Delete the state of all faces."""
        self._in_view, self._last = [], {}
        self._neutrals.reset()

    def keep(self, face_ids: Collection[str]) -> None:
        """Delete the state of all other faces."""
        self._neutrals.keep(face_ids)
        self._last = {face_id: last for face_id, last in self._last.items() if face_id in face_ids}

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        last = {id: [stamp_ns, values] for id, (stamp_ns, values) in self._last.items()}
        return {"in_view": self._in_view, "last": last, "neutrals": self._neutrals.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._in_view = list(state["in_view"])
        self._last = {id: (stamp_ns, values) for id, (stamp_ns, values) in state["last"].items()}
        self._neutrals.load_state_dict(state["neutrals"])

    def calibrate(self) -> int:
        """Store the last second of each face in view as its neutral expression; returns the number of faces."""
        return self._neutrals.calibrate(self._in_view)

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The blendshapes of each face, relative to its neutral expression where that is known."""
        read = self._read(frame, tracks, fits)
        self._in_view = list(read)
        self._last |= {face_id: (frame.stamp_ns, values) for face_id, values in read.items()}
        return [Blendshapes(self._head.names, self._decayed(track.id, frame.stamp_ns)) for track in tracks]

    def _read(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> dict[str, FloatArray]:
        """The blendshapes of the faces with landmarks, by id."""
        pairs = zip(tracks, fits, strict=True)
        with_landmarks = [
            (track.id, fit, *found) for track, fit in pairs if (found := self._aligned(track)) is not None
        ]
        if not with_landmarks:
            return {}
        ids, fits_read, landmarks, aligned = zip(*with_landmarks, strict=True)
        points = [each.points for each in landmarks]
        appearance = [each.appearance for each in landmarks]
        rests = [self._neutrals.get(face_id) for face_id in ids]
        values, states = self._head.read(frame.image, points, aligned, rests, fits_read, appearance)
        for face_id, state, shown in zip(ids, states, values, strict=True):
            self._neutrals.observe(face_id, state, shown, frame.stamp_ns)
        return dict(zip(ids, values, strict=True))

    def _aligned(self, track: Track) -> tuple[Landmarks, Alignment] | None:
        """Landmarks and their alignment; None if there are none, or degenerate ones, which FaceMesh may return."""
        if track.landmarks is None:
            return None
        try:
            return track.landmarks, self._head.align(track.landmarks.points)
        except ValueError:
            return None

    def _decayed(self, face_id: str, stamp_ns: int) -> FloatArray:
        if face_id not in self._last:
            return np.zeros(len(self._head.names))
        read_ns, values = self._last[face_id]
        if stamp_ns <= read_ns:
            return values
        return values * math.exp(-max(0, stamp_ns - read_ns) * 1e-9 / _DECAY)


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> Head:
    """The backend; it works with every face model."""
    return Head(ExpressionHead(config.provider), Neutrals(config))
