"""Formatting of benchmark results as a table, ratios first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_FIRST = (
    "pipeline_over_networks", "pipeline_over_floor", "pipeline_over_floor_mean", "pipeline_over_floor_cpu",
    "marker_speedup", "marker_speedup_cpu", "annotate_realtime_factor", "unsubscribed_ms", "faces_slope_ms",
    "peak_memory_mb",
)  # fmt: skip
_NAME_WIDTH, _NUMBER_WIDTH = 28, 8  # minimum number of characters


def table(result: Mapping[str, Any]) -> str:
    """Single numbers, ratios first, then a table for each group."""
    order = [name for name in _FIRST if name in result]
    order += [name for name, value in result.items() if name not in order and not isinstance(value, Mapping)]
    lines = [f"{name:{_NAME_WIDTH}}{_text(result[name])}" for name in order]
    for name, value in result.items():
        if isinstance(value, Mapping):
            lines += ["", name, *_group(value)]
    return "\n".join(lines).lstrip("\n")


def _group(values: Mapping[str, Any]) -> Iterator[str]:
    rows = {name: _flat(value) for name, value in values.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    widths = [max(len(column), _NUMBER_WIDTH) + 2 for column in columns]
    if columns != [""]:
        yield _row("", columns, widths)
    for name, row in rows.items():
        yield _row(name, [_text(row[column]) if column in row else "" for column in columns], widths)


def _row(name: str, cells: list[str], widths: list[int]) -> str:
    padded = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"  {name:{_NAME_WIDTH - 2}}{padded}".rstrip()


def _flat(value: Any) -> dict[str, Any]:
    """The cells of a row by column; each value of a nested group, such as percentiles, has its own column."""
    if not isinstance(value, Mapping):
        return {"": value}
    cells: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            cells |= {f"{name.removesuffix('_ms')} {part}": number for part, number in inner.items()}
        else:
            cells[name] = inner
    return cells


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
