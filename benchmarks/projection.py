"""What decades of ERA5 take: bytes, files, requests, hours, by the layout of stores and by rates that were measured.

    python benchmarks/projection.py [--years 40] [--ratio 0.40] [--rate 120] [--archive-rate 63] [--workers 1 8 64]

`--ratio` is bytes stored over bytes of float32 (codecs.md); `--rate` MB of float32 a CPU second that a worker makes of
NetCDF files, the slower ones, its start not counted (building.md, two days less one); `--archive-rate` MB of float32 a
second that one takes out of an archive's chunks, all of their levels counted (archive.md). Nothing is measured or read
here. Results: ../docs/building_stores.md
"""

import argparse

import numpy as np
import xarray as xr

from weatherml.data.sources.cds.config import CdsConfig
from weatherml.data.sources.cds.units import plan
from weatherml.data.store.layout import Layout, choose_shard_length
from weatherml.grid import LatLonGrid
from weatherml.state import Channel, parse_channels
from weatherml.variables import LEVEL_SETS, PRESETS

ROWS = 721
ARCHIVE_LEVELS = len(LEVEL_SETS["era5"])
"""ARCO-ERA5 keeps all levels of one variable at one time in a chunk."""


def fields(channels: tuple[Channel, ...], grid: LatLonGrid) -> xr.Dataset:
    """Return one time of every variable, as a source gives it; its values are one zero."""
    levels: dict[str, list[int]] = {}
    for channel in channels:
        levels.setdefault(channel.variable, []).extend([] if channel.level is None else [channel.level])
    variables = {}
    for name, own in levels.items():
        dims = ("time", *(["level"] if own else []), "latitude", "longitude")
        shape = (1, *([len(own)] if own else []), *grid.shape)
        variables[name] = (dims, np.broadcast_to(np.float32(0), shape))
    return xr.Dataset(variables)


def layouts_of(channels: tuple[Channel, ...], n_times: int) -> list[Layout]:
    """Return how the variables of a store lie in files."""
    first = fields(channels, LatLonGrid.regular(ROWS, 2 * (ROWS - 1)))
    length = choose_shard_length(first, n_times)
    return [Layout.of(field, n_times, length) for field in first.data_vars.values()]


def main() -> None:
    """Print the arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=int, default=40)
    parser.add_argument("--ratio", type=float, default=0.40)
    parser.add_argument("--rate", type=float, default=120, help="MB of float32 a CPU second")
    parser.add_argument("--archive-rate", type=float, default=63, help="MB of float32 a second, all levels counted")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8, 64])
    chosen = parser.parse_args()
    first, last = 1983, 1983 + chosen.years - 1
    config = CdsConfig(channels=("pangu",), periods=((f"{first}", f"{last}"),))
    channels = parse_channels(PRESETS["pangu"])
    n_times = len(config.times())
    layouts = layouts_of(channels, n_times)
    size = 4 * sum(int(np.prod(layout.shape)) for layout in layouts)
    units = plan(config)
    n_archive = n_times * len(layouts)
    archive = sum(
        n_times * 4 * int(np.prod(layout.shape[-2:])) * (ARCHIVE_LEVELS if "level" in layout.dims else 1)
        for layout in layouts
    )
    shard = max(4 * int(np.prod(layout.shard)) for layout in layouts)
    print(f"{len(channels)} channels, {config.n_points} points, {n_times} times of {first} to {last}, 6-hourly")
    print(f"float32: {size / 1e12:.1f} TB; stored: {size * chosen.ratio / 1e12:.1f} TB")
    print(f"files: {sum(layout.n_files for layout in layouts)}, of {layouts[0].shard[0]} times")
    print(f"the largest: {shard / 1e6:.0f} MB of float32, {shard * chosen.ratio / 1e6:.0f} MB stored")
    n_fields, n_bytes = sum(unit.n_fields for unit in units), sum(unit.n_bytes(config.n_points) for unit in units)
    print(f"CDS: {len(units)} requests, {n_fields} fields, {n_bytes / 1e12:.1f} TB of GRIB")
    print(f"archive (ARCO-ERA5): {n_archive} chunks, {archive / 1e12:.1f} TB of float32 decoded")
    for workers in chosen.workers:
        hours = size / 1e6 / chosen.rate / workers / 3600
        slow = archive / 1e6 / chosen.archive_rate / workers / 3600
        written = size * chosen.ratio / 1e6 / hours / 3600
        print(
            f"{workers} workers: {hours:.1f} h from files ({written:.0f} MB/s written), {slow:.0f} h from the archive"
        )


if __name__ == "__main__":
    main()
