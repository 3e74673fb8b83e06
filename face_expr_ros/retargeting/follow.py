"""Which of several faces is followed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.sources import distance, quantity

SPEECH_WINDOW = 1.0  # seconds
SILENCE = 0.03**2  # variance of jawOpen that noise has, too: two silent mouths are equal


class FaceChooser:
    """Stays with a face until others have been better for ``switch_after`` seconds without a break."""

    def __init__(self, config: HeadControlConfig) -> None:
        self.config = config
        self._followed = ""
        self._best_until_ns = 0  # the followed face was good enough until then
        self._mouths: dict[str, deque[tuple[int, float]]] = {}

    def __call__(self, faces: Sequence[FaceState], now_ns: int) -> FaceState | None:
        """The face of this message that is followed; None where nobody is, or while a lost one is waited for."""
        self._listen(faces, now_ns)
        present = {face.id: face for face in faces}
        if self.config.follow == "id":
            return present.get(self.config.face_id)
        scores = {face.id: self._score(face) for face in faces}
        if scores:
            self._choose(scores, now_ns)
        return present.get(self._followed)

    def forget(self) -> None:
        """Nobody is followed any more: the next best face is, at once."""
        self._followed = ""
        self._mouths = {}

    def _choose(self, scores: Mapping[str, float], now_ns: int) -> None:
        best = max(scores, key=scores.__getitem__)
        margin = 1.0 + self.config.switch_margin
        if self._followed in scores and scores[best] <= scores[self._followed] * margin:
            self._best_until_ns = now_ns
        elif not self._followed or now_ns - self._best_until_ns >= self.config.switch_after * 1e9:
            self._followed, self._best_until_ns = best, now_ns

    def _score(self, face: FaceState) -> float:
        """Above 0; more is better."""
        if self.config.follow == "nearest":
            return 1.0 / max(distance(face), 1e-3)
        if self.config.follow == "largest":
            return face.roi.width * face.roi.height
        values = [value for _, value in self._mouths[face.id]]
        return float(np.var(values)) + SILENCE if values else SILENCE

    def _listen(self, faces: Sequence[FaceState], now_ns: int) -> None:
        """Remember how open each mouth was in the last second; faces that are gone are forgotten."""
        self._mouths = {face.id: self._mouths.get(face.id, deque()) for face in faces}
        for face in faces:
            mouth = self._mouths[face.id]
            value = quantity(face, "jawOpen")
            if np.isfinite(value):
                mouth.append((now_ns, value))
            while mouth and now_ns - mouth[0][0] > SPEECH_WINDOW * 1e9:
                mouth.popleft()
