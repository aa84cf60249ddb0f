"""Judges initial times, here or on workers, and keeps what was judged."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.process.workers import HERE, Workers
from weatherml.storage.share import WHOLE, Share
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.aggregation.judgement import Judgement
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.campaign.kept import Ask, KeptSums
from weatherml.verification.campaign.online import OnlineForecast, OnlinePass
from weatherml.verification.campaign.patience import map_patiently

_SECONDS_BETWEEN_LOOKS = 0.5
"""At what other processes are making."""


@dataclass(frozen=True)
class Campaign:
    """How many forecasts are judged.

    Attributes:
        folder: Keeps the sums of each initial time, so that a campaign which was killed goes on, and one that grows
            judges what is new; nothing is kept when None.
        workers: Who judges: this process, or workers of dask, that get an initial time each. Those on this machine are
            started once there is more to do than their start takes.
        share: Every n-th initial time, of several processes that share a folder.
    """

    folder: str | Path | None = None
    workers: Workers = HERE
    share: Share = WHOLE

    def accumulate(self, judgement: Judgement, progress: Progress | None = None) -> StatisticSums:
        """Judge what is missing of the share; return all of its sums.

        Raises:
            UserError: As `Judgement.sums`; a worker fails; or the folder was begun for something else.
        """
        self.workers.require_there()
        places = self._own(judgement.matched.shape[0])
        if self.folder is not None:
            kept = KeptSums(Path(self.folder))
            judgement = kept.begin(judgement, judgement.matched.forecast["lead_time"].values)
            return self._kept(kept, judgement.only(places), progress)
        own = judgement if self.share == WHOLE else judgement.only(places)
        return own.sums(progress) if self.workers is HERE else _sums_of_parts(own, self.workers, progress)

    def accumulate_online(self, forecast: OnlineForecast, ask: Ask, progress: Progress | None = None) -> StatisticSums:
        """Judge what is missing of the share as it is made, in this process; return all of its sums.

        Raises:
            UserError: As `accumulate`; or there are other workers than this process, which makes the forecast.
        """
        if self.workers is not HERE:
            raise UserError("a forecast is judged online where it is made; leave workers out and use shares")
        init_times = forecast.init_times[self._own(len(forecast.init_times))]
        kept = None if self.folder is None else KeptSums(Path(self.folder))
        return OnlinePass(forecast, ask, kept, progress).sums(init_times)

    def _own(self, n_init: int) -> list[int]:
        """Return the initial times of the share.

        Raises:
            UserError: There are none.
        """
        if not n_init:
            raise UserError("there is no initial time to judge; give a forecast that has some")
        own = list(self.share.of(n_init))
        if not own:
            what = f"share {self.share.index}/{self.share.count} of {counted(n_init, 'initial time')} is empty"
            raise UserError(f"{what}; make no more than {n_init} shares")
        return own

    def _kept(self, kept: KeptSums, judgement: Judgement, progress: Progress | None) -> StatisticSums:
        init_times = judgement.matched.forecast["init_time"].values
        kept.drop_damaged(init_times)
        kept.require_same(judgement)
        missing = kept.to_judge(init_times)
        while len(missing):
            places = np.flatnonzero(np.isin(init_times, missing)).tolist()
            made = 0
            parts = (judgement.only([place]) for place in places)
            for done in map_patiently(self.workers, kept.keep_one, parts, len(places)):
                made += done
                if progress and done:
                    progress(len(init_times) - len(missing) + made, len(init_times))
            missing = kept.missing(init_times)
            if len(missing) and not made:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        return kept.total(init_times)


def _sums_of_parts(judgement: Judgement, workers: Workers, progress: Progress | None) -> StatisticSums:
    """Take initial times side by side; what comes back of each is small.

    Raises:
        UserError: As `Judgement.sums`, or a worker fails.
    """
    parts: list[StatisticSums] = []
    init_times = judgement.matched.forecast["init_time"]
    each = (judgement.only([place]) for place in range(len(init_times)))
    for part in map_patiently(workers, Judgement.sums, each, len(init_times)):
        parts.append(part)
        if progress:
            progress(len(parts), len(init_times))
    return StatisticSums(StatisticSums.total(parts).dataset.sel(init_time=init_times.values))
