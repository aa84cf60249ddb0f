"""The mesh and the savings of memory that are fastest among what fits: reckoned for all, compiled for the best."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import gcd, prod

from weatherml.errors import UserError
from weatherml.parallel import MeshConfig
from weatherml.parallel.hardware.accelerators import Devices
from weatherml.plan.planning import Plan, plan, with_smaller_batches
from weatherml.plan.problem import Problem
from weatherml.training.curriculum.stages import Stage

_MOST_COMPILED = 3
"""Candidates that are compiled: each takes as long as the plan itself."""

_MOST_TENSOR = 8
"""Beyond the devices of a node, what `tensor` exchanges in every block would cross the network."""


_OF_BATCHES = frozenset({"batch", "next batch", "activations", "validations beyond a step"})
"""Parts of the memory of a device that shrink with batches."""


@dataclass(frozen=True)
class Saving:
    """A way to need less memory.

    Attributes:
        changes: Of the configuration.
        activations: Share of the memory of activations that is left, about.
        time: Of a step, over that without it, about.
    """

    changes: tuple[str, ...]
    activations: float
    time: float


_REMAT = "training.device_memory.remat"
_ACCUMULATE = "training.device_memory.accumulate"
SAVINGS = (
    Saving((f"{_REMAT}=none", f"{_ACCUMULATE}=1"), 1.0, 1.0),
    Saving((f"{_REMAT}=products", f"{_ACCUMULATE}=1"), 0.6, 1.15),
    Saving((f"{_REMAT}=attention", f"{_ACCUMULATE}=1"), 0.4, 1.25),
    Saving((f"{_REMAT}=blocks", f"{_ACCUMULATE}=1"), 0.2, 1.33),
)
"""Those of a network's blocks; parts of a batch come on top.

