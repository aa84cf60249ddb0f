"""What a check finds of errors that are planted in good data, and what it says against good data.

    python benchmarks/planted_errors.py SHARED --cache FOLDER > benchmarks/planted_errors.md

SHARED holds the folders `reanalysis` and `reference` of real files; FOLDER keeps the simulated planet. With
`--json FILE` all outcomes are written there, too, and with `--before FILE` those of an older check are set beside
today's: what `--json` wrote with the older check in PYTHONPATH.
"""

import argparse
import json
import resource
import shutil
import sys
import time
import warnings
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "data" / "quality"))

from planted import ERRORS, plantings
from sound_data import SOUND, VARIANTS, Places, as_spread, pieces
from undecidable import cannot_tell

from weatherml.cli.paths import check_paths
from weatherml.data.quality.check import check_dataset
from weatherml.data.sources.files import FilesConfig
from weatherml.data.store.ingest import ingest

TRUE_WARNINGS = ("preliminary", "there is none, so nothing", "has no pressure level", "gap in the")
"""What is rightly said of some good files: no error was planted, yet whoever uses them should know."""
FOUND, OTHER, SAID, UNSAID = "found", "by another rule", "undecidable, said", "undecidable"
GIVEN_UP, MISSED = "missed, said", "missed"
OUTCOMES = (FOUND, OTHER, SAID, UNSAID, GIVEN_UP, MISSED)
LOST = "a lost chunk"


class Case(NamedTuple):
    """One error in one dataset.

    Attributes:
        data: Name of the good dataset.
        error: Name of the mistake.
        variables: In which it was planted.
        outcome: One of the six: an undecidable error is in nothing that the fields hold, a missed one could be seen;
            `said` is what a note of the check says it cannot tell.
        rules: Ids of the rules that noticed.
    """

    data: str
    error: str
    variables: str
    outcome: str
    rules: str


class Good(NamedTuple):
    """What is said against good data.

    Attributes:
        alarms: Against the whole.
        n_pieces: How many pieces of it were looked at.
        of_pieces: Against those.
    """

    alarms: list[str]
    n_pieces: int
    of_pieces: list[str]


def examine(name, places):
    """Return the cases of a dataset, what is said against it and its pieces while they are good, and seconds."""
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    good = SOUND[name](places)
    before = check_dataset(good)
    planted = [] if name in VARIANTS else plantings(good)
    cases = [case for error, names in planted if (case := _case(name, good, before, error, names))]
    parts = [] if name in VARIANTS else [(part, own) for part, own in pieces(good) if _has_values(own)]
    against = {f"{part}: {said}" for part, own in parts for said in _alarms(check_dataset(own))}
    return cases, Good(_alarms(before), len(parts), sorted(against)), time.perf_counter() - start


def _has_values(dataset):
    return all(bool(np.isfinite(field).any()) for field in dataset.data_vars.values())


def _alarms(findings):
    wrong = [f for f in findings if f.severity != "note"]
    return [str(f) for f in wrong if not any(words in f.message for words in TRUE_WARNINGS)]


def _case(name, good, before, error, names):
    bad = error.plant(good, names)
    if bad.identical(good):
        return None
    known = {_key(f) for f in before}
    after = check_dataset(bad)
    new = {f.rule for f in after if f.severity != "note" and _key(f) not in known}
    reason = cannot_tell(error, good, names, world=_world(name))
    is_said = _is_said(error, names, good, after)
    return Case(name, error.name, _short(names, good), _outcome(error, new, reason, is_said), " ".join(sorted(new)))


def _world(name):
    return next((world for world in ("planet", "made-up Earth") if world in name), "Earth")


def _key(finding):
    return finding.severity, finding.subject, finding.rule or finding.message


def _outcome(error, rules, reason, is_said):
    if rules:
        return FOUND if rules & error.rules else OTHER
    if is_said:
        return SAID if reason else GIVEN_UP
    return UNSAID if reason else MISSED


_NOTED = {
    "longitude shifted by 180 degrees": "longitude shifted or mirrored",
    "longitude shifted by about 10 degrees": "longitude shifted or mirrored",
    "mirrored east to west": "longitude shifted or mirrored",
    "times off by 12 h": "times off by hours",
    "two times exchanged": "times exchanged",
    "100 days exchanged": "times exchanged",
    "version changes in the middle": "versions that change",
    "knots": "wind by a factor",
    "rain / 6": "rain or wind by a factor",
    "rain / 1000": "rain or wind by a factor",
}
"""What a note calls an error where it does not say its name."""


