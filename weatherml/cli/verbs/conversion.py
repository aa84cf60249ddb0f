"""The verb that writes forecasts in the formats of others."""

from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.options import (
    LOCAL,
    Calendar,
    Channels,
    InitTime,
    LeadUnit,
    PointsOfRows,
    Rename,
    Repeated,
    named,
    renames,
)


def convert(
    forecast: Annotated[
        str, typer.Argument(metavar="FORECAST", help="Of members or of statistics, in any of these formats.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="What to write: .nc, .grib2 or .zarr.", **LOCAL)],
    layout: Annotated[str, typer.Option(help="canonical, or weatherbench2 for .zarr.")] = "canonical",
    channels: Channels = None,
    region: Annotated[
        str | None, typer.Option(metavar="N,W,S,E", help="Keep the grid points inside, degrees; also across 0.")
    ] = None,
    grid: Annotated[
        str | None, typer.Option(help="Regrid first, keeping area integrals: 1.5deg, 121x240, 'gaussian 32x64'.")
    ] = None,
    stations: Annotated[
        Path | None, typer.Option(help="Interpolate to the places of a CSV file name,latitude,longitude.", **LOCAL)
    ] = None,
    lead_unit: LeadUnit = None,
    init: InitTime = None,
    calendar: Calendar = None,
    repeated: Repeated = "refuse",
    points: PointsOfRows = "refuse",
    rename: Rename = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what is at the output.")] = False,
) -> None:
    """Write a forecast, or a part of it, as NetCDF, GRIB2, zarr, or as WeatherBench 2 reads it.

    Example: `weatherml convert forecast.zarr --channels t2m --region 72,-25,34,45 -o europe.nc`
    """
    from weatherml.cli.outputs import require_apart
    from weatherml.data.regrid import regrid
    from weatherml.products.convert import convert, select
    from weatherml.products.reading import read_forecast
    from weatherml.products.selection import Region
    from weatherml.products.stations import Stations
    from weatherml.state import Channel

    require_apart(output, [forecast, stations])
    read = read_forecast(
        forecast,
        lead_unit=lead_unit,
        init_time=init,
        calendar=calendar,
        repeated=repeated,
        points=points,
        rename=renames(rename),
    )
    fields = select(read, named(channels))
    part = select(
        fields if grid is None else regrid(fields, grid),
        None,
        None if region is None else Region.parse(region),
        None if stations is None else Stations.read(stations),
    )
    for name, error in convert(part, output, layout, overwrite).items():
        print(f"{name:<32} packed within {error:.2g} {Channel.parse(name).units}")
    for field in part.data_vars.values():
        if "comment" in field.attrs:
            print(f"{field.name} is {field.attrs['comment']}")
    print(output)
