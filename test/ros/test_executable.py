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

VERB = """
import threading
from face_expr_ros.core.signals import terminate_as_interrupt
def main():
    try:
        with terminate_as_interrupt():
            print("runs", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 130
"""


def _start(folder: Path, module: str, name: str, first_line: str) -> subprocess.Popen[str]:
    """The executable of a module, once it has written this line."""
    (folder / f"{name}.py").write_text(module, encoding="utf-8")
    text = (ROOT / "scripts/executable.py.in").read_text(encoding="utf-8").replace("@module@", name)
    (folder / "executable").write_text(text, encoding="utf-8")
    command = [sys.executable, str(folder / "executable")]
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests may run as a background job
    )
    assert process.stdout is not None
    assert process.stdout.readline() == first_line
    return process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_node_loads_ends_it_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    process = _start(tmp_path, MODULE, "slow_node", "loading\n")
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_verb_runs_interrupts_it_so_that_it_can_finish_its_files(
    tmp_path: Path, how: signal.Signals
) -> None:
    process = _start(tmp_path, VERB, "slow_verb", "runs\n")
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
