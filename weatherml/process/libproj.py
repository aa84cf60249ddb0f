"""Two copies of one library in a process: pyproj, which maps need, brings PROJ, and ecCodes brings it again.

The wheels of ecCodes load their copy for every library of the process to see. Whatever loads pyproj after that binds
it to the wrong copy: maps are drawn, and Python aborts when it ends. Asking xarray for a file without naming an engine
is enough to come there, for xarray then loads the plugin that reads GRIB.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec


def load_pyproj() -> None:
    """Load pyproj bound to its own copy of PROJ, before or after ecCodes; do nothing where one of them is missing."""
    if find_spec("eccodes") is None:
        return
    with _own_symbols_first(), suppress(ImportError):
        import pyproj  # noqa: F401


@contextmanager
def _own_symbols_first() -> Iterator[None]:
    """Let libraries find their functions in what they bring before they look at what others have shown the process."""
    if not hasattr(os, "RTLD_DEEPBIND"):  # glibc has it; elsewhere each library looks at its own first anyway
        yield
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        yield
    finally:
        sys.setdlopenflags(flags)
