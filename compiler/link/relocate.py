"""Computes and inserts relocated values, range- and alignment-checked.

Invariants: a value that does not fit is an error, never a truncation or a veneer; a reference whose target was dropped
can only stem from debug sections and becomes the value that debuggers take for "no code".
Source: IHI 0056 (ELF for the Arm 64-bit Architecture), section 5.7, tables 5.4 to 5.10.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compiler.link import elf
from compiler.link.elf import R


class Operation(enum.Enum):
    """How the value follows from S (symbol), A (addend) and P (place)."""

    ABSOLUTE = "S + A"
    RELATIVE = "S + A - P"
    PAGE = "Page(S + A) - Page(P)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One relocation: operation, field size in bytes, inclusive value range or None, alignment, inserter."""

    operation: Operation
    size_bytes: int
    low: int | None
    high: int | None
    alignment: int
    insert: Callable[[int, int], int]


def _data(bits: int) -> Callable[[int, int], int]:
    mask = (1 << bits) - 1
    return lambda _word, value: value & mask


def _immediate(shift: int, bits: int, at: int) -> Callable[[int, int], int]:
    """Puts bits [shift, shift + bits) of the value at bit `at` of the instruction."""
    mask = (1 << bits) - 1
    clear = ~(mask << at)
    return lambda word, value: word & clear | (value >> shift & mask) << at


def _adr(shift: int) -> Callable[[int, int], int]:
    """ADR and ADRP: immlo at bit 29, immhi at bit 5."""

    def insert(word: int, value: int) -> int:
        value >>= shift
        return word & ~(3 << 29 | 0x7FFFF << 5) | (value & 3) << 29 | (value >> 2 & 0x7FFFF) << 5

    return insert


def _low_12(scale: int) -> Rule:
    insert = _immediate(scale, 12 - scale, 10)
    return Rule(Operation.ABSOLUTE, 4, None, None, 1 << scale, insert)


def _branch(bits: int, at: int) -> Rule:
    reach = 1 << (bits + 1)
    return Rule(Operation.RELATIVE, 4, -reach, reach - 1, 4, _immediate(2, bits, at))


def _move_wide(group: int, *, checked: bool) -> Rule:
    high = (1 << 16 * (group + 1)) - 1 if checked else None
    return Rule(Operation.ABSOLUTE, 4, 0 if checked else None, high, 1, _immediate(16 * group, 16, 5))


