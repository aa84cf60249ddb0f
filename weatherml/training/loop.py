"""Training from the first optimiser step to the last, across any number of interruptions."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from weatherml.checkpoint import Checkpoint
from weatherml.data.loading.samples import Samples
from weatherml.durations import parse_duration
from weatherml.parallel import AnyOf, is_first
from weatherml.storage.locations import local_folder
from weatherml.training.config import TrainingConfig
from weatherml.training.records.metrics import MetricsLog, NoLog
from weatherml.training.records.profile import Profile
from weatherml.training.recovery.interruption import Interruption
from weatherml.training.recovery.snapshots import Snapshots
from weatherml.training.recovery.watchdog import Watchdog
from weatherml.training.run import Run, claimed
from weatherml.training.session import Session

Progress = Callable[[int, int, str], None]
"""Called after every optimiser step with the numbers of completed and of all steps, and the news in a few words."""


def train(
    config: TrainingConfig,
    start: Checkpoint,
    training: Samples,
    validation: Samples,
    run_dir: str | Path,
    progress: Progress = lambda step, n_steps, news: None,
    model: Checkpoint | None = None,
) -> Run:
    """Train a model, or go on training it, and leave its checkpoints, metrics and snapshots in a folder.

    A run that was stopped, by a signal or by force, goes on from its latest snapshot when this is called again with the
    same arguments; it ends with the same weights, bit for bit on the same hardware, and the same metrics but for
    timings. A run that has ended is returned at once.

    Args:
        config: How.
        start: The model, or diagnostic, and the weights to begin with, from `Checkpoint.initialize` or an earlier
            training.
        training: Windows to learn from; their length is set by each stage.
        validation: Windows to choose the best weights by.
        run_dir: The folder; made where it is missing.
        progress: Told of every step.
        model: Of whose forecasts a diagnostic is trained; of analyses when None.

    Returns:
        The folder, and what is where in it.

    Raises:
        UserError: The folder belongs to another training, another process is training there, the loss is no longer
            finite, data cannot be read (a snapshot has been saved), or the disk is full.
        KeyboardInterrupt: SIGINT came, or, of its kind StopRequested, SIGTERM or SIGUSR1: to this process or to one
            that trains with it. A snapshot has been saved.
    """
    run, samples = Run(local_folder(run_dir)), {"training": training, "validation": validation}
    anyone = AnyOf()
    with (
        claimed(run, config, (start, model), samples),
        Interruption() as interruption,
        Snapshots(run.snapshots, config.snapshots_kept) as snapshots,
    ):
        if snapshots.latest_step() == config.n_steps:
            return run
        snapshots.drop_damaged()
        with (
            MetricsLog(run.directory, snapshots.latest_step() or 0) if is_first() else NoLog() as log,
            closing(Session(config, start, (training, validation), run, snapshots, log, model)) as session,
            closing(Profile(config.profile_steps, run.directory, config.n_steps)) as profile,
            Watchdog(_seconds(config.watchdog), "run it again to go on, or set training.watchdog") as watchdog,
        ):
            while session.step < config.n_steps:
                watchdog.expect(f"step {session.step + 1} of {config.n_steps}", session.compiles)
                with profile.around(session.step + 1, session.wait):
                    session.advance()
                    session.keep_records()
                progress(session.step, config.n_steps, session.news)
                if anyone.say(interruption.is_requested) and session.step < config.n_steps:
                    session.save_snapshot()
                    snapshots.wait()
                    raise interruption.stop(
                        f"stopped at step {session.step} of {config.n_steps}; run it again to go on"
                    )
    return run


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else float(parse_duration(duration) / np.timedelta64(1, "s"))
