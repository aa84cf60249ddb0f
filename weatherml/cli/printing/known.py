"""What there is to ask a verification for: metrics with their parameters, and regions with their bounds."""

import json

from rich.markup import escape

from weatherml.cli.printing.tables import out, print_blocks
from weatherml.verification.aggregation.regions import Region, regions
from weatherml.verification.brackets import signature
from weatherml.verification.metrics.entries import registry
from weatherml.verification.metrics.registry import THEMES


def print_known(as_json: bool = False) -> None:
    """Print all metrics, of all themes, and all regions; for programs as JSON."""
    assert THEMES  # have been imported, and so are entered
    if as_json:
        bounds = {name: bounds_of(regions[name]) for name in regions}
        print(json.dumps({"metrics": {name: signature(registry[name]) for name in registry}, "regions": bounds}))
        return
    out.print("[dim]metrics, with their parameters[/]")
    for name in registry:
        told = signature(registry[name])
        out.print(escape(f"{name}({told})" if told else name), soft_wrap=True)
    out.print()
    print_blocks([["region", "bounds"], *([name, bounds_of(regions[name])] for name in regions)])


def bounds_of(region: Region) -> str:
    """Return the bounds of a region in degrees: `35 .. 75 N, -12.5 .. 42.5 E`."""
    parts = [f"{region.south:g} .. {region.north:g} N"] if (region.south, region.north) != (-90, 90) else []
    parts += [f"{region.west:g} .. {region.east:g} E"] if region.east - region.west < 360 else []
    parts += [region.surface] if region.surface != "all" else []
    return ", ".join(parts) or "all"
