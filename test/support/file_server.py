"""An HTTP file server with configurable faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Server:
    """Files, faults and requests of the server."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True  # supports the header Range
    cut_after: list[int] = field(default_factory=list)  # bytes after which the next responses are cut off
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path and header Range
    url: str = ""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """Serve files on a free port of the loopback interface."""
    state = Server(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested = self.headers.get("Range")
            state.requests.append((self.path.removeprefix("/"), requested))
            if self.path.removeprefix("/") not in state.files:
                return self.send_error(404, "Not Found")
            content = state.files[self.path.removeprefix("/")]
            first = int(requested.removeprefix("bytes=").removesuffix("-")) if requested and state.ranges else 0
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - first))
            self.end_headers()
            end = first + state.cut_after.pop(0) if state.cut_after else None
            self.wfile.write(content[first:end])
            return None

        def log_message(self, *arguments: Any) -> None:
            """Log nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()
