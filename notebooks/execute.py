"""Run a notebook from its `.py` and write it with its outputs: `python notebooks/execute.py notebooks/*_*.py`.

Pictures keep as many colours as maps of discrete steps need, at a third of the size.
"""

import base64
import io
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image
from scipy.spatial import cKDTree

N_EXACT, N_LIKES = 128, 64


def execute(script: Path) -> None:
    """Run the cells of a script in its folder and write the notebook beside it."""
    notebook = jupytext.read(script)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the same each time, so that only what changed differs
    here = {"metadata": {"path": script.parent}}
    NotebookClient(notebook, timeout=600, coalesce_streams=True, resources=here).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = in_few_colours(output["data"]["image/png"])
    nbformat.write(notebook, script.with_suffix(".ipynb"))


def in_few_colours(png: str) -> str:
    """Return a picture, base64, in few colours: the most frequent as they are, what smooth edges have by its like."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    colours, inverse, counts = np.unique(
        np.asarray(picture).reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    likes = picture.quantize(N_LIKES, dither=Image.Dither.NONE).getpalette()
    palette = np.concatenate([colours[np.argsort(-counts)[:N_EXACT]], np.reshape(likes, (-1, 3))]).astype(np.uint8)
    _, nearest = cKDTree(palette).query(colours)
    few = Image.fromarray(nearest[inverse].reshape(picture.height, picture.width).astype(np.uint8), "P")
    few.putpalette(palette.ravel().tolist())
    written = io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        execute(Path(argument))
