"""The sound of a video, for a new video of its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av

_UNSPECIFIED = 2  # ITU-T H.273
_BIT_RATE = 160_000
RATE = 48_000  # Hz of encoded sound; Opus has no 44.1 kHz
# Codecs that are copied into a container, and the encoder for all others.
_COPIED = {
    ".mp4": ("aac", "mp3", "opus"), ".mov": ("aac", "mp3"), ".webm": ("opus", "vorbis"),
    ".mkv": ("aac", "mp3", "opus", "vorbis", "flac"),
}  # fmt: skip
_ENCODERS = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "libopus"}


def video_colors(source: Path) -> tuple[int, int, int]:
    """Color space, primaries and transfer of a video as ITU-T H.273 numbers them; unspecified if it cannot be read."""
    try:
        with av.open(str(source)) as file:
            context = file.streams.video[0].codec_context
            return int(context.colorspace), int(context.color_primaries), int(context.color_trc)
    except (av.error.FFmpegError, IndexError):
        return (_UNSPECIFIED,) * 3


def open_sound(source: Path, output: Any, suffix: str, warn: Callable[[str], None]) -> Sound | None:
    """The sound of a video as a stream of another file; None if the video has none, or none that can be read."""
    try:
        file = av.open(str(source))
    except av.error.FFmpegError as error:
        warn(f"the sound of {source} cannot be read ({error.strerror}) and is left out")
        return None
    if not file.streams.audio or not file.streams.audio[0].codec_context.sample_rate:
        file.close()
        return None
    return Sound(source, file, output, suffix, warn)


class Sound:
    """Copies the first audio stream; a codec that does not fit the container is encoded again."""

    def __init__(self, source: Path, file: Any, output: Any, suffix: str, warn: Callable[[str], None]) -> None:
        self._source, self._file, self._output, self._warn = source, file, output, warn
        self._stream = file.streams.audio[0]
        video = file.streams.video[0] if file.streams.video else None
        # Frames count from the first one, so that the sound is moved by the same amount.
        self._start = float(video.start_time * video.time_base) if video and video.start_time else 0.0
        if self._stream.codec_context.name in _COPIED[suffix]:
            self._target = output.add_stream_from_template(self._stream)
            packets = self._copied()
        else:
            self._target = output.add_stream(_ENCODERS[suffix], rate=RATE)
            self._target.bit_rate = _BIT_RATE
            packets = self._encoded()
        self._packets = packets
        self._next: Any = None

    def write_until(self, seconds: float) -> None:
        """Write the sound up to a time of the video; sound before its first frame is left out."""
        try:
            while True:
                self._next = self._next or next(self._packets, None)
                if self._next is None or float(self._next.pts * self._next.time_base) >= seconds:
                    return
                packet, self._next = self._next, None
                if packet.pts >= 0:
                    self._output.mux(packet)
        except av.error.InvalidDataError as error:
            self._packets, self._next = iter(()), None
            self._warn(f"the sound of {self._source} is damaged ({error.strerror}) and ends early")

    def close(self) -> None:
        """Release the source."""
        self._file.close()

    def _copied(self) -> Iterator[Any]:
        shift = round(self._start / self._stream.time_base)
        for packet in self._file.demux(self._stream):
            if packet.pts is not None:
                packet.pts -= shift
                packet.dts = packet.pts
                packet.stream = self._target
                yield packet

    def _encoded(self) -> Iterator[Any]:
        for frame in self._file.decode(self._stream):
            if frame.pts is not None:
                frame.pts -= round(self._start / frame.time_base)
                if frame.pts >= 0:
                    yield from self._target.encode(frame)
        yield from self._target.encode(None)
