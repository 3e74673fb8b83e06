"""Formats the expression measurements as terminal lines, a Markdown table and an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from textwrap import fill
from typing import Any

from face_expr_ros.evaluation import html_page as page
from face_expr_ros.evaluation.curves import dots_by_name
from face_expr_ros.evaluation.expression.scores import GROUPS, members
from face_expr_ros.evaluation.expression.synthetic import target_correlation

_WITHOUT_NEUTRAL = "_without_neutral"  # suffix of readers without a known neutral expression

# Reader in the result -> label in a table.
_READERS = {
    "landmark_fit": "landmark fit",
    "ridge": "ridge",
    "mediapipe": "MediaPipe",
    "mean": "mean",
    "landmark_fit_without_neutral": "landmark fit, no neutral",
    "ridge_without_neutral": "ridge, no neutral",
    "mediapipe_without_neutral": "MediaPipe, no neutral",
}


def result_lines(result: Mapping[str, Any]) -> list[str]:
    """The result as lines for a terminal."""
    synthetic, invariance = result["synthetic"], result["invariance"]
    lines = [_line(cells) for cells in (_headings(synthetic), *_mean_rows(synthetic), *_name_rows(synthetic))]
    lines += ["", *_weak_lines(synthetic), ""]
    lines += [f"{name:34}{invariance[name]:.2e}" for name in ("shift", "scale")]
    lines += [f"{name:34}{invariance[name]:.3f}" for name in ("pose_ratio", "pose_ratio_pooled")]
    lines += [f"{name:34}{result[name]:.4f}" for name in ("still_std_max", "held_change_max", "delay_frames")]
    lines += [f"{'blink F1, ' + video:34}{values['f1']:.3f}" for video, values in result.get("blink", {}).items()]
    lines += [
        f"{'winks detected, ' + video:34}{values.get('detected', 0.0):.3f}"
        for video, values in result.get("wink", {}).items()
    ]
    for video, values in result.get("speaking", {}).items():
        found = {name: values[name] for name in ("speech", "silence") if name in values}
        lines += [f"{name + ' found, ' + video:34}{value:.3f}" for name, value in found.items()]
    return [*lines, "", *result["notes"]]


def table(result: Mapping[str, Any]) -> str:
    """A Markdown document with the correlation of all 52 blendshapes, with weak ones marked."""
    synthetic = result["synthetic"]
    head, *rows = [_headings(synthetic), *_mean_rows(synthetic), *_name_rows(synthetic)]
    lines = [
        "# All blendshapes",
        "",
        fill(
            f"Correlation with the ground truth on {synthetic['found']} images of {synthetic['people']} synthetic "
            f"people who are not in the training data, yaw within 40 degrees; backend: `{synthetic['reader']}`. "
            "[evaluation.md](evaluation.md#expression) describes the measurement. This file is written by "
            "`face_expr evaluate expression --table`.",
            120,
            break_on_hyphens=False,
        ),
        "",
        "\\* below its target. \u2020 not better than a baseline with a known neutral expression.",
        "",
        _markdown(head),
        "|" + "---|" * len(head),
        *map(_markdown, rows),
        "",
        *(line for text in _weak_lines(synthetic) for line in (fill(text, 120, break_on_hyphens=False), "")),
    ]
    return "\n".join(lines).rstrip() + "\n"


def write_page(path: Path, result: Mapping[str, Any]) -> None:
    """Write the result as one self-contained HTML file."""
    synthetic = result["synthetic"]
    names = list(synthetic["correlation"])
    bars = {"known neutral": synthetic["correlation"], "no neutral": synthetic["correlation_without_neutral"]}
    bars |= {
        _READERS[key]: synthetic["baselines"][key]["correlation"]
        for key in ("landmark_fit", "ridge")
        if key in synthetic["baselines"]
    }
    chart = dots_by_name(names, {label: list(of.values()) for label, of in bars.items()}, "correlation")
    body = [
        f"<h1>Expression: {escape(synthetic['reader'])}</h1>",
        *(f"<p>{escape(text)}</p>" for text in (*result["notes"], *_weak_lines(synthetic))),
        "<h2>Correlation with the ground truth</h2>",
        _html([_headings(synthetic), *_mean_rows(synthetic), *_name_rows(synthetic)]),
        f'<div class="row">{page.image(chart, "png", "correlation by blendshape")}</div>',
        "<h2>By part of the face: correlation, mean absolute error, R2</h2>",
        _groups(synthetic),
        "<h2>Other results</h2>",
        _other_results(result),
    ]
    page.write_page(path, "Expression", body)


def _columns(synthetic: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Label and scores of every reader, the configured backend first."""
    own = {"known neutral": synthetic, "no neutral": synthetic["without_neutral"]}
    return own | {
        label: synthetic["baselines"][key] for key, label in _READERS.items() if key in synthetic["baselines"]
    }


