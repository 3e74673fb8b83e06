"""Portraits of takes, which are read as the images of all other verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from face_expr_ros.cli.process_take import Recorded, write_take
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.serialization.takes import TakeError


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\xff\x4f\xff\x51", "is a JPEG 2000 image"),
        (b"\xff\xd8\xff\xe0", "the JPEG image .* is damaged"),
        (b"", "cannot"),
    ],
)
def test_portrait_that_cannot_be_read_is_refused(head: bytes, reason: str, tmp_path: Path) -> None:
    portrait = tmp_path / "portrait.jpg"
    portrait.write_bytes(head + bytes(40) * bool(head))
    with pytest.raises(TakeError, match=rf"^--portrait: .*{reason}"):
        write_take(Recorded([], None, None), [], PerceptionConfig(), portrait)
