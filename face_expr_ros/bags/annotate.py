"""Faces for a recording: every image goes through the pipeline, and a bag with the answers added is written."""

from __future__ import annotations

import io
import json
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection

from face_expr_ros import __version__
from face_expr_ros.bags import BagError
from face_expr_ros.bags.faces import Addition, FaceMessages, face_topics
from face_expr_ros.bags.memory import Memory, can_be_kept
from face_expr_ros.bags.messages import types_of
from face_expr_ros.bags.reading import Message, Recording
from face_expr_ros.bags.threads import Behind, ahead, held_interrupt
from face_expr_ros.bags.topics import camera_info_connection, image_connection
from face_expr_ros.bags.writing import SplitWriter, Topic, copied_topic, notes_of, work_folder
from face_expr_ros.bundle import MANIFEST, sha256_of
from face_expr_ros.config import PerceptionConfig
from face_expr_ros.models.pickles import ArrayUnpickler
from face_expr_ros.pipeline import Pipeline
from face_expr_ros.progress import progress
from face_expr_ros.resources import resource_path
from face_expr_ros.ros.camera_info import CameraKeeper
from face_expr_ros.ros.decode import decode
from face_expr_ros.values import Frame

NOTE = "face_expr_ros"  # the key of our notes in a bag's metadata
CHECKPOINT = "checkpoint.pickle"
QUEUE = 4  # messages that are read ahead, and calls that wait for the writer

_Picture = tuple[NDArray[np.uint8], int, str]  # BGR, stamp in nanoseconds, frame_id


@dataclass(frozen=True)
class Job:
    """What is to be done with one bag.

    Attributes:
        source, out: the recording, and the folder of the annotated one.
        config: settings of the perception node.
        topic: of the images; None where the bag has one topic of images.
        namespace: of the topics that are added, such as "/robot".
        start, stop: seconds after the bag's start, from which to which it is annotated; None is its end.
        storage: "mcap" or "sqlite3".
        split: seconds of the recording in one file of ``out``; after each an interrupted run can go on.
    """

    source: Path
    out: Path
    config: PerceptionConfig = PerceptionConfig()
    topic: str | None = None
    namespace: str = ""
    start: float = 0.0
    stop: float | None = None
    storage: str = "mcap"
    split: float = 60.0


@dataclass
class Progress:
    """How far a bag is annotated; all that is needed to go on from there.

    Attributes:
        messages_in: messages of the bag that are done.
        frames, frames_with_face, faces: images that were looked at, those with a face, and all faces.
        left_out: images that cannot be read; problem: the first reason.
        files: of the new bag, complete; begun_ns: time of the first message of the one in work.
        camera_info: the last one that counts, serialized.
        memory: the pipeline's.
    """

    messages_in: int = 0
    frames: int = 0
    frames_with_face: int = 0
    faces: int = 0
    left_out: int = 0
    problem: str = ""
    files: int = 0
    begun_ns: int | None = None
    camera_info: bytes = b""
    memory: bytes = b""
    ids: list[str] = field(default_factory=list)


def annotate(job: Job, bar: bool = True) -> dict[str, Any]:
    """Write the annotated bag; what came out of it, with the keys of the command line's JSON.

    The messages of the recording are copied as they are. The same recording and settings give the same messages, byte
    for byte, also where a run was interrupted and goes on. A bag that is there already, of the same recording and
    settings, is left as it is.

    Raises:
        BagError: the recording cannot be read or has no such images, or the new bag cannot be written.
        BundleError, ConfigError: as `Pipeline`.
    """
    started = time.perf_counter()
    with Recording(job.source) as recording:
        images = image_connection(recording, job.topic, job.config.image_transport)
        fingerprint = _fingerprint(job, recording, images)
        if (before := _done_before(job, fingerprint)) is not None:
            return before
        with closing(Pipeline(job.config)) as pipeline, held_interrupt() as check:
            result = _Run(job, recording, images, pipeline, fingerprint).run(bar, check)
    seconds = time.perf_counter() - started
    length = result.pop("recorded_seconds")
    return result | {"seconds": seconds, "recorded_seconds": length, "realtime_factor": length / seconds}


