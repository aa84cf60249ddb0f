"""Ensembles of tracks: the mean track, and whether members are as far apart as the mean is wrong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.judging.by_lead import BOUNDS, STORMS, storm_sample
from weatherml.extremes.tracks.judging.errors import of_pairs
from weatherml.extremes.tracks.judging.pairing import STORM
from weatherml.great_circles import distance, places, unit_vectors
from weatherml.verification.significance.method import CONFIDENCE, Method

VARIANCE = "position_variance"
"""Mean square distance of members from their mean, km2, of an ensemble of infinitely many as far as these tell."""
N_MEMBERS = "n_members"
_KEYS = ["init_time", STORM, "time"]
_OF_A_MEMBER = ("number", "track_id")


def mean_tracks(pairs: xr.Dataset, least_share: float = 0.5) -> xr.Dataset:
    """Return the mean of the members of each forecast of a storm, with its errors.

    The place is in the direction of the mean of the members' directions from the middle of the Earth, so it is right
    at the date line and the poles; intensities are plain means.

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
    rows = table.to_frame(pairs)
    vectors = unit_vectors(rows["latitude"], rows["longitude"])
    rows = rows.assign(**{axis: vectors[:, place] for place, axis in enumerate("xyz")})
    n_all = rows.groupby(["init_time", STORM])["number"].nunique().rename("n_all")
    numbers = [name for name in rows.select_dtypes("number") if name not in (*_OF_A_MEMBER, *_KEYS)]
    others = [name for name in rows if name not in (*numbers, *_OF_A_MEMBER, *_KEYS)]
    groups = rows.groupby(_KEYS)
    means = pd.concat([groups[numbers].mean(), groups[others].first()], axis=1)
    means[N_MEMBERS] = groups.size()
    means["latitude"], means["longitude"] = places(means[["x", "y", "z"]])
    means[VARIANCE] = _variance(rows, means)
    kept = means.reset_index().merge(n_all.reset_index(), on=["init_time", STORM])
    kept = kept[kept[N_MEMBERS] >= least_share * kept["n_all"]]
    ids = kept.groupby(["init_time", STORM]).ngroup().to_numpy()
    own = kept.drop(columns=["x", "y", "z", "n_all"])
    units = {str(name): str(pairs[name].attrs.get("units", "")) for name in pairs.variables} | {VARIANCE: "km2"}
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


def _variance(rows: pd.DataFrame, means: pd.DataFrame) -> "pd.Series[float]":
    """Return the mean square distance from the mean, with the number of members less one as divisor."""
    both = rows.merge(means[["latitude", "longitude"]].reset_index(), on=_KEYS, suffixes=("", "_mean"))
    apart = distance(both["latitude"], both["longitude"], both["latitude_mean"], both["longitude_mean"])
    grouped = both.assign(square=apart**2).groupby(_KEYS)["square"]
    return grouped.sum() / (grouped.size() - 1).where(grouped.size() > 1)
