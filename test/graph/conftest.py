"""Fixtures of the graph tests: interface packages that are built for them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from support import interfaces

INTERFACES = {
    "hri_msgs": ("std_msgs", interfaces.HRI_MSGS),
    "tf2_msgs": ("geometry_msgs", interfaces.TF2_MSGS),
    "bond": ("std_msgs", interfaces.BOND),
}


@pytest.fixture(scope="session")
def interface_workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A workspace with hri_msgs, tf2_msgs and bond, built once, and the names of those that are not installed."""
    workspace = tmp_path_factory.mktemp("interfaces")
    missing = [name for name in INTERFACES if find_spec(name) is None]
    for name in missing:
        interfaces.write_package(workspace / "src", name, *INTERFACES[name])
    if missing:
        interfaces.build(workspace)
    return workspace, missing


@pytest.fixture(scope="module")
def hri_environment(interface_workspace: tuple[Path, list[str]], ros: None) -> Iterator[dict[str, str]]:
    """The packages can be imported in this process; returns the environment of processes that use them."""
    workspace, built = interface_workspace
    with interfaces.importable(workspace, built):
        yield interfaces.environment(workspace) if built else {}
