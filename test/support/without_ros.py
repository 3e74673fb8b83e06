"""Where ROS 2 cannot be imported, tests that import it are skipped, and say so; all others run.

conftest.py registers this file as a plugin there.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from face_expr_ros.cli import is_ros_module

REASON = "needs ROS 2, which this Python does not have"


class ModuleWithRos(pytest.Module):
    """A test file that is skipped if its imports need ROS."""

    def collect(self) -> Any:
        try:
            return list(super().collect())
        except self.CollectError as error:
            _skip_for_ros(error.__cause__)
            raise


def pytest_pycollect_makemodule(module_path: Any, parent: pytest.Collector) -> pytest.Module:
    result: pytest.Module = ModuleWithRos.from_parent(parent, path=module_path)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Fixtures that import ROS."""
    if item.get_closest_marker("graph"):
        pytest.skip(REASON)
    yield from _skipped_without_ros()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Tests that import ROS."""
    yield from _skipped_without_ros()


def _skipped_without_ros() -> Generator[None, None, None]:
    try:
        yield
    except ModuleNotFoundError as error:
        _skip_for_ros(error)
        raise


def _skip_for_ros(error: BaseException | None) -> None:
    if isinstance(error, ModuleNotFoundError) and is_ros_module(error.name):
        pytest.skip(f"{REASON} ({error.name})", allow_module_level=True)
