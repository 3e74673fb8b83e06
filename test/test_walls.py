"""ROS and every vendor library are imported in their own files only; the table is ruff's, in pyproject.toml."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
LINT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
# Module -> the files that may import it: the message is "only in FILES".
WALLS = {
    module: entry["msg"].removeprefix("only in ").split()
    for module, entry in LINT["flake8-tidy-imports"]["banned-api"].items()
}
SOURCES = sorted([*ROOT.glob("face_expr_ros/**/*.py"), *ROOT.glob("launch/*.py")])


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Every name that an import statement could mean a module by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(path: str, source: str) -> set[str]:
    """Modules that a file imports and may not."""
    return {
        module
        for name in imported_modules(ast.parse(source))
        for module, files in WALLS.items()
        if (name == module or name.startswith(f"{module}.")) and not any(fnmatch(path, file) for file in files)
    }


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_side_of_the_walls_may(source: Path) -> None:
    assert violations(str(source.relative_to(ROOT)), source.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("face_expr_ros/pipeline.py", "import rclpy", {"rclpy"}),
        ("face_expr_ros/pipeline.py", "from rclpy.node import Node", {"rclpy"}),
        ("face_expr_ros/pipeline.py", "from face_expr_ros.msg import Face", {"face_expr_ros.msg"}),
        ("face_expr_ros/pipeline.py", "from face_expr_ros import msg", {"face_expr_ros.msg"}),
        ("face_expr_ros/pipeline.py", "def later():\n    import mediapipe.python", {"mediapipe"}),
        ("face_expr_ros/ros/encode.py", "import rclpy, onnxruntime", {"onnxruntime"}),
        ("face_expr_ros/nodes/perception.py", "import mediapipe", {"mediapipe"}),
        ("face_expr_ros/landmarks/mediapipe_tasks.py", "import mediapipe", set()),
        ("face_expr_ros/landmarks/other.py", "import mediapipe", {"mediapipe"}),
        ("face_expr_ros/pipeline.py", "import rclpyx, numpy", set()),
    ],
)
def test_an_import_across_a_wall_is_found(path: str, source: str, found: set[str]) -> None:
    assert violations(path, source) == found


def ruff(path: str, source: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--stdin-filename", path, "-"]
    return subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", WALLS)
def test_ruff_refuses_an_import_across_a_wall(module: str) -> None:
    refused = ruff("face_expr_ros/pipeline.py", f"import {module}\n")
    assert refused.returncode == 1
    assert f"`{module}` is banned: only in " in refused.stdout


def test_ruff_exempts_just_the_files_that_the_table_names() -> None:
    exempt = {file for file, rules in LINT["per-file-ignores"].items() if "TID251" in rules}
    assert exempt == {file for files in WALLS.values() for file in files} | {"test/**"}
    assert ruff("face_expr_ros/nodes/perception.py", "import rclpy\n").returncode == 0
