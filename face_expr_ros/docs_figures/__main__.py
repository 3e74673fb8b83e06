"""``python -m face_expr_ros.docs_figures`` regenerates the pictures of README.md, docs/ and bfm/README.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from face_expr_ros.docs_figures.architecture import architecture_drawing
from face_expr_ros.docs_figures.figures import draw_pictures
from face_expr_ros.docs_figures.open_model import draw_model_pictures
from face_expr_ros.docs_figures.renders import draw_renders
from face_expr_ros.models.bundle import open_face_model

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Write all figures and print their paths and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--materials", type=Path, help="folder of photographic materials; without it, no renders.jpg")
    materials = parser.parse_args().materials
    drawing = ROOT / "docs/pictures" / "architecture.svg"
    drawing.write_text(architecture_drawing(ROOT), encoding="utf-8")
    documents = draw_pictures(ROOT / "docs/pictures")
    if materials is not None:
        documents.append(draw_renders(ROOT / "docs/pictures", materials))  # "renders.jpg"
    for path in [drawing, *documents, *draw_model_pictures(open_face_model("open"), ROOT / "bfm/pictures")]:
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
