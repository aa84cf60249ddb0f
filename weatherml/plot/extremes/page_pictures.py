"""Pictures of the page of one event: each drawn twice, for wide pages and for narrow ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from weatherml.errors.wording import counted
from weatherml.extremes.cases.running import Outcome
from weatherml.extremes.cases.stage import regional
from weatherml.extremes.cases.unusual import unusual
from weatherml.extremes.cases.watching import SystemOutcome
from weatherml.plot import style
from weatherml.plot.extremes.efi import efi
from weatherml.plot.extremes.event_maps import event_maps
from weatherml.plot.extremes.plume import plume
from weatherml.plot.extremes.strike_probability import strike_probability
from weatherml.plot.report import Drawing, Fitting, Rows, Section
from weatherml.plot.verification.looks import looks_of
from weatherml.plot.verification.panels import Line, Panel, draw, legend

_DAY = np.timedelta64(1, "D")
_WIDE, _NARROW = (7.4, 4.2), (3.7, 4.0)
"""Width and height of one map at most, inches."""
_WIDER = "grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); max-width: {}rem"
"""Of panels: few stand on a page, so that each has more room."""
_FEW_VALUES = 300
_KINDS = ("share of members", "calibrated", "what happened")


def panels_of(panels: Sequence[Panel]) -> str:
    """Return the markup of curves side by side."""
    return f'<div class="panels" style="{_WIDER.format(34 * len(panels))}">{"".join(map(draw, panels))}</div>'


def where(outcome: Outcome) -> Section:
    """Return maps of the probability, beside where it happened."""
    stage = outcome.stage
    known = [own.probability for own in outcome.systems.values() if own.probability.sizes["init_time"]]
    if not known:
        return Section("Where", "No forecast of which maps are drawn reaches over the whole period.")
    happened = np.where(stage.inside, stage.true.event.any(axis=0), np.nan)
    truth = known[0].isel(init_time=0, drop=True).copy(data=happened)
    title = f"Probability of {stage.hazard.one} at some time of the period"
    shown = {name: own.probability for name, own in outcome.systems.items()}
    wide, narrow = (
        event_maps(shown, truth, title=own, onset=outcome.truth.onset, narrow=is_narrow)
        for own, is_narrow in ((title, False), (f"Probability of {stage.hazard.one}", True))
    )
    text = "The share of members in the event at each place at some time of the period, beside where it happened."
    caption = title if stage.inside.all() else f"{title}; grey: outside the region"
    return Section("Where", text, {f"{caption}.": Fitting(wide, narrow)})


def storms(outcome: Outcome) -> Iterator[Section]:
    """Yield where storms of members go, from the last initial time that maps are of."""
    stage = outcome.stage
    if stage.true.tracks is None:
        return
    best, figures = stage.near(stage.true.tracks), {}
    radius = getattr(stage.definition, "radius", None)
    within = f", centre within {radius:g} km" if radius else ""
    for name, own in outcome.systems.items():
        if not own.probability.sizes["init_time"]:
            continue
        share = own.probability.isel(init_time=-1)
        init = own.probability["init_time"].values[-1]
        members = own.tracks
        if members is not None:
            members = members.isel(record=np.flatnonzero(members["init_time"].values == init))
        told = f"Tracks that come into the region in the period, of members and, red, of the truth{_pieces(best)}"
        if not share.max() > 0:
            told = f"No member strikes. {told}"

        def picture(most: tuple[float, float], own: tuple = (share, members, best, name)) -> Figure:  # type: ignore[type-arg]
            title = f"{own[3]}: probability of being struck{within}"
            return strike_probability(*own[:3], title=title, best_name="track in the truth", most=most)

        figures[f"{_begun(name, init)} {told}."] = _both(picture)
    yield Section("Tracks", "", figures)


def plumes(outcome: Outcome) -> Section:
    """Return plumes from the first and the last initial time that maps are of."""
    stage, quantity = outcome.stage, quantity_of(outcome)
    true, around = stage.true, stage.around
    truth = _named(xr.DataArray(regional(around.index, stage), {"time": around.times}), outcome)
    first = next(iter(outcome.systems.values()))
    inits = first.probability["init_time"].values
    inits = inits if len(inits) else first.series["init_time"].values
    figures = {}
    for init in inits[np.unique([0, -1])] if len(inits) > 1 else inits:
        systems = {
            name: _named(own.series["index"].sel(init_time=init), outcome) for name, own in outcome.systems.items()
        }
        title = f"{stage.hazard.summary.capitalize()} over the region: {quantity.label}"
        period = true.times[0], true.times[-1]
        wide, narrow = (
            plume(systems, truth, title=own, period=period, n_across=n_across)
            for own, n_across in ((title, min(2, len(systems))), (quantity.label, 1))
        )
        figures[f"Forecasts from {style.write_time(init)}. Bands: members; black: truth."] = Fitting(wide, narrow)
    return Section("The region by valid time", "", figures)


def how_unusual(outcome: Outcome) -> Iterator[Section]:
    """Yield maps of the extreme forecast index at the peak, of ensembles, where the case has a climatology."""
    climate, peak = outcome.climate, outcome.truth.peak_time
    if climate is None:
        return
    found = {name: unusual(own, climate, outcome.stage, peak) for name, own in outcome.systems.items()}
    figures = {}
    for name, own in ((name, own) for name, own in found.items() if own is not None):
        last = own.isel(init_time=-1)
        shown = last["efi"].assign_attrs(climate=climate.words).drop_vars("init_time")

        def picture(most: tuple[float, float], own: tuple = (shown, last["sot"], name)) -> Figure:  # type: ignore[type-arg]
            return efi(own[0], own[1], title=f"{own[2]}: extreme forecast index", most=most)

        figures[f"{_begun(name, last['init_time'].values[()])} Valid {style.write_time(peak)}."] = _both(picture)
    if figures:
        few = (
            f" They are {counted(climate.n_values, 'value')} only at each place, so that tails are little known."
            if climate.n_values < _FEW_VALUES
            else ""
        )
        text = (
            f"The extreme forecast index of ensembles when the truth was most extreme, against {climate.words}: 1 where"
            f" all members lie above all of these, -1 where they lie below. Lines: shift of tails, of the"
            f" {'lower' if outcome.stage.hazard.summary == 'minimum' else 'upper'} tail.{few}"
        )
        yield Section("How unusual", text, figures)


def calibrated(outcome: Outcome) -> Iterator[Section]:
    """Yield raw and calibrated probabilities, where the case names a period to learn in."""
    known = {name: own for name, own in outcome.systems.items() if own.calibrated is not None}
    if not known:
        return
    looks = looks_of(list(_KINDS))
    panels = [_panel(name, own, outcome, looks) for name, own in known.items()]
    asked = outcome.case.calibration
    assert asked is not None
    text = (
        f"What shares of members meant was learnt from forecasts of {' to '.join(asked.period)} alone. Lines are means"
        " over the region from the last initial time before the event, by valid time; the band is the Venn-Abers"
        " interval, wide where few blocks of forecasts speak for it. One event is no sample: that a calibration helped"
        " here says little.\n\nIn the tables: mean shares of members and calibrated probabilities, and how often it"
        " happened; Brier scores before and after; for how many cases the frequency lay in the interval; and the share"
        " of the area of events that warnings missed, where enough blocks have events to warn by."
    )
    caption = "Along: days from the onset. Hold the pointer over a place for the numbers."
    markup = Drawing(legend(panels[0].lines) + panels_of(panels))
    yield Section("Calibrated probabilities", text, {caption: markup}, dict(_coverages(known)))


def quantity_of(outcome: Outcome) -> style.Quantity:
    """Return how the index is shown."""
    true = outcome.stage.true
    return style.quantity_of(true.name, true.units)


def _panel(name: str, own: SystemOutcome, outcome: Outcome, looks: Mapping[str, tuple[str, str]]) -> Panel:
    assert own.calibrated is not None
    since = outcome.truth.onset if outcome.truth.happened else outcome.stage.times[0]
    by_time = own.calibrated.by_time
    inits = by_time["init_time"].values
    before = np.flatnonzero(inits < since)
    last = by_time.isel(init_time=before[-1] if len(before) else 0)
    last = last.isel(lead_time=np.flatnonzero(np.isfinite(last["raw"].values)))
    days = (last["init_time"].values + last["lead_time"].values - since) / _DAY
    none = np.full(len(days), np.nan)
    values = {
        _KINDS[0]: (last["raw"].values, none, none),
        _KINDS[1]: tuple(last[kind].values for kind in ("calibrated", "lower", "upper")),
        _KINDS[2]: (last["observed"].values, none, none),
    }
    lines = [Line.of(kind, days, 100 * np.stack(rows), looks[kind]) for kind, rows in values.items()]
    return Panel(name, "%", lines, "Valid time, days from the onset")


def _coverages(known: Mapping[str, SystemOutcome]) -> Iterator[tuple[str, Rows]]:
    heads = (
        "lead",
        "members, %",
        "calibrated, %",
        "happened, %",
        "Brier score",
        "calibrated",
        "in interval, %",
        "missed, %",
    )
    for name, own in known.items():
        assert own.calibrated is not None
        told = own.calibrated.by_lead
        places = np.flatnonzero(np.isfinite(told["raw"].values))
        few = places[np.unique(np.linspace(0, len(places) - 1, min(8, len(places))).round().astype(int))]
        rows: list[Sequence[object]] = [heads]
        for at in (told.isel(lead_time=place) for place in few):
            shares = [100 * float(at[kind]) for kind in ("raw", "calibrated", "observed")]
            scores = [float(at[kind]) for kind in ("brier_raw", "brier_calibrated")]
            ends = [100 * float(at[kind]) for kind in ("covered", "missed")]
            rows.append((at["lead_time"].values[()], *shares, *scores, *ends))
        blocks = counted(own.calibrated.n_blocks, "block")
        yield (
            f"{name}: learnt from {blocks} of forecasts; warnings may miss {100 * own.calibrated.risk:g} %",
            rows,
        )


def _both(picture: Callable[[tuple[float, float]], Figure]) -> Fitting:
    return Fitting(picture(_WIDE), picture(_NARROW))


def _begun(name: str, init: Any) -> str:
    return f"{name}, from {style.write_time(init)}."


def _pieces(tracks: xr.Dataset) -> str:
    """Say where the storms of the truth are several, as a clause: a storm that fades and deepens again is two."""
    n_tracks = len(np.unique(tracks["track_id"].values))
    return f", in {n_tracks} pieces, as the tracker finds them" if n_tracks > 1 else ", as the tracker finds it"


def _named(own: xr.DataArray, outcome: Outcome) -> xr.DataArray:
    true = outcome.stage.true
    return own.rename(true.name).assign_attrs(units=true.units)
