"""Cases of extreme events on the terminal: tables for people, JSON for programs."""

import json
import shlex

import numpy as np
import pandas as pd
from rich.markup import escape

from weatherml.cli.printing.tables import out, print_blocks
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.extremes.cases import scores
from weatherml.extremes.cases.catalogue import Catalogue, ListedCase
from weatherml.extremes.cases.running import Outcome

_MOST_LEADS = 6


def print_list(cases: Catalogue, as_json: bool) -> None:
    """Print cases, a line each."""
    if as_json:
        print(json.dumps([own.model_dump() for own in cases]))
        return
    rows = [
        [
            str(own.case_id_number),
            own.title,
            own.event_type,
            f"{own.start_date:.10}",
            f"{own.end_date:.10}",
            _where(own),
        ]
        for own in cases
    ]
    print_blocks([["case", "title", "hazard", "from", "to", "region"], *rows])
    if len(cases):
        out.print(escape(_how_to_run(cases)), soft_wrap=True)


def _how_to_run(cases: Catalogue) -> str:
    """Return the command that runs the first of the cases on one's own data."""
    where = "" if cases.path is None else f"list={shlex.quote(str(cases.path))} "
    number = next(iter(cases)).case_id_number
    return (
        f"run one on your own data: weatherml extremes {where}listed={number} truth=PATH systems.NAME=PATH -o page.html"
    )


def _where(case: ListedCase) -> str:
    try:
        return str(case.place)
    except UserError:
        return case.location.type.replace("_", " ")


def print_outcome(outcome: Outcome, as_json: bool) -> None:
    """Print what happened, how early it was seen, and scores by lead."""
    if as_json:
        print(json.dumps(scores.summary(outcome)))
        return
    truth = outcome.truth
    happened = _span(outcome) if truth.happened else _nothing(outcome)
    out.print(f"[bold]{escape(outcome.case.name)}:[/] {escape(happened)}", soft_wrap=True)
    print_blocks([["system", "members", "likely from", "most probable before"], *map(list, _signals(outcome))])
    _print_scores(outcome)
    out.print("one event is no sample: intervals are over initial times of the same weather", soft_wrap=True)


def _span(outcome: Outcome) -> str:
    """Say when it began and ended, and where the period alone says so."""
    truth, cut = outcome.truth, outcome.cut
    begins = f"{outcome.stage.hazard.words} from {_when(truth.onset, outcome)}"
    ends = _when(truth.end, outcome)
    began, goes_on = "the period begins in it", "the period ends in it"
    told = [words for is_cut, words in ((cut.onset, began), (cut.end, goes_on)) if is_cut]
    return f"{begins} to {ends}" + (f"; {' and '.join(told)}: it is longer than that" if told else "")


def _nothing(outcome: Outcome) -> str:
    return (
        f"no {outcome.stage.hazard.words}: at most {100 * outcome.truth.largest_share:.2g} % of the region in one at a"
        f" time, and {scores.write_asked(outcome.case.share_asked)} is asked for (least_share)"
    )


def _when(time: np.datetime64, outcome: Outcome) -> str:
    return (
        f"{time:.10}" if outcome.stage.is_of_days else f"{time:.10} {str(time)[11:16]} UTC".replace(":00 UTC", " UTC")
    )


def _lead(lead: np.timedelta64, outcome: Outcome) -> str:
    day = np.timedelta64(1, "D")
    return f"{lead // day}d" if outcome.stage.is_of_days and lead % day == 0 * day else format_duration(lead)


def _signals(outcome: Outcome) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, own in outcome.systems.items():
        ahead = scores.first_signal(own, outcome.truth)
        share = own.probability_of_happening
        before = share[share.index < pd.Timestamp(outcome.truth.onset)] if outcome.truth.happened else share
        most = f"{100 * before.max():.0f} %" if len(before) else "\N{EN DASH}"
        likely = "\N{EN DASH}" if ahead is None else f"{_lead(ahead, outcome)} ahead"
        rows.append((name, str(own.n_members), likely, most))
    return rows


def _print_scores(outcome: Outcome) -> None:
    brier = scores.event_scores(outcome)["brier"].isel(channel=0)
    told = np.flatnonzero(np.isfinite(brier.sel(bound="estimate").values).any(axis=0))
    if not len(told):
        return
    few = told[np.unique(np.linspace(0, len(told) - 1, _MOST_LEADS).round().astype(int))]
    out.print("[bold]brier[/] of the event at each cell and time", soft_wrap=True)
    heads = [_lead(own, outcome) for own in brier["lead_time"].values[few]]
    rows = [
        [str(name), *_shown(brier.sel(system=name, bound="estimate").values[few])] for name in brier["system"].values
    ]
    print_blocks([["system", *heads], *rows])


def _shown(values: np.ndarray) -> list[str]:
    return [f"{own:.3f}" if np.isfinite(own) else "\N{EN DASH}" for own in values]
