"""Trackers that are run from a checkout of their repository, as they are there: OpenSeeFace and 3DDFA_V2.

Their modules are imported only when a checkout is given, and nothing of them is part of this package.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import yaml

from face_expr_ros.core.native_output import native_output_hidden
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Frame

_MIN_CROP_AREA = 2020  # pixels; below it, demo_video.py of 3DDFA_V2 detects again


class OpenSeeFace:
    """OpenSeeFace with its fastest landmark model that has eye tracking, model 0, and gaze.

    The other settings are the defaults of its facetracker.py: one thread, RetinaFace off.

    Args:
        folder: checkout of github.com/emilianavt/OpenSeeFace.
        max_faces: number of faces to search for.

    Raises:
        ConfigError: the folder is not a checkout, or a module that it imports is not installed.
    """

    def __init__(self, folder: Path, max_faces: int) -> None:
        models = folder / "models"
        _require("--openseeface", "OpenSeeFace", folder, ("tracker.py", "models/lm_model0_opt.onnx"))
        self._class = _imported("--openseeface", folder, "tracker").Tracker
        self._settings = {
            "model_type": 0, "max_threads": 1, "max_faces": max_faces, "discard_after": 10, "scan_every": 3,
            "max_feature_updates": 900, "silent": True, "model_dir": str(models),
        }  # fmt: skip
        self._tracker: Any = None
        self._size = (0, 0)

    def __call__(self, frame: Frame) -> int:
        """The number of faces in the frame; all frames must have one size."""
        height, width = frame.image.shape[:2]
        if self._tracker is None:
            self._size = (width, height)
            with native_output_hidden():
                self._tracker = self._class(width, height, **self._settings)
        if self._size != (width, height):
            expected = "--openseeface: expected images of one size, {}x{} as the first".format(*self._size)
            raise ConfigError(f"{expected}, got {width}x{height}: use a video")
        return len(self._tracker.predict(frame.image))

    def close(self) -> None:
        """Free the networks."""
        self._tracker = None


class Tddfa:
    """3DDFA_V2 as its demo_video.py runs it with ``--onnx``: one face, 68 points, tracked without a confidence.

    The first run converts the networks to ONNX next to their weights, as the demo does. With it in the
    process, the CPU times of all trackers are about twice as high.

    Args:
        folder: checkout of github.com/cleardusk/3DDFA_V2 with its weights.

    Raises:
        ConfigError: the folder is not a checkout, or a module that it imports is not installed.
    """

    def __init__(self, folder: Path) -> None:
        config = folder / "configs/mb1_120x120.yml"
        _require("--3ddfa-v2", "3DDFA_V2", folder, ("TDDFA_ONNX.py", "configs/mb1_120x120.yml"))
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        paths = {name: str(folder / settings[name]) for name in ("checkpoint_fp", "bfm_fp")}
        _require("--3ddfa-v2", "3DDFA_V2", folder, (settings["checkpoint_fp"], settings["bfm_fp"]))
        detector = _imported("--3ddfa-v2", folder, "FaceBoxes.FaceBoxes_ONNX").FaceBoxes_ONNX
        network = _imported("--3ddfa-v2", folder, "TDDFA_ONNX").TDDFA_ONNX
        with native_output_hidden():
            self._detect, self._network = detector(), network(**{**settings, **paths})
        self._points: Any = None  # (3, 68) of the previous frame

    def __call__(self, frame: Frame) -> int:
        """1 if a face is tracked or detected in the frame, else 0."""
        if self._points is not None:
            parameters, crops = self._network(frame.image, [self._points], crop_policy="landmark")
            left, top, right, bottom = crops[0][:4]
            if abs(right - left) * abs(bottom - top) >= _MIN_CROP_AREA:
                self._points = self._network.recon_vers(parameters, crops, dense_flag=False)[0]
                return 1
        boxes = self._detect(frame.image)
        self._points = None
        if boxes:
            fits = self._network(frame.image, [boxes[0]])
            self._points = self._network.recon_vers(*fits, dense_flag=False)[0]
            fits = self._network(frame.image, [self._points], crop_policy="landmark")
            self._points = self._network.recon_vers(*fits, dense_flag=False)[0]
        return int(self._points is not None)

    def close(self) -> None:
        """Free the networks."""
        del self._detect, self._network


def _require(option: str, name: str, folder: Path, files: tuple[str, ...]) -> None:
    for file in files:
        if not (folder / file).is_file():
            raise ConfigError(
                f"{option}: expected a checkout of {name} with its networks, got {str(folder)!r}, which has no {file}:"
                f" clone the repository of {name} and name its folder"
            )


def _imported(option: str, folder: Path, module: str) -> Any:
    """A module of a checkout, whose folder is on the module path only meanwhile."""
    sys.path.insert(0, str(folder.resolve()))
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{option}: {module} of {str(folder)!r} cannot be imported ({error}): install what its README lists"
        ) from error
    finally:
        sys.path.remove(str(folder.resolve()))