Activations of `blocks` are those planned of both sizes of Pangu-Weather (17.8 of 89.5 GiB, 4.7 of 23.6), of the others
those of a small one (0.64 and 0.36). Times are an upper bound by operations, a forward step more for `blocks`: a small
network on a CPU took 0.92 to 1.02, and nothing was measured on an accelerator. All of it: benchmarks/device_memory.md.
"""


@dataclass(frozen=True)
class Candidate:
    """Another layout.

    Attributes:
        changes: Of the configuration.
        needed: Memory of a device, bytes, reckoned from what was compiled.
        seconds: Of a step of the first stage, reckoned.
    """

    changes: tuple[str, ...]
    needed: float
    seconds: float


@dataclass(frozen=True)
class Proposal:
    """What would be better than what was asked.

    Attributes:
        plan: The best that fits, compiled; None where nothing does, or nothing better.
        on_more: The fewest devices of the kind on which something would fit, and what, reckoned; None where not needed.
        in_less: The largest batches that would fit the devices that were asked for, and what, reckoned; likewise.
    """

    plan: Plan | None
    on_more: tuple[Devices, Candidate] | None = None
    in_less: tuple[int, Candidate] | None = None


def proposed(problem: Problem, asked: Plan) -> Proposal:
    """Return what is best among what fits the devices that were asked for, or what would if nothing does."""
    best = asked if asked.fits else None
    for candidate in islice(_worth_a_look(problem, asked), _MOST_COMPILED):
        try:
            compiled = plan(problem, asked.devices, candidate.changes)
        except UserError:  # what it forbids is not what was asked
            continue
        if compiled.fits and (best is None or compiled.days < best.days):
            best = compiled
            break
    if best is None:
        return Proposal(None, on_more(problem, asked), in_less(problem, asked))
    return Proposal(None if best is asked else best)


def _worth_a_look(problem: Problem, asked: Plan) -> Iterator[Candidate]:
    """Yield candidates that should fit and be faster than what was asked, or just fit where that does not."""
    fitting = [one for one in candidates(problem, asked, asked.devices.count) if one.needed <= asked.room]
    step = asked.stages[0].step_seconds
    for one in sorted(fitting, key=lambda one: (one.seconds, one.needed)):
        if not asked.fits or one.seconds < 0.97 * step:
            yield one


def on_more(problem: Problem, asked: Plan) -> tuple[Devices, Candidate] | None:
    """Return the fewest devices, by doubling, on which something is reckoned to fit, and the fastest of it."""
    for times in (2, 4, 8, 16, 32, 64):
        count = asked.devices.count * times
        fitting = [one for one in candidates(problem, asked, count) if one.needed <= asked.room]
        if fitting:
            return Devices(count, asked.devices.kind), min(fitting, key=lambda one: (one.seconds, one.needed))
    return None


def in_less(problem: Problem, asked: Plan) -> tuple[int, Candidate] | None:
    """Return the largest `batch_size` with which something is reckoned to fit the devices, and the fastest of it."""
    training = problem.config.training
    for times in _divisors(gcd(*(size for size, _ in training.batches)))[1:]:
        smaller = problem.with_config(with_smaller_batches(problem.config, times))
        fitting = [one for one in candidates(smaller, _with_less(asked, times), asked.devices.count)]
        fitting = [one for one in fitting if one.needed <= asked.room]
        if fitting:
            best = min(fitting, key=lambda one: (one.seconds, one.needed))
            return training.batch_size // times, replace(best, changes=(*_batch_sizes(problem, times), *best.changes))
    return None


def _with_less(asked: Plan, times: int) -> Plan:
    """Return a plan, reckoned, of batches that are so many times smaller."""

    def less(memory: Mapping[str, int]) -> dict[str, int]:
        return {part: size // times if part in _OF_BATCHES else size for part, size in memory.items()}

    stages = tuple(
        replace(stage, seconds={part: own / times for part, own in stage.seconds.items()}, memory=less(stage.memory))
        for stage in asked.stages
    )
    return replace(asked, memory=less(asked.memory), stages=stages)


def _batch_sizes(problem: Problem, times: int) -> Iterator[str]:
    """Yield the changes that make all batches so many times smaller."""
    training = problem.config.training
    yield f"training.batch_size={training.batch_size // times}"
    for index, stage in enumerate(training.stages):
        if stage.batch_size is not None:
            yield f"training.stages.{index}.batch_size={stage.batch_size // times}"


def candidates(problem: Problem, asked: Plan, n_devices: int) -> Iterator[Candidate]:
    """Yield every mesh of so many devices on which training would run, with every saving, reckoned from a plan.

    Where stages have meshes of their own, the best of each together; savings are then as they were asked for.
    """
    of_mesh: dict[tuple[int, ...], list[int]] = {}
    for position, stage in enumerate(asked.stages):
        of_mesh.setdefault(tuple(stage.mesh.values()), []).append(position)
    if len(of_mesh) == 1:
        for one in _of_one_mesh(problem, asked, n_devices):
            yield replace(one, changes=_of_every_stage(one.changes, problem.config.training.stages))
        return
    parts = [(positions, problem.of_stages(positions), _plan_of(asked, positions)) for positions in of_mesh.values()]
    best = [_best_of(*part, n_devices) for part in parts]
    for each in zip(*best, strict=False):
        yield _together(each, [own for _, _, own in parts], asked)


def _plan_of(asked: Plan, positions: Sequence[int]) -> Plan:
    """Return the plan of stages that share a mesh."""
    stages = tuple(asked.stages[position] for position in positions)
    return replace(asked, stages=stages, mesh=stages[0].mesh, memory=stages[0].memory, exchanged=stages[0].exchanged)


def _best_of(positions: Sequence[int], problem: Problem, asked: Plan, n_devices: int) -> list[Candidate]:
    """Return the fastest meshes that fit for some stages, or those of least memory where none does, best first."""
    found = list(_of_one_mesh(problem, asked, n_devices, saves=False))
    fitting = [one for one in found if one.needed <= asked.room]
    best = sorted(fitting, key=lambda one: (one.seconds, one.needed)) or sorted(found, key=lambda one: one.needed)
    return [replace(one, changes=tuple(_of_stages(one.changes, positions))) for one in best[:_MOST_COMPILED]]


def _of_stages(changes: Sequence[str], positions: Sequence[int]) -> Iterator[str]:
    """Yield what changes a mesh as changes of the meshes of some stages."""
    for change in changes:
        key = change.removeprefix("training.mesh.")
        yield from [change] if key == change else [f"training.stages.{position}.mesh.{key}" for position in positions]


def _of_every_stage(changes: Sequence[str], stages: Sequence[Stage]) -> tuple[str, ...]:
    """Return what changes the mesh of the training, and of stages that name one, to the same."""
    named = [position for position, stage in enumerate(stages) if stage.mesh]
    own = tuple(_of_stages(changes, named))
    return own if len(named) == len(stages) else tuple(dict.fromkeys((*changes, *own)))


def _together(each: Sequence[Candidate], plans: Sequence[Plan], asked: Plan) -> Candidate:
    """Return what is reckoned of all stages, each on its mesh: its time is that of all, as a change of the first."""
    lengths = [sum(stage.n_steps for stage in own.stages) for own in plans]
    before = sum(n * own.stages[0].step_seconds for n, own in zip(lengths, plans, strict=True))
    after = sum(n * one.seconds for n, one in zip(lengths, each, strict=True))
    changes = tuple(change for one in each for change in one.changes)
    return Candidate(changes, max(one.needed for one in each), asked.stages[0].step_seconds * after / before)


def _of_one_mesh(problem: Problem, asked: Plan, n_devices: int, saves: bool = True) -> Iterator[Candidate]:
    """Yield every mesh of stages that share it, with every saving; with those alone that were asked for if not."""
    sizes = [size for size, _ in problem.config.training.batches]
    savings = _savings(problem) if saves else [Saving((), 1.0, 1.0)]
    for tensor, lat, lon, fsdp in product(*(_divisors(n_devices) for _ in range(4))):
        data, rest = divmod(n_devices, tensor * lat * lon * fsdp)
        parts = data * fsdp
        if rest or not data or tensor > _MOST_TENSOR or any(size % parts for size in sizes):
            continue
        own = MeshConfig(data=data, fsdp=fsdp, spatial=(lat, lon), tensor=tensor)
        if not _is_taken(problem, own, n_devices, saves):
            continue
        bands = f"spatial={lat}" if lon == 1 else f"spatial=[{lat},{lon}]"
        mesh = (f"data={data}", f"fsdp={fsdp}", bands, f"tensor={tensor}", "member=1")
        keys = tuple(f"training.mesh.{key}" for key in mesh)
        sizes_of_mesh = {"data": data, "fsdp": fsdp, "lat": lat, "lon": lon, "tensor": tensor}
        for saving, accumulate in product(savings, _divisors(gcd(*sizes) // parts) if saves else [1]):
            yield _reckoned(asked, keys, saving, sizes_of_mesh, accumulate)


def _savings(problem: Problem) -> list[Saving]:
    """Return what training takes: where less passes between blocks, only that of blocks computed again."""
    between = problem.config.training.device_memory.between_blocks != "float32"
    return [saving for saving in SAVINGS if not (between and f"{_REMAT}=none" in saving.changes)]


def _is_taken(problem: Problem, mesh: MeshConfig, n_devices: int, is_whole: bool) -> bool:
    """Return whether training takes a mesh, with batches in one part or in as many as are asked for."""
    training = problem.config.training
    memory = training.device_memory.model_copy(update={"accumulate": 1} if is_whole else {})
    stages = tuple(stage.model_copy(update={"mesh": None}) for stage in training.stages)
    other = training.model_copy(update={"mesh": mesh, "device_memory": memory, "stages": stages})
    try:
        (layout,) = set(other.lay_out(problem.config.model, problem.spec.grid.shape, n_devices))
        layout.require_split(problem.outline.weights)
    except UserError:
        return False
    return True


def _reckoned(asked: Plan, keys: tuple[str, ...], saving: Saving, mesh: dict[str, int], accumulate: int) -> Candidate:
    """Reckon from what was compiled: shares of weights by `fsdp` and `tensor`, of activations by all axes."""
    before, own = asked.mesh, asked.memory
    weights = before["fsdp"] * before["tensor"] / (mesh["fsdp"] * mesh["tensor"])
    all_before = before["data"] * before["fsdp"] * before["lat"] * before["lon"] * before["tensor"]
    all_after = prod(mesh.values())
    share = all_before / all_after
    of_weights = own["weights"] + own["moments"] + own["average"] + own["gradient"]
    batches = (
        (own["batch"] + own["next batch"] + own.get("validations beyond a step", 0))
        * share
        * mesh["tensor"]
        / before["tensor"]
    )
    needed = weights * of_weights + batches + share * saving.activations * own["activations"] / accumulate
    gathered = own["weights"] * before["fsdp"] / 8 if mesh["fsdp"] > 1 else 0  # the weights of a block in use
    step = asked.stages[0]
    computing = sum(step.seconds[key] for key in step.seconds if not key.startswith("exchange"))
    # Every halving of fields or of the network exchanges activations in every block: taken as a tenth of the step each.
    exchanging = 0.1 * ((mesh["lat"] * mesh["lon"]).bit_length() - 1) + 0.15 * (mesh["tensor"].bit_length() - 1)
    exchanging += 0.03 * (mesh["fsdp"] > 1)
    seconds = computing * share * saving.time * (1 + exchanging) * (1 + 0.02 * (accumulate - 1))
    accumulated = f"{_ACCUMULATE}={accumulate}"
    changes = tuple(accumulated if key.startswith(_ACCUMULATE) else key for key in saving.changes)
    return Candidate((*keys, *changes), needed + gathered + own["loss weights and masks"], seconds)


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
