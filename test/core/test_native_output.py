"""What native libraries write to the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from face_expr_ros.core.native_output import SHOW, native_output_discarded, native_output_hidden


def test_lines_on_file_descriptor_2_are_hidden_in_the_block_only(capfd: pytest.CaptureFixture[str]) -> None:
    with native_output_hidden():
        os.write(2, b"hidden\n")
    os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"


def test_an_error_in_the_block_shows_them(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with native_output_hidden():
            os.write(2, b"reason\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert capfd.readouterr().err == "reason\n"


def test_the_environment_variable_shows_them(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHOW, "1")
    with native_output_hidden():
        os.write(2, b"asked for\n")
    assert capfd.readouterr().err == "asked for\n"


DISCARDING = """
import os, sys
from face_expr_ros.core.native_output import native_output_discarded
with native_output_discarded():
    os.write(2, b"native")
    print("progress", file=sys.stderr)
os.write(2, b"native again ")
print("and the end", file=sys.stderr)
"""


def test_discarding_keeps_the_lines_of_python() -> None:
    command = [sys.executable, "-c", DISCARDING]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == (
        "progress\nnative again and the end\n"
    )


def test_discarding_leaves_a_replaced_stream_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with native_output_discarded():
        print("captured", file=sys.stderr)
    assert capsys.readouterr().err == "captured\n"
