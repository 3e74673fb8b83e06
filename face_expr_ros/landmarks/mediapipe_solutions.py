"""FaceMesh as MediaPipe up to 0.10.21 ships it: the networks are inside the wheel."""

from __future__ import annotations

from typing import Any

import cv2
import mediapipe
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.config import LandmarksConfig
from face_expr_ros.landmarks import in_pixels
from face_expr_ros.values import Frame, Landmarks

_LOOK_AROUND_EVERY = 5  # frames between two looks for faces that are not followed yet
_PATIENCE = 30  # frames without the last face before it is no longer looked for in every frame


class MediapipeSolutions:
    """FaceMesh with irises, following faces from frame to frame.

    FaceMesh runs its detector in every frame as long as it follows fewer faces than it may. So it is allowed as many as
    there are, and a detector of our own looks now and then whether there are more.
    """

    def __init__(self, config: LandmarksConfig) -> None:
        self._config = config
        self._meshes: dict[int, Any] = {}
        self._detector = mediapipe.solutions.face_detection.FaceDetection(
            model_selection=0, min_detection_confidence=config.detection_confidence
        )
        self._count = 1
        self._frames = 0
        self._missing = 0

    def __call__(self, frame: Frame) -> list[Landmarks]:
        """The faces in the image, in no particular order."""
        image = cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB)
        if self._frames % _LOOK_AROUND_EVERY == 0:
            self._allow(self._count_faces(image))
        self._frames += 1
        found = self._mesh().process(image).multi_face_landmarks or []
        self._notice_missing(len(found))
        return [in_pixels(face.landmark, frame) for face in found]

    def reset(self) -> None:
        """Forget the faces: the next frame has nothing to do with the last."""
        for mesh in self._meshes.values():
            mesh.reset()
        self._count, self._frames, self._missing = 1, 0, 0

    def close(self) -> None:
        """Free the networks."""
        for mesh in self._meshes.values():
            mesh.close()
        self._meshes = {}
        self._detector.close()

    def _mesh(self) -> Any:
        """The FaceMesh for as many faces as are allowed now; made when first needed, for it takes a while."""
        if self._count not in self._meshes:
            self._meshes[self._count] = mediapipe.solutions.face_mesh.FaceMesh(
                max_num_faces=self._count,
                refine_landmarks=True,
                min_detection_confidence=self._config.detection_confidence,
                min_tracking_confidence=self._config.tracking_confidence,
            )
        return self._meshes[self._count]

    def _count_faces(self, image: NDArray[np.uint8]) -> int:
        if self._config.max_faces == 1:
            return 1
        return len(self._detector.process(image).detections or [])

    def _allow(self, count: int) -> None:
        """Follow up to ``count`` faces, if that is more than now."""
        if self._count < count:
            self._change_to(min(count, self._config.max_faces))

    def _notice_missing(self, found: int) -> None:
        """A face that stays away is given up, so that the detector can rest again."""
        self._missing = self._missing + 1 if 0 < found < self._count else 0
        if self._missing >= _PATIENCE:
            self._change_to(found)

    def _change_to(self, count: int) -> None:
        self._count, self._missing = count, 0
        self._mesh().reset()  # it may still follow faces of long ago


create = MediapipeSolutions
