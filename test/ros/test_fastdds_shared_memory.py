"""Which Fast DDS profile the nodes use."""

from __future__ import annotations

from pathlib import Path

import pytest

from face_expr_ros.core.resources import resource_path
from face_expr_ros.ros.fastdds_shared_memory import PROFILE_VARIABLES, segment_size, use_small_segment

PROFILE, SMALL = (resource_path(f"config/{name}.xml") for name in ("fastdds", "fastdds_small"))


@pytest.mark.parametrize("variable", PROFILE_VARIABLES)
def test_the_profile_of_this_package_is_replaced_by_its_smaller_one(variable: str, tmp_path: Path) -> None:
    installed = tmp_path / "copy.xml"
    installed.write_bytes(PROFILE.read_bytes())
    environment = {variable: str(installed), "HOME": "/"}
    use_small_segment(environment, PROFILE, SMALL)
    assert environment == {variable: str(SMALL), "HOME": "/"}


def test_other_profiles_stay(tmp_path: Path) -> None:
    own = tmp_path / "own.xml"
    own.write_text("<dds/>")
    for value in (str(own), str(tmp_path / "missing.xml"), ""):
        environment = {PROFILE_VARIABLES[1]: value}
        use_small_segment(environment, PROFILE, SMALL)
        assert environment == {PROFILE_VARIABLES[1]: value}
    empty: dict[str, str] = {}
    use_small_segment(empty, PROFILE, SMALL)
    assert not empty


def test_the_profiles_differ_only_in_the_size_of_the_segment() -> None:
    assert (segment_size(PROFILE), segment_size(SMALL)) == (32 << 20, 8 << 20)
    lines = [path.read_text().partition("<dds")[2].replace("_8_", "_32_").splitlines() for path in (PROFILE, SMALL)]
    different = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
    assert len(different) == 1
    assert "segment_size" in different[0][0]