class _Run:
    """One bag on its way through the pipeline."""

    def __init__(
        self, job: Job, recording: Recording, images: Connection, pipeline: Pipeline, fingerprint: str
    ) -> None:
        self._job, self._recording, self._images, self._pipeline = job, recording, images, pipeline
        self._fingerprint = fingerprint
        self._memory = Memory(pipeline) if can_be_kept(job.config) else None
        self._infos = camera_info_connection(recording, images)
        self._cameras = CameraKeeper(job.config.fitting.field_of_view)
        self._image_types = types_of(images)
        self._bounds = _bounds(job, recording)
        self._messages = FaceMessages(pipeline.model, job.namespace, job.config.output)
        self.state = self._resume()
        self._resumed = self.state.messages_in
        self._writer = SplitWriter(job.out, job.storage, self._topics(), self.state.files)
        self._behind = Behind(QUEUE, at_end=self._writer.abort)

    def run(self, bar: bool, check: Callable[[], None]) -> dict[str, Any]:
        """All messages; ``check`` is called after each and may raise."""
        recording, state = self._recording, self.state
        if not state.messages_in:
            self._first_camera_info()
        start_ns = self._bounds[0]
        latched = [] if start_ns is None else recording.latched_before(start_ns, self._images)
        messages = islice(chain(latched, recording.messages((), *self._bounds)), state.messages_in, None)
        prepared = ahead(map(self._prepared, messages), QUEUE)
        rest = max(recording.message_count - state.messages_in, 0)
        try:
            for message, picture in progress(prepared, self._job.source.name, rest, "messages") if bar else prepared:
                self._take(message, picture)
                check()
            result = self._result()
            note = json.dumps({"made_of": self._fingerprint, "result": result})
            self._behind.put(partial(self._writer.finish, {NOTE: note}))
            self._behind.close()
        finally:
            prepared.close()
            self._behind.abort()
        return {**result, "resumed_at": self._resumed}

    def _take(self, message: Message, picture: _Picture | Exception | None) -> None:
        state = self.state
        if state.begun_ns is None:
            state.begun_ns = message.time_ns
            self._behind.put(partial(self._write_all, self._messages.model(message.time_ns)))
        elif message.time_ns - state.begun_ns >= self._job.split * 1e9:
            self._checkpoint(message.time_ns)
        connection, time_ns, data = message
        self._behind.put(partial(self._writer.write, connection.topic, connection.msgtype, time_ns, data))
        state.messages_in += 1
        if self._infos is not None and connection.topic == self._infos.topic:
            self._camera_info(data)
        elif picture is not None:
            self._image(time_ns, picture)

    def _prepared(self, message: Message) -> tuple[Message, _Picture | Exception | None]:
        """A message and, where it is an image, what it shows, or why nobody can say."""
        connection = message.connection
        if connection.topic != self._images.topic or connection.msgtype != self._images.msgtype:
            return message, None
        try:
            image: Any = self._image_types.deserialize_cdr(message.data, connection.msgtype)
            stamp = image.header.stamp
            return message, (decode(image), stamp.sec * 1_000_000_000 + stamp.nanosec, image.header.frame_id)
        except Exception as error:  # of a message that is cut off, too
            return message, error

    def _first_camera_info(self) -> None:
        """It counts for the images before it as well."""
        if self._infos is not None:
            first = next(self._recording.messages([self._infos], *self._bounds), None)
            if first is not None:
                self._camera_info(first.data)

    def _camera_info(self, data: bytes) -> None:
        assert self._infos is not None
        if data != self.state.camera_info:
            self._cameras.update(types_of(self._infos).deserialize_cdr(data, self._infos.msgtype))
            self.state.camera_info = data

    def _image(self, time_ns: int, picture: _Picture | Exception) -> None:
        """One image, whatever is in it: as in the node, a bad one is counted, and the next one finds all in order."""
        state = self.state
        try:
            frame = self._frame(picture)
            faces = self._pipeline(frame)
        except Exception as error:
            state.left_out += 1
            state.problem = state.problem or f"{type(error).__name__}: {error}"
            return
        state.frames += 1
        state.frames_with_face += bool(faces)
        state.faces += len(faces)
        state.ids += [face.id for face in faces if face.id not in state.ids]
        self._behind.put(partial(self._write_all, self._messages(frame, faces, time_ns)))

    def _frame(self, picture: _Picture | Exception) -> Frame:
        if isinstance(picture, Exception):
            raise picture
        image, stamp_ns, frame_id = picture
        return Frame(image, stamp_ns, frame_id, self._cameras.camera(image.shape[1], image.shape[0]))

    def _write_all(self, additions: Iterator[Addition]) -> None:
        for addition in additions:
            self._writer.write(*addition)

    def _topics(self) -> list[Topic]:
        """Those of the recording, then those that are added; /tf may be one of both."""
        copied = [copied_topic(connection) for connection in self._recording.connections]
        there = {topic.name: topic for topic in copied}
        added = []
        for topic in face_topics(self._job.namespace, self._job.config.output):
            if topic.name not in there:
                added.append(topic)
            elif topic.name != "/tf" or there[topic.name].kind != topic.kind:
                raise BagError(
                    f"{self._job.source} has a topic {topic.name!r} already: give --namespace, which is put before the "
                    "names of the topics that are added"
                )
        return copied + added

    def _resume(self) -> Progress:
        """Where an interrupted run of the same job stopped; otherwise the beginning."""
        file = work_folder(self._job.out) / CHECKPOINT
        if self._memory is None or not file.exists():
            return Progress()
        try:
            fingerprint, values = ArrayUnpickler(io.BytesIO(file.read_bytes()), {}).load()
            if fingerprint != self._fingerprint:
                return Progress()
            state = Progress(**values)
            self._memory.load(state.memory)
        except Exception:  # written by another version: nothing is lost but time
            return Progress()
        if self._infos is not None and state.camera_info:
            self._cameras.update(types_of(self._infos).deserialize_cdr(state.camera_info, self._infos.msgtype))
        return state

    def _checkpoint(self, next_ns: int) -> None:
        """Complete a file of the bag and remember where to go on."""
        state = self.state
        state.files, state.begun_ns = state.files + 1, next_ns
        if self._memory is not None:
            state.memory = self._memory.save()
        self._behind.put(partial(self._complete_file, pickle.dumps((self._fingerprint, vars(state)))))

    def _complete_file(self, checkpoint: bytes) -> None:
        self._writer.split()
        file = work_folder(self._job.out) / CHECKPOINT
        draft = file.with_suffix(".draft")
        draft.write_bytes(checkpoint)
        draft.replace(file)

    def _result(self) -> dict[str, Any]:
        state, recording = self.state, self._recording
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
            "problem": state.problem or self._cameras.problem,
            "damage": recording.damage,
            "recorded_seconds": max(length_ns, 0) * 1e-9,
        }


