"""The verb `plan`: what a training takes, before it runs."""

from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.options import AsJson
from weatherml.cli.settings import Folder, Settings, experiment_of


def plan(
    settings: Settings = None,
    devices: Annotated[
        str, typer.Option(metavar="NxKIND", help="What to train on: 8xh200, h100, a100, or cpu, this machine.")
    ] = "cpu",
    grid: Annotated[
        str | None, typer.Option(metavar="ROWSxCOLUMNS", help="Grid of the data, where they are not here: 721x1440.")
    ] = None,
    output: Folder = Path("runs/demo"),
    propose: Annotated[
        bool, typer.Option(help="Look for the mesh and the savings of memory that are fastest among what fits.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Say what a training takes before it runs: memory of a device, operations, what devices send, time, days.

    Neither the hardware nor the data need be here. The very step of the training is compiled for as many virtual
    devices, which takes a minute at full size; nothing is run.

    Example: `weatherml plan configs/era5_0p25deg_pangu_24h.yaml --devices 8xh200 --grid 721x1440`
    """
    from weatherml.cli.printing.training_plan import print_plan
    from weatherml.parallel.hardware.accelerators import Devices
    from weatherml.plan.planning import plan as make
    from weatherml.plan.problem import Problem, parse_grid
    from weatherml.plan.proposal import proposed

    wanted = Devices.parse(devices)
    config = experiment_of(settings, output).config
    problem = Problem.of(config, output, None if grid is None else parse_grid(grid))
    asked = make(problem, wanted)
    print_plan(asked, proposed(problem, asked) if propose else None, as_json)
