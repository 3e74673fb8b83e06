"""Encoding of images as a video file that browsers and editors play, with the sound of another video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

TIME_BASE = Fraction(1, 90_000)  # seconds
_NOMINAL_RATE = 30  # frames per second; encoders distribute bits by it, the times of the frames are exact
_BT601 = 6  # ITU-T H.273: the conversion from BGR that FFmpeg uses by default
# Encoders by preference: H.264 plays everywhere, AV1 and VP9 in browsers.
_H264_FIRST = ("libx264", "libopenh264", "libsvtav1", "libaom-av1", "libvpx-vp9")
ENCODERS = {".mp4": _H264_FIRST, ".mov": _H264_FIRST, ".mkv": _H264_FIRST, ".webm": ("libvpx-vp9", "libsvtav1")}
_OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libopenh264": {"rc_mode": "quality"},
    "libsvtav1": {"preset": "10", "crf": "30"},
    "libaom-av1": {"cpu-used": "8", "usage": "realtime", "crf": "30"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "31", "b": "0"},
}
_LIVE = {"libx264": {"preset": "ultrafast"}, "libsvtav1": {"preset": "12"}}


def check_video(path: Path) -> None:
    """Refuse, before any work, a video that cannot be written.

    Raises:
        ValueError: no video format belongs to the suffix, or PyAV is not installed.
    """
    if path.suffix.lower() not in ENCODERS:
        raise ValueError(
            f"{str(path)!r} cannot be written as a video: give a name that ends in {' or '.join(ENCODERS)}"
        )
    if find_spec("av") is None:
        raise ValueError(f"writing the video {str(path)!r} requires PyAV, with FFmpeg's encoders: pip install av")


@contextmanager
def video_writer(
    path: Path,
    size: tuple[int, int],
    target: Path,
    sound: Path | None = None,
    warn: Callable[[str], None] = print,
    *,
    live: bool = False,
) -> Iterator[VideoWriter]:
    """An encoder for BGR images, whose file is complete when the context is left without an error.

    Args:
        path: the file to write, see `atomic_path`.
        size: width and height of the images in pixels.
        target: the file name for error messages.
        sound: a video whose sound is copied, and whose colors the images have; None is neither.
        warn: called with a sentence if the sound cannot be kept.
        live: encode faster, to a larger file.

    Raises:
        ValueError: as `check_video`, or there is no encoder.
        OSError: the file cannot be written, for example because the disk is full.
    """
    check_video(target)
    import av

    try:
        writer = VideoWriter(path, size, target, sound, warn, live)
        try:
            yield writer
        except BaseException:
            writer.abandon()
            raise
        writer.close()
    except av.error.FFmpegError as error:
        raise OSError(
            f"{str(target)!r} could not be written completely: check the free space of the disk ({error.strerror})"
        ) from error


class VideoWriter:
    """See `video_writer`. Images of odd width or height are extended by their last column or row."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        target: Path,
        sound: Path | None,
        warn: Callable[[str], None],
        live: bool,
    ) -> None:
        import av

        from face_expr_ros.drawing.video_sound import open_sound, video_colors

        suffix = target.suffix.lower()
        options = {"movflags": "+faststart"} if suffix in (".mp4", ".mov") else {}
        self._file = av.open(str(path), "w", format=_format(suffix), options=options)
        colors = (_BT601, _BT601, _BT601) if sound is None else video_colors(sound)
        self._stream = _video_stream(self._file, ENCODERS[suffix], colors, target, live)
        self._stream.width, self._stream.height = (side + side % 2 for side in size)
        self._sound = None if sound is None else open_sound(sound, self._file, suffix, warn)
        self._last = -1  # time of the last image, in units of TIME_BASE
        self._interval = 1.0 / _NOMINAL_RATE

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        """Add an image (height, width, 3) BGR that is shown from ``seconds`` on, which must increase.

        Raises:
            ValueError: the time does not increase.
        """
        import av

        time = round(seconds / TIME_BASE)
        if time <= self._last:
            raise ValueError(f"expected a time after {self._last * float(TIME_BASE):.4f} s, got {seconds:.4f} s")
        self._interval = seconds - self._last * float(TIME_BASE) if self._last >= 0 else self._interval
        self._last = time
        frame = av.VideoFrame.from_ndarray(_even(image), format="bgr24")
        frame.pts, frame.time_base = time, TIME_BASE
        self._file.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.write_until(seconds)

    def close(self) -> None:
        """Write the remaining images, the sound up to the end of the last one, and the index."""
        self._file.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.write_until(self._last * float(TIME_BASE) + self._interval)
            self._sound.close()
        self._file.close()

    def abandon(self) -> None:
        """Release the file after an error."""
        if self._sound is not None:
            self._sound.close()
        import av

        with suppress(av.error.FFmpegError):  # the error that led here is the cause
            self._file.close()


def _format(suffix: str) -> str:
    return {".mkv": "matroska"}.get(suffix, suffix[1:])


def _video_stream(file: Any, encoders: tuple[str, ...], colors: tuple[int, int, int], target: Path, live: bool) -> Any:
    """The stream of the first encoder that this build of FFmpeg has."""
    import av

    found = [name for name in encoders if name in av.codecs_available]
    if not found:
        raise ValueError(f"{str(target)!r} cannot be written: expected FFmpeg with one of {', '.join(encoders)}")
    options = _OPTIONS[found[0]] | (_LIVE.get(found[0], {}) if live else {})
    stream = file.add_stream(found[0], rate=_NOMINAL_RATE, options=options)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = TIME_BASE
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc = colors
    return stream


def _even(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Extended to an even width and height, which 4:2:0 requires."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.asarray(cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
    return np.ascontiguousarray(image)
