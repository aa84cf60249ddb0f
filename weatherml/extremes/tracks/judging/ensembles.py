"""Ensembles of tracks: the mean track, and whether members are as far apart as the mean is wrong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.judging.by_lead import BOUNDS, STORMS, storm_sample
from weatherml.extremes.tracks.judging.errors import of_pairs
from weatherml.extremes.tracks.judging.pairing import BEST, STORM
from weatherml.sphere.great_circles import distance, places, unit_vectors
from weatherml.verification.significance.method import CONFIDENCE, Method

VARIANCE = "position_variance"
"""Mean square distance of members from their mean, km2, of an ensemble of infinitely many as far as these tell."""
N_MEMBERS = "n_members"
_REFERENCES = [f"{whose}{name}" for whose in ("", BEST) for name in table.REFERENCES]
_KEYS = ["init_time", STORM, "time"]


def mean_tracks(pairs: xr.Dataset, least_share: float = 0.5) -> xr.Dataset:
    """Return the mean of the members of each forecast of a storm, with its errors.

    The place is in the direction of the mean of the members' directions from the middle of the Earth, so it is right
    at the date line and the poles; other angles are those of mean unit vectors, and intensities are plain means. Two
    tracks that a member has of one storm at a time are averaged first, so that each member counts once.

    Args:
        pairs: Of members, what `pairing.pair` or `errors` returns.
        least_share: Of the members that ever followed the storm, so many must still do; else the mean ends: that of the
            few that are left is of another kind.

    Returns:
        As `errors`, a track for each initial time and storm, with `n_members` and `position_variance`, km2: the mean
        square distance of members from their mean, with the number of members less one as divisor; NaN of one member.

    Raises:
        UserError: There are no members.
    """
    for name in ("number", "init_time"):
        if name not in pairs:
            raise UserError(f"an ensemble of tracks has {name!r}; pass errors of a forecast with members")
    rows = table.to_frame(pairs.drop_vars(_REFERENCES, errors="ignore"))
    angles = [name for name in table.angles(pairs) if not name.startswith(BEST) and name != "longitude"]
    rows = _averaged(rows.drop(columns=["track_id"]), [*_KEYS, "number"], angles)  # a member may have two tracks of one
    n_all = rows.groupby(["init_time", STORM])["number"].nunique().rename("n_all")
    means = _averaged(rows.drop(columns="number"), _KEYS, angles).set_index(_KEYS)
    means[N_MEMBERS] = rows.groupby(_KEYS).size()
    means[VARIANCE] = _variance(rows, means)
    kept = means.reset_index().merge(n_all.reset_index(), on=["init_time", STORM])
    kept = kept[kept[N_MEMBERS] >= least_share * kept["n_all"]]
    ids = kept.groupby(["init_time", STORM]).ngroup().to_numpy()
    own = kept.drop(columns="n_all")
    units = {name: str(pairs[name].attrs.get("units", "")) for name in table.columns_of(pairs)} | {VARIANCE: "km2"}
    columns = {str(name): own[name].to_numpy() for name in own}
    return of_pairs(table.make({"track_id": ids} | columns, units))


def spread_and_error(means: xr.Dataset, interval: Method = STORMS) -> xr.Dataset:
    """Compare, at each lead time, how far members are from their mean with how far the mean is from the best track.

    Args:
        means: What `mean_tracks` returns.
        interval: How intervals are had from the storms.

    Returns:
        Dims (bound, lead_time): `spread` and `error`, km, roots of mean squares, and `ratio`, spread by error. The
        variance counts (M + 1) / M times, as of M members, of which the truth is like another one (Leutbecher 2009), so
        a reliable ensemble of any size has a ratio of one.
    """
    rows = table.to_frame(means)
    rows = rows[np.isfinite(rows[VARIANCE])]
    if rows.empty:
        raise UserError(
            "no forecast has two members that follow a storm, so there is no spread; pass a larger ensemble"
        )
    leads = np.unique(rows["lead_time"])
    factor = (rows[N_MEMBERS] + 1) / rows[N_MEMBERS]
    squares = {"spread": rows[VARIANCE] * factor, "error": rows["track_error"] ** 2}
    own = rows[[STORM, "time", "lead_time"]]
    sample = storm_sample([own.assign(value=values) for values in squares.values()], leads)
    functions = {
        "spread": lambda spread, error: np.sqrt(spread),
        "error": lambda spread, error: np.sqrt(error),
        "ratio": lambda spread, error: np.sqrt(spread / error),
    }
    fields = {}
    for name, function in functions.items():
        bounds = interval.judge(replace(sample, function=function))
        values = np.stack([getattr(bounds, bound) for bound in BOUNDS])
        fields[name] = (("bound", "lead_time"), values, {"units": "1" if name == "ratio" else "km"})
    scores = xr.Dataset(fields, {"bound": list(BOUNDS), "lead_time": leads})
    return scores.assign_attrs(confidence=CONFIDENCE, intervals="over storms")


def _averaged(rows: pd.DataFrame, keys: list[str], angles: list[str]) -> pd.DataFrame:
    """Return means of rows of the same keys, and the first of what has none: texts, and the best track."""
    vectors = unit_vectors(rows["latitude"], rows["longitude"])
    parts = {axis: vectors[:, place] for place, axis in enumerate("xyz")}
    for name in angles:
        parts |= {f"{name}{part}": own(np.radians(rows[name])) for part, own in ((" sin", np.sin), (" cos", np.cos))}
    own = rows.assign(**parts)
    numbers = [name for name in own.select_dtypes("number") if name not in keys and not name.startswith(BEST)]
    groups = own.groupby(keys)
    means = pd.concat([groups[numbers].mean(), groups[own.columns.difference([*numbers, *keys])].first()], axis=1)
    means["latitude"], means["longitude"] = places(means[["x", "y", "z"]])
    for name in angles:
        means[name] = np.degrees(np.arctan2(means[f"{name} sin"], means[f"{name} cos"])) % 360
    return means[rows.columns.difference(keys, sort=False)].reset_index()


def _variance(rows: pd.DataFrame, means: pd.DataFrame) -> "pd.Series[float]":
    """Return the mean square distance from the mean, with the number of members less one as divisor."""
    both = rows.merge(means[["latitude", "longitude"]].reset_index(), on=_KEYS, suffixes=("", "_mean"))
    apart = distance(both["latitude"], both["longitude"], both["latitude_mean"], both["longitude_mean"])
    grouped = both.assign(square=apart**2).groupby(_KEYS)["square"]
    return grouped.sum() / (grouped.size() - 1).where(grouped.size() > 1)
