"""The files of the page, compressed once for clients that accept it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from face_expr_ros.web.content_encoding import ENCODERS, select_encoding

COMPRESSIBLE = {".css", ".glb", ".html", ".js", ".json", ".svg", ".txt", ".wasm"}  # others are compressed formats


class PageFiles(StaticFiles):
    """Files of a folder; those that compress well are compressed."""

    def file_response(
        self, full_path: Any, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The response for a file: 304 if the client has it, else the file, compressed if the client accepts it."""
        plain = super().file_response(full_path, stat_result, scope, status_code)
        path = Path(full_path)
        if path.suffix not in COMPRESSIBLE:
            return plain
        plain.headers["Vary"] = "Accept-Encoding"
        encoding = select_encoding(Headers(scope=scope).get("accept-encoding", ""))
        if not encoding or not isinstance(plain, FileResponse):  # not modified
            return plain
        headers = {name: plain.headers[name] for name in ("etag", "last-modified", "vary")}
        headers["Content-Encoding"] = encoding
        return Response(_compressed(path, stat_result.st_mtime_ns, encoding), status_code, headers, plain.media_type)


@lru_cache(maxsize=64)
def _compressed(path: Path, modified: int, encoding: str) -> bytes:
    """The compressed content of a file; ``modified`` renews it when the file has changed."""
    return ENCODERS[encoding](path.read_bytes())
