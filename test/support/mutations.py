"""Hypothesis strategies for damaged data: bytes that are flipped, cut, repeated and inserted."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st

_FEW, _LONG = 8, 4096  # edits of one file; bytes of an insertion


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Variants of ``data`` with a few edits; one in about ten is unchanged."""
    result = bytearray(data)
    for _ in range(draw(st.integers(0, _FEW))):
        place = draw(st.integers(0, max(len(result) - 1, 0)))
        kind = draw(st.sampled_from(("flip", "byte", "cut", "remove", "repeat", "insert", "zero")))
        length = draw(st.integers(1, _LONG))
        if kind == "cut":
            del result[place:]
        elif kind == "remove":
            del result[place : place + length]
        elif kind == "repeat":
            result[place:place] = result[place : place + length]
        elif kind == "insert":
            result[place:place] = draw(st.binary(max_size=64))
        elif kind == "zero":
            end = min(place + length, len(result))
            result[place:end] = bytes(end - place)
        elif result and kind == "flip":
            result[place] ^= 1 << draw(st.integers(0, 7))
        elif result:
            result[place] = draw(st.integers(0, 255))
    return bytes(result)


@st.composite
def damaged_text(draw: st.DrawFn, text: str) -> str:
    """Variants of a text file: damaged bytes, and lines that are removed, repeated, or have another value."""
    if draw(st.booleans()):
        return draw(damaged(text.encode())).decode(errors="replace")
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, _FEW))):
        place = draw(st.integers(0, len(lines) - 1)) if lines else 0
        kind = draw(st.sampled_from(("remove", "repeat", "value")))
        if kind == "remove":
            del lines[place : place + 1]
        elif kind == "repeat":
            lines[place:place] = lines[place : place + 1]
        elif lines:
            key, colon, _ = lines[place].partition(":")
            lines[place] = f"{key}{colon} {draw(VALUES)}"
    return "\n".join(lines) + "\n"


VALUES = st.sampled_from((
    "", "~", "true", "-1", "0", "1e999", ".nan", "-.inf", "99999999999999999999", "[]", "[1, [2]]", "{}", "{a: b}",
    '""', '"\\u0000"', "'x'", "2026-11-28", "&a *a", "!!python/object:os.system", "0x7f", "1_000", "-0.0",
))  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A variant of ``data`` with a few edits, a hundred times faster than `damaged`, but not shrunk after a failure."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, _FEW))):
        place, kind = rng.randrange(len(result) + 1), rng.randrange(8)
        length = rng.choice((1, 2, 4, 8, 64, _LONG))
        if kind == 0:
            del result[place:]
        elif kind == 1:
            del result[place : place + length]
        elif kind == 2:
            result[place:place] = result[place : place + length]
        elif kind == 3:
            result[place:place] = rng.randbytes(min(length, 64))
        elif kind == 4:
            result[place : place + length] = bytes(min(length, len(result) - place))
        elif kind == 5:
            result[place : place + 8] = rng.choice(_NUMBERS)[: len(result) - place]
        elif place < len(result):
            result[place] = result[place] ^ 1 << rng.randrange(8) if kind == 6 else rng.randrange(256)
    return bytes(result)


# Numbers at the limits of their types, as bytes.
_NUMBERS = tuple(
    struct.pack(layout, value)
    for layout, values in (
        ("<I", (0, 1, 2**31 - 1, 2**31, 2**32 - 1)),
        ("<Q", (2**63 - 1, 2**63, 2**64 - 1)),
        ("<f", (math.nan, math.inf, -math.inf, 1e30)),
        ("<d", (math.nan, math.inf, -math.inf, 1e300)),
        (">H", (0, 1, 2**15, 2**16 - 1)),
    )
    for value in values
)


@contextmanager
def refused_with(kind: type[Exception], words: str) -> Iterator[None]:
    """Accept errors of this kind whose text contains the words; every other error fails."""
    try:
        yield
    except kind as error:
        if words not in str(error):
            raise
