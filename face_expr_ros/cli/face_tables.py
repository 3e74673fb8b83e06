"""The records of faces in files as rows of a table: one row per face and image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from face_expr_ros.bags.tables import Row, WriteRow, csv_table, parquet_table

Record = dict[str, Any]


def check_tables(parquet: Path | None) -> None:
    """Refuse, before any work, a table that cannot be written.

    Raises:
        ValueError: a Parquet file is requested and pyarrow is not installed.
    """
    if parquet is not None and find_spec("pyarrow") is None:
        raise ValueError("--parquet requires pyarrow: pip install pyarrow")


def open_tables(stack: ExitStack, csv: Path | None, parquet: Path | None) -> list[WriteRow]:
    """Functions that write a row to each requested file; the files are complete when the stack is closed."""
    opened = ((csv, csv_table), (parquet, parquet_table))
    return [stack.enter_context(table(path)) for path, table in opened if path is not None]


def table_rows(record: Record) -> Iterator[Row]:
    """The faces of one line of ``--jsonl``, with the column names of `face_expr export`, except the bag's stamps.

    Positions are in meters in the camera's optical frame, angles in degrees; the quaternion is the orientation of
    REP-155's face frame.
    """
    image: Row = {key: record[key] for key in ("file", "frame", "stamp") if key in record}
    for face in record.get("faces", ()):
        pose, roi = face["pose"], dict(zip(("roi_x", "roi_y", "roi_width", "roi_height"), face["roi"], strict=True))
        yield {
            **image,
            "face_id": face["id"],
            "confidence": face["confidence"],
            **roi,
            **dict(zip(("x_m", "y_m", "z_m"), pose["position"], strict=True)),
            **dict(zip(("qx", "qy", "qz", "qw"), pose["quaternion_xyzw"], strict=True)),
            **{name: pose[name] for name in ("yaw_deg", "pitch_deg", "roll_deg", "metric")},
            **{
                name: face[name]
                for name in ("looking_at_camera", "speaking", "label", "valence", "arousal", "mouth_open")
            },
            **face["blendshapes"],
            **face["action_units"],
        }
