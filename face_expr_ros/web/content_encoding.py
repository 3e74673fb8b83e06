"""Compression of responses, as the client accepts it."""

from __future__ import annotations

import gzip
import zlib

ENCODERS = {"gzip": lambda data: gzip.compress(data, 6, mtime=0), "deflate": zlib.compress}


def select_encoding(accepted: str) -> str:
    """The first supported content encoding that the client accepts; empty for none."""
    accepts = {}
    for entry in accepted.lower().split(","):
        name, _, parameters = entry.strip().partition(";")
        accepts[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((name for name in ENCODERS if accepts.get(name)), "")
