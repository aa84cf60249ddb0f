"""Laws of processes that train together: how they are named, how they meet, and that one's mistake is everybody's."""

import os
import re
import signal
import socket
import time

import pytest
from several_processes import free_port, run_in_processes

from weatherml.errors import UserError
from weatherml.parallel.processes.joining import ALONE, Processes, join
from weatherml.parallel.processes.together import broadcast, is_first, meet, n_processes, together

STEP = {"SLURM_JOB_ID": "4097", "SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_ID": "1"}


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node7", "node7"),
        ("a,b", "a"),
        ("node[003-007,9],b", "node003"),
        ("node[12,14-15]-ib,b", "node12-ib"),
    ],
)
def test_a_step_of_slurm_names_its_processes_and_the_first_node(nodes, first):
    assert Processes.given(STEP | {"SLURM_STEP_NODELIST": nodes}) == Processes(2, 8, f"{first}:61442")


def test_a_batch_script_and_a_step_of_one_task_are_one_process():
    batch = {"SLURM_JOB_ID": "4097", "SLURM_PROCID": "0", "SLURM_NTASKS": "8"}
    assert Processes.given(batch) == ALONE
    assert Processes.given(STEP | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NODELIST": "a"}) == ALONE
    assert Processes.given({}) == ALONE


def test_what_is_given_wins_over_the_environment():
    told = {"JAX_COORDINATOR_ADDRESS": "here:1234", "JAX_PROCESS_ID": "1", "JAX_NUM_PROCESSES": "4"}
    assert Processes.given(STEP | {"SLURM_STEP_NODELIST": "a"} | told) == Processes(1, 4, "here:1234")
    assert Processes.given(told, "there:1", 0, 2, 5) == Processes(0, 2, "there:1", 5)
    # The address alone, as `weatherml submit` sets it, leaves the rest to SLURM.
    own = {"SLURM_STEP_NODELIST": "a", "JAX_COORDINATOR_ADDRESS": "here:1234"}
    assert Processes.given(STEP | own) == Processes(2, 8, "here:1234")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("here:1234", 0, None), "several processes need --coordinator HOST:PORT, --process-id and --n-processes"),
        ((None, 0, 2), "several processes need --coordinator"),
        (("here:1234", 2, 2), "--process-id 2 must be from 0 to 1, as there are 2 processes"),
        (("here", 0, 2), "--coordinator here must read HOST:PORT"),
        (("here:61440123", 0, 2), "--coordinator here:61440123: the port must be from 1 to 65535"),
        (("here:65536", 0, 2), "--coordinator here:65536: the port must be from 1 to 65535"),
        (("here:0", 0, 2), "--coordinator here:0: the port must be from 1 to 65535"),
        (("here:1234", 0, 0), "--n-processes 0 must be 1 or more"),
    ],
)
def test_processes_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Processes.given({}, *arguments)


def test_a_number_that_is_none_is_refused_by_the_name_of_its_variable():
    with pytest.raises(UserError, match="JAX_PROCESS_ID=one must be a whole number"):
        Processes.given({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_PROCESS_ID": "one", "JAX_NUM_PROCESSES": "2"})


def test_a_coordinator_that_does_not_answer_is_told_by_its_address_in_time():
    address, start = f"127.0.0.1:{free_port()}", time.monotonic()
    with pytest.raises(UserError, match=rf"cannot reach the coordinator {address} within 1 s \(Connection refused\)"):
        join(Processes(1, 2, address, patience=1))
    assert time.monotonic() - start < 10


def test_two_trainings_do_not_meet_at_one_address():
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UserError, match=f"another program listens at the coordinator's address {address}"):
            join(Processes(0, 2, address))


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("host", ["no-such-host.invalid", "no..host"])
def test_a_coordinator_whose_name_nobody_has_is_refused_at_once(host, index):
    start = time.monotonic()
    with pytest.raises(UserError, match=rf"--coordinator {host}:61440: no machine has the name {host} \(.+\); give a"):
        join(Processes(index, 2, f"{host}:61440", patience=60))
    assert time.monotonic() - start < 20


def test_in_kubernetes_a_name_may_be_known_later(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(UserError, match=r"cannot reach the coordinator no\.\.host:61440 within 1 s"):
        join(Processes(1, 2, "no..host:61440", patience=1))


def test_a_first_process_that_cannot_listen_at_the_address_says_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # does not listen: nobody answers there
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = rf"process 0 of 2 on .* cannot listen at the coordinator's address {address} \(Address already in use"
        with pytest.raises(UserError, match=told):
            join(Processes(0, 2, address, patience=60))


def test_an_address_that_does_not_lead_to_the_first_process_is_refused_at_once():
    address = f"255.255.255.255:{free_port()}"  # of no machine
    with pytest.raises(
        UserError, match=rf"the coordinator's address {address} does not lead to process 0 of 2 on .*give"
    ):
        join(Processes(0, 2, address, patience=60))


def test_one_process_needs_nobody():
    assert (is_first(), n_processes(), broadcast("a"), together(lambda: 3)) == (True, 1, "a", 3)
    meet()


def tell():
    """Run in every process."""
    import jax

    first = broadcast({"index": jax.process_index(), "words": "as long as you like" * jax.process_index()})
    own = together(lambda: jax.process_index())
    return is_first(), n_processes(), first["index"], own, hears_sigterm()


def hears_sigterm():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    except KeyboardInterrupt:
        return True
    return False


def test_processes_hear_the_first_and_the_signals_that_they_heard_before():
    assert run_in_processes(tell, 2) == [(True, 2, 0, 0, True), (False, 2, 0, 1, True)]


def nothing():
    return None


def test_a_process_that_was_told_of_another_number_says_both():
    _, second = run_in_processes(nothing, 2, told_count=3)
    assert re.fullmatch(
        r"process 1 was told of 3 processes, the coordinator 127\.0\.0\.1:\d+ of 2; give all the same --n-processes",
        str(second),
    )


def fail(*where):
    import jax

    def action():
        if jax.process_index() in where:
            raise UserError("the store is not here", "copy it")

    together(action)


def test_the_mistake_of_one_is_told_by_the_first_and_ends_all():
    first, second = run_in_processes(fail, 2, 1)
    assert str(first).startswith("process 1 of 2 on ")
    assert str(first).endswith(": the store is not here; copy it")
    assert (first.is_told, second.is_told) == (False, True)
    assert str(run_in_processes(fail, 2, 0, 1)[0]) == "the store is not here; copy it"
