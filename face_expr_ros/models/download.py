"""Downloads a file of known size and hash, with progress, and resumes partial downloads.

The package `pooch` verifies hashes but cannot resume a partial download.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.progress import byte_progress
from face_expr_ros.models.bundle import sha256_of

CHUNK = 1 << 16  # bytes
TIMEOUT = 30.0  # seconds without data
ATTEMPTS = 3  # consecutive ones without data
PARTIAL_CONTENT = 206


class _Lost(Exception):
    """The connection failed or was lost."""


def download(url: str, target: Path, *, size: int, sha256: str) -> None:
    """Download a file to `target`, which is created only when it is complete and its hash is correct.

    After a lost connection the partial file is kept with the suffix `.part`; the next attempt resumes it (HTTP Range),
    or starts again if the server does not support ranges.

    Raises:
        BundleError: the server returns an error, the connection is lost repeatedly, or the hash is wrong, in which case
            the partial file is deleted.
    """
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while _size_of(part) < size:
        before, reason = _size_of(part), ""
        try:
            _continue(url, part, size)
        except _Lost as error:
            reason = f" ({error})"
        failures = 0 if _size_of(part) > before else failures + 1
        if failures == ATTEMPTS:
            text = f"the download of {url} stopped after {_size_of(part)} of {size} bytes{reason}"
            raise BundleError(f"{text}; run the same command again to resume it")
    _accept(url, part, target, size, sha256)


def _continue(url: str, part: Path, size: int) -> None:
    """Append the missing bytes, or start again; returns without an error when the connection ends."""
    have = _size_of(part)
    with _request(url, have) as response:
        resumed = response.status == PARTIAL_CONTENT and _first_byte(response) == have
        with part.open("ab" if resumed else "wb") as file:
            arrived = have if resumed else 0
            for chunk in byte_progress(_chunks(response), part.stem, total=size, done=arrived):
                arrived += len(chunk)
                file.write(chunk)
                if arrived > size:  # a wrong file, which may be endless
                    return


def _request(url: str, first: int) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"Range": f"bytes={first}-"} if first else {})
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise BundleError(f"{url} cannot be downloaded: the server returned {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(str(error)) from error
    return response


def _first_byte(response: http.client.HTTPResponse) -> int | None:
    """The first byte of a partial response, from the header `Content-Range: bytes FIRST-LAST/SIZE`."""
    unit, _, place = response.headers.get("Content-Range", "").partition(" ")
    first = place.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(str(error)) from error


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _accept(url: str, part: Path, target: Path, size: int, sha256: str) -> None:
    actual = sha256_of(part)
    if actual != sha256:
        length = _size_of(part)
        part.unlink()
        raise BundleError(
            f"{url}: expected {size} bytes with sha256 {sha256}, got {length} bytes with {actual}; the file was deleted"
        )
    part.replace(target)
