"""The executables of the nodes, as CMake generates them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

MODULE = """
print("loading", flush=True)
import time
time.sleep(60)
def main(): return 0
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_node_loads_ends_it_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "slow_node.py").write_text(MODULE, encoding="utf-8")
    text = (ROOT / "scripts/executable.py.in").read_text(encoding="utf-8").replace("@module@", "slow_node")
    (tmp_path / "executable").write_text(text, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "executable")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