def _headings(synthetic: Mapping[str, Any]) -> list[str]:
    return ["blendshape", "target", *_columns(synthetic)]


def _mean_rows(synthetic: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the means over all blendshapes and over each group."""
    columns = _columns(synthetic).values()
    rows = [["mean of all", "", *(f"{scores['mean']['correlation']:.2f}" for scores in columns)]]
    for group in synthetic["groups"]:
        rows.append([f"mean, {group}", "", *(f"{scores['groups'][group]['correlation']:.2f}" for scores in columns)])
    return rows


def _name_rows(synthetic: Mapping[str, Any]) -> list[list[str]]:
    """Rows of all blendshapes, ordered by group."""
    names = list(synthetic["correlation"])
    ordered = [names[k] for group in GROUPS for k in members(names, group)]
    return [_name_row(synthetic, name) for name in ordered]


def _name_row(synthetic: Mapping[str, Any], name: str) -> list[str]:
    weak, target = synthetic["weak"], target_correlation(name)
    better = [of for key, of in weak["not_better"].items() if not key.endswith(_WITHOUT_NEUTRAL)]
    marks = "*" * (name in weak["below_aim"]) + "\u2020" * any(name in of for of in better)
    values = [f"{scores['correlation'][name]:.2f}" for scores in _columns(synthetic).values()]
    return [name + (f" {marks}" if marks else ""), "" if target is None else f"{target:.2f}", *values]


def _weak_lines(synthetic: Mapping[str, Any]) -> list[str]:
    weak = synthetic["weak"]
    lines = [f"Below the target: {_listed(weak['below_aim'])}."]
    for key, label in _READERS.items():
        if key in weak["not_better"] and not key.endswith(_WITHOUT_NEUTRAL):
            groups = weak["groups_not_better"][key]
            beaten = f"; of the groups: {', '.join(groups)}" if groups else ""
            lines.append(f"Not better than {label}: {_listed(weak['not_better'][key])}{beaten}.")
    return lines


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names) or "none"


def _line(cells: Sequence[str]) -> str:
    return f"{cells[0]:26}" + "".join(f"{cell.split(',')[0][:12]:>14}" for cell in cells[1:])


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("*", "\\*") for cell in cells) + " |"


def _html(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in body]
    return f"<table>{page.heading(head[0], head[1:])}{''.join(lines)}</table>"


def _groups(synthetic: Mapping[str, Any]) -> str:
    columns = _columns(synthetic)
    rows = [[group, *(_measures(of["groups"][group]) for of in columns.values())] for group in synthetic["groups"]]
    return _html([["part of the face", *columns], *rows])


def _measures(scores: Mapping[str, float]) -> str:
    return " / ".join(f"{scores[name]:.3f}" for name in ("correlation", "mae", "r2"))


def _other_results(result: Mapping[str, Any]) -> str:
    """All other numbers of the result, with dotted names."""
    rows = [page.row(name, [value]) for name, value in _numbers({k: v for k, v in result.items() if k != "synthetic"})]
    return f"<table>{''.join(rows)}</table>"


def _numbers(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, (int, float)):
            found.append((prefix + name, float(value)))
    return found
