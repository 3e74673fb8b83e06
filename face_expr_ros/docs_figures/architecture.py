"""Diagram of the subpackages and their imports, from .importlinter and the source files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from functools import cache
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from statistics import mean
from xml.sax.saxutils import escape

PACKAGE = "face_expr_ros"
_BOX, _GAP, _MARGIN = (166, 46), (22, 40), 16  # pixels
_VENDOR_LETTER = 5.8  # pixels, mean width of a letter of the style `vendor`; a longer text is compressed into its box
_SWEEPS = 12
_STYLE = (
    "text{font-family:sans-serif;text-anchor:middle}.name{font-size:15px;font-weight:bold;fill:#1b2a41}"
    ".vendor{font-size:11px;fill:#a04a00}"
    "rect.part{fill:#eef3fa;stroke:#5b7db1}path{fill:none;stroke:#7d8ca3;stroke-width:1.2}"
)

Imports = Mapping[str, frozenset[str]]


def architecture_drawing(root: Path) -> str:
    """The subpackages as SVG: a box for each, an arrow to each other one that it imports.

    A subpackage is placed one row above the highest one that it imports. Arrows that are implied by others are omitted.
    Third-party libraries that the contracts restrict to a subpackage are named in its box.

    Args:
        root: the repository.

    Raises:
        ValueError: the layers contract and the folders of the package differ.
    """
    contract = ConfigParser()
    contract.read(root / ".importlinter", encoding="utf-8")
    imports, parts = part_imports(root / PACKAGE), _contract_parts(contract)
    if set(imports) != set(parts):
        raise ValueError(f"expected the subpackages {sorted(parts)} of .importlinter, got {sorted(imports)}")
    rows = _rows(imports, parts)
    chains = _chains(_direct(imports), rows)
    centers = _layout(rows, chains)
    width = max(x + _width(node) // 2 for node, (x, _) in centers.items()) + _MARGIN
    height = max(y for _, y in centers.values()) + _BOX[1] // 2 + _MARGIN
    arrows = [_arrow(chain, centers) for chain in chains]
    boxes = [_box(part, centers[part], _vendors(contract, part)) for part in parts]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
            f"<style>{_STYLE}</style>",
            '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<polygon points="0,1 8,4 0,7" fill="#7d8ca3"/></marker>',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *arrows,
            *boxes,
            "</svg>\n",
        ]
    )


def part_imports(package: Path) -> Imports:
    """For each subpackage, the other subpackages that its modules import; type-checking imports are ignored."""
    parts = {folder.parent.name for folder in package.glob("*/__init__.py")}
    found: dict[str, set[str]] = {part: set() for part in sorted(parts)}
    for part in found:
        for path in (package / part).rglob("*.py"):
            names = _imported(ast.parse(path.read_text(encoding="utf-8")))
            found[part] |= {name.split(".")[1] for name in names if name.startswith(f"{PACKAGE}.")}
    return {part: frozenset(targets & parts - {part}) for part, targets in found.items()}


def _imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a syntax tree imports, with their full names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imported(node)


def _contract_parts(contract: ConfigParser) -> list[str]:
    return re.findall(r"\w+", contract["importlinter:contract:layers"]["layers"])


def _vendors(contract: ConfigParser, part: str) -> list[str]:
    """The restricted libraries that a subpackage may import; all ROS packages count as one."""
    found: set[str] = set()
    for name in contract.sections():
        allowed = contract[name].get("ignore_imports", "")
        names = re.findall(rf"{PACKAGE}\.{part}\b\S* -> (\w+)", allowed)
        found |= {"ROS 2"} if names and name.endswith(":ros") else set(names)
    return sorted(found)


def _rows(imports: Imports, order: list[str]) -> list[list[str]]:
    """Subpackages grouped by the length of their longest chain of imports, the longest first."""

    @cache
    def level(part: str) -> int:
        return max((level(target) + 1 for target in imports[part]), default=0)

    ordered = sorted(order, key=lambda part: -level(part))
    return [list(row) for _, row in groupby(ordered, key=level)]


def _direct(imports: Imports) -> dict[str, set[str]]:
    """The transitive reduction of the imports."""

    @cache
    def below(part: str) -> frozenset[str]:
        return imports[part].union(*map(below, imports[part]))

    return {part: {b for b in targets if not any(b in below(c) for c in targets)} for part, targets in imports.items()}


def _chains(direct: Mapping[str, set[str]], rows: list[list[str]]) -> list[list[str]]:
    """Each arrow as a list of nodes: its ends, and a bend named "from>to:row" in every row between them."""
    row_of = {part: number for number, row in enumerate(rows) for part in row}
    return [
        [part, *(f"{part}>{target}:{row}" for row in range(row_of[part] + 1, row_of[target])), target]
        for part, targets in direct.items()
        for target in sorted(targets)
    ]


def _layout(rows: list[list[str]], chains: list[list[str]]) -> dict[str, tuple[int, int]]:
    """The center of each box and bend in pixels; rows are sorted by the mean position of the connected nodes."""
    rows = [list(row) for row in rows]
    neighbors: dict[str, list[str]] = {}
    for chain in chains:
        for above, below in pairwise(chain):
            neighbors.setdefault(above, []).append(below)
            neighbors.setdefault(below, []).append(above)
        for bend in chain[1:-1]:
            rows[int(bend.rpartition(":")[2])].append(bend)
    places = {node: x for row in rows for node, x in _spread(row).items()}
    for number in [*range(len(rows)), *reversed(range(len(rows)))] * _SWEEPS:
        rows[number].sort(key=lambda node: mean(places[other] for other in neighbors[node]))
        places |= _spread(rows[number])
    left = min(places[node] - _width(node) / 2 for node in places)
    ys = {
        node: _MARGIN + _BOX[1] // 2 + number * (_BOX[1] + _GAP[1]) for number, row in enumerate(rows) for node in row
    }
    return {node: (round(places[node] - left) + _MARGIN, ys[node]) for node in places}


def _spread(row: list[str]) -> dict[str, float]:
    """Horizontal positions of the nodes of a row, pixels from its middle."""
    widths = [_width(node) + _GAP[0] for node in row]
    ends = list(accumulate(widths))
    return {node: end - width / 2 - ends[-1] / 2 for node, end, width in zip(row, ends, widths, strict=True)}


def _width(node: str) -> int:
    return 0 if ":" in node else _BOX[0]


def _arrow(chain: list[str], centers: Mapping[str, tuple[int, int]]) -> str:
    half, path = _BOX[1] // 2, ""
    for above, below in pairwise(chain):
        (x, y), (u, v) = centers[above], centers[below]
        y, v = y + half, v - half
        path += f"{'L' if path else 'M'}{x},{y} C{x},{(y + v) // 2} {u},{(y + v) // 2} {u},{v} "
    return f'<path d="{path.strip()}" marker-end="url(#tip)"/>'


def _box(part: str, center: tuple[int, int], vendors: list[str]) -> str:
    (x, y), (width, height) = center, _BOX
    frame = f'<rect class="part" x="{x - width // 2}" y="{y - height // 2}" width="{width}" height="{height}" rx="6"/>'
    if not vendors:
        return f'{frame}<text class="name" x="{x}" y="{y + 5}">{part}</text>'
    name = f'<text class="name" x="{x}" y="{y - 3}">{part}</text>'
    vendor = ", ".join(vendors)
    fit = f' textLength="{width - 8}" lengthAdjust="spacingAndGlyphs"' if len(vendor) * _VENDOR_LETTER > width else ""
    return f'{frame}{name}<text class="vendor" x="{x}" y="{y + 14}"{fit}>{escape(vendor)}</text>'
