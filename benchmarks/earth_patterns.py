"""Make what `weatherml check` knows of the Earth: weatherml/data/quality/place/earth.npz.

python benchmarks/earth_patterns.py FOLDER   # that holds reanalysis/ and reference/, with the files named below

Only coarse means are kept, of few of the times, so that rules can be tried on the other times:
- orography and land share at 2.5 degrees, of ERA5's 0.25-degree fields;
- what stands still in a field: zonal wavenumbers from 12 on of its mean, at 2.5 degrees, in units of its own spread, of
  ERA-Interim's daily maximum 2 m temperature of March to August 2012 and of ERA5's mean sea level pressure and
  vorticity at 850 hPa of December 2025 and January 2026;
- zonal means by level in January, at 5 degrees: temperature and zonal wind of ERA-Interim on 2005-01-23 00 UTC;
- global means and standard deviations by level of ERA5, as published with AI models trained on it.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.data.quality.place import earth
from weatherml.data.quality.place.placement import short_waves
from weatherml.data.reading.opening import open_files
from weatherml.data.regrid import regrid
from weatherml.data.regrid.regridder import Regridder
from weatherml.grid import LatLonGrid
from weatherml.state import Channel
from weatherml.variables import find

ORIGIN = (
    "Contains modified Copernicus Climate Change Service information (ERA5, generated 2025-2026) and ERA-Interim data"
    " of ECMWF, reduced to coarse means by benchmarks/earth_patterns.py. Neither the European Commission nor ECMWF is"
    " responsible for any use of it."
)
_FINE = LatLonGrid.regular(721, 1440)
_MEANS = (
    ("erainterim_t2m_dailymax_2p5deg_2012.nc", "2m_temperature", slice(None)),
    ("era5_msl_2025-2026_djf_2.5x2.5.zarr", "mean_sea_level_pressure", slice("2025-12-01", "2026-01-31")),
    ("era5_vo850_2025-2026_djf_2.5x2.5.zarr", "vorticity", slice("2025-12-01", "2026-01-31")),
)
_PROFILES = {
    "temperature": "erainterim_t_37levels_1p5deg_20050123_old_cds_layout.nc",
    "u_component_of_wind": "erainterim_u_37levels_1p5deg_20050123_old_cds_layout.nc",
}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    content = {**_ground(folder), **dict(_patterns(folder)), **dict(_profiles(folder)), **_levels(folder)}
    np.savez_compressed(earth.PATH, origin=np.array(ORIGIN), **content)
    print(f"{earth.PATH}: {earth.PATH.stat().st_size / 1024:.0f} KiB, {', '.join(content)}")


def _ground(folder: Path) -> dict[str, np.ndarray]:
    statics = folder / "reference" / "statics"
    height = np.load(statics / "era5_surface_geopotential_0p25deg_721x1440.npy") / 9.80665
    with xr.open_dataset(statics / "era5_land_sea_mask_0p25deg.nc") as dataset:
        land = dataset["LSM"].values[0]
    coarser = Regridder(_FINE, earth.GRID)
    return {
        "orography": coarser(height).round().astype(np.int16),
        "land": (100 * coarser(land)).round().astype(np.int8),
    }


def _patterns(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for file, name, period in _MEANS:
        field = open_files(folder / "reanalysis" / file)[name].sel(time=period).mean("time")
        level = int(field["level"].values[0]) if "level" in field.dims else None
        waves = short_waves(np.squeeze(field.values).astype(np.float64))
        spread = np.sqrt(np.average(waves**2, weights=earth.GRID.area_weights() * np.ones(earth.GRID.shape)))
        # A few mountains must not outweigh all else: what exceeds the range of a byte is cut.
        standing = np.clip(np.round(waves / spread * earth.STEPS), -127, 127).astype(np.int8)
        yield f"standing {Channel(name, level)}", standing


def _profiles(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for name, file in _PROFILES.items():
        coarse = regrid(open_files(folder / "reanalysis" / file)[[name]], earth.COARSE)[name]
        yield f"january {name}", coarse.values[0].mean(-1).astype(np.float32).round(2)
        yield f"levels {name}", coarse["level"].values.astype(np.int16)


def _levels(folder: Path) -> dict[str, np.ndarray]:
    """Return `means`: level, mean and standard deviation of each variable on pressure levels, by name."""
    table: dict[str, list[tuple[float, float, float]]] = {}
    with (folder / "reference" / "statistics" / "era5_75ch.csv").open() as lines:
        for row in csv.DictReader(lines):
            short = row["channel"].rstrip("0123456789")
            if short in "uvztq" and short != row["channel"]:
                level = float(row["channel"][len(short) :])
                table.setdefault(find(short).name, []).append((level, float(row["mean"]), float(row["std"])))
    return {f"global {name}": np.array(rows) for name, rows in table.items()}


if __name__ == "__main__":
    main()
