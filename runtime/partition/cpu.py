"""The CPU that a guest at EL1 runs on."""

from __future__ import annotations

from compiler.language import SystemRegister, u64


class TPIDR_EL1(SystemRegister):
    """The index that start-up left."""


def current_cpu() -> u64:
    """This CPU's number within the guest, from 0."""
    return TPIDR_EL1.read().raw
