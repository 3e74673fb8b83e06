"""MediaPipe's own blendshapes, for comparison only; needs face_landmarker.task as a file."""

from __future__ import annotations

from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from face_expr_ros.core.native_output import native_output_hidden

_FRAME_MS = 33  # video mode requires increasing timestamps


class MediapipeBlendshapes:
    """The blendshapes that FaceLandmarker computes for one face.

    Args:
        task: MediaPipe's face_landmarker.task.
        video: the images are frames of one video, and the face is tracked; otherwise they are unrelated.
        max_faces: number of faces that FaceLandmarker searches for; only the first one is returned.

    Raises:
        ValueError: the file does not exist or cannot be read.
    """

    def __init__(self, task: Path, *, video: bool = True, max_faces: int = 1) -> None:
        expected = f"expected MediaPipe's face_landmarker.task, got {str(task)!r}"
        if not task.is_file():
            raise ValueError(f"{expected}, which is not a file")
        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(task)),
            running_mode=mode,
            num_faces=max_faces,
            output_face_blendshapes=True,
        )
        try:
            with native_output_hidden():
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:  # raised by MediaPipe for a file that it cannot read
            raise ValueError(f"{expected}, which cannot be read ({error})") from error
        self._video = video
        self._timestamp_ms = 0

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, float] | None:
        """Value by ARKit name, 0..1, of the face in a (height, width, 3) BGR image; None if no face is found.

        There is no tongueOut. MediaPipe's `_neutral`, which is not a blendshape, is omitted.
        """
        rgb = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        self._timestamp_ms += _FRAME_MS
        found = (
            self._landmarker.detect_for_video(rgb, self._timestamp_ms) if self._video else self._landmarker.detect(rgb)
        )
        if not found.face_blendshapes:
            return None
        values = {each.category_name: float(each.score) for each in found.face_blendshapes[0]}
        return {name: value for name, value in values.items() if not name.startswith("_")}

    def close(self) -> None:
        """Free the network."""
        self._landmarker.close()
