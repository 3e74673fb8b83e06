"""MediaPipe's own blendshapes, for comparison only; needs face_landmarker.task as a file."""

from __future__ import annotations

from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

_FRAME_MS = 33  # video mode wants stamps that only grow


class MediapipeBlendshapes:
    """FaceLandmarker's answer for the one face that it follows.

    Args:
        task: MediaPipe's face_landmarker.task.
        video: the images are one video and a face is followed; otherwise each image stands alone.

    Raises:
        ValueError: there is no such file, or it cannot be read.
    """

    def __init__(self, task: Path, *, video: bool = True) -> None:
        wanted = f"MediaPipe's face_landmarker.task was wanted, {str(task)!r}"
        if not task.is_file():
            raise ValueError(f"{wanted} is no file")
        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(task)), running_mode=mode, output_face_blendshapes=True
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:  # MediaPipe's words for a file that it cannot read
            raise ValueError(f"{wanted} cannot be read ({error})") from error
        self._video = video
        self._clock_ms = 0

    def __call__(self, image: NDArray[np.uint8]) -> dict[str, float] | None:
        """Value by ARKit name, 0..1, of the face in a (height, width, 3) BGR image; None where it sees none.

        There is no tongueOut; `_neutral`, which is no blendshape, is left out.
        """
        shown = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        self._clock_ms += _FRAME_MS
        found = (
            self._landmarker.detect_for_video(shown, self._clock_ms) if self._video else self._landmarker.detect(shown)
        )
        if not found.face_blendshapes:
            return None
        values = {each.category_name: float(each.score) for each in found.face_blendshapes[0]}
        return {name: value for name, value in values.items() if not name.startswith("_")}

    def close(self) -> None:
        """Free the network."""
        self._landmarker.close()
