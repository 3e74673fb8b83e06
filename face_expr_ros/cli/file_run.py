"""The inputs and outputs of one run of the verbs `image` and `video`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from face_expr_ros import __version__
from face_expr_ros.cli.batch_results import BatchResults, Targets
from face_expr_ros.cli.face_tables import check_tables
from face_expr_ros.cli.file_inputs import drawn_files
from face_expr_ros.cli.process_files import Products
from face_expr_ros.core.calibration import load_calibration
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.sources.calibration import read_calibration_file


class FileRun:
    """What a command line of `image` or `video` asks for, checked before any work.

    Args:
        kind: ``image`` or ``video``.
        files: the inputs.
        batch: whether several files were requested; ``--out`` is a folder then.
        options: values of the command line's options.
        inform: called with sentences about continued runs.

    Attributes:
        files, drawn: the inputs, and the drawn file of each or None.
        inputs, outputs: all files that are read, and those that are written by option, for `check_outputs`.
        is_folder: whether ``--out``, if given, is a folder, and results are of several files.
        products, targets: what is written.

    Raises:
        ValueError: the options contradict each other, or an output cannot be written.
    """

    def __init__(
        self, kind: str, files: Sequence[Path], batch: bool, options: Mapping[str, Any], inform: Callable[[str], None]
    ) -> None:
        out: Path | None = options["out"]
        self.files, self._options, self._inform = list(files), options, inform
        self.is_folder = batch or (out is not None and out.is_dir())
        self.products = Products(out, options["draw"], options["export"], options["side_by_side"])
        self.products.check_usage()
        tables = {name: options[name] for name in ("jsonl", "parquet")} | {"csv": options["table"]}
        self.targets = Targets(**tables, folder=out if self.is_folder else None)
        check_tables(self.targets.parquet)
        if options["camera_info"] is not None:
            read_calibration_file(options["camera_info"])
        if options["calibration"] is not None:
            load_calibration(options["calibration"])
        self._check_out(out)
        self.drawn: list[Path | None] = [None] * len(self.files)
        if out is not None:
            self.drawn = [*drawn_files(self.files, out, kind, is_folder=self.is_folder)]

    @property
    def inputs(self) -> list[Path]:
        """The files that are read."""
        return [*self.files, *filter(None, [self._options["camera_info"], self._options["calibration"]])]

    @property
    def outputs(self) -> dict[str, Path | None]:
        """The files that are written, by option."""
        drawn = {f"--out ({file.name})" if self.is_folder else "--out": file for file in self.drawn if file is not None}
        return {**drawn, "--jsonl": self.targets.jsonl, "--csv": self.targets.csv, "--parquet": self.targets.parquet}

    def results(self, config: PerceptionConfig, **settings: Any) -> BatchResults:
        """The results of this run; an interrupted one with the same settings is continued."""
        read = {name: self._options[name] for name in ("camera_info", "calibration")}
        depends_on = {
            "version": __version__,
            "perception": asdict(config),
            "products": self.products.settings(),
            **{name: None if file is None else file.read_text(encoding="utf-8") for name, file in read.items()},
            **settings,
        }
        return BatchResults(self.targets, self.files, depends_on, self._inform)

    def _check_out(self, out: Path | None) -> None:
        if out is None:
            return
        if not out.parent.is_dir():
            raise ValueError(f"--out: there is no folder {str(out.parent)!r}: create it first")
        if self.is_folder and out.exists() and not out.is_dir():
            raise ValueError(f"--out: several inputs are drawn into a folder, {str(out)!r} is a file")
