"""The verb that fetches the files of a source, or says what that would take."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ConfigDict

from weatherml.cli.options import AsJson
from weatherml.cli.settings import Folder, file_and_overrides
from weatherml.config import Config, apply_overrides, from_mapping, load_yaml
from weatherml.errors import UserError

if TYPE_CHECKING:
    from weatherml.data.sources.cds import CdsConfig
    from weatherml.data.sources.cds.download import Delivery
    from weatherml.data.sources.cds.units import Unit

_SHOWN = 40  # requests


def download(
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="CONFIG [KEY.PATH=VALUE]...", help="A YAML file, and values that win over it."),
    ] = None,
    output: Folder = Path("runs/demo"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say requests, fields and GB; ask for nothing.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again for what was preliminary (ERA5T).")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch the files of `source: {name: cds, ...}`; of CONFIG only `source` is read. Run again, it goes on.

    Example: `weatherml download era5.yaml --dry-run`
    """
    from weatherml.cli.printing.progress import bar
    from weatherml.data.sources.cds.download import download

    config = _cds_source(settings or [])
    folder = config.place(output)
    config.source(output).times()  # what cannot be derived of it is refused here
    if dry_run:
        _print_plan(config, folder, as_json)
        return
    with bar("download") as progress:
        delivery = download(config, folder, progress, refresh)
    _print_delivery(delivery, folder, as_json)


def _cds_source(words: Sequence[str]) -> "CdsConfig":
    """Build from positional words, as other verbs build an experiment, what a download needs of it."""
    from weatherml.data.sources import AnySource, CdsConfig

    class Settings(Config):
        """Of a whole experiment, what a download needs."""

        model_config = ConfigDict(extra="ignore")

        source: AnySource

    file, overrides = file_and_overrides(words)
    if file is None:
        source = from_mapping(Settings, apply_overrides({}, overrides)).source
    else:
        source = load_yaml(Settings, file, overrides).source
    if not isinstance(source, CdsConfig):
        raise UserError(f"source {source.name!r} needs no download; take it to ingest, or set source.name=cds")
    return source


def _print_plan(config: "CdsConfig", folder: Path, as_json: bool) -> None:
    from weatherml.data.sources.cds.ledger import Ledger
    from weatherml.errors.wording import size_of

    ledger = Ledger(folder)
    units = ledger.plan(config)
    config.require_past()
    left = [unit for unit in units if not ledger.is_there(unit)]
    n_bytes = {unit.name: unit.n_bytes(config.n_points) for unit in left}
    if as_json:
        requests = [
            {"dataset": u.dataset, "request": u.request(), "fields": u.n_fields, "bytes": n_bytes[u.name]} for u in left
        ]
        print(json.dumps({"n_requests": len(units), "left": requests}, indent=1))
        return
    for unit in left[:_SHOWN]:
        print(f"{unit.month}  {size_of(n_bytes[unit.name]):>8}  {unit.n_fields:6,} fields  {_words(unit)}")
    if len(left) > _SHOWN:
        print(f"... and {len(left) - _SHOWN} more; --json lists them all")
    size, fields = size_of(sum(n_bytes.values())), sum(unit.n_fields for unit in left)
    print(f"{len(left)} of {len(units)} requests left: {fields:,} fields, about {size}, into {folder}")


def _words(unit: "Unit") -> str:
    levels = f" on {', '.join(map(str, unit.levels))} hPa" if unit.levels else ""
    return f"{', '.join(unit.variables)}{levels}"


def _print_delivery(delivery: "Delivery", folder: Path, as_json: bool) -> None:
    preliminary = [unit.name for unit in delivery.preliminary]
    if as_json:
        files = [str(path) for path in delivery.files]
        told = {"n_requests": delivery.n_requests, "n_fetched": delivery.n_fetched}
        replaced = [f"{time:.16}" for time in map(str, delivery.replaced)]
        print(json.dumps({**told, "files": files, "preliminary": preliminary, "replaced": replaced}, indent=1))
        return
    if len(delivery.replaced):
        first, last = delivery.replaced[0], delivery.replaced[-1]
        print(f"replaced: {len(delivery.replaced)} times; into a store with ingest --refresh {first:.16}..{last:.16}")
    if preliminary:
        print(
            f"{len(preliminary)} of {delivery.n_requests} files hold preliminary values (ERA5T); about three months"
            " after their time, --refresh replaces them"
        )
    print(folder)
