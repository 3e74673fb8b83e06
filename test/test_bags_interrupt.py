"""Ctrl-C in a real run of `face_expr annotate`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bag_files import record
from numpy.typing import NDArray
from test_bags import rows

from face_expr_ros.bags.annotate import CHECKPOINT
from face_expr_ros.bags.writing import work_folder

Picture = NDArray[np.uint8]
PATIENCE = 60.0  # seconds that a loaded machine may take for anything
COMMAND = "import sys; from face_expr_ros.cli import main; sys.exit(main())"


def annotating(bag: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COMMAND, "annotate", str(bag), str(out), "--split", "1"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for_a_complete_part(process: subprocess.Popen[str], out: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (work_folder(out) / CHECKPOINT).exists():
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for a part that is complete"
        time.sleep(0.01)


@pytest.mark.slow
def test_one_control_c_ends_a_run_and_the_same_command_goes_on(portrait: Picture, tmp_path: Path) -> None:
    bag, out, whole = (tmp_path / name for name in ("talk", "broken", "whole"))
    record(bag, portrait, 60, "compressed")
    first = annotating(bag, out)
    wait_for_a_complete_part(first, out)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 130
    assert not out.exists()
    second, other = annotating(bag, out), annotating(bag, whole)
    assert "messages of an interrupted run" in second.communicate(timeout=PATIENCE)[1]
    other.communicate(timeout=PATIENCE)
    assert (second.returncode, other.returncode) == (0, 0)
    assert rows(out) == rows(whole)
