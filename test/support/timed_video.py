"""Videos as browsers and phones record them: frames at irregular times, with sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

MILLISECOND = Fraction(1, 1000)
SOUND_RATE, TONE, BLOCK = 48_000, 440.0, 1024  # Hz, Hz, samples
# Seconds: a pause, as when a tab is in the background, and the jitter of a camera in the dark.
TIMES = (0.0, 0.033, 0.067, 0.1, 0.167, 0.2, 0.6, 0.633, 0.667, 0.7, 0.8, 0.9)


def write_timed_video(
    path: Path, images: Sequence[NDArray[np.uint8]], times: Sequence[float] = TIMES, *, sound: bool = False
) -> Path:
    """A video of BGR images that are shown from these times on, with the millisecond time stamps of a browser.

    The header of a webm file says 1000 frames per second.
    """
    height, width = images[0].shape[:2]
    webm = path.suffix == ".webm"
    with av.open(str(path), "w") as file:
        video = file.add_stream("libvpx-vp9" if webm else "libx264", rate=1000)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = MILLISECOND
        audio = file.add_stream("libopus" if webm else "aac", rate=SOUND_RATE) if sound else None
        for image, time in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
            frame.pts, frame.time_base = round(time * 1000), MILLISECOND
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if audio is not None:
            for block in _tone(times[-1]):
                file.mux(audio.encode(block))
            file.mux(audio.encode(None))
    return path


def _tone(seconds: float) -> list[av.AudioFrame]:
    frames = []
    for start in range(0, int(seconds * SOUND_RATE), BLOCK):
        t = (start + np.arange(BLOCK)) / SOUND_RATE
        frame = av.AudioFrame.from_ndarray(
            (0.3 * np.sin(2 * np.pi * TONE * t)).astype(np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        frames.append(frame)
    return frames
