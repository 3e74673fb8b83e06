"""Takes of videos: the frames of one face and its texture, written in several formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.takes import Take, TakeFrame
from face_expr_ros.core.types import Camera, Face, Frame
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.take_glb import TEXTURE_WIDTH, write_glb
from face_expr_ros.drawing.uv_texture import face_texture
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.serialization.take_motion import write_bvh, write_live_link
from face_expr_ros.serialization.takes import TakeError, choose_face
from face_expr_ros.sources.calibration import resized
from face_expr_ros.sources.image_files import read_image
from face_expr_ros.sources.source_frame import SourceError, SourceFrame, Warn
from face_expr_ros.sources.video import VideoSource


@dataclass(frozen=True)
class Recorded:
    """A take with the image that its texture is sampled from.

    Attributes:
        take: the frames of the face.
        frame, face: the most frontal view; None if there is no image.
    """

    take: Take
    frame: Frame | None
    face: Face | None


def record_video(source: Path, face_id: str, config: PerceptionConfig, warn: Warn) -> Recorded:
    """Track the faces of a video and choose one.

    Raises:
        SourceError: the video cannot be read. TakeError: there is no face, or not this one.
    """
    rows: list[tuple[str, TakeFrame]] = []
    best: dict[str, tuple[float, Face, Frame]] = {}
    with closing(VideoSource(source, loop=False, warn=warn)) as video, closing(Pipeline(config)) as pipeline:
        for image in progress(_images(video), source.name, video.frame_count):
            frame = _frame(image.image, round((image.time or 0.0) * 1e9), config, image.camera)
            for face in pipeline(frame):
                rows.append((face.id, _take_frame(face, frame.stamp_ns)))
                score = _frontality(face)
                if face.id not in best or score > best[face.id][0]:
                    best[face.id] = score, face, frame
    take = choose_face(rows, face_id, source.name)
    chosen = next(id for id, frame in rows if frame is take[0])
    _, face, frame = best[chosen]
    return Recorded(take, frame, face)


def write_take(
    recorded: Recorded, out: Sequence[Path], config: PerceptionConfig, portrait: Path | None = None
) -> list[Path]:
    """Write a take in the format of each name's suffix, and return the names.

    Raises:
        TakeError: the portrait cannot be read or shows no face. BundleError: the model has no surface.
        OSError: a file cannot be written.
    """
    if portrait is not None:
        recorded = _with_portrait(recorded, portrait, config)
    for path in out:
        if path.suffix.lower() == ".glb":
            model = open_face_model(config.bundle)
            write_glb(path, recorded.take, model, _texture(recorded, model))
        else:
            write: Callable[[Path, Take], None] = write_bvh if path.suffix.lower() == ".bvh" else write_live_link
            write(path, recorded.take)
    return list(out)


def _images(video: VideoSource) -> Iterator[SourceFrame]:
    while (frame := video.read(0.0)) is not None:
        yield frame


def _frame(pixels: Image, stamp_ns: int, config: PerceptionConfig, camera: Camera | None = None) -> Frame:
    height, width = pixels.shape[:2]
    camera = resized(camera, width, height) if camera else default_camera(width, height, config.fitting.field_of_view)
    return Frame(np.asarray(pixels, np.uint8), stamp_ns, "camera_optical_frame", camera)


def _take_frame(face: Face, stamp_ns: int) -> TakeFrame:
    pose = face.fit.pose
    return TakeFrame(stamp_ns, face.blendshapes, pose.rotation, pose.position, face.fit.shape)


def _frontality(face: Face) -> float:
    """Higher for views that show more of the face: larger, frontal, with open eyes and a closed mouth."""
    shapes = dict(zip(face.blendshapes.names, face.blendshapes.values.tolist(), strict=True))
    expression = shapes.get("jawOpen", 0.0) + shapes.get("eyeBlinkLeft", 0.0) + shapes.get("eyeBlinkRight", 0.0)
    return face.confidence * -face.fit.pose.rotation[2, 2] * face.roi.width**0.25 - 0.3 * expression


def _texture(recorded: Recorded, model: MorphableModel) -> Image | None:
    """The texture from the image; None without an image or texture coordinates."""
    if recorded.frame is None or recorded.face is None or not len(model.uv):
        return None
    frame = recorded.frame
    projected = surface.project_face(recorded.face.fit, model, frame.camera, frame.image.shape[0])
    return None if projected is None else face_texture(frame.image, projected, [projected], model, TEXTURE_WIDTH)


def _with_portrait(recorded: Recorded, portrait: Path, config: PerceptionConfig) -> Recorded:
    try:
        pixels = read_image(portrait)
    except SourceError as error:
        raise TakeError(f"--portrait: {error}") from error
    with closing(Pipeline(config)) as pipeline:
        frame = _frame(pixels, 0, config)
        faces = pipeline.still(frame)
    if not faces:
        raise TakeError(f"--portrait: no face found in {str(portrait)!r}")
    return Recorded(recorded.take, frame, max(faces, key=lambda face: face.roi.width * face.roi.height))
