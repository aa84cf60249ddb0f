"""Laws of devices: how they are written, and what is told of them."""

import pytest

from weatherml.errors import UserError
from weatherml.parallel.hardware.accelerators import Devices, accelerators


@pytest.mark.parametrize(
    ("written", "count", "kind"),
    [("8xh200", 8, "h200"), ("H100", 1, "h100"), ("512 x A100", 512, "a100"), ("2xcpu", 2, "cpu")],
)
def test_devices_are_written_as_people_do(written, count, kind):
    assert Devices.parse(written) == Devices(count, kind)


@pytest.mark.parametrize(
    ("written", "message"),
    [("8xh20", "did you mean 'h200'"), ("0xh200", "such as 8xh200"), ("h200x8", "such as 8xh200"), ("", "such as")],
)
def test_what_is_no_device_is_refused_in_one_line(written, message):
    with pytest.raises(UserError, match=message) as refused:
        Devices.parse(written)
    assert "\n" not in str(refused.value)


def test_coarser_types_are_faster_and_memory_is_nearer_than_other_devices():
    for name, one in accelerators().items():
        assert one.flops["bfloat16"] >= 1.9 * one.flops["tensorfloat32"] >= 3.8 * one.flops["float32"], name
        assert one.bandwidth > one.link > one.network, name
        assert one.source
