"""The verb that computes statistics and climatology: at once, in parts of a job array, or of what is new."""

from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.options import Memory, size_of
from weatherml.cli.settings import Folder, Settings, experiment_of
from weatherml.errors import UserError


def statistics(
    settings: Settings = None,
    output: Folder = Path("runs/demo"),
    part: Annotated[
        str | None, typer.Option(metavar="INDEX/COUNT", help="Sum one of several parts of the training period.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Put the parts together; they are kept.")] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="Add to the parts what has come to the store since, and put them together.")
    ] = False,
    memory: Memory = "4GiB",
) -> None:
    """Compute statistics and climatology of the training period, reading it once.

    Parts may be made at once, by a job array, and in any order; what they have summed is kept, so that later times are
    added without reading the earlier ones again.

    Example: `weatherml statistics configs/t2m_erainterim.yaml -o runs/t2m`, or with `--part 0/4` to `--part 3/4` and
    then `--merge`
    """
    from weatherml.cli.printing.tables import print_statistics
    from weatherml.experiment import perform_within
    from weatherml.storage.share import Share

    if sum((part is not None, merge, extend)) > 1:
        raise UserError("--part, --merge and --extend are three things to do; give one of them at a time")
    n_bytes = size_of("--memory", memory, 2**20, "any pass")
    experiment = experiment_of(settings, output, perform_within(n_bytes))
    if part is not None:
        print(experiment.statistics_part(Share.parse(part, "part"), n_bytes))
        return
    if merge or extend:
        experiment.statistics_of_parts(n_bytes, extend)
    else:
        experiment.run("statistics")
    print_statistics(experiment.statistics)
