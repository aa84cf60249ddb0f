"""The Earth's coastlines, carried by the package: a fresh machine without a network draws them."""

import json
from functools import cache
from importlib.resources import files

from shapely.geometry import MultiLineString


@cache
def coastlines() -> MultiLineString:
    """Return the coastlines at 1:110 million, degrees east in [-180, 180] and degrees north.

    Natural Earth's `ne_110m_coastline` (public domain), rounded to 0.01 degree. `ax.coastlines()` downloads the same.
    """
    content = files("weatherml.plot").joinpath("coastlines.json").read_text(encoding="utf-8")
    return MultiLineString(json.loads(content)["coordinates"])
