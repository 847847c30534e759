"""The library's calls: the registers that go down, and what is made of those that come back (DEN0077)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hypervisor.ffa.errors import FfaError
from runtime.partition import calls, console
from tests.host.guests.hypervisor import Guest, error, success

ADDRESS = 0x4010_0000
CALLS: list[tuple[Callable[..., object], tuple[Any, ...], list[int]]] = [
    (calls.version, (0x1_0002,), [0x8400_0063, 0x1_0002]),
    (calls.own_id, (), [0x8400_0069]),
    (calls.manager_id, (), [0x8400_0085]),
    (calls.has_feature, (0x8400_0069,), [0x8400_0064, 0x8400_0069]),
    (calls.map_buffers, (ADDRESS, ADDRESS + 0x1000, 1), [0xC400_0066, ADDRESS, ADDRESS + 0x1000, 1]),
    (calls.unmap_buffers, (), [0x8400_0067]),
    (calls.release_receive_buffer, (), [0x8400_0065]),
    (calls.partition_info, (), [0x8400_0068]),
    (calls.partition_count, (), [0x8400_0068, 0, 0, 0, 0, 1]),
    (calls.wait, (), [0x8400_006B]),
    (calls.yield_cpu, (), [0x8400_006C]),
    (calls.run, (3, 2), [0x8400_006D, 0x3_0002]),
    (calls.send_message, (), [0x8400_0086]),
    (calls.bind_notifications, (2, 1, 0x5_0000_0003), [0x8400_007F, 0x2_0001, 0, 3, 5]),
    (calls.unbind_notifications, (2, 1, 0x5_0000_0003), [0x8400_0080, 0x2_0001, 0, 3, 5]),
    (calls.set_notifications, (2, 1, 0x5_0000_0003), [0x8400_0081, 0x2_0001, 0, 3, 5]),
    (calls.take_notifications, (2, 1, 8), [0x8400_0082, 0x1_0002, 8]),
    (calls.pending_notifications, (), [0xC400_0083]),
    (calls.memory_permissions, (ADDRESS,), [0xC400_0088, ADDRESS]),
    (calls.set_memory_permissions, (ADDRESS, 2, 5), [0xC400_0089, ADDRESS, 2, 5]),
]
GUEST = Guest([function for function, _, _ in CALLS], lambda _registers: success())


@pytest.mark.parametrize(("function", "values", "registers"), CALLS, ids=[row[0].__name__ for row in CALLS])
def test_registers_of_each_call(function: Callable[..., object], values: tuple[Any, ...], registers: list[int]) -> None:
    GUEST.calls.clear()
    GUEST.call(function, *values)
    assert GUEST.calls == [[*registers, *[0] * (18 - len(registers))]]


@pytest.mark.parametrize("code", list(FfaError))
def test_errors_are_told_apart(code: FfaError) -> None:
    guest = Guest([calls.map_buffers], lambda _registers: error(code.value))
    assert guest.call(calls.map_buffers, ADDRESS, ADDRESS + 0x1000, 1) == code


def test_an_error_that_is_not_listed_is_one_all_the_same() -> None:
    guest = Guest([calls.has_feature, calls.unmap_buffers], lambda _registers: error(-99))
    assert guest.call(calls.unmap_buffers) == FfaError.NOT_SUPPORTED
    assert guest.call(calls.has_feature, 0x8400_0069) is False


@pytest.mark.parametrize("size", [1, 8, 47, 48, 49, 100])
def test_console_text_goes_48_characters_at_a_time(size: int) -> None:
    guest = Guest([console.write], lambda _registers: success())
    text = bytes(ord("!") + index % 90 for index in range(size))
    guest.call(console.write, text)
    sent = b"".join(
        b"".join(register.to_bytes(8, "little") for register in call[2:8])[: call[1]] for call in guest.calls
    )
    assert sent == text
    assert [call[1] for call in guest.calls] == [min(48, size - start) for start in range(0, size, 48)]
    assert {call[0] for call in guest.calls} == {0xC400_008A}
