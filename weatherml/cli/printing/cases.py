"""Cases of extreme events on the terminal: tables for people, JSON for programs."""

import json

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
    words = outcome.stage.hazard.words
    happened = f"{words} from {truth.onset:.16} to {truth.end:.16}" if truth.happened else f"no {words}"
    out.print(f"[bold]{escape(outcome.case.name)}[/] {escape(happened)}", soft_wrap=True)
    print_blocks([["system", "members", "likely from", "most probable before"], *map(list, _signals(outcome))])
    _print_scores(outcome)
    out.print("one event is no sample: intervals are over initial times of the same weather", soft_wrap=True)


def _signals(outcome: Outcome) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, own in outcome.systems.items():
        ahead = scores.first_signal(own, outcome.truth)
        share = own.probability_of_happening
        before = share[share.index < pd.Timestamp(outcome.truth.onset)] if outcome.truth.happened else share
        most = f"{100 * before.max():.0f} %" if len(before) else "\N{EN DASH}"
        likely = "\N{EN DASH}" if ahead is None else f"{format_duration(ahead)} ahead"
        rows.append((name, str(own.n_members), likely, most))
    return rows


def _print_scores(outcome: Outcome) -> None:
    brier = scores.event_scores(outcome)["brier"].isel(channel=0)
    told = np.flatnonzero(np.isfinite(brier.sel(bound="estimate").values).any(axis=0))
    if not len(told):
        return
    few = told[np.unique(np.linspace(0, len(told) - 1, _MOST_LEADS).round().astype(int))]
    out.print("[bold]brier[/] of the event at each cell and time", soft_wrap=True)
    heads = [format_duration(own) for own in brier["lead_time"].values[few]]
    rows = [
        [str(name), *_shown(brier.sel(system=name, bound="estimate").values[few])] for name in brier["system"].values
    ]
    print_blocks([["system", *heads], *rows])


def _shown(values: np.ndarray) -> list[str]:
    return [f"{own:.3f}" if np.isfinite(own) else "\N{EN DASH}" for own in values]
