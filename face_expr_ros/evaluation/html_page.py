"""Building blocks of self-contained HTML reports."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from face_expr_ros.core.atomic_files import write_text

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .9rem; border-bottom: 1px solid #8884; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
.row img { flex: 1 1 22rem; min-width: 0; background: white; }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: 13px; }
"""


def write_page(path: Path, title: str, parts: Sequence[str]) -> None:
    """Write the parts of a body as a self-contained HTML file."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    write_text(path, f'<!doctype html><html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n')


def heading(first: str, names: Sequence[str]) -> str:
    """The header row of a table."""
    return "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in (first, *names)) + "</tr>"


def row(name: str, values: Sequence[float | None]) -> str:
    """A table row with a name and values; "-" for None."""
    return f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{text(value)}</td>" for value in values) + "</tr>"


def text(value: float | None) -> str:
    """A number with three decimals; "-" for None."""
    return "-" if value is None else f"{value:.3f}"


def image(data: bytes, kind: str, text: str) -> str:
    """An embedded image; ``kind`` is png or jpeg, ``text`` the alternative text."""
    return f'<img alt="{escape(text)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'
