"""YAML files that people write by hand: read strictly, refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from face_expr_ros.core.settings import ConfigError


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; ``~`` in the path is the home directory.

    Raises:
        ConfigError: there is no such file, it is no YAML, it contains itself, or a mapping has a key twice, of which
            YAML's own reader would take the last in silence. The text names the file and, where there is one, the line.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
        tree = yaml.compose(text, yaml.SafeLoader)
        repeated = None if tree is None else _repeated_key(tree)
        content = yaml.safe_load(text)
    except RecursionError:
        raise ConfigError(f"{str(path)!r} cannot be read: it is nested too deeply, or contains itself") from None
    except (OSError, ValueError, RuntimeError, yaml.YAMLError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {_reason(error)}") from None
    if repeated is not None:
        line = repeated.start_mark.line + 1
        raise ConfigError(f"{path.name}: {repeated.value} is there more than once, again in line {line}")
    return content


def _repeated_key(node: yaml.Node) -> yaml.Node | None:
    """The second of two equal keys of one mapping, anywhere below this node."""
    below = list(node.value) if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                return key
            keys.add(str(key.value))
            below.append(value)
    found = (_repeated_key(entry) for entry in below)
    return next((key for key in found if key is not None), None)


def _reason(error: Exception) -> str:
    """One line: YAML's own errors are drawings of the place."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        words = " ".join(part for part in (error.context, error.problem) if part)
        return f"line {error.problem_mark.line + 1}: {words}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())
