"""The Earth's coastlines, carried by the package: a fresh machine without a network draws them."""

import json
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import shapely
from shapely import MultiLineString
from shapely.affinity import translate

_WIDE = 120.0
"""Degrees of longitude from which on a map has no room for small islands."""


@cache
def coastlines() -> MultiLineString:
    """Return the coastlines at 1:110 million, degrees east in [-180, 180] and degrees north.

    Natural Earth's `ne_110m_coastline` (public domain), rounded to 0.01 degree. `ax.coastlines()` downloads the same.
    """
    content = files("weatherml.plot").joinpath("coastlines.json").read_text(encoding="utf-8")
    return MultiLineString(json.loads(content)["coordinates"])


@cache
def fine_coastlines() -> MultiLineString:
    """Return the coastlines at 1:50 million, as `coastlines`.

    Outlines of Natural Earth's `ne_50m_land` (public domain), rounded to 0.01 degree, without the edges along the date
    line and at the pole that close its polygons.
    """
    with as_file(files("weatherml.plot").joinpath("coastlines_50m.npz")) as path, np.load(path) as content:
        points, lengths = np.cumsum(content["steps"], axis=0, dtype=np.int16) / 100, content["lengths"]
    return MultiLineString(list(shapely.linestrings(points, indices=np.repeat(np.arange(lengths.size), lengths))))


def coastlines_within(west: float, east: float, south: float, north: float) -> MultiLineString:
    """Return the coastlines in a region, as fine as suits its width, in its own longitudes.

    Args:
        west: Degrees east, at least -360; a region across the date line goes on beyond -180 or 180.
        east: Degrees east, east of `west`.
        south: Degrees north.
        north: Degrees north.
    """
    all_lines = coastlines() if east - west > _WIDE else fine_coastlines()
    around = [translate(all_lines, xoff=turn) for turn in (-360, 0, 360)]
    parts = [shapely.clip_by_rect(lines, west, south, east, north) for lines in around]
    kept = [part for part in shapely.get_parts(parts) if part.geom_type == "LineString" and not part.is_empty]
    return MultiLineString(kept)
