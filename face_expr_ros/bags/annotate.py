"""Annotation of a recording: its images go through the pipeline, and a bag with the face topics added is written."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain, islice
from typing import Any

from rosbags.interfaces import Connection

from face_expr_ros.bags import BagError
from face_expr_ros.bags.checkpoint import packed, read_checkpoint, write_checkpoint
from face_expr_ros.bags.depth import DepthMessages, depth_connection
from face_expr_ros.bags.drawings import Drawings, drawing_topics
from face_expr_ros.bags.faces import FaceMessages, face_topics
from face_expr_ros.bags.images import CameraImages, DecodedImage
from face_expr_ros.bags.job import Job, bounds_of, completed_result, fingerprint_of, metadata_notes
from face_expr_ros.bags.messages import Addition
from face_expr_ros.bags.reading import Message, Recording
from face_expr_ros.bags.stage_times import StageTimes, timer
from face_expr_ros.bags.threads import BackgroundWriter, read_ahead
from face_expr_ros.bags.topics import image_connection
from face_expr_ros.bags.writing import SplitWriter, Topic, copied_topic, work_folder
from face_expr_ros.core.native_output import native_output_discarded
from face_expr_ros.core.progress import progress
from face_expr_ros.core.signals import deferred_sigint
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.perception.pipeline import Measurement, Pipeline
from face_expr_ros.serialization.camera_info import CameraInfoError

QUEUE = 16  # maximum number of messages read ahead, and of those queued for the writer
IMAGES = 6  # maximum number of decoded images in both queues and in work
_POLL = 0.05  # seconds

Measured = tuple[Frame, Measurement] | Exception


def annotate(job: Job, bar: bool = True) -> dict[str, Any]:
    """Write the annotated bag and return the result of ``--json``.

    The messages of the recording are copied unchanged. The same recording and settings give the same messages, byte
    for byte, also when a run was interrupted and resumed. An existing bag of the same recording and settings is kept.

    Raises:
        BagError: the recording or all its images cannot be read, or the new bag cannot be written.
        BundleError, ConfigError: as `Pipeline`.
    """
    started = time.perf_counter()
    with native_output_discarded(), Recording(job.source) as recording:  # libjpeg writes a line per damaged image
        images = image_connection(recording, job.topic, job.config.image_transport, job.depth)
        fingerprint = fingerprint_of(job, recording, images)
        if (completed := completed_result(job, fingerprint)) is not None:
            return completed
        with closing(Pipeline(job.config, timer)) as pipeline, deferred_sigint() as check:
            result = _Run(job, recording, images, pipeline, fingerprint).run(bar, check)
    seconds = time.perf_counter() - started
    length = result.pop("recorded_seconds")
    return result | {"seconds": seconds, "recorded_seconds": length, "realtime_factor": length / seconds}


class _Run:
    """Annotation of one bag."""

    def __init__(
        self, job: Job, recording: Recording, images: Connection, pipeline: Pipeline, fingerprint: str
    ) -> None:
        self._job, self._recording, self._images, self._pipeline = job, recording, images, pipeline
        self._fingerprint = fingerprint
        self._folder = work_folder(job.out)
        self._camera = CameraImages(recording, images, job.config)
        uses_depth = job.config.use_depth
        self._depth = DepthMessages(depth_connection(recording, job.depth, images.topic) if uses_depth else None)
        self._bounds = bounds_of(job, recording)
        self._messages = FaceMessages(pipeline.model, job.namespace, job.config.output)
        self._drawings = Drawings(pipeline.model, job.namespace, job.config.output, job.drawings)
        self._state = read_checkpoint(self._folder, fingerprint, pipeline)  # changed only by the writing thread
        self._depth.data = self._state.depth
        self._resumed, self._begun_ns = self._state.messages_in, self._state.begun_ns
        if self._state.drawings is not None:
            self._drawings.load_state_dict(self._state.drawings)
        self._times, self._frames_before = StageTimes(), self._state.frames
        self._free_images, self._is_stopped = threading.Semaphore(IMAGES), threading.Event()
        self._writer = SplitWriter(job.out, job.storage, self._topics(), self._state.files)
        self._background = BackgroundWriter(QUEUE, at_end=self._writer.abort)

    def run(self, bar: bool, check: Callable[[], None]) -> dict[str, Any]:
        """Process all messages; ``check`` is called after each and may raise."""
        name, remaining = self._job.source.name, max(self._recording.message_count - self._resumed, 0)
        try:
            self._initialize_camera()
            self._camera.take_earlier_packets(self._state.frames + self._state.left_out, self._bounds)
            with closing(read_ahead(self._decoded_messages(), QUEUE)) as decoded:
                try:
                    for message, image in progress(decoded, name, remaining, "messages") if bar else decoded:
                        self._process(message, image)
                        check()
                finally:
                    self._is_stopped.set()
            self._background.wait()
            self._check_frames()
            result = self._result()
            self._background.put(partial(self._writer.finish, metadata_notes(self._fingerprint, result)))
            self._background.close()
        finally:
            self._background.abort()
        return {**result, "resumed_at": self._resumed, **self._times.result(self._state.frames - self._frames_before)}

    def _initialize_camera(self) -> None:
        """Restore the CameraInfo of an interrupted run, or use the first one of the bag."""
        if self._resumed and self._state.camera_info:
            self._camera.restore_info(self._state.camera_info)
        elif not self._resumed:
            self._take_camera_info(partial(self._camera.take_first_info, self._bounds))

    def _take_camera_info(self, take: Callable[[], None]) -> None:
        """Report an invalid CameraInfo in the result and continue."""
        try:
            take()
        except CameraInfoError as error:
            self._background.put(partial(self._note_problem, str(error)))

    def _note_problem(self, problem: str) -> None:
        self._state.problem = self._state.problem or problem

    def _decoded_messages(self) -> Iterator[tuple[Message, DecodedImage | Exception | None]]:
        """Runs in the reading thread."""
        messages = self._remaining_messages()
        while True:
            with self._times("read"):
                message = next(messages, None)
            if message is None:
                return
            with self._times("decode"):
                decoded = self._camera.decoded(message)
            if decoded[1] is not None and not self._take_image():
                return
            yield decoded

    def _take_image(self) -> bool:
        """Wait until another image may be in work; False if the run ends."""
        while not self._free_images.acquire(timeout=_POLL):
            if self._is_stopped.is_set() or self._background.failed:
                return False
        return True

    def _remaining_messages(self) -> Iterator[Message]:
        """The messages that are not processed yet; a part of a recording starts with the messages latched before it."""
        start_ns = self._bounds[0]
        latched = [] if start_ns is None else self._recording.latched_before(start_ns, self._images)
        return islice(chain(latched, self._recording.messages((), *self._bounds)), self._resumed, None)

    def _check_frames(self) -> None:
        """Raise an error if no image was processed."""
        if self._state.frames:
            return
        part = "" if self._bounds == (None, None) else " in the selected part"
        reason = self._state.problem or self._recording.damage or f"no message on {self._images.topic}{part}"
        raise BagError(f"no image of {self._job.source} can be processed: {reason}")

    def _process(self, message: Message, image: DecodedImage | Exception | None) -> None:
        if self._begun_ns is None:
            self._begun_ns = message.time_ns
            self._background.put(partial(self._begin, message.time_ns))
        elif message.time_ns - self._begun_ns >= self._job.split * 1e9:
            self._checkpoint(message.time_ns)
        if image is None:
            self._take_camera_info(partial(self._camera.take_info, message))
            self._depth.take(message)
            self._background.put(partial(self._write_message, message))
        else:
            self._background.put(partial(self._write_image, message, self._measured(image)))

    def _measured(self, image: DecodedImage | Exception) -> Measured:
        """An invalid image is counted and does not affect the next ones, as in the node."""
        try:
            frame = self._depth.add_to(self._camera.frame(image))
            return frame, self._pipeline.measure(frame)
        except Exception as error:
            return error

    def _begin(self, time_ns: int) -> None:
        self._state.begun_ns = time_ns
        self._write_all(self._messages.model(time_ns))

    def _write_message(self, message: Message) -> None:
        connection, time_ns, data = message
        with self._times("write"):
            self._writer.write(connection.topic, connection.msgtype, time_ns, data)
        self._state.messages_in += 1

    def _write_image(self, message: Message, measured: Measured) -> None:
        """Write an image and its faces."""
        self._write_message(message)
        try:
            if isinstance(measured, Exception):
                raise measured
            frame, measurement = measured
            faces = self._pipeline.finish(measurement)
        except Exception as error:
            self._state.left_out += 1
            self._note_problem(f"{type(error).__name__}: {error}")
        else:
            self._write_faces(frame, faces, message.time_ns)
        self._free_images.release()

    def _write_faces(self, frame: Frame, faces: tuple[Face, ...], time_ns: int) -> None:
        state = self._state
        self._times.add(self._pipeline.stage_seconds)
        state.frames += 1
        state.frames_with_face += bool(faces)
        state.faces += len(faces)
        state.ids += [face.id for face in faces if face.id not in state.ids]
        with self._times("messages"):
            additions = list(self._messages(frame, faces, time_ns))
        with self._times("drawing"):
            additions += self._drawings(frame, faces, time_ns)
        self._write_all(additions)

    def _write_all(self, additions: Iterable[Addition]) -> None:
        with self._times("write"):
            for addition in additions:
                self._writer.write(*addition)

    def _topics(self) -> list[Topic]:
        """The topics of the recording, then the added ones; /tf may be both."""
        copied = [copied_topic(connection) for connection in self._recording.connections]
        existing = {topic.name: topic for topic in copied}
        added = []
        drawn = drawing_topics(self._job.namespace, self._job.drawings)
        for topic in [*face_topics(self._job.namespace, self._job.config.output), *drawn]:
            if topic.name not in existing:
                added.append(topic)
            elif topic.name != "/tf" or existing[topic.name].kind != topic.kind:
                raise BagError(
                    f"{self._job.source} already has a topic {topic.name!r}: give --namespace for the added topics"
                )
        return copied + added

    def _checkpoint(self, next_ns: int) -> None:
        """Complete a file of the bag and store the state from which an interrupted run resumes."""
        self._begun_ns = next_ns
        measuring = copy.deepcopy(self._pipeline.measuring_state()) if self._pipeline.resumable else None
        latest = self._camera.info, self._depth.data
        self._background.put(partial(self._complete_file, next_ns, latest, measuring))

    def _complete_file(self, next_ns: int, latest: tuple[bytes, bytes], measuring: dict[str, Any] | None) -> None:
        state = self._state
        state.files, state.begun_ns = state.files + 1, next_ns
        state.camera_info, state.depth = latest
        state.drawings = self._drawings.state_dict()
        if measuring is not None:
            state.pipeline = self._pipeline.whole_state(measuring)
        self._writer.split()
        write_checkpoint(self._folder, packed(state, self._fingerprint))

    def _result(self) -> dict[str, Any]:
        state, recording = self._state, self._recording
        start_ns, stop_ns = self._bounds
        length_ns = min(stop_ns or recording.end_ns, recording.end_ns) - max(start_ns or 0, recording.start_ns)
        return {
            "source": str(self._job.source),
            "out": str(self._job.out),
            "messages_in": state.messages_in,
            "frames": state.frames,
            "frames_with_face": state.frames_with_face,
            "faces": state.faces,
            "ids": state.ids,
            "images_left_out": state.left_out,
            "problem": state.problem or self._camera.problem or self._depth.problem,
            "left_out": recording.left_out,
            "damage": recording.damage,
            "recorded_seconds": max(length_ns, 0) * 1e-9,
        }
