"""Ctrl-C and SIGTERM in a real run of `face_expr annotate`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.bag_files import record, rows

from face_expr_ros.bags.checkpoint import CHECKPOINT
from face_expr_ros.bags.writing import work_folder

Image = NDArray[np.uint8]
PATIENCE = 60.0  # timeout in seconds, for a loaded machine
COMMAND = "import sys; from face_expr_ros.cli import main; sys.exit(main())"


def annotating(bag: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    """A run in its own process group, as a terminal starts it."""
    command = [sys.executable, "-c", COMMAND, "annotate", str(bag), str(out), "--split", "1", *options]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def send_ctrl_c(process: subprocess.Popen[str]) -> None:
    """Ctrl-C in a terminal."""
    os.killpg(process.pid, signal.SIGINT)


INTERRUPTS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "Ctrl-C": send_ctrl_c,
    "SIGINT to the first process": lambda process: process.send_signal(signal.SIGINT),
    "SIGTERM to the first process": lambda process: process.send_signal(signal.SIGTERM),
}


def interrupt(
    process: subprocess.Popen[str], *outs: Path, how: Callable[[subprocess.Popen[str]], None] = send_ctrl_c
) -> None:
    """Interrupt a run when a file of one of the bags is complete; returns when all its processes have ended."""
    deadline = time.monotonic() + PATIENCE
    while not any((work_folder(out) / CHECKPOINT).exists() for out in outs):
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for a complete file"
        time.sleep(0.01)
    how(process)
    process.communicate(timeout=PATIENCE)  # until all processes have closed its stderr
    assert process.returncode == 130


@pytest.mark.slow
def test_one_ctrl_c_ends_a_run_and_the_same_command_resumes_it(portrait: Image, tmp_path: Path) -> None:
    bag, out, whole = (tmp_path / name for name in ("talk", "broken", "whole"))
    record(bag, portrait, 60, "compressed")
    interrupt(annotating(bag, out), out)
    assert not out.exists()
    second, other = annotating(bag, out), annotating(bag, whole)
    assert "resumed an interrupted run after" in second.communicate(timeout=PATIENCE)[1]
    other.communicate(timeout=PATIENCE)
    assert (second.returncode, other.returncode) == (0, 0)
    assert rows(out) == rows(whole)


@pytest.mark.slow
@pytest.mark.parametrize("how", INTERRUPTS)
def test_interrupt_ends_all_workers_and_starts_no_other_bag(how: str, portrait: Image, tmp_path: Path) -> None:
    names = ("a", "b", "c", "d", "e")
    for name in names:
        record(tmp_path / "in" / name, portrait, 60, "compressed")
    outs = [tmp_path / "out" / name for name in names]
    interrupt(annotating(tmp_path / "in", tmp_path / "out", "--jobs", "2"), *outs, how=INTERRUPTS[how])
    assert sum(out.exists() or work_folder(out).exists() for out in outs) <= 3, (
        "two, and one that was started in between"
    )
    assert not all(out.exists() for out in outs[:2])
