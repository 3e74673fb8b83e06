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

Picture = NDArray[np.uint8]
PATIENCE = 60.0  # seconds that a loaded machine may take for anything
COMMAND = "import sys; from face_expr_ros.cli import main; sys.exit(main())"


def annotating(bag: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    """A run in a process group of its own, as a terminal starts it."""
    command = [sys.executable, "-c", COMMAND, "annotate", str(bag), str(out), "--split", "1", *options]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def to_all(process: subprocess.Popen[str]) -> None:
    """Ctrl-C in a terminal."""
    os.killpg(process.pid, signal.SIGINT)


INTERRUPTS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "Ctrl-C": to_all,
    "SIGINT to the first process": lambda process: process.send_signal(signal.SIGINT),
    "SIGTERM to the first process": lambda process: process.send_signal(signal.SIGTERM),
}


def interrupt(
    process: subprocess.Popen[str], *outs: Path, how: Callable[[subprocess.Popen[str]], None] = to_all
) -> None:
    """When a part of one of the new bags is complete; returns when no process of the run is left."""
    deadline = time.monotonic() + PATIENCE
    while not any((work_folder(out) / CHECKPOINT).exists() for out in outs):
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for a part that is complete"
        time.sleep(0.01)
    how(process)
    process.communicate(timeout=PATIENCE)  # until nobody holds its stderr any more
    assert process.returncode == 130


@pytest.mark.slow
def test_one_control_c_ends_a_run_and_the_same_command_goes_on(portrait: Picture, tmp_path: Path) -> None:
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
def test_an_interrupt_ends_all_workers_and_no_other_bag_is_begun(how: str, portrait: Picture, tmp_path: Path) -> None:
    names = ("a", "b", "c", "d", "e")
    for name in names:
        record(tmp_path / "in" / name, portrait, 60, "compressed")
    outs = [tmp_path / "out" / name for name in names]
    interrupt(annotating(tmp_path / "in", tmp_path / "out", "--jobs", "2"), *outs, how=INTERRUPTS[how])
    assert sum(out.exists() or work_folder(out).exists() for out in outs) <= 3, "two, and one that took a place"
    assert not all(out.exists() for out in outs[:2])