def _bounds(job: Job, recording: Recording) -> tuple[int | None, int | None]:
    start = recording.start_ns + round(job.start * 1e9) if job.start > 0 else None
    stop = recording.start_ns + round(job.stop * 1e9) if job.stop is not None else None
    return start, stop


def _fingerprint(job: Job, recording: Recording, images: Connection) -> str:
    """What the new bag is made of: another recording, setting, version or weights give another text."""
    made_of = asdict(job) | {"source": job.source.name, "out": job.out.name, "topic": images.topic}
    made_of |= {"messages": recording.message_count, "recorded": [recording.start_ns, recording.end_ns]}
    made_of |= {"weights": sha256_of(resource_path(MANIFEST))}
    return json.dumps(made_of | {"version": __version__}, sort_keys=True)


def _done_before(job: Job, fingerprint: str) -> dict[str, Any] | None:
    """The result of the bag that is there already; None where there is none.

    Raises:
        BagError: what is there is something else.
    """
    if not job.out.exists():
        return None
    note = json.loads(notes_of(job.out).get(NOTE, "{}"))
    if note.get("made_of") != fingerprint:
        raise BagError(f"{str(job.out)!r} is there already and is not overwritten: remove it, or name another place")
    result: dict[str, Any] = note["result"]
    return {**result, "seconds": 0.0, "realtime_factor": 0.0, "done_before": True}
