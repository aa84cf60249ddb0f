"""Compiles the optimiser step in a process of its own, which has as many virtual devices as its mesh needs.

Virtual devices are made when a process begins, and what is compiled at full size should be gone with it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from weatherml.errors import UserError
from weatherml.parallel.programs.traffic import Work
from weatherml.plan.problem import Problem

if TYPE_CHECKING:
    from weatherml.parallel.programs.compiled import Collective
    from weatherml.plan.program import Program

_REFUSED = 2
"""Exit code where the configuration is to blame."""

_NO_OPTIMISATION = "--xla_backend_optimization_level=0"
"""Of machine code alone, which never runs; what is counted is settled before it is made."""


@dataclass(frozen=True)
class Exchange:
    """What a device sends along some axes of the mesh in a step.

    Attributes:
        kind: Of collective, such as `all-reduce`.
        axes: Along which.
        n_bytes: That one device sends.
    """

    kind: str
    axes: tuple[str, ...]
    n_bytes: float


@dataclass(frozen=True)
class Validating:
    """What was read off the program of a batch of validations, of one device.

    Attributes:
        batch: Bytes of it.
        temporary: Bytes that the program takes beside it and what lies there between steps.
        work: Of a batch.
        exchanges: What it sends.
        counts: Operations over all devices.
    """

    batch: int
    temporary: int
    work: Work
    exchanges: tuple[Exchange, ...]
    counts: Mapping[str, float]

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """Read what `asdict` wrote as JSON."""
        return cls(**(told | {"work": Work.from_json(told["work"]), "exchanges": _read_exchanges(told["exchanges"])}))


@dataclass(frozen=True)
class Compiled:
    """What was read off the program of one device.

    Attributes:
        mesh: Sizes of the axes.
        stage: Position of the stage for which it was compiled.
        parameters: By part of the network.
        resident: Bytes that lie on the device between steps, by part; the batch among them.
        temporary: Bytes that a step takes beside them.
        work: Of a step.
        transcendentals: Of a step.
        exchanges: What it sends in a step.
        counts: Operations of a step over all devices, as `plan.counting` has them, of every stage.
        validating: A batch of validations.
    """

    mesh: Mapping[str, int]
    stage: int
    parameters: Mapping[str, int]
    resident: Mapping[str, int]
    temporary: int
    work: Work
    transcendentals: float
    exchanges: tuple[Exchange, ...]
    counts: tuple[Mapping[str, float], ...]
    validating: Validating

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """Read what `asdict` wrote as JSON."""
        changed = {
            "work": Work.from_json(told["work"]),
            "exchanges": _read_exchanges(told["exchanges"]),
            "counts": tuple(told["counts"]),
            "validating": Validating.from_json(told["validating"]),
        }
        return cls(**(told | changed))


def _read_exchanges(told: list[dict[str, Any]]) -> tuple[Exchange, ...]:
    return tuple(Exchange(one["kind"], tuple(one["axes"]), one["n_bytes"]) for one in told)


def compile_apart(problem: Problem, n_devices: int, stage: int) -> Compiled:
    """Compile the step for virtual devices in another process, and return what it takes of one of them.

    Args:
        problem: What is trained; its configuration says on which mesh.
        n_devices: Of the mesh.
        stage: Position of a stage of the training.

    Raises:
        UserError: The configuration does not suit the data or the devices.
    """
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={n_devices} {_NO_OPTIMISATION}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    environment.pop("JAX_NUM_CPU_DEVICES", None)
    request = json.dumps({"problem": problem.to_json(), "stage": stage})
    command = [sys.executable, "-c", "from weatherml.plan.compiling import main; main()"]
    done = subprocess.run(command, input=request, env=environment, capture_output=True, text=True)
    if done.returncode == _REFUSED:
        raise UserError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise RuntimeError(f"the program of a step could not be compiled:\n{done.stderr[-4000:]}")
    return Compiled.from_json(json.loads(done.stdout))


def main() -> None:
    """Answer a request on standard input."""
    request = json.load(sys.stdin)
    try:
        answer = compile_here(Problem.from_json(request["problem"]), request["stage"])
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(_REFUSED)
    json.dump(asdict(answer), sys.stdout)


_QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Machine code is never run, so it need not be good; what is fused and where arrays lie is settled before."""


def compile_here(problem: Problem, stage: int) -> Compiled:
    """Compile the step of a stage for all devices of this process."""
    from weatherml.parallel.programs.compiled import collectives_of, memory_of
    from weatherml.parallel.programs.traffic import work_of
    from weatherml.plan.counting import TRANSCENDENTAL, count
    from weatherml.plan.program import Program, device_bytes, parameters_by_part

    program = Program(problem)
    mesh = dict(program.layout.mesh.shape)
    traced = [program.trace(position) for position in range(len(problem.config.training.stages))]
    counts = tuple(count(one.jaxpr) for one in traced)
    compiled = traced[stage].lower().compile(compiler_options=_QUICK)
    text, state = compiled.as_text(), program.state
    return Compiled(
        mesh=mesh,
        stage=stage,
        parameters=parameters_by_part(problem.outline.weights),
        resident={
            "weights": device_bytes(state.weights),
            "moments": device_bytes(state.optimizer),
            "average": device_bytes(state.average),
            "batch": device_bytes(program.batch(stage)),
            "loss weights and masks": device_bytes(program.update.told),
        },
        temporary=memory_of(compiled).temporary,
        work=work_of(text),
        transcendentals=counts[stage].get(TRANSCENDENTAL, 0.0) / program.layout.mesh.size,
        exchanges=_exchanges(collectives_of(text), mesh),
        counts=counts,
        validating=_validating(program, mesh),
    )


def _validating(program: "Program", mesh: Mapping[str, int]) -> Validating:
    """Compile a batch of validations."""
    from weatherml.parallel.programs.compiled import collectives_of, memory_of
    from weatherml.parallel.programs.traffic import work_of
    from weatherml.plan.counting import count
    from weatherml.plan.program import device_bytes

    traced = program.trace_validation()
    compiled = traced.lower().compile(compiler_options=_QUICK)
    text = compiled.as_text()
    return Validating(
        device_bytes(program.validated),
        memory_of(compiled).temporary,
        work_of(text),
        _exchanges(collectives_of(text), mesh),
        count(traced.jaxpr),
    )


def _exchanges(collectives: "Sequence[Collective]", mesh: Mapping[str, int]) -> tuple[Exchange, ...]:
    """Sum up collectives by kind and the axes of the mesh along which they run."""
    sums: dict[tuple[str, tuple[str, ...]], float] = {}
    for one in collectives:
        places = np.array(np.unravel_index(list(one.devices), tuple(mesh.values())))
        axes = tuple(name for name, own in zip(mesh, places, strict=True) if len(set(own.tolist())) > 1)
        sums[one.kind, axes] = sums.get((one.kind, axes), 0.0) + one.sent_bytes
    return tuple(Exchange(*key, n_bytes) for key, n_bytes in sums.items())
