"""The eight registers of an FF-A call or of its result.

A fresh `Message` is all zeros, so what a result does not use is zero. SMC32 functions use the low halves alone: the
upper ones are ignored on the way in and zero on the way out (DEN0028, 3.1).
"""

from __future__ import annotations

from typing import TypeAlias

from compiler.language import Slice, struct, truncate, u32, u64
from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function

MessageRegisters: TypeAlias = tuple[u64, u64, u64, u64, u64, u64, u64, u64]
"""x0 to x7, as handlers give them back to the vectors."""


@struct
class Message:
    """x0 to x7."""

    x0: u64 = 0
    x1: u64 = 0
    x2: u64 = 0
    x3: u64 = 0
    x4: u64 = 0
    x5: u64 = 0
    x6: u64 = 0
    x7: u64 = 0

    def succeed(self, value: u64) -> None:
        """FFA_SUCCESS with one value in w2."""
        self.x0 = Function.SUCCESS.value
        self.x2 = value

    def fail(self, error: FfaError) -> None:
        """FFA_ERROR with its code in w2; nothing else."""
        self.clear()
        self.x0 = Function.ERROR.value
        self.x2 = truncate(u32, error.value)

    def clear(self) -> None:
        """All zeros."""
        self.x0 = 0
        self.x1 = 0
        self.x2 = 0
        self.x3 = 0
        self.x4 = 0
        self.x5 = 0
        self.x6 = 0
        self.x7 = 0

    def copy(self, other: Message) -> None:
        """Take all registers of another message."""
        self.x0 = other.x0
        self.x1 = other.x1
        self.x2 = other.x2
        self.x3 = other.x3
        self.x4 = other.x4
        self.x5 = other.x5
        self.x6 = other.x6
        self.x7 = other.x7

    def load(self, registers: Slice[u64]) -> None:
        """Take the first eight of saved registers."""
        self.x0 = registers[0]
        self.x1 = registers[1]
        self.x2 = registers[2]
        self.x3 = registers[3]
        self.x4 = registers[4]
        self.x5 = registers[5]
        self.x6 = registers[6]
        self.x7 = registers[7]


def target_information(vcpu: Vcpu) -> u64:
    """w1 of calls that name a vCPU: its partition's ID and its index."""
    return u64(vcpu.partition_id.raw) << 16 | vcpu.index


def low(register: u64) -> u32:
    """w of an x register."""
    return truncate(u32, register)


def registers_of(message: Message) -> MessageRegisters:
    """The values alone."""
    return (
        message.x0,
        message.x1,
        message.x2,
        message.x3,
        message.x4,
        message.x5,
        message.x6,
        message.x7,
    )
