"""Scores of systems, written as the endings of paths say."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from weatherml.cli.outputs import require_new
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.storage.files import write_bytes, write_netcdf
from weatherml.verification.cards import Pairs, with_cards
from weatherml.verification.tables.published import read_published
from weatherml.verification.tables.tidy import tidy_csv

PAGE, SCORES, TABLE = ".html", ".nc", ".csv"


def require_outputs(paths: Sequence[Path], overwrite: bool) -> None:
    """Require that what is asked for can be written, before anything is judged.

    Raises:
        UserError: It cannot, or is neither a page, nor scores, nor a table.
    """
    for path in paths:
        if path.suffix not in (PAGE, SCORES, TABLE):
            raise UserError(f"output {path} is neither a page (.html), nor scores (.nc), nor a table (.csv)")
        require_new(path, overwrite)


def read_references(paths: Sequence[Path]) -> xr.Dataset | None:
    """Read what others have published, to be laid beneath curves.

    Raises:
        UserError: A file holds no scores.
    """
    found = [read_published(path) for path in paths]
    return xr.concat(found, "system", join="outer", data_vars="all") if found else None


def write_scores(path: Path, scores: xr.Dataset, compared: Pairs, published: xr.Dataset | None) -> None:
    """Write a page, scores with scorecards, or a table of scores."""
    if path.suffix == SCORES:
        write_netcdf(path, with_cards(scores, compared))
    elif path.suffix == TABLE:
        write_bytes(path, tidy_csv(scores))
    else:
        from weatherml.plot.verification import write_page

        write_page(path, title_of(scores, compared), scores, compared, published)


def title_of(scores: xr.Dataset, compared: Pairs) -> str:
    """Say which systems a page is of, and what they are held against."""
    own, others = (list(dict.fromkeys(pair[place] for pair in compared)) for place in (0, 1))
    return f"{listed(own)} against {listed(others)}" if own else listed(map(str, scores["system"].values))
