"""Every supported Python compiles the sources without warnings; docs/platforms.md says which run the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.paths import ROOT

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
# SyntaxWarning: what a later version will refuse, and `return` in `finally`, of which 3.14 warns.
COMPILE = """
import sys, warnings
warnings.simplefilter("error")
for name in sys.stdin.read().splitlines():
    compile(open(name, encoding="utf-8").read(), name, "exec")
"""


def interpreter(version: str) -> Path:
    """The Python of this version, on the PATH or of pyenv; the test is skipped where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = (shutil.which(f"python{version}") or "", *map(str, pyenv.glob(f"{version}.*/bin/python{version}")))
    for path in filter(None, found):
        # A shim of pyenv exists for versions that are not selected, and fails.
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return Path(path)
    pytest.skip(f"there is no python{version} on this machine")


@pytest.mark.parametrize("version", VERSIONS)
def test_sources_compile(version: str) -> None:
    sources = [str(path) for folder in ("face_expr_ros", "launch", "test") for path in (ROOT / folder).rglob("*.py")]
    command = [interpreter(version), "-I", "-c", COMPILE]
    done = subprocess.run(command, input="\n".join(sources), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