def _is_said(error, names, dataset, findings):
    """Return whether a note says that an error cannot be seen in these variables."""
    notes = " ".join(f.message for f in findings if f.rule == "undecidable")
    words = [_NOTED.get(error.name, error.name), *(["sign of wind"] if error.family == "wind" else [])]
    for word in words:
        told = notes.partition(word)[2].partition(": ")[2].partition(": ")[0]
        named = [name for name in dataset.data_vars if name in told]
        if word in notes and (not named or set(names) <= set(named)):
            return True
    return False


def _short(names, dataset):
    return "all" if len(names) == len(dataset.data_vars) > 1 else " + ".join(names)


# ---- Chunks that are gone


def lost_chunks(places):
    """Return cases of stores one of whose files was deleted, whoever wrote them."""
    stores = places.cache / "stores"
    shutil.rmtree(stores, ignore_errors=True)
    folder = places.shared / "reanalysis"
    pressure, vorticity = (folder / f"era5_{name}_2025-2026_djf_2.5x2.5.zarr" for name in ("msl", "vo850"))
    planet = SOUND["planet, 30 days"](places)
    source = FilesConfig(paths=(str(pressure),)).source(places.cache)
    makers = {
        "pressure of the winter, its own store of zarr 2": _copied(pressure),
        "vorticity of the winter, its own store of zarr 2": _copied(vorticity),
        "pressure of the winter, zarr 3 by ingest": lambda path: ingest(source, path, shard_length=36),
        "wind of the planet, zarr 3 by xarray": _written(planet[["u_component_of_wind"]], {}),
        "wind of the planet, zarr 3 by xarray, lost is 0": _written(planet[["v_component_of_wind"]], {"fill_value": 0}),
        "wind of the planet, zarr 2 by xarray": _written(planet[["u_component_of_wind"]], {}, zarr_format=2),
    }
    return [_lost(name, make, stores / f"{i}.zarr") for i, (name, make) in enumerate(makers.items())]


def _copied(store):
    return lambda path: shutil.copytree(store, path, copy_function=shutil.copyfile)


def _written(dataset, encoding, zarr_format=3):
    (name,) = map(str, dataset.data_vars)
    chunks = {name: {"chunks": (4, *dataset[name].shape[1:]), **encoding}}
    return lambda path: dataset.to_zarr(path, zarr_format=zarr_format, encoding=chunks, consolidated=False)


