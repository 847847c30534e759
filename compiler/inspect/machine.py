"""What an AArch64 instruction does to the stack pointer and to control flow, decoded from its word.

Only what the stack analysis asks is decoded; any other instruction is `Flow.NEXT` without effect. Invariant: an effect
on SP that is not understood is reported as such, never ignored. Source: Arm ARM (DDI 0487), section C4.1.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SP = 31
"""In fields where the architecture reads register 31 as the stack pointer"""


class Flow(enum.Enum):
    """Where control goes after an instruction."""

    NEXT = enum.auto()
    CONDITIONAL = enum.auto()
    JUMP = enum.auto()
    CALL = enum.auto()
    INDIRECT_JUMP = enum.auto()
    INDIRECT_CALL = enum.auto()
    RETURN = enum.auto()
    END = enum.auto()


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def control_flow(word: int, address: int) -> tuple[Flow, int]:
    """How control goes on, and the target of a direct branch (else 0)."""
    top = word >> 26
    if top in (0b000101, 0b100101):
        target = address + _signed(word & 0x3FFFFFF, 26) * 4
        return (Flow.JUMP if top == 0b000101 else Flow.CALL), target
    if word & 0xFF000000 == 0x54000000 or word & 0x7E000000 == 0x34000000:
        return Flow.CONDITIONAL, address + _signed(word >> 5 & 0x7FFFF, 19) * 4
    if word & 0x7E000000 == 0x36000000:
        return Flow.CONDITIONAL, address + _signed(word >> 5 & 0x3FFF, 14) * 4
    if word & 0xFE000000 == 0xD6000000:
        # Unconditional branch (register); opc in bits 24 to 21, the low half also with pointer authentication.
        flows = {0: Flow.INDIRECT_JUMP, 1: Flow.INDIRECT_CALL, 2: Flow.RETURN}
        return flows.get(word >> 21 & 7, Flow.END), 0  # else eret, drps
    if word & 0xFFE0001F == 0xD4200000 or word >> 16 == 0:
        return Flow.END, 0  # brk, udf
    return Flow.NEXT, 0


class StackAction(enum.Enum):
    """What happens to SP, or to a register that later goes into SP."""

    NONE = enum.auto()
    MOVE = enum.auto()
    """SP += amount"""
    COPY = enum.auto()
    """register = SP + amount"""
    RESTORE = enum.auto()
    """SP = register + amount"""
    ALIGN = enum.auto()
    """SP = register rounded down to a multiple of amount"""
    ADD = enum.auto()
    """SP += register * amount"""
    CONSTANT = enum.auto()
    """register = amount"""
    INSERT = enum.auto()
    """the bits of register that `mask` names become those of amount"""
    SWITCH = enum.auto()
    """SP becomes another stack's"""


@dataclass(frozen=True, slots=True)
class StackEffect:
    """`register`, `amount` and `mask` as `StackAction` says; depths and sizes are in bytes."""

    action: StackAction
    register: int = 0
    amount: int = 0
    mask: int = 0


_NONE = StackEffect(StackAction.NONE)


def stack_effect(word: int) -> StackEffect:
    """What the instruction does to SP."""
    if word & 0x1F000000 == 0x11000000:
        return _add_immediate(word)
    if word & 0x3A000000 == 0x28000000:
        return _pair(word)
    if word & 0x3B200000 == 0x38000000:
        return _indexed(word)
    if word & 0xFF80001F == 0x9200001F:
        return _align(word)
    if word & 0x7F80001F in (0x3200001F, 0x5200001F):
        return StackEffect(StackAction.SWITCH)  # orr, eor with an immediate
    if word & 0x3FE0001F == 0x0B20001F:
        return _add_register(word)
    if word & 0x1F800000 == 0x12800000:
        return _move_wide(word)
    if word & 0xFFFFF0FF == 0xD50040BF:
        return StackEffect(StackAction.SWITCH)  # msr SPSel, #imm
    return _NONE


