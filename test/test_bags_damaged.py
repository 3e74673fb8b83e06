"""Bags: what can still be read of a damaged one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_files import IMAGE, BagFile, header, moving, of_topic, raw, record
from numpy.typing import NDArray

from face_expr_ros.bags import BagError
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.reading import Recording

Picture = NDArray[np.uint8]


@pytest.mark.parametrize(("storage", "share"), [("mcap", 0.55), ("sqlite3", 0.55)])
@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "no metadata"])
def test_a_truncated_bag_is_annotated_up_to_the_damage(
    portrait: Picture, fresh: None, tmp_path: Path, storage: str, share: float, metadata: bool
) -> None:
    source = record(tmp_path / "a", portrait, 6, storage=storage)
    file = next(file for file in source.iterdir() if file.suffix != ".yaml")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    if not metadata:
        (source / "metadata.yaml").unlink()
    result = annotate(Job(source, tmp_path / "b"), bar=False)
    assert 2 <= result["frames"] <= 4
    assert "is damaged: it was read for 0." in result["damage"]
    assert len(of_topic(tmp_path / "b", "/faces")) == result["frames"]


def test_a_file_that_is_no_bag_is_refused(tmp_path: Path) -> None:
    for name in ("noise.mcap", "noise.db3"):
        (tmp_path / name).write_bytes(b"not a bag at all" * 100)
        with pytest.raises(BagError, match=r"nothing of .*noise.* can be read"):
            Recording(tmp_path / name)
    with pytest.raises(BagError, match=r"a rosbag2 folder with \.mcap or \.db3 files in it"):
        Recording(tmp_path / "nowhere")


def test_bad_images_are_counted_and_the_next_ones_work(portrait: Picture, fresh: None, tmp_path: Path) -> None:
    images = list(moving(portrait, 4))
    with BagFile(tmp_path / "a") as file:
        for number, image in enumerate(images):
            data = raw(image, header(number), "rgb7" if number == 1 else "bgr8")
            file.write("/image", IMAGE, number, data[:1000] if number == 2 else data)
    result = annotate(Job(tmp_path / "a", tmp_path / "b"), bar=False)
    assert (result["frames"], result["images_left_out"]) == (2, 2)
    assert "'rgb7' was given" in result["problem"]
