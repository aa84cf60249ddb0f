import resource

import pytest
from tensorboardX.proto import event_pb2

from weatherml.errors import UserError
from weatherml.training.records.metrics import MetricsLog, read_metrics


def test_going_on_drops_entries_that_will_be_written_again(tmp_path):
    with MetricsLog(tmp_path, 0) as log:
        for step in (3, 6, 9):
            log.append({"step": step, "loss": 0.1 * step, "validation_loss": None})
    with MetricsLog(tmp_path, 6) as log:
        log.append({"step": 9, "loss": 0.5, "validation_loss": 0.7})
    entries = read_metrics(tmp_path / "metrics.jsonl")
    assert [(entry["step"], entry["loss"]) for entry in entries] == [(3, 0.1 * 3), (6, 0.1 * 6), (9, 0.5)]


def test_a_line_cut_short_by_a_crash_is_passed_over(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 3, "loss": 0.25}\n{"step": 6, "lo')
    assert read_metrics(file) == [{"step": 3, "loss": 0.25}]
    with MetricsLog(tmp_path, 3):
        pass
    assert file.read_text() == '{"step": 3, "loss": 0.25}\n'


def test_entries_can_be_read_while_training_goes_on(tmp_path):
    with MetricsLog(tmp_path, 0) as log:
        log.append({"step": 3, "loss": 0.25})
        assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 3, "loss": 0.25}]


def test_tensorboard_is_told_the_same_while_training_goes_on(tmp_path):
    with MetricsLog(tmp_path, 5) as log:
        log.append({"step": 6, "loss": 0.25, "validation_loss": None})
        (file,) = (tmp_path / "tensorboard").glob("events.out.tfevents.*")
        events = [event_pb2.Event.FromString(record) for record in records(file.read_bytes())]
    assert events[1].step == 6 and events[1].session_log.status == event_pb2.SessionLog.START
    told = [(event.step, value.tag, value.simple_value) for event in events for value in event.summary.value]
    assert told == [(6, "loss", 0.25)]


def records(content):
    """Yield what a file of records holds: length, checksum, content, checksum."""
    while content:
        length = int.from_bytes(content[:8], "little")
        yield content[12 : 12 + length]
        content = content[16 + length :]


def test_a_full_disk_is_one_line_and_the_entries_before_it_stay(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with MetricsLog(tmp_path, 0) as log:
        log.append({"step": 3})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
        try:
            with pytest.raises(UserError, match=r"cannot write .*metrics\.jsonl.*make room"):
                log.append({"step": 6, "loss": 0.25})
            assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 3}]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_numbers_of_channels_have_a_curve_each(tmp_path):
    with MetricsLog(tmp_path, 0) as log:
        log.append({"step": 6, "limited_by": "step", "loss_by_channel": {"t850": 0.25, "z500": 0.5}})
        (file,) = (tmp_path / "tensorboard").glob("events.out.tfevents.*")
        events = [event_pb2.Event.FromString(record) for record in records(file.read_bytes())]
    told = {value.tag: value.simple_value for event in events for value in event.summary.value}
    assert told == {"loss_by_channel/t850": 0.25, "loss_by_channel/z500": 0.5}
