"""Chromium without playwright, for measurements: playwright records every WebSocket message, a load of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from support.browser import ARGUMENTS, CHROMIUM

START, POLL = 60.0, 0.1  # seconds until Chromium must have started; between two checks


class PlainPage:
    """A page that is controlled by evaluating JavaScript and by nothing else."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; None while the page is being loaded.

        Raises:
            RuntimeError: the expression has thrown an exception.
        """
        number = next(self._numbers)
        parameters = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        self._connection.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": parameters}))
        while (answer := json.loads(self._connection.recv())).get("id") != number:
            pass
        if "error" in answer:  # there is no document yet
            return None
        if "exceptionDetails" in answer["result"]:
            raise RuntimeError(f"{expression}: {answer['result']['exceptionDetails']}")
        return answer["result"]["result"].get("value")

    def until(self, condition: str, seconds: float = START) -> None:
        """Wait until an expression is true.

        Raises:
            TimeoutError: it has not become true in time.
        """
        deadline = time.monotonic() + seconds
        while not self.evaluate(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(f"timeout ({seconds:g} s) waiting for {condition}")
            time.sleep(POLL)


@contextmanager
def plain_page(url: str, size: tuple[int, int], arguments: Sequence[str] = ()) -> Iterator[PlainPage]:
    """Open a page in a new browser; ``size``: of the window, pixels."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM, *ARGUMENTS, *arguments, "--headless=new", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", url,
        ]  # fmt: skip
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_debugger_url(Path(profile)), proxy=None, max_size=None) as connection:
                yield PlainPage(connection)
        finally:
            browser.terminate()
            browser.wait()


def _debugger_url(profile: Path) -> str:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        time.sleep(POLL)
        try:
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [target for target in json.load(answer) if target["type"] == "page"]
        except (OSError, IndexError):
            continue
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
    raise TimeoutError(f"Chromium has not started within {START:g} s")
