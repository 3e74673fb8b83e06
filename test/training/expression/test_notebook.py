"""The notebook runs from its top to its bottom, and is kept small and without outputs."""

from __future__ import annotations

import json

import pytest
from support.paths import ROOT

NOTEBOOK = ROOT / "notebooks/expression_head.ipynb"
LARGEST = 100_000  # bytes
LONGEST = 1800  # seconds that one cell may take on a loaded machine


def test_the_notebook_is_kept_without_outputs() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 8
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("default")  # of Jupyter's own modules
def test_the_notebook_runs_from_top_to_bottom() -> None:
    for needed in ("torch", "matplotlib", "ipykernel"):
        pytest.importorskip(needed, reason=f"{needed} is not installed: pip install -r requirements/train.txt")
    nbformat, nbclient = (
        pytest.importorskip(needed, reason=f"{needed} is not installed: pip install -r requirements/train.txt")
        for needed in ("nbformat", "nbclient")
    )
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=LONGEST, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    pictures = [output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in str(output)]
    assert len(pictures) >= 8
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "ridge" in printed
