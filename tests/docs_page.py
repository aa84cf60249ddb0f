"""The Python of a page in docs/, so that what it shows is what is tested."""

import re
from functools import cache
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


@cache
def run_python(page, registry):
    """Run the Python blocks of a page, once and in order, and return the names they define."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    names = {"__name__": page, "registry": registry}
    exec(compile("\n".join(blocks), page, "exec"), names)
    return names
