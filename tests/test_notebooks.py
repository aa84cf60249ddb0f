"""Laws of the notebooks as they are stored; `pytest notebooks --nbmake` runs them."""

import json
from pathlib import Path

import jupytext
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*_*.py"))
MOST_BYTES = 450_000


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda script: script.stem)
def test_a_stored_notebook_is_its_script_run_from_top_to_bottom_and_small(script):
    stored = script.with_suffix(".ipynb")
    cells = json.loads(stored.read_text())["cells"]
    assert ["".join(cell["source"]) for cell in cells] == [cell.source for cell in jupytext.read(script).cells]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    assert stored.stat().st_size < MOST_BYTES
