import os
import signal
import threading
import time

import pytest

from weatherml.errors import StopRequested
from weatherml.training.recovery.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_the_first_signal_is_a_request(number):
    with Interruption() as interruption:
        assert not interruption.is_requested
        os.kill(os.getpid(), number)
        assert interruption.is_requested
        assert isinstance(interruption.stop("stopped"), StopRequested) == (number != signal.SIGINT)


def test_what_a_cluster_sends_to_every_process_and_these_pass_on_is_one_request(monkeypatch):
    with Interruption() as interruption:
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert interruption.is_requested
        heard = []
        monkeypatch.setitem(interruption._before, signal.SIGTERM, lambda number, _: heard.append(number))
        monkeypatch.setattr(interruption, "_asked", time.monotonic() - 60)
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]  # as it would have been without


@pytest.fixture
def default_handler():
    """Give Python's own handler of Ctrl-C: a process that was started in the background inherits none."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_second_signal_interrupts_at_once(default_handler):
    with pytest.raises(KeyboardInterrupt), Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_it_may_be_entered_outside_the_main_thread():
    seen = []

    def enter():
        with Interruption() as interruption:
            seen.append(interruption.is_requested)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [False]