def _add_immediate(word: int) -> StackEffect:
    """ADD and SUB (immediate), 64-bit, not setting flags: the only ones that name SP as a destination."""
    destination, source = word & 31, word >> 5 & 31
    if word >> 29 & 1 or (destination != SP and source != SP):
        return _NONE
    amount = (word >> 10 & 0xFFF) << (12 if word >> 22 & 1 else 0)
    if word >> 30 & 1:
        amount = -amount
    if destination != SP:
        return StackEffect(StackAction.COPY, destination, amount)
    if source == SP:
        return StackEffect(StackAction.MOVE, SP, amount)
    return StackEffect(StackAction.RESTORE, source, amount)


def _add_register(word: int) -> StackEffect:
    """ADD and SUB (extended register) into SP: SP plus or minus a register shifted left by up to 4."""
    if word >> 5 & 31 != SP or word >> 13 & 3 != 3:
        return StackEffect(StackAction.SWITCH)
    factor = 1 << (word >> 10 & 7)
    return StackEffect(StackAction.ADD, word >> 16 & 31, -factor if word >> 30 & 1 else factor)


def _move_wide(word: int) -> StackEffect:
    """MOVZ, MOVN and MOVK: how compilers make the size of a large frame."""
    shift, register = 16 * (word >> 21 & 3), word & 31
    amount = (word >> 5 & 0xFFFF) << shift
    operation = word >> 29 & 3
    if operation == 3:
        return StackEffect(StackAction.INSERT, register, amount, 0xFFFF << shift)
    if operation == 0:
        width = 64 if word >> 31 else 32
        amount = ~amount & ((1 << width) - 1)
    return StackEffect(StackAction.CONSTANT, register, amount)


def _pair(word: int) -> StackEffect:
    """LDP, STP and their kin, which write back in the pre- and post-indexed forms."""
    if word >> 23 & 3 not in (1, 3) or word >> 5 & 31 != SP:
        return _NONE
    size, vector = word >> 30, word >> 26 & 1
    scale = (4 << size) if vector else (4, 16 if not word >> 22 & 1 else 4, 8, 8)[size]
    return StackEffect(StackAction.MOVE, SP, _signed(word >> 15 & 0x7F, 7) * scale)


def _indexed(word: int) -> StackEffect:
    """LDR and STR with a 9-bit offset, which write back in the pre- and post-indexed forms."""
    if not word >> 10 & 1 or word >> 5 & 31 != SP:
        return _NONE
    return StackEffect(StackAction.MOVE, SP, _signed(word >> 12 & 0x1FF, 9))


def _align(word: int) -> StackEffect:
    """AND (immediate) into SP: rounding down if the mask is ones followed by k zeros (N=1, immr=64-k, imms=63-k)."""
    zeros = 63 - (word >> 10 & 63)
    if not word >> 22 & 1 or word >> 16 & 63 != -zeros % 64:
        return StackEffect(StackAction.SWITCH)
    return StackEffect(StackAction.ALIGN, word >> 5 & 31, 1 << zeros)


def written_registers(word: int) -> tuple[int, ...]:
    """The general registers that an instruction which is no branch may write: all of them, perhaps some more."""
    if word & 0x0A000000 != 0x08000000:
        return (word & 31,)
    # Loads and stores; those of vector registers (bit 26) write general ones only by writing back.
    target, base, vector = word & 31, word >> 5 & 31, word >> 26 & 1
    if word & 0x38000000 == 0x28000000:
        loads = word >> 22 & 1 and not vector
        written = (base,) if word >> 23 & 1 else ()
        return (target, word >> 10 & 31, *written) if loads else written
    if word & 0x38000000 == 0x38000000:
        is_indexed = word & 0x01200400 == 0x00000400
        is_store = word >> 22 & 3 == 0 and word & 0x01200C00 != 0x00200000
        written = (base,) if is_indexed else ()
        return written if vector or is_store else (target, *written)
    return target, word >> 10 & 31, word >> 16 & 31
