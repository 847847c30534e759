"""Secrets: they are told apart by owner, and a register that changed or that came from somebody else is counted."""

from __future__ import annotations

import pytest

from hypervisor.guests import secrets
from hypervisor.guests.secrets import Secrets
from tests.host.guests.hypervisor import Guest, error

GUEST = Guest(
    [secrets.secret, secrets.is_of_another, secrets.plant, secrets.count_differences, secrets.count_foreign],
    lambda _registers: error(-1),
)
PRIMARY_CPU_0, PRIMARY_CPU_3, PARTITION = 8, 11, 16


def test_secrets_of_one_owner_differ() -> None:
    assert len({GUEST.call(secrets.secret, PARTITION, number) for number in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("owner", "finder", "is_leak"),
    [
        (PARTITION, PARTITION, False),
        (PARTITION, PRIMARY_CPU_0, True),
        (PRIMARY_CPU_3, PRIMARY_CPU_0, False),
        (PRIMARY_CPU_3, PARTITION, True),
        (0, PARTITION, False),
    ],
)
def test_only_another_partitions_secret_is_a_leak(owner: int, finder: int, is_leak: bool) -> None:
    word = GUEST.call(secrets.secret, owner, 5)
    assert GUEST.call(secrets.is_of_another, word, finder) is is_leak
    assert GUEST.call(secrets.count_foreign, [0, word, 0xFFFF, word], finder) == 2 * is_leak


def test_every_register_that_changed_is_counted() -> None:
    planted, found = GUEST.session.new(Secrets), GUEST.session.new(Secrets)
    for structure in (planted, found):
        GUEST.call(secrets.plant, structure, PARTITION, 7)
    assert GUEST.call(secrets.count_differences, planted, found) == 0
    found.vectors[63] ^= 1
    found.general[0] ^= 1
    found.thread_pointer ^= 1
    assert GUEST.call(secrets.count_differences, planted, found) == 3
