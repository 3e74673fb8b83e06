"""Written videos: codecs that browsers play, times, sound and sizes."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from support.timed_video import TIMES, TONE, write_timed_video

from face_expr_ros.drawing import video_writer as module
from face_expr_ros.drawing.video_writer import check_video, video_writer

LEVELS = [20 * n for n in range(len(TIMES))]


def gray(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def write(path: Path, size: tuple[int, int] = (64, 48), sound: Path | None = None) -> Path:
    with video_writer(path, size, path, sound, pytest.fail) as writer:
        for level, time in zip(LEVELS, TIMES, strict=True):
            writer.write(gray(level, *size), time)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
def test_browsers_play_the_codec_and_times_are_kept(tmp_path: Path, name: str) -> None:
    with av.open(str(write(tmp_path / name))) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name in ({"vp9"} if name.endswith("webm") else {"h264", "av1", "libdav1d"})
        assert stream.codec_context.pix_fmt == "yuv420p"
        frames = [
            (float(frame.pts * stream.time_base), frame.to_ndarray(format="gray").mean())
            for frame in file.decode(stream)
        ]
    assert [time for time, _ in frames] == pytest.approx(TIMES, abs=0.0011)
    assert [level for _, level in frames] == pytest.approx(LEVELS, abs=4)


@pytest.mark.parametrize("source", ["clip.webm", "clip.mp4"])
@pytest.mark.parametrize("target", ["drawn.mp4", "drawn.webm"])
def test_sound_is_kept(tmp_path: Path, source: str, target: str) -> None:
    clip = write_timed_video(tmp_path / source, [gray(level) for level in LEVELS], sound=True)
    with av.open(str(write(tmp_path / target, sound=clip))) as file:
        assert {stream.type for stream in file.streams} == {"video", "audio"}
        frames = list(file.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    rate = frames[0].sample_rate
    assert len(samples) / rate == pytest.approx(TIMES[-1], abs=0.1)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * rate / len(samples) == pytest.approx(TONE, abs=3.0)


def test_odd_sizes_are_extended(tmp_path: Path) -> None:
    with av.open(str(write(tmp_path / "a.mp4", (63, 47)))) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (64, 48)


def test_times_must_increase(tmp_path: Path) -> None:
    with video_writer(tmp_path / "a.mp4", (64, 48), tmp_path / "a.mp4") as writer:
        writer.write(gray(0), 1.0)
        with pytest.raises(ValueError, match=r"expected a time after 1\.0000 s, got 1\.0000 s"):
            writer.write(gray(0), 1.0)


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"give a name that ends in \.mp4 or \.mov or \.mkv or \.webm"):
        check_video(tmp_path / "a.gif")


def test_missing_pyav_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="requires PyAV, with FFmpeg's encoders: pip install av"):
        check_video(tmp_path / "a.mp4")
