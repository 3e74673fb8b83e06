"""Parameter files and the parameter tables of the documentation, generated from the config classes.

``python -m face_expr_ros.ros.parameter_files`` writes config/*.yaml and docs/parameters.md; a test compares them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.settings import Setting, settings
from face_expr_ros.retargeting.avatar_config import AvatarBridgeConfig
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.ros.hri import HriBridgeConfig
from face_expr_ros.web.config import WebConfig

NODES: dict[str, type[Any]] = {
    "perception": PerceptionConfig,
    "camera": CameraConfig,
    "head_control": HeadControlConfig,
    "web_bridge": WebConfig,
    "avatar_bridge": AvatarBridgeConfig,
    "hri_bridge": HriBridgeConfig,
}


def yaml_text(node_name: str) -> str:
    """The parameter file of a node with all defaults; comments describe meaning, valid values and unit.

    The key ``/**/name`` matches the node in every namespace; a plain ``name`` matches it only in the root namespace.
    """
    lines = [f"# Default parameters of the node {node_name}.", f"/**/{node_name}:", "  ros__parameters:"]
    section = ""
    for entry in settings(NODES[node_name]):
        head, _, leaf = entry.name.rpartition(".")
        if head and head != section:
            lines.append(f"    {head}:")
        section = head
        indent = "      " if head else "    "
        lines.append(f"{indent}{leaf}: {yaml_value(entry.default)}  # {comment(entry)}")
    return "\n".join(lines) + "\n"


def yaml_value(value: Any) -> str:
    """A setting's value as YAML that rcl parses to the same type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def comment(entry: Setting) -> str:
    """Meaning, then valid values and unit: ``duration; a number from 0 to 60 (s)``."""
    return f"{entry.help}; {entry.expected()}"


def table(node_name: str) -> str:
    """The parameters of a node as a Markdown table."""
    lines = ["| parameter | default | meaning | value |", "|---|---|---|---|"]
    for entry in settings(NODES[node_name]):
        lines.append(f"| `{entry.name}` | `{yaml_value(entry.default)}` | {entry.help} | {entry.expected()} |")
    return "\n".join(lines) + "\n"


def document() -> str:
    """Content of docs/parameters.md."""
    parts = ["# Parameters\n\nGenerated from the config classes by `python -m face_expr_ros.ros.parameter_files`.\n"]
    parts += [f"## Node `{name}`\n\n{table(name)}" for name in NODES]
    return "\n".join(parts)


def files(root: Path) -> dict[Path, str]:
    """Path and content of every generated file below the repository root."""
    texts = {root / "config" / f"{name}.yaml": yaml_text(name) for name in NODES}
    return texts | {root / "docs" / "parameters.md": document()}


if __name__ == "__main__":
    for path, text in files(Path(__file__).parents[2]).items():
        path.write_text(text, encoding="utf-8")
        print(path)
