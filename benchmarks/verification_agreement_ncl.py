"""Waves on the sphere and the rotation of winds, against what NCL made of the same fields of ERA5.

python benchmarks/verification_agreement_ncl.py FOLDER prints these rows alone; FOLDER holds
era5_msl_2025120100_2.5x2.5.nc and era5_uv850_2025120100_2.5x2.5.nc, and of each what NCL made of it: ..._t5-42_ncl.nc,
and era5_vodv850_2025120100_2.5x2.5_ncl.nc.
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml import sphere
from weatherml.extremes.tracks.filtering import T5_42, band_passed, rotation
from weatherml.grid import LatLonGrid

NCL_RADIUS = 6371.22
LOWEST, HIGHEST = 5, 42


def rows(folder):
    """Yield what is compared, our number, the largest difference relative to the largest number, and a note."""
    whole, kept, wind, made = (
        xr.open_dataset(Path(folder) / f"era5_{name}.nc").load()
        for name in (
            "msl_2025120100_2.5x2.5",
            "msl_2025120100_2.5x2.5_t5-42_ncl",
            "uv850_2025120100_2.5x2.5",
            "vodv850_2025120100_2.5x2.5_ncl",
        )
    )
    grid = LatLonGrid.regular(73, 144)
    of_whole, of_kept = (
        sphere.power_by_degree(own["msl"].sortby("latitude", ascending=False).values, grid) for own in (whole, kept)
    )
    band = slice(LOWEST, HIGHEST + 1)
    yield "`spectrum`, degrees 5 to 42", of_whole[band], of_kept[band], "of each degree, relative to itself"
    others = np.r_[of_kept[:LOWEST], of_kept[HIGHEST + 1 :]]
    yield "`spectrum`, other degrees", others * 0, others / of_kept.max(), "power that NCL left out, of the largest"
    passed = band_passed(whole["msl"], T5_42)
    yield "pressure in degrees 5 to 42", passed, kept["msl"], "NCL computes in float32"
    # Rows of the winds go from south to north, whatever their labels say: NCL's vorticity lies where ERA5's own does.
    wind = wind.copy(data={name: wind[name].values[::-1] for name in ("u", "v")})
    turned = rotation(wind["u"], wind["v"]) * (sphere.EARTH_RADIUS / NCL_RADIUS)
    yield "vorticity of winds", turned["vorticity"], made["vo"], "on a sphere of NCL's radius"
    yield "divergence of winds", turned["divergence"], made["dv"], "on a sphere of NCL's radius"


def difference(ours, theirs, by_itself):
    """Return the largest difference, relative to the largest number or each to itself."""
    apart = np.abs(np.asarray(ours) - np.asarray(theirs))
    size = np.abs(np.asarray(theirs))
    return (apart / size).max() if by_itself else apart.max() / (size.max() if np.any(ours) else 1)


def print_rows(folder):
    """Print the table."""
    print("| of ERA5, 1 December 2025, 73 x 144 points | numbers | difference | |\n|---|---|---|---|")
    for what, ours, theirs, note in rows(folder):
        found = difference(ours, theirs, "itself" in note)
        print(f"| {what} | {np.size(ours)} | {found:.1e} | {note} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", help="where NCL's fields are")
    print_rows(parser.parse_args().folder)
