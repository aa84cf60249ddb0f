"""What might have been read off compiled programs, for plans that are reckoned from it."""

from weatherml.parallel.programs.traffic import Work
from weatherml.plan.compiling import Compiled, Validating

MESH = {"data": 1, "fsdp": 2, "member": 1, "lat": 1, "lon": 1, "tensor": 1}


def compiled(**changes):
    """Return what might have been read off a program."""
    defaults = dict(
        mesh=MESH,
        stage=0,
        parameters={"blocks": 1000},
        resident={"weights": 4000, "moments": 8000, "average": 4000, "batch": 10**6, "loss weights and masks": 500},
        temporary=5 * 10**6,
        work=Work({"rows": {64: 2e9}}, {20: 1e6}, {"streamed": {20: 3e6}, "transposed": {22: 4e6}}, 100),
        transcendentals=1e6,
        exchanges=(),
        counts=({"tensorfloat32": 3e9, "float32": 1e9, "transcendental": 2e6}, {"tensorfloat32": 8e9}),
        validating=validating(),
    )
    return Compiled(**(defaults | changes))


def validating(**changes):
    """Return what might have been read off the program of a batch of validations."""
    work = Work({"rows": {64: 1e9}}, {20: 1e6}, {"streamed": {20: 2e6}}, 50, 0, {1: 40})
    defaults = dict(batch=10**6, temporary=10**6, work=work, exchanges=(), counts={"tensorfloat32": 2e9})
    return Validating(**(defaults | changes))
