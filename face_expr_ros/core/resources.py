"""Finding the data files of this package: face models, weights, configuration, launch files."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = "face_expr_ros"


def resource_roots() -> tuple[Path, ...]:
    """Folders that may hold data files, in the order in which they are searched.

    The source tree (if this module runs from it), `share/face_expr_ros` of every ROS 2 prefix, and `share` of the
    package, where `pip install` puts the files.
    """
    package = Path(__file__).parents[1]
    source_tree = (package.parent,) if (package.parent / "package.xml").is_file() else ()
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    return (*source_tree, *(Path(prefix) / "share" / PACKAGE for prefix in prefixes), package / "share")


def resource_path(name: str) -> Path:
    """Path of a data file or folder, e.g. `resource_path("bfm/open_face_model.npz")`.

    Parameters:
        name: path relative to the root of the source tree.

    Raises:
        FileNotFoundError: the message names the file and the searched folders.
    """
    roots = resource_roots()
    for root in roots:
        if (root / name).exists():
            return root / name
    searched = ", ".join(str(root) for root in roots)
    raise FileNotFoundError(f"{name!r} of {PACKAGE} was not found in {searched}; build or install the package again")
