"""Functions that several real processes run together, on loopback, as tasks of a cluster do."""

import multiprocessing
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import jax

from weatherml.errors import UserError
from weatherml.parallel.processes.joining import Processes, join, leave

_WAIT = 240  # seconds


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def run_in_processes(
    function: Callable[..., Any], n: int, *arguments: Any, n_devices: int = 1, told_count: int | None = None
) -> list[Any]:
    """Run a function of a module in n processes that have joined; return what each returns, or the mistake it met.

    The last is told that there are `told_count`.

    They are forked from one that has imported the module, and has computed nothing.
    """
    started, pipes = begun(function, n, *arguments, n_devices=n_devices, told_count=told_count)
    results = [heard.recv() if heard.poll(_WAIT) else None for heard in pipes]
    for process in started:
        process.join(_WAIT)
        process.kill()
    assert [process.exitcode for process in started] == n * [0]
    return results


def begun(
    function: Callable[..., Any], n: int, *arguments: Any, n_devices: int = 1, told_count: int | None = None
) -> tuple[list[Any], list[Any]]:
    """Begin to run a function in n processes that join; return them, and pipes in which each tells what it returned."""
    context = _forking(function)
    address, pipes, started = f"127.0.0.1:{free_port()}", [], []
    for index in range(n):
        heard, told = context.Pipe(duplex=False)
        processes = Processes(index, told_count or n if index == n - 1 else n, address, 60)
        started.append(context.Process(target=_child, args=(told, processes, n_devices, function, arguments)))
        started[-1].start()
        told.close()
        pipes.append(heard)
    return started, pipes


def run_with_devices(n_devices: int, function: Callable[..., Any], *arguments: Any) -> int | None:
    """Run a function of a module in a process that has several devices; return its exit code."""
    return ended(begun_with_devices(n_devices, function, *arguments))


def begun_with_devices(n_devices: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Begin to run a function of a module in a process that has several devices; return the process."""
    process = _forking(function).Process(target=_alone, args=(n_devices, function, arguments))
    process.start()
    return process


def ended(process: Any) -> int | None:
    """Wait for a process; return its exit code."""
    process.join(_WAIT)
    process.kill()
    process.join()
    return process.exitcode


def _forking(function: Callable[..., Any]) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    return context


def _alone(n_devices: int, function: Callable[..., Any], arguments: Any) -> None:
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", n_devices)
    assert len(jax.devices()) == n_devices
    function(*arguments)


def _child(told: Any, processes: Processes, n_devices: int, function: Callable[..., Any], arguments: Any) -> None:
    # The server that forks may have been started by a phase, which holds back what all processes of a job are sent.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", n_devices)
    try:
        join(processes)
        result = function(*arguments)
    except UserError as error:
        result = error
    leave()
    told.send(result)
    sys.stderr.flush()
