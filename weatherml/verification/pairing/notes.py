"""What was done to a forecast or a truth before they were compared, which results tell."""

import xarray as xr

JUDGED_AS = "judged_as"
"""Dataset attribute: what was done before forecast and truth were compared, in clauses; text, as files keep it."""
FITTED_ON = "fitted_on"
"""Dataset attribute: on which times of the truth a forecast was fitted, which tells it from one of others."""
_BETWEEN = "; "


def told_as(dataset: xr.Dataset, clause: str) -> xr.Dataset:
    """Return the dataset with one more clause."""
    return dataset.assign_attrs(as_attribute([*sentences(dataset), clause]))


def sentences(*datasets: xr.Dataset) -> list[str]:
    """Return the clauses of any of some datasets, each once."""
    said = [clause for own in datasets for clause in str(own.attrs.get(JUDGED_AS, "")).split(_BETWEEN) if clause]
    return list(dict.fromkeys(said))


def as_attribute(clauses: list[str]) -> dict[str, str]:
    """Return clauses as an attribute; none where there are none."""
    return {JUDGED_AS: _BETWEEN.join(clauses)} if clauses else {}
