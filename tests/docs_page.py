"""The Python of a page in docs/, so that what it shows is what is tested."""

import re
from functools import cache
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def python_of(page):
    """The Python blocks of a page, compiled, in order."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return compile("\n".join(blocks), page, "exec")


@cache
def run_python(page, registry):
    """Run the Python blocks of a page, once and in order, and return the names they define."""
    names = {"__name__": page, "registry": registry}
    exec(python_of(page), names)
    return names
