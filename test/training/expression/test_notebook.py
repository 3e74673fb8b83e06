"""The notebook runs from top to bottom and is stored small and without outputs."""

from __future__ import annotations

import json

import pytest
from support.paths import ROOT

NOTEBOOK = ROOT / "notebooks/expression_head.ipynb"
MAX_SIZE = 100_000  # bytes
CELL_TIMEOUT = 1800  # seconds, with margin for a loaded machine


def test_notebook_is_stored_without_outputs() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < MAX_SIZE
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 8
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("default")  # Jupyter's own modules issue warnings
def test_notebook_runs_from_top_to_bottom() -> None:
    for module in ("torch", "matplotlib", "ipykernel"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -r requirements/train.txt")
    nbformat, nbclient = (
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -r requirements/train.txt")
        for module in ("nbformat", "nbclient")
    )
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=CELL_TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    pictures = [output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in str(output)]
    assert len(pictures) >= 8
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "ridge" in printed