def _word(operation: Operation, bits: int) -> Rule:
    low, high = (None, None) if bits == 64 else (-(1 << bits - 1), (1 << bits) - 1)
    return Rule(operation, bits // 8, low, high, 1, _data(bits))


RULES: Mapping[int, Rule] = {
    R.ABS64: _word(Operation.ABSOLUTE, 64),
    R.ABS32: _word(Operation.ABSOLUTE, 32),
    R.ABS16: _word(Operation.ABSOLUTE, 16),
    R.PREL64: _word(Operation.RELATIVE, 64),
    R.PREL32: _word(Operation.RELATIVE, 32),
    R.PREL16: _word(Operation.RELATIVE, 16),
    R.MOVW_UABS_G0: _move_wide(0, checked=True),
    R.MOVW_UABS_G0_NC: _move_wide(0, checked=False),
    R.MOVW_UABS_G1: _move_wide(1, checked=True),
    R.MOVW_UABS_G1_NC: _move_wide(1, checked=False),
    R.MOVW_UABS_G2: _move_wide(2, checked=True),
    R.MOVW_UABS_G2_NC: _move_wide(2, checked=False),
    R.MOVW_UABS_G3: _move_wide(3, checked=False),
    R.LD_PREL_LO19: _branch(19, 5),
    R.ADR_PREL_LO21: Rule(Operation.RELATIVE, 4, -(1 << 20), (1 << 20) - 1, 1, _adr(0)),
    R.ADR_PREL_PG_HI21: Rule(Operation.PAGE, 4, -(1 << 32), (1 << 32) - 1, 1, _adr(12)),
    R.ADR_PREL_PG_HI21_NC: Rule(Operation.PAGE, 4, None, None, 1, _adr(12)),
    R.ADD_ABS_LO12_NC: _low_12(0),
    R.LDST8_ABS_LO12_NC: _low_12(0),
    R.LDST16_ABS_LO12_NC: _low_12(1),
    R.LDST32_ABS_LO12_NC: _low_12(2),
    R.LDST64_ABS_LO12_NC: _low_12(3),
    R.LDST128_ABS_LO12_NC: _low_12(4),
    R.TSTBR14: _branch(14, 5),
    R.CONDBR19: _branch(19, 5),
    R.JUMP26: _branch(26, 0),
    R.CALL26: _branch(26, 0),
}

BRANCHES = frozenset({R.TSTBR14, R.CONDBR19, R.JUMP26, R.CALL26})
_LOW_12_BITS = frozenset(
    {
        R.ADD_ABS_LO12_NC,
        R.LDST8_ABS_LO12_NC,
        R.LDST16_ABS_LO12_NC,
        R.LDST32_ABS_LO12_NC,
        R.LDST64_ABS_LO12_NC,
        R.LDST128_ABS_LO12_NC,
    }
)


class RelocationError(Exception):
    """A value cannot be inserted: the `code`, `message` and `fix` of a `LinkProblem`."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.fix = code, fix


def unsupported(number: int) -> RelocationError:
    """The error for a relocation without a rule."""
    name = elf.relocation_name(number)
    if number in elf.GOT_RELOCATIONS:
        fix = "images have no GOT: give the symbol hidden visibility (dso_local, -fvisibility=hidden, -fno-pic)"
    elif number in elf.TLS_RELOCATIONS:
        fix = "images have no thread-local storage: use per-CPU data"
    else:
        fix = "compile for the small code model without position-independent linkage tables"
    return RelocationError("LNK011", f"{name} is not supported", fix)


def moves_apart(number: int, target_is_absolute: bool) -> bool:
    """Whether the value would be wrong once the image runs at another address than it was linked for.

    A PC-relative way to a plain number, and a plain number made of an address, both break; ABS64 is fixed up by the
    relocation table, and images move by whole pages, so the low 12 bits stay.
    """
    rule = RULES[number]
    if rule.operation is Operation.ABSOLUTE:
        return not target_is_absolute and number != R.ABS64 and number not in _LOW_12_BITS
    return target_is_absolute


def apply(data: bytearray, offset: int, number: int, value_of_target: int, place: int) -> None:
    """Inserts S + A (`value_of_target`) into the field at `data[offset:]`, which runs at P (`place`).

    Raises `RelocationError` if the value does not fit or is not aligned. `number` has a rule.
    """
    rule = RULES[number]
    if rule.operation is Operation.ABSOLUTE:
        value = value_of_target
    elif rule.operation is Operation.RELATIVE:
        value = value_of_target - place
    else:
        value = (value_of_target & -4096) - (place & -4096)
    if rule.low is not None and rule.high is not None and not rule.low <= value <= rule.high:
        raise _out_of_range(number, rule, value, value_of_target, place)
    if value & (rule.alignment - 1):
        name = elf.relocation_name(number)
        message = f"{name} needs a target aligned to {rule.alignment} bytes, it is {value_of_target:#x}"
        raise RelocationError("LNK015", message, f"align the target to {rule.alignment} bytes")
    end = offset + rule.size_bytes
    word = int.from_bytes(data[offset:end], "little")
    data[offset:end] = rule.insert(word, value).to_bytes(rule.size_bytes, "little")


def _out_of_range(number: int, rule: Rule, value: int, target: int, place: int) -> RelocationError:
    name = elf.relocation_name(number)
    message = (
        f"{name} reaches {rule.low:#x} to {rule.high:#x}, the value is {value:#x} (from {place:#x} to {target:#x})"
    )
    if rule.operation is Operation.ABSOLUTE:
        fix = "use a wider field or load the address with adrp and add"
    elif number in BRANCHES:
        fix = "place the two sections nearer to each other in the linker script; the linker makes no veneers"
    else:
        fix = "place the two sections nearer to each other in the linker script"
    return RelocationError("LNK014", message, fix)
