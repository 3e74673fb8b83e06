"""What native libraries write to the terminal."""

from __future__ import annotations

import os

import pytest

from face_expr_ros.core.native_output import SHOW, native_output_hidden


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
