"""Strict loading of hand-written YAML files into pydantic models; errors are one sentence with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from face_expr_ros.core.settings import ConfigError

Model = TypeVar("Model", bound=BaseModel)

# By the kind of pydantic error and the type of the value.
_NUMBER_HINT = "; this is a string: write numbers without quotes, and 1.0e+3 for 1e3"
_HINTS: dict[tuple[str, type], str] = {
    ("float_type", str): _NUMBER_HINT,
    ("int_type", str): _NUMBER_HINT,
    ("string_type", int): "; write it in quotes to make it a string",
}
_WORDS = (
    (r"^\w+ should (be |have )?", ""),
    (r"valid |(?<=item) after.*|(?<=items) after.*", ""),
    (r"a dictionary.*", "a mapping"),
    (r"a tuple", "a list"),
    (r"a integer", "an integer"),
)


class StrictModel(BaseModel):
    """A frozen model that converts no types and rejects unknown keys, NaN and infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def load_yaml(path: Path, model: type[Model], usage: str) -> Model:
    """Load and validate a YAML file.

    Args:
        path: of the file; a leading ``~`` is the home directory.
        model: of the content.
        usage: what to do when there is no such file; part of the error.

    Raises:
        ConfigError: the file cannot be read, is not valid YAML, contains itself, repeats a key, or does not fit the
            model. The text names the file and, where known, the line and the key.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {str(path)!r}: {error.strerror}; {usage}") from None
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"cannot read {str(path)!r}: {_reason(error)}") from None
    return parse_yaml(text, model, str(path), path.name)


def parse_yaml(text: str, model: type[Model], path: str, name: str = "") -> Model:
    """Validate YAML text; JSON is YAML.

    Args:
        text: to be parsed.
        model: of the content.
        path: what the text is, for errors of its syntax.
        name: the same, for errors of its content; empty is ``path``.

    Raises:
        ConfigError: the text is not valid YAML, contains itself, repeats a key, or does not fit the model.
    """
    is_file, name = bool(name), name or path
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        repeated = None if root is None else _repeated_key(root)
        content = yaml.safe_load(text)
    except RecursionError:
        raise ConfigError(f"cannot read {path!r}: nested too deeply, or contains itself") from None
    except (ValueError, RuntimeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path!r}: {_reason(error)}") from None
    if repeated is not None:
        raise ConfigError(f"{name}, line {repeated.start_mark.line + 1}: key {repeated.value!r} is repeated")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
        place = [part for part in first["loc"] if part != "[key]"]
        line = "" if root is None or not (is_file or "\n" in text.strip()) else f", line {_line(root, place)}"
        of_key = bool(first["loc"]) and first["loc"][-1] == "[key]"  # the value is the key itself
        raise ConfigError(f"{name}{line}: {_sentence(first, place[:-1] if of_key else place, model)}") from None


def _sentence(error: Any, place: list[Any], model: type[BaseModel]) -> str:
    """One pydantic error as "key: expected X, got Y"."""
    kind, value = error["type"], error["input"]
    if kind in ("extra_forbidden", "invalid_key"):
        nearest = get_close_matches(str(place[-1]), set(_keys(model.model_json_schema())), n=1)
        return f"unknown key {_dotted(place)!r}" + (f", did you mean {nearest[0]!r}?" if nearest else "")
    prefix = f"{_dotted(place)}: " if place else ""
    if kind == "missing":
        return f"{prefix}required key is missing"
    if kind == "value_error":
        return f"{prefix}{error['ctx']['error']}"
    expected = error["msg"]
    for pattern, word in _WORDS:
        expected = re.sub(pattern, word, expected)
    return f"{prefix}expected {expected}, got {value!r:.80}{_HINTS.get((kind, type(value)), '')}"


def _dotted(place: list[Any]) -> str:
    """``["targets", 0, "rate"]`` as "targets[0].rate"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _keys(schema: Any) -> Iterator[str]:
    """Every key that a JSON schema names."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for entry in schema.values():
            yield from _keys(entry)


def _line(node: yaml.Node, place: list[Any]) -> int:
    """The line of the key at ``place``, or of the nearest one above it, counted from 1."""
    line = node.start_mark.line
    for part in place:
        entry = next(((key, value) for key, value in _entries(node) if _name(key) == str(part)), None)
        if entry is None:
            break
        key, node = entry
        line = (key if isinstance(key, yaml.Node) else node).start_mark.line
    return line + 1


def _name(key: Any) -> str:
    return str(key.value if isinstance(key, yaml.Node) else key)


def _entries(node: yaml.Node) -> list[tuple[Any, yaml.Node]]:
    """Keys and values of a mapping, indices and values of a sequence."""
    if isinstance(node, yaml.MappingNode):
        return list(node.value)
    return list(enumerate(node.value)) if isinstance(node, yaml.SequenceNode) else []


def _repeated_key(node: yaml.Node) -> yaml.Node | None:
    """The second of two equal keys of one mapping at or below this node; PyYAML would silently keep the last."""
    keys: set[str] = set()
    for key, value in _entries(node):
        if isinstance(key, yaml.ScalarNode):
            if key.value in keys:
                return key
            keys.add(key.value)
        below = _repeated_key(value)
        if below is not None:
            return below
    return None


def _reason(error: Exception) -> str:
    """An error in one line; PyYAML's own text is a multi-line excerpt of the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        words = " ".join(part for part in (error.context, error.problem) if part)
        return f"line {error.problem_mark.line + 1}: {words}"
    return " ".join(str(error).split())
