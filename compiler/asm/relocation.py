"""Addresses in instructions and data: filled in where they are known, left to the linker as relocations where not."""

import enum
from dataclasses import dataclass

from compiler.asm.operands import Value


class RelocationType(enum.IntEnum):
    """The relocations that blocks need, by their ELF numbers (AAELF64, IHI 0056, section 5.7)."""

    ABS64 = 257
    ABS32 = 258
    ABS16 = 259
    PREL64 = 260
    PREL32 = 261
    PREL16 = 262
    LD_PREL_LO19 = 273
    ADR_PREL_LO21 = 274
    ADR_PREL_PG_HI21 = 275
    ADD_ABS_LO12_NC = 277
    LDST8_ABS_LO12_NC = 278
    TSTBR14 = 279
    CONDBR19 = 280
    JUMP26 = 282
    CALL26 = 283
    LDST16_ABS_LO12_NC = 284
    LDST32_ABS_LO12_NC = 285
    LDST64_ABS_LO12_NC = 286
    LDST128_ABS_LO12_NC = 299


@dataclass(frozen=True, slots=True)
class Relocation:
    """`symbol + addend` to be put at `offset`; an empty symbol means the start of the block itself."""

    offset: int
    type: RelocationType
    symbol: str
    addend: int


class TargetFault(Exception):
    """A target that the instruction cannot reach; the text says why."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A PC-relative field: its relocation, width in bits, unit in bytes, lowest bit."""

    type: RelocationType
    bits: int
    unit: int
    shift: int


_RELATIVE = {
    "jump26": _Field(RelocationType.JUMP26, 26, 4, 0),
    "call26": _Field(RelocationType.CALL26, 26, 4, 0),
    "branch19": _Field(RelocationType.CONDBR19, 19, 4, 5),
    "branch14": _Field(RelocationType.TSTBR14, 14, 4, 5),
    "literal": _Field(RelocationType.LD_PREL_LO19, 19, 4, 5),
    "near": _Field(RelocationType.ADR_PREL_LO21, 21, 1, 5),
}

_ABSOLUTE = {
    "page": RelocationType.ADR_PREL_PG_HI21,
    "lo12": RelocationType.ADD_ABS_LO12_NC,
    "lo12_1": RelocationType.LDST8_ABS_LO12_NC,
    "lo12_2": RelocationType.LDST16_ABS_LO12_NC,
    "lo12_4": RelocationType.LDST32_ABS_LO12_NC,
    "lo12_8": RelocationType.LDST64_ABS_LO12_NC,
    "lo12_16": RelocationType.LDST128_ABS_LO12_NC,
}

_DATA = {
    (8, 0): RelocationType.ABS64,
    (4, 0): RelocationType.ABS32,
    (2, 0): RelocationType.ABS16,
    (8, 1): RelocationType.PREL64,
    (4, 1): RelocationType.PREL32,
    (2, 1): RelocationType.PREL16,
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A word with its target filled in: `shown` is the address that a disassembler prints for it."""

    word: int
    relocation: Relocation | None
    shown: int


def place_target(word: int, kind: str, target: Value, offset: int) -> Placed:
    """Fill the target of an instruction at `offset` in, or leave it to the linker. Raises TargetFault."""
    if kind in _ABSOLUTE:
        if not target.symbol and target.origins != 1:
            raise TargetFault("an address is needed here, not a number")
        relocation = Relocation(offset, _ABSOLUTE[kind], target.symbol, target.number)
        return Placed(word, relocation, offset & ~0xFFF if kind == "page" else 0)
    field = _RELATIVE[kind]
    if target.symbol:
        if target.origins:
            raise TargetFault("the difference of two addresses is not a target")
        return Placed(word, Relocation(offset, field.type, target.symbol, target.number), offset)
    if not target.is_local:
        raise TargetFault("a label or a symbol is needed here, not a number")
    distance = target.number - offset
    if distance % field.unit:
        raise TargetFault(f"the target is {distance} bytes away, not a multiple of {field.unit}")
    units = distance // field.unit
    if not -(1 << (field.bits - 1)) <= units < 1 << (field.bits - 1):
        reach = field.unit << (field.bits - 1)
        raise TargetFault(f"the target is {distance} bytes away, and the instruction reaches {reach} bytes")
    if kind == "near":
        return Placed(word | (units & 3) << 29 | (units >> 2 & 0x7FFFF) << 5, None, target.number)
    return Placed(word | (units & ((1 << field.bits) - 1)) << field.shift, None, target.number)


def place_datum(value: Value, size: int, offset: int) -> tuple[bytes, Relocation | None]:
    """The bytes of a datum of `size` bytes at `offset`. Raises TargetFault."""
    if value.is_number:
        if not -(1 << (8 * size - 1)) <= value.number < 1 << (8 * size):
            raise TargetFault(f"{value.number:#x} does not fit {size} bytes")
        return (value.number % (1 << (8 * size))).to_bytes(size, "little"), None
    if value.symbol and value.origins in (0, -1):
        relative = -value.origins
    elif value.is_local:
        relative = 0
    else:
        raise TargetFault("this combination of addresses has no relocation")
    kind = _DATA.get((size, relative))
    if kind is None:
        raise TargetFault(f"an address does not fit {size} bytes")
    # A PC-relative relocation subtracts its own place, the expression the place of `.` or a label.
    addend = value.number + (offset if relative else 0)
    return bytes(size), Relocation(offset, kind, value.symbol, addend)
