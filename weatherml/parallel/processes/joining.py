"""The processes that train together: which of them this is, and how they come together."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import jax

from weatherml.errors import UserError
from weatherml.errors.wording import counted

PATIENCE = 300.0
"""Seconds to wait for the coordinator, and there for all processes."""
_HEARTBEAT = 60
"""Seconds without a sign of life after which the runtime takes a process for dead, and ends the others."""
_SHUTDOWN = 30
"""Seconds for which a process that has done its part waits for the others at the end."""
_PROBE = 0.5
"""Seconds between attempts to reach the coordinator."""
_TURN = 0.2
"""Seconds after which who waits for the others listens to signals."""
_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
"""Variable of its pods, whose names are known a while after they have started."""

_JAX = ("JAX_COORDINATOR_ADDRESS", "JAX_PROCESS_ID", "JAX_NUM_PROCESSES")
_SLURM_STEP = ("SLURM_JOB_ID", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST")
_FIRST_PORT, _N_PORTS, _LAST_PORT = 61440, 4096, 65535


@dataclass(frozen=True)
class Processes:
    """The processes that train together, and which of them this is.

    Attributes:
        index: Of this process, from 0.
        count: How many there are.
        coordinator: `host:port` at which they meet, on the machine of the first; none where there is one process.
        patience: Seconds to wait for the coordinator, and there for all processes.

    Raises:
        UserError: There is no such process, or the coordinator is no address.
    """

    index: int = 0
    count: int = 1
    coordinator: str | None = None
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"--n-processes {self.count} must be 1 or more")
        if not 0 <= self.index < self.count:
            raise UserError(
                f"--process-id {self.index} must be from 0 to {self.count - 1}, as there are {self.count} processes"
            )
        if self.count > 1:
            _require_address(self.coordinator or "")

    @classmethod
    def given(
        cls,
        environment: Mapping[str, str],
        coordinator: str | None = None,
        process_id: int | None = None,
        n_processes: int | None = None,
        patience: float = PATIENCE,
    ) -> Self:
        """Return the processes that are named, else those of the environment, else this one alone.

        Args:
            environment: Of the program. `JAX_COORDINATOR_ADDRESS`, `JAX_PROCESS_ID` and `JAX_NUM_PROCESSES` name them;
                a step of SLURM, as `srun` starts it, does so too.
            coordinator: `host:port`.
            process_id: Of this process.
            n_processes: How many there are.
            patience: Seconds to wait for all.

        Raises:
            UserError: Some are named and some are not, or they do not go together.
        """
        told = [environment.get(name) for name in _JAX]
        if (coordinator, process_id, n_processes) == (None, None, None) and told[1:] == [None, None]:
            of_slurm = _of_slurm(environment)
            return cls(of_slurm[0], of_slurm[1], told[0] or of_slurm[2], patience) if of_slurm[1] > 1 else cls()
        address = coordinator or told[0]
        index = _number(_JAX[1], told[1]) if process_id is None else process_id
        number = _number(_JAX[2], told[2]) if n_processes is None else n_processes
        if index is None or number is None or (address is None and number > 1):
            raise UserError(
                "several processes need --coordinator HOST:PORT, --process-id and --n-processes, or"
                f" {', '.join(_JAX)}; give all three, or none for one process"
            )
        return cls(index, number, address, patience)

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.index == 0

    @property
    def n_here(self) -> int:
        """How many are known to share the cores of this machine, where nothing else shares these out."""
        host = (self.coordinator or "").rpartition(":")[0]
        return self.count if _is_loopback(host) else 1

    @property
    def name(self) -> str:
        """Which of them this is, for people."""
        return f"process {self.index} of {self.count} on {socket.gethostname()}"

    @property
    def missed(self) -> str:
        """What to say where not all of them came together."""
        return (
            f"not all of {self.count} processes came to the coordinator {self.coordinator} within"
            f" {self.patience:.0f} s; start as many, each with a --process-id of its own, and tell all the same"
            " --n-processes and --coordinator"
        )


ALONE = Processes()
"""One process."""


def join(processes: Processes) -> None:
    """Meet the other processes; what is computed from here on is computed together.

    To be called before the first computation. Where the others do not come, the runtime ends this process by SIGABRT,
    of which Python hears nothing: whoever started it says `processes.missed`.

    Raises:
        UserError: The coordinator cannot be reached, another program is in its place, or the processes were told
            different things.
    """
    if processes.count == 1 or processes.coordinator is None:
        return
    started = time.monotonic()
    host, _, port = processes.coordinator.rpartition(":")
    if processes.is_first:
        _require_free(processes.coordinator)
        _require_own(processes)
    else:
        _reach(processes)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
    left = processes.patience - (time.monotonic() - started)
    heard = signal.getsignal(signal.SIGTERM)
    _in_turns(
        jax.distributed.initialize,
        processes.coordinator,
        processes.count,
        processes.index,
        cluster_detection_method="deactivate",
        initialization_timeout=max(1, round(left)),
        heartbeat_timeout_seconds=_HEARTBEAT,
        shutdown_timeout_seconds=_SHUTDOWN,
        # Where all are on one machine, nobody else need reach them.
        coordinator_bind_address=f"{host}:{port}" if _is_loopback(host) else None,
    )
    if heard is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, heard)  # the runtime has put a handler of its own in its place
    if jax.process_count() != processes.count:
        raise UserError(
            f"process {processes.index} was told of {counted(processes.count, 'process', 'processes')}, the coordinator"
            f" {processes.coordinator} of {jax.process_count()}; give all the same --n-processes"
        )


def _in_turns(action: Callable[..., None], *arguments: Any, **named: Any) -> None:
    """Do something that waits deaf to signals, in a thread of its own: this one hears them meanwhile.

    Where one is raised here, the thread is left behind, and ends with the process.
    """
    failures: list[BaseException] = []
    done = threading.Event()

    def act() -> None:
        try:
            action(*arguments, **named)
        except BaseException as error:
            failures.append(error)
        done.set()

    threading.Thread(target=act, daemon=True).start()
    while not done.wait(_TURN):
        pass
    if failures:
        raise failures[0]


def leave() -> None:
    """Wait for the others at the end, and part; all processes call it, where none has failed alone."""
    jax.distributed.shutdown()  # type: ignore[no-untyped-call]


def _of_slurm(environment: Mapping[str, str]) -> tuple[int, int, str | None]:
    """Return index, count and coordinator of a step of SLURM; one process alone where there is none."""
    job, index, number, nodes = (environment.get(name, "") for name in _SLURM_STEP)
    if not (job and index and number and nodes):
        return 0, 1, None
    # As jax does: in the range that systems leave to programs, by the job, so that jobs on one node do not meet.
    port = _FIRST_PORT + (int(job) + int(environment.get("SLURM_STEP_ID") or 0)) % _N_PORTS
    return int(index), int(number), f"{_first_node(nodes)}:{port}"


def _first_node(nodes: str) -> str:
    """Return the first of a list as SLURM writes it: `a,b`, `node[003-007,9],b`."""
    match = re.match(r"([^,\[]+)(?:\[(\d+)[^\]]*\]([^,]*))?", nodes)
    if match is None:
        raise UserError(f"SLURM_STEP_NODELIST {nodes!r} names no node; give --coordinator HOST:PORT instead")
    return "".join(part or "" for part in match.groups())


def _number(name: str, text: str | None) -> int | None:
    if text is not None and not text.isdecimal():
        raise UserError(f"{name}={text} must be a whole number; set it to one, or unset it")
    return None if text is None else int(text)


def _require_address(coordinator: str) -> None:
    if not re.fullmatch(r".+:\d+", coordinator):
        raise UserError(f"--coordinator {coordinator or None} must read HOST:PORT, such as node001:61440")
    if not 1 <= int(coordinator.rpartition(":")[2]) <= _LAST_PORT:
        raise UserError(f"--coordinator {coordinator}: the port must be from 1 to {_LAST_PORT}, such as 61440")


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _require_free(coordinator: str) -> None:
    """Require that no other program listens where this process is about to: both would get some of the others."""
    if _refusal(coordinator) is None:
        raise UserError(
            f"another program listens at the coordinator's address {coordinator}, perhaps the first process of another"
            " training; choose another port"
        )


def _require_own(processes: Processes) -> None:
    """Require that this process can listen where it is to, and that the coordinator's address leads here.

    Raises:
        UserError: It cannot, or the address does not.
    """
    address = str(processes.coordinator)
    host, _, port = address.rpartition(":")
    try:
        listening = _listen(host if _is_loopback(host) else "", int(port))
    except OSError as error:
        raise UserError(
            f"{processes.name} cannot listen at the coordinator's address {address} ({_reason(error)}); choose another"
            " port, or another host"
        ) from error
    with listening:
        refusal = _refusal(address)
    if refusal is not None and _IN_KUBERNETES not in os.environ:
        raise UserError(
            f"the coordinator's address {address} does not lead to {processes.name} ({refusal}); give a name or"
            " address of the machine of process 0, by which it reaches itself, too"
        )


def _listen(host: str, port: int) -> socket.socket:
    """Listen as the runtime does: at a loopback address, or at all of this machine."""
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _reach(processes: Processes) -> None:
    """Wait until the coordinator listens.

    Raises:
        UserError: It does not within the patience of this process.
    """
    address = str(processes.coordinator)
    deadline = time.monotonic() + processes.patience
    while (refusal := _refusal(address)) is not None:
        if time.monotonic() > deadline:
            raise UserError(
                f"{processes.name} cannot reach the coordinator {address} within {processes.patience:.0f} s"
                f" ({refusal}); see that process 0 runs there, and that this machine may reach the port"
            )
        time.sleep(_PROBE)


def _refusal(address: str) -> str | None:
    """Return why nobody answers at an address; None where somebody does.

    Raises:
        UserError: No machine has this name; in Kubernetes it may have it a while later.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (socket.gaierror, UnicodeError) as error:
        if _IN_KUBERNETES not in os.environ:
            raise UserError(
                f"--coordinator {address}: no machine has the name {host} ({_reason(error)}); give a name that all"
                " processes know, or an address"
            ) from error
        return _reason(error)
    except OSError as error:
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    """Return the system's words for what has failed."""
    number = getattr(error, "errno", None)
    return str(getattr(error, "strerror", None) or (os.strerror(number) if number else error))
