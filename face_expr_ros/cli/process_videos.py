"""`face_expr video`: the pipeline over videos, frame by frame, at the times of the container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from face_expr_ros.cli.batch_results import BatchResults
from face_expr_ros.cli.face_tables import Record
from face_expr_ros.cli.file_inputs import file_names
from face_expr_ros.cli.process_files import Products, frame_of
from face_expr_ros.core.atomic_files import atomic_path
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.mesh_export import export_faces
from face_expr_ros.drawing.video_writer import VideoWriter, check_video, video_writer
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.serialization.json_records import face_record
from face_expr_ros.sources.calibration import read_calibration_file
from face_expr_ros.sources.source_frame import SourceError, SourceFrame, Warn
from face_expr_ros.sources.video import VideoSource

_TOLERANCE = 1e-6  # seconds by which a time may be rounded


class NeutralTimeError(ValueError):
    """There is no neutral face at the time of ``--neutral-at``."""


def analyze_video(
    source: Path,
    products: Products,
    add: Callable[[Record], None],
    config: PerceptionConfig,
    warn: Warn,
    neutral_at: float | None = None,
    calibration: Path | None = None,
    *,
    bar: bool = True,
) -> dict[str, Any]:
    """Detect the faces of every frame of a video, write the requested products, and return a summary.

    Stamps are the times of the frames in the container, from the first one on. A 3D file shows a face in the frame of
    its highest confidence. Outputs are kept only when the whole video was processed.

    Args:
        source: the video file.
        products: the drawn video and the 3D files.
        add: called with the record of each frame: ``frame``, ``stamp`` in seconds and ``faces``.
        config: settings of the pipeline.
        warn: called with a sentence when the video ends early, or its sound cannot be kept.
        neutral_at: seconds; the expression of each face during the second before it is neutral from then on.
        calibration: file of ``--camera-info``; None is the one beside the video, if there is one.
        bar: show the progress.

    Raises:
        SourceError: the video cannot be read.
        NeutralTimeError: no face is in view at ``neutral_at``, or the video is shorter.
        ValueError, OSError: a product cannot be made or written.
    """
    products.check_usage()
    camera = None if calibration is None else read_calibration_file(calibration)
    with closing(VideoSource(source, loop=False, warn=warn)) as video:
        _check_neutral(neutral_at, video.duration)
        with closing(Pipeline(config)) as pipeline, _VideoProducts(products, source, pipeline.model, warn) as outputs:
            calibrated, frame = neutral_at is None, None
            images = _frames(video)
            # Not a variable: an error must close the bar before it is printed.
            for number, image in enumerate(progress(images, source.name, video.frame_count) if bar else images):
                frame = frame_of(image.image, round((image.time or 0.0) * 1e9), config, camera or image.camera)
                faces = pipeline(frame)
                if not calibrated and neutral_at is not None and frame.stamp_ns * 1e-9 >= neutral_at - _TOLERANCE:
                    calibrated = pipeline.calibrate_neutral() > 0
                    if not calibrated:
                        raise NeutralTimeError(_no_neutral(neutral_at, "no face is in view"))
                add({"frame": number, "stamp": frame.stamp_ns * 1e-9, "faces": [face_record(face) for face in faces]})
                outputs.add(frame, faces)
            if not calibrated and frame is not None:
                raise NeutralTimeError(_no_neutral(neutral_at, _ends_after(frame.stamp_ns * 1e-9)))
            return outputs.summary() | outputs.export()


def analyze_videos(
    files: Sequence[Path],
    drawn: Sequence[Path | None],
    results: BatchResults,
    products: Products,
    config: PerceptionConfig,
    warn: Warn,
    neutral_at: float | None = None,
    calibration: Path | None = None,
) -> dict[str, Any]:
    """Add the records of each video to the results, with ``file``, see `file_names`, or one record with ``error``.

    Every video is processed as if it were the only one. Returns numbers of all videos and frames.

    Raises:
        ValueError, OSError: as `analyze_video`, except for videos that cannot be read or have no neutral face.
    """
    names = file_names(files)
    for number, (file, out) in enumerate(zip(files, drawn, strict=True), 1):
        if results.is_done(file):
            continue
        warn(f"{number} of {len(files)}: {file}")
        named = {"file": names[file]}

        def add(record: Record, named: Record = named) -> None:
            results.add(named | record)

        try:
            own = Products(out, products.draw, products.export, products.side_by_side)
            analyze_video(file, own, add, config, warn, neutral_at, calibration)
        except (SourceError, NeutralTimeError) as error:
            results.restart()
            results.add(named | {"error": str(error)})
            warn(str(error))
        results.complete(file)
    return video_counts(results, len(files))


def video_counts(results: BatchResults, videos: int) -> dict[str, Any]:
    """Numbers of all videos and frames."""
    rows = [(len(record.get("faces", ())), "error" in record) for record in results.records()]
    return {
        "videos": videos,
        "unreadable": sum(failed for _, failed in rows),
        "frames": sum(not failed for _, failed in rows),
        "frames_with_face": sum(count > 0 for count, _ in rows),
    }


class _VideoProducts:
    """The drawn video and the 3D files of one video; a context that keeps them if it is left without an error."""

    def __init__(self, products: Products, source: Path, model: MorphableModel, warn: Warn) -> None:
        products.check(model)
        if products.out is not None:
            check_video(products.out)
        self._products, self._source, self._model, self._warn = products, source, model, warn
        self._draw = products.drawer(model, in_frame=True)
        self._counts: list[int] = []
        self._best: dict[str, tuple[Face, Frame]] = {}  # the frame of the highest confidence of each face
        self._stack = ExitStack()
        self._writer: VideoWriter | None = None
        self._draft = Path()  # the unfinished video

    def __enter__(self) -> _VideoProducts:
        if self._products.out is not None:
            self._draft = self._stack.enter_context(atomic_path(self._products.out))
        return self

    def __exit__(self, *problem: Any) -> None:
        self._stack.__exit__(*problem)

    def add(self, frame: Frame, faces: tuple[Face, ...]) -> None:
        """Write the products of one frame."""
        self._counts.append(len(faces))
        for face in faces:
            if face.id not in self._best or face.confidence > self._best[face.id][0].confidence:
                self._best[face.id] = face, frame
        if self._products.out is not None:
            image = self._draw(frame, faces)
            self._writer = self._writer or self._open_writer(self._products.out, image)
            self._writer.write(image, frame.stamp_ns * 1e-9)

    def summary(self) -> dict[str, Any]:
        """Numbers of frames and faces."""
        with_face = sum(count > 0 for count in self._counts)
        counts = {"frames": len(self._counts), "frames_with_face": with_face, "faces_max": max(self._counts)}
        return counts | {"ids": list(self._best)}

    def export(self) -> dict[str, Any]:
        """Write the 3D files; their names under the key ``exported``."""
        kind, out = self._products.export, self._products.out
        if kind is None or out is None:
            return {}
        files: list[Path] = []
        for face, frame in self._best.values():
            named = out.with_stem(f"{out.stem}_{face.id}") if len(self._best) > 1 else out
            files += export_faces(kind, named, frame, [face], self._model)
        return {"exported": [str(file) for file in files]}

    def _open_writer(self, out: Path, image: Image) -> VideoWriter:
        size = (image.shape[1], image.shape[0])
        return self._stack.enter_context(video_writer(self._draft, size, out, self._source, self._warn))


def _check_neutral(neutral_at: float | None, duration: float | None) -> None:
    if neutral_at is not None and duration is not None and neutral_at > duration:
        raise NeutralTimeError(_no_neutral(neutral_at, _ends_after(duration)))


def _ends_after(seconds: float) -> str:
    return f"the video ends after {seconds:.2f} s"


def _no_neutral(neutral_at: float | None, reason: str) -> str:
    return f"expected a neutral face at {neutral_at:g} s, but {reason}: give another time to --neutral-at"


def _frames(video: VideoSource) -> Iterator[SourceFrame]:
    while (frame := video.read(0.0)) is not None:
        yield frame
