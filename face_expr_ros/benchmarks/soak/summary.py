"""The result of a soak test as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from face_expr_ros.benchmarks.table import table

_MAX_PROBLEMS = 50  # that are printed


def summary(result: Mapping[str, Any]) -> str:
    """Tables of the processes, faults, nodes and topics, then what was skipped and the problems."""
    groups = ("seconds", "seed", "processes", "faults", "nodes", "ids", "topics")
    lines = [table({name: result[name] for name in groups if result[name] != {}}), ""]
    lines += [f"not tested: {what}: {reason}" for what, reason in result["skipped"].items()]
    problems = result["problems"]
    lines += [f"problem: {problem}" for problem in problems[:_MAX_PROBLEMS]]
    if len(problems) > _MAX_PROBLEMS:
        lines.append(f"... and {len(problems) - _MAX_PROBLEMS} more problems")
    lines.append("no problems" if result["ok"] else f"{len(problems)} problems")
    return "\n".join(lines)
