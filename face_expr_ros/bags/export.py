"""Export of the faces of an annotated bag as tables and keyframes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Connection

from face_expr_ros.bags import BagError
from face_expr_ros.bags.foxglove import foxglove_layout
from face_expr_ros.bags.keyframes import Keyframes
from face_expr_ros.bags.messages import FACE_ARRAY, types_of
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.tables import Row, WriteRow, csv_table, parquet_table
from face_expr_ros.core.atomic_files import write_text
from face_expr_ros.core.progress import progress


@dataclass
class _Counts:
    messages_in: int = 0
    left_out: int = 0
    problem: str = ""
    faces: int = 0
    ids: list[str] = field(default_factory=list)


def export(
    bag: Path,
    topic: str | None = None,
    table: Path | None = None,
    parquet: Path | None = None,
    keys: Path | None = None,
    layout: Path | None = None,
    others: Iterable[AbstractContextManager[WriteRow]] = (),
) -> dict[str, Any]:
    """Write the faces of a bag, one row per face and image, and return the result of ``--json``.

    Outputs are kept only when the whole bag was read.

    Args:
        bag: an annotated bag, or a recording of the topics of the perception node.
        topic: FaceArray topic; None selects the only one, or the one named ``faces``.
        table, parquet: CSV and Parquet files with the columns of `face_row`.
        keys: JSON file of keyframes, see `keyframes.Keyframes`.
        layout: JSON file of `foxglove.foxglove_layout`.
        others: contexts of further functions that write a row.

    Raises:
        BagError: the bag cannot be read or has no faces, the columns are not the same for all faces, or pyarrow is not
            installed.
    """
    started = time.perf_counter()
    with Recording(bag) as recording:
        counts, frames = _Counts(), Keyframes()
        connection = faces_connection(recording, topic)
        rows = _rows(recording, connection, counts)
        with ExitStack() as stack:
            writers: list[WriteRow] = [] if keys is None else [frames.add]
            for path, opened in ((table, csv_table), (parquet, parquet_table)):
                if path is not None:
                    writers.append(stack.enter_context(opened(path)))
            writers += [stack.enter_context(other) for other in others]
            for row in rows:
                for write in writers:
                    write(row)
            if counts.left_out and counts.left_out == counts.messages_in:
                raise BagError(f"none of the {counts.messages_in} messages in {bag} can be read: {counts.problem}")
            if keys is not None:
                write_text(keys, json.dumps(frames.result()) + "\n")
            if layout is not None:
                write_text(layout, json.dumps(foxglove_layout(recording, connection), indent=2) + "\n")
        return _result(recording, counts, time.perf_counter() - started)


def _result(recording: Recording, counts: _Counts, seconds: float) -> dict[str, Any]:
    return {
        "source": str(recording.path),
        "messages_in": counts.messages_in,
        "frames": counts.messages_in - counts.left_out,
        "faces": counts.faces,
        "ids": counts.ids,
        "messages_left_out": counts.left_out,
        "problem": counts.problem,
        "damage": recording.damage,
        "seconds": seconds,
        "realtime_factor": (recording.end_ns - recording.start_ns) * 1e-9 / seconds,
    }


def faces_connection(recording: Recording, topic: str | None) -> Connection:
    """The FaceArray topic, see `export`.

    Raises:
        BagError: there is none, or there are several.
    """
    if topic is not None:
        connection = recording.connection(topic)
        if connection.msgtype != FACE_ARRAY:
            raise BagError(f"expected {FACE_ARRAY} on {topic}, got {connection.msgtype}")
        return connection
    found = [connection for connection in recording.connections if connection.msgtype == FACE_ARRAY]
    named = [connection for connection in found if connection.topic.endswith("/faces")]
    for choice in (found, named):
        if len(choice) == 1:
            return choice[0]
    if not found:
        raise BagError(f"{recording.path} has no faces: run face_expr annotate on it first")
    raise BagError(
        f"{recording.path} has several FaceArray topics, select one with --topic: {', '.join(c.topic for c in found)}"
    )


def face_row(face: Any, header: Any) -> Row:
    """One face of one image. Positions are in meters in the camera's optical frame, angles in degrees.

    The quaternion is the orientation of REP-155's face frame; columns of blendshapes and action units have their names.

    Raises:
        ValueError: the numbers of names and values differ, a number is not finite, or the quaternion is zero.
    """
    roi, pose = face.roi, face.pose.pose
    position, rotation, expression = pose.position, pose.orientation, face.expression
    numbers = [
        position.x,
        position.y,
        position.z,
        rotation.x,
        rotation.y,
        rotation.z,
        rotation.w,
        *expression.blendshapes,
    ]
    if not (np.isfinite(numbers).all() and any(numbers[3:7])):
        raise ValueError(f"expected finite numbers and a nonzero quaternion for {face.face_id!r}, got {numbers}")
    angles = {f"{name}_deg": float(np.degrees(getattr(face.pose, name))) for name in ("yaw", "pitch", "roll")}
    return {
        "stamp_ns": header.stamp.sec * 1_000_000_000 + header.stamp.nanosec,
        "frame_id": header.frame_id,
        "face_id": face.face_id,
        "confidence": float(face.confidence),
        **{"roi_x": roi.x_offset, "roi_y": roi.y_offset, "roi_width": roi.width, "roi_height": roi.height},
        **{"x_m": position.x, "y_m": position.y, "z_m": position.z},
        **{"qx": rotation.x, "qy": rotation.y, "qz": rotation.z, "qw": rotation.w},
        **angles,
        "metric": bool(face.pose.metric),
        "looking_at_camera": float(face.looking_at_camera),
        "speaking": float(face.speaking),
        "label": expression.label,
        "valence": float(expression.valence),
        "arousal": float(expression.arousal),
        "mouth_open": bool(expression.mouth_open),
        **dict(zip(expression.blendshape_names, expression.blendshapes.tolist(), strict=True)),
        **dict(zip(expression.action_unit_names, expression.action_units.tolist(), strict=True)),
    }


def _rows(recording: Recording, connection: Connection, counts: _Counts) -> Iterator[Row]:
    """All faces; messages that cannot be read are counted and skipped."""
    types = types_of(connection)
    messages = recording.messages([connection])
    for message in progress(messages, recording.path.name, connection.msgcount or None, unit="messages"):
        counts.messages_in += 1
        try:
            array: Any = types.deserialize_cdr(message.data, FACE_ARRAY)
            rows = [face_row(face, array.header) for face in array.faces]
        except Exception as error:  # a truncated message, or one of another version of this package
            counts.left_out += 1
            counts.problem = counts.problem or f"{type(error).__name__}: {error}"
            continue
        counts.faces += len(rows)
        for row in rows:
            if row["face_id"] not in counts.ids:
                counts.ids.append(row["face_id"])
            yield row
