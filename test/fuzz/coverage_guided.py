"""Coverage-guided fuzzing of the parsers: inputs that reach new code are kept and mutated further.

    ./run exec pip install atheris                                     # x86-64 Linux, Python 3.11 to 3.13
    ./run exec python test/fuzz/coverage_guided.py mcap --minutes 10

Without a name, all parsers of `support/parsers.py` are listed. Each defect is printed once, with the input in
``--findings``; the exit status is then 1. Not part of the tests: Atheris is optional.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

if TYPE_CHECKING:
    from support.parsers import Parser

INSTRUMENTED = ["face_expr_ros.bags", "face_expr_ros.core", "face_expr_ros.retargeting", "face_expr_ros.serialization",
                "face_expr_ros.models.pickles", "face_expr_ros.sources", "face_expr_ros.web.codec",
                "rosbags"]  # fmt: skip
MAX_SECONDS, MAX_BYTES, MAX_MEMORY = 60, 1 << 16, 2048  # of one input; MB of the process


class Findings:
    """Runs a parser on inputs and collects its defects, one per place in the code.

    Args:
        name, parser: of `support.parsers.PARSERS`.
        folder: receives the inputs.
        seconds: the process ends after this time.
    """

    def __init__(self, name: str, parser: Parser, folder: Path, seconds: float) -> None:
        self._name, self._parser, self._folder = name, parser, folder
        self._end = time.monotonic() + seconds
        self._places: set[str] = set()
        self._count = 0

    def __call__(self, data: bytes) -> None:
        """Called by the fuzzer."""
        with TemporaryDirectory(dir="/dev/shm") as folder:
            try:
                self._parser.read(data, Path(folder) / self._parser.name)
            except Exception as error:
                self._note(error, data)
        self._count += 1
        if time.monotonic() > self._end:
            print(f"{self._name}: {self._count} inputs, {len(self._places)} findings", flush=True)
            os._exit(1 if self._places else 0)  # libFuzzer does not return

    def _note(self, error: Exception, data: bytes) -> None:
        place = f"{type(error).__name__} at {innermost(error.__traceback__)}"
        if place in self._places:
            return
        self._places.add(place)
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{self._name.replace(' ', '_')}_{len(self._places)}"
        file.write_bytes(data)
        print(f"{self._name}: {place}, input {file}", flush=True)
        traceback.print_exception(error, limit=-4)


def innermost(place: TracebackType | None) -> str:
    """File and line of the last frame of this repository."""
    frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(place)]
    return " < ".join(frames[:-4:-1])


def instrumented_parsers(atheris: Any) -> dict[str, Parser]:
    """The parsers, with counters in the code that they use."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        from support.parsers import PARSERS
    return PARSERS


def mutator(atheris: Any) -> Callable[[bytes, int, int], bytes]:
    """Half of the mutations are those of libFuzzer, half of the tests: longer parts and numbers at limits."""
    from support.mutations import mutated

    def mutate(data: bytes, size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        return bytes(atheris.Mutate(data, size)) if rng.random() < 0.5 else mutated(data, rng)[:size]

    return mutate


def main() -> int:
    """Fuzz one parser; returns the exit status, or does not return."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parser", nargs="?")
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--findings", type=Path, default=Path("build/fuzz_findings"))
    options.add_argument("--corpus", type=Path, help="folder of inputs to continue with; new ones are added")
    given = options.parse_args()
    try:
        import atheris
    except ImportError:
        print("coverage-guided fuzzing requires Atheris: run `pip install atheris`", file=sys.stderr)
        return 2
    parsers = instrumented_parsers(atheris)
    if given.parser not in parsers:
        print(f"expected a parser, one of: {', '.join(parsers)}", file=sys.stderr)
        return 2
    parser = parsers[given.parser]
    with TemporaryDirectory() as folder:
        corpus = given.corpus or Path(folder)
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(parser.seeds()):
            (corpus / f"seed_{number}").write_bytes(seed)
        limits = [f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_MEMORY}", f"-max_len={MAX_BYTES}", "-verbosity=0"]
        artifacts = f"-artifact_prefix={given.findings.resolve()}/"
        given.findings.mkdir(parents=True, exist_ok=True)
        findings = Findings(given.parser, parser, given.findings, given.minutes * 60)
        atheris.Setup([sys.argv[0], *limits, artifacts, str(corpus)], findings, custom_mutator=mutator(atheris))
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