def _lost(name, make, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    for own in (path, *path.rglob("*")):
        own.chmod(0o755 if own.is_dir() else 0o644)
    known = {_key(f) for f in check_paths([str(path)])}
    chunks = sorted(own for own in path.rglob("*") if own.is_file() and _is_chunk(own.relative_to(path)))
    chunks[len(chunks) // 2].unlink()
    new = [f for f in check_paths([str(path)]) if f.severity != "note" and _key(f) not in known]
    return Case(name, LOST, "", FOUND if new else MISSED, " ".join(sorted({f.rule for f in new})))


def _is_chunk(file):
    """Return whether a file of a store holds values of a field."""
    return file.parts[0] not in ("time", "level", "latitude", "longitude", "valid_time") and file.name[-1].isdigit()


# ---- Tables


def summary(cases, before):
    """Yield a row an error: how many cases there are of it, and what became of them."""
    head = ["error", "cases", *OUTCOMES] + ["before: found"] * bool(before)
    yield from _head(head)
    old = Counter(case.error for case in before if case.outcome in (FOUND, OTHER))
    for error in [*ERRORS, LOST]:
        counts = Counter(case.outcome for case in cases if case.error == error)
        figures = [sum(counts.values()), *(counts[outcome] for outcome in OUTCOMES)]
        yield _row([error, *figures, *([old[error]] if before else [])])


_KINDS = {
    "temperature": "temperature",
    "sea_": "sea",
    "pressure": "pressure",
    "geopotential": "geopotential",
    "wind": "wind",
    "vorticity": "vorticity",
    "humidity": "humidity",
    "precipitation": "rain",
}
"""What variables are, by a part of their names."""


def _kind(case):
    kinds = {_kind_of(name) for name in case.variables.split(" + ")}
    return kinds.pop() if len(kinds) == 1 else "all"


def _kind_of(variable):
    bare = variable.replace("mean_sea_level", "")
    return next((kind for part, kind in reversed(_KINDS.items()) if part in bare), variable)


def by_kind(cases):
    """Yield a row an error, a column a kind of variable: found of those that fields can tell, `-` where none can."""
    kinds = [*dict.fromkeys(_KINDS.values()), "all"]
    yield from _head(["error", *kinds])
    for error in ERRORS:
        cells = []
        for kind in kinds:
            own = [case.outcome for case in cases if case.error == error and _kind(case) == kind]
            able = [outcome for outcome in own if outcome not in (SAID, UNSAID)]
            n_found = sum(outcome in (FOUND, OTHER) for outcome in able)
            cells.append(f"{n_found} of {len(able)}" if able else "-" * bool(own))
        yield _row([error, *cells])


def by_family(cases):
    """Yield a table a family of errors: a row for what they were planted in, a column an error."""
    for family in dict.fromkeys(error.family for error in ERRORS.values()):
        names = [error.name for error in ERRORS.values() if error.family == family]
        cells = defaultdict(dict)
        for case in cases:
            if case.error in names:
                cells[case.data, case.variables][case.error] = _cell(case)
        yield f"\n### {family.capitalize()}\n"
        yield from _head(["data", "in", *names])
        yield from (_row([*key, *(own.get(name, "") for name in names)]) for key, own in cells.items())


def _cell(case):
    return f"{case.rules or 'found'}" if case.outcome in (FOUND, OTHER) else case.outcome


def _head(cells):
    return [_row(cells), _row(["---"] * len(cells))]


def _row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def alarms_table(good):
    yield from _head(["good data", "errors and warnings", "pieces", "errors and warnings of pieces"])
    yield from (
        _row([name, "; ".join(own.alarms) or "none", own.n_pieces, "; ".join(own.of_pieces) or "none"])
        for name, own in good.items()
    )


def report(cases, good, before, places):
    able = [case for case in cases if case.outcome not in (SAID, UNSAID)]
    n_found = sum(case.outcome in (FOUND, OTHER) for case in able)
    command = "`python benchmarks/planted_errors.py SHARED --cache FOLDER`"
    yield "# Errors planted in good data\n"
    yield f"{command}: {len(cases)} cases, {len(good)} good datasets, {_cpu_seconds():.0f} CPU seconds.\n"
    yield f"Of {len(able)} errors that the fields can tell, {n_found} were found ({n_found / len(able):.1%}).\n"
    n_bad = sum(bool(own.alarms) for own in good.values())
    n_alarms, n_pieces = sum(len(own.of_pieces) for own in good.values()), sum(own.n_pieces for own in good.values())
    yield f"False alarms: in {n_bad} of {len(good)} good datasets, and {n_alarms} in {n_pieces} pieces of them: single"
    yield "times, periods, every k-th time, regions, belts.\n"
    yield from summary(cases, before)
    yield "\n## By kind of variable\n"
    yield "Found, of those that the fields can tell; `-`: none can; `all`: in several at once.\n"
    yield from by_kind(cases)
    yield "\n## A file with an error of its own\n"
    yield "Wind at 850 hPa of `reference/sphere` lies from south to north under labels from north to south:\n"
    yield from (f"    {said}" for said in _alarms(check_dataset(as_spread(places))))
    yield "\n## Good data\n"
    yield from alarms_table(good)
    yield "\n## Case by case\n"
    yield "A cell names the rules that noticed; an empty one is an error that cannot be made there."
    yield from by_family(cases)
    yield "\n### Files\n\nOne file of a store deleted:\n"
    yield from _head(["store", "outcome"])
    yield from (_row([case.data, _cell(case)]) for case in cases if case.error == LOST)


def examine_all(places, only):
    """Return cases and what was said against good data, in the order of the datasets, computed in two processes."""
    names = [name for name in SOUND if only in name]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        done = list(pool.map(examine, names, [places] * len(names)))
    for name, (_, _, seconds) in zip(names, done, strict=True):
        print(f"{seconds:6.1f} s  {name}", file=sys.stderr)
    cases = [case for own, _, _ in done for case in own]
    return cases, {name: said for name, (_, said, _) in zip(names, done, strict=True)}


def _cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--only", default="", help="datasets whose names hold this")
    options = parser.parse_args()
    places = Places(options.shared, options.cache)
    cases, good = examine_all(places, options.only)
    cases += [] if options.only else lost_chunks(places)
    if options.json:
        options.json.write_text(json.dumps([case._asdict() for case in cases]))
    before = [Case(**entry) for entry in json.loads(options.before.read_text())] if options.before else []
    print("\n".join(report(cases, good, before, places)))


if __name__ == "__main__":
    main()
