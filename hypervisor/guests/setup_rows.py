"""Calls of FF-A's set-up and discovery with the registers that they are answered with: a table that is read downwards.

`conformance.py` makes the calls on the machine, tests/host/ffa/test_setup_rows.py makes them on the host. A row is for
some kinds of callers and some versions; what one row does, such as to map buffers, holds for those below it. x8 to x17
have any values and come back unchanged where a row does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag

from compiler.language import Array, constant, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.protocol import OWN_VERSION, VERSION_1_0, VERSION_1_1, VERSION_1_2, VERSION_1_3

REGISTER_COUNT = 8
PAGE = 4096
MASK_32 = 0xFFFF_FFFF
UPPER = 0xDEAD_BEEF << 32
"""What 32-bit calls ignore."""


class Kind(IntFlag):
    """Callers."""

    PRIMARY = 1
    EL1 = 2
    EL0 = 4


GUESTS = Kind.PRIMARY | Kind.EL1
EVERYBODY = GUESTS | Kind.EL0
VERSIONS = (VERSION_1_0, VERSION_1_1, VERSION_1_2, VERSION_1_3)


class Base(IntEnum):
    """What is added to a value when the row is used."""

    NONE = 0
    TX = 1
    """Address of a page of data, which becomes the TX buffer."""
    RX = 2
    """Address of another page, which becomes the RX buffer."""
    OWN_ID = 3


@dataclass(frozen=True)
class Value:
    """A register whose value only the caller knows."""

    base: Base
    offset: int = 0


Registers = tuple[int | Value, ...]
TX, RX, OWN_ID = Value(Base.TX), Value(Base.RX), Value(Base.OWN_ID)


@dataclass(frozen=True)
class Row:
    """A call; registers that are not given are zero. `ignored`: registers of the result that may have any value."""

    name: str
    call: Registers
    wanted: Registers
    kinds: Kind = EVERYBODY
    versions: tuple[int, ...] = VERSIONS
    ignored: tuple[int, ...] = ()


def code(error: FfaError) -> int:
    """An error as w registers have it."""
    return error.value & MASK_32


def refuse(
    error: FfaError,
    function: Function | int,
    rows: Iterable[tuple[str, Registers]],
    kinds: Kind = EVERYBODY,
    versions: tuple[int, ...] = VERSIONS,
) -> list[Row]:
    """Rows of one function that fail alike."""
    number = int(function.value) if isinstance(function, Function) else function
    wanted = (Function.ERROR.value, 0, code(error))
    return [Row(f"{number:#x}: {name}", (number, *call), wanted, kinds, versions) for name, call in rows]


def succeed(
    name: str, function: Function, *call: int | Value, value: int | Value = 0, kinds: Kind = EVERYBODY, x3: int = 0
) -> Row:
    """A row that succeeds, with a value in w2."""
    return Row(name, (function.value, *call), (Function.SUCCESS.value, 0, value, x3), kinds)


def agree(wanted: int, versions: tuple[int, ...] = VERSIONS) -> Row:
    """FFA_VERSION that is accepted."""
    return Row(f"version {wanted:#x}", (Function.VERSION.value, wanted), (OWN_VERSION,), versions=versions)


def disagree(wanted: int, versions: tuple[int, ...] = VERSIONS) -> Row:
    """FFA_VERSION that is refused."""
    refused = (code(FfaError.NOT_SUPPORTED),)
    return Row(f"no version {wanted:#x}", (Function.VERSION.value, wanted), refused, versions=versions)


INVALID, DENIED, BUSY = FfaError.INVALID_PARAMETERS, FfaError.DENIED, FfaError.BUSY
UNSUPPORTED = FfaError.NOT_SUPPORTED

NEGOTIATION = [
    *[disagree(wanted) for wanted in (0, 0x9, 0x0_FFFF, OWN_VERSION + 1, 0x1_FFFF, 0x2_0000, 0x7FFF_0000)],
    *[disagree(0x8000_0000 | version) for version in VERSIONS],
    *[agree(version) for version in VERSIONS],
    *[agree(UPPER | version) for version in VERSIONS],
    *refuse(DENIED, Function.INTERRUPT, [("is not for partitions to send", ())]),
    *[agree(version) for version in VERSIONS],
    *[agree(version, (version,)) for version in VERSIONS],
]
"""Not at EL0, where start code makes its data writable before: such partitions have the version of their manifest."""

AGREED = [
    succeed("own ID", Function.ID_GET, value=OWN_ID),
    *[agree(version, (version,)) for version in VERSIONS],
    *[disagree(other, (version,)) for version in VERSIONS for other in VERSIONS if other != version],
    *[disagree(0x8000_0000 | version) for version in VERSIONS],
    Row("hint and upper half", (UPPER | 1 << 16 | Function.ID_GET.value,), (Function.SUCCESS.value, 0, OWN_ID)),
    succeed("manager", Function.SPM_ID_GET, value=0x8000),
]

SMC32, SMC64 = 0x8400_0000, 0xC400_0000
FOR_EVERYBODY = [
    *(SMC32 | number for number in (*range(0x60, 0x66), 0x67, 0x68, 0x69, 0x6B, 0x6C, 0x6D, 0x6F, 0x70)),
    *(SMC32 | number for number in (*range(0x7D, 0x83), 0x85, 0x86, 0x8A)),
    *(SMC64 | number for number in (0x61, 0x6F, 0x70, 0x8A, 0x8B, 0x8D, 0x8E)),
]
FOR_EL0 = [form | number for number in (0x88, 0x89) for form in (SMC32, SMC64)]
FOR_PRIMARY = [SMC64 | 0x83]
RXTX_MAP_64 = SMC64 | 0x66
ALL_FUNCTIONS = [form | number for number in range(0x60, 0x98) for form in (SMC32, SMC64)]


def callers_of(function: int) -> Kind:
    """Who is offered a function that has no properties."""
    if function in FOR_EVERYBODY:
        return EVERYBODY
    if function in FOR_PRIMARY:
        return Kind.PRIMARY
    return Kind.EL0 if function in FOR_EL0 else Kind(0)


def asks(wanted: int, value: int, callers: Kind, *properties: int) -> list[Row]:
    """FFA_FEATURES, by callers that are offered it and by the others."""
    rows = [succeed(f"feature {wanted:#x}", Function.FEATURES, wanted, *properties, value=value, kinds=callers)]
    others = [(f"{wanted:#x} is not offered", (wanted, *properties))]
    return rows + refuse(UNSUPPORTED, Function.FEATURES, others, EVERYBODY & ~callers)


def buffer_sizes(version: int) -> Row:
    """FFA_FEATURES of FFA_RXTX_MAP: most pages, which callers know of since FF-A 1.2."""
    value = 1 << 16 if version >= VERSION_1_2 else 0
    call = (Function.FEATURES.value, RXTX_MAP_64)
    return Row("buffers", call, (Function.SUCCESS.value, 0, value), versions=(version,))


FEATURES = [
    *[row for number in ALL_FUNCTIONS if number != RXTX_MAP_64 for row in asks(number, 0, callers_of(number))],
    *[buffer_sizes(version) for version in VERSIONS],
    *asks(1, 5, GUESTS),
    *asks(2, 8, EVERYBODY),
    *asks(3, 4, GUESTS),
    *asks(4, 3, EVERYBODY),
    *[row for number in (0, 5, 0xFF) for row in asks(number, 0, Kind(0))],
    *[row for bit in range(8, 31) for row in asks(1 << bit | 2, 0, Kind(0))],
    *[row for number in (1, 2, 3, 4) for row in asks(number, 0, Kind(0), 1)],
    *[row for number in (SMC32, 0x8000_0000, 0x8400_FFFF, MASK_32) for row in asks(number, 0, Kind(0))],
]

NEVER_SERVED = [
    *(form | number for number in range(0x71, 0x7C) for form in (SMC32, SMC64)),  # memory management
    *(SMC32 | number for number in (0x60, 0x61, 0x6E, 0x7C, 0x84, 0x87, 0x8C, 0x90, 0x91, 0x97)),
    *(SMC64 | number for number in (0x60, 0x61, 0x69, 0x85, 0x87, 0x8F, 0x90, 0x94, 0x95, 0x96, 0x97)),
]
UNSERVED = [
    row for number in NEVER_SERVED for row in refuse(UNSUPPORTED, number, [("is not served", (1, 2, 3, 4, 5, 6, 7))])
]

TEXT = b"rows\n"
CONSOLE = [
    *refuse(
        INVALID, Function.CONSOLE_LOG, [("no characters", (0,)), ("too many", (25,)), ("far too many", (MASK_32,))]
    ),
    *refuse(
        INVALID, Function.CONSOLE_LOG_64, [("no characters", (0,)), ("too many", (129,)), ("upper half", (UPPER | 1,))]
    ),
    *refuse(INVALID, Function.CONSOLE_LOG_64, [("six registers", (49,))], versions=(VERSION_1_0, VERSION_1_1)),
    succeed("a line", Function.CONSOLE_LOG_64, len(TEXT), int.from_bytes(TEXT, "little")),
    succeed("a short line", Function.CONSOLE_LOG, 4, UPPER | int.from_bytes(b"row\n", "little")),
]

GET, SET = Function.MEM_PERM_GET_64, Function.MEM_PERM_SET_64
READ_WRITE, READ_ONLY = 5, 7
PERMISSIONS = [
    *refuse(INVALID, GET, [("not aligned", (Value(Base.TX, 8),)), ("beyond all memory", (1 << 52,))]),
    *refuse(DENIED, GET, [("has own tables", (TX,))], GUESTS),
    *refuse(
        DENIED, SET, [("has own tables", (TX, 1, READ_WRITE)), ("first of all", (Value(Base.TX, 1), 0, 0))], GUESTS
    ),
    *refuse(
        INVALID,
        SET,
        [
            ("not aligned", (Value(Base.TX, 8), 1, READ_WRITE)),
            ("no pages", (TX, 0, READ_WRITE)),
            ("beyond all memory", (1 << 52, 1, READ_WRITE)),
            ("wraps around", (MASK_32 << 32 | 0xFFFF_F000, 2, READ_WRITE)),
            *[(f"permissions {value:#x}", (TX, 1, value)) for value in (0, 1, 2, 4, 6, 8, 13, 1 << 31 | READ_WRITE)],
        ],
        Kind.EL0,
    ),
    succeed("data", GET, TX, value=READ_WRITE, kinds=Kind.EL0),
    succeed("make it constant", SET, TX, 1, READ_ONLY, kinds=Kind.EL0),
    succeed("it is constant", GET, TX, value=READ_ONLY, kinds=Kind.EL0),
    *refuse(INVALID, Function.RXTX_MAP_64, [("TX is constant", (TX, RX, 1))], Kind.EL0),
    succeed("make it data", SET, TX, 1, READ_WRITE, kinds=Kind.EL0),
    succeed("it is data", GET, TX, value=READ_WRITE, kinds=Kind.EL0),
]

INFO, INFO_REGS, RELEASE = Function.PARTITION_INFO_GET, Function.PARTITION_INFO_GET_REGS, Function.RX_RELEASE
MAP, UNMAP = Function.RXTX_MAP_64, Function.RXTX_UNMAP
UNKNOWN_UUID = (0x0123_4567, 0x89AB_CDEF, 0x1357_9BDF, 0x0246_8ACE)
SIZES = {VERSION_1_0: 8, VERSION_1_1: 24, VERSION_1_2: 24, VERSION_1_3: 48}


def lists_partitions(version: int) -> Row:
    """FFA_PARTITION_INFO_GET of everybody: any number of descriptors, of one size."""
    wanted = (Function.SUCCESS.value, 0, 0, SIZES[version])
    return Row("list", (INFO.value,), wanted, versions=(version,), ignored=(2,))


COUNT = Row("count", (INFO.value, 0, 0, 0, 0, UPPER | 1), (Function.SUCCESS.value,), ignored=(2,))
BUFFERS = [
    *refuse(DENIED, RELEASE, [("no buffers", ())]),
    *refuse(INVALID, UNMAP, [("no buffers", ())]),
    *refuse(BUSY, INFO, [("no buffers", ())]),
    COUNT,
    *refuse(
        INVALID,
        MAP,
        [
            ("no pages", (TX, RX, 0)),
            ("two pages", (TX, RX, 2)),
            ("64 pages", (TX, RX, 64)),
            ("as many pages as there are", (TX, RX, MASK_32)),
            ("TX is not aligned", (Value(Base.TX, 1), RX, 1)),
            ("TX is aligned to less than a page", (Value(Base.TX, PAGE // 2), RX, 1)),
            ("RX is not aligned", (TX, Value(Base.RX, 8), 1)),
            ("the same page", (TX, TX, 1)),
            ("TX beyond all memory", (1 << 52, RX, 1)),
            ("RX beyond all memory", (TX, 1 << 52, 1)),
        ],
    ),
    succeed("map", MAP, TX, RX, 1),
    *refuse(DENIED, MAP, [("again", (TX, RX, 1)), ("before memory is looked at", (1 << 52, RX, 1))]),
    *refuse(INVALID, MAP, [("after arguments are", (TX, RX, 0))]),
    *refuse(INVALID, SET, [("buffers keep their permissions", (RX, 1, READ_WRITE))], Kind.EL0),
    succeed("RX is only read", GET, RX, value=READ_ONLY, kinds=Kind.EL0),
    *refuse(DENIED, RELEASE, [("nothing in it", ())]),
    *refuse(INVALID, INFO, [(f"flags {flags:#x}", (0, 0, 0, 0, flags)) for flags in (2, 3, 1 << 31)]),
    *refuse(INVALID, INFO, [("unknown UUID", UNKNOWN_UUID), ("counted", (*UNKNOWN_UUID, 1))]),
    COUNT,
    *refuse(DENIED, RELEASE, [("nothing in it yet", ())]),
    *[lists_partitions(version) for version in VERSIONS],
    *refuse(BUSY, INFO, [("full", ())]),
    *refuse(INVALID, RELEASE, [("of another", (1,)), ("of another in the secure world", (0x8001,))]),
    succeed("release", RELEASE),
    *refuse(DENIED, RELEASE, [("again", ())]),
    *refuse(FfaError.RETRY, INFO_REGS, [("tag", (0, 0, 1 << 16))]),
    *refuse(INVALID, INFO_REGS, [("beyond the end", (0, 0, 0xFFFF)), ("unknown UUID", (1, 2))]),
    *refuse(INVALID, UNMAP, [("of another", (1 << 16,)), ("of another world", (0x8001 << 16,))]),
    succeed("unmap", UNMAP),
    *refuse(INVALID, UNMAP, [("again", ())]),
    *refuse(BUSY, INFO, [("no buffers any more", ())]),
    Row("map, by SMC32", (Function.RXTX_MAP.value, RX, TX, 1), (Function.SUCCESS.value,)),
    *[lists_partitions(version) for version in VERSIONS],
    succeed("unmap a full one", UNMAP),
    succeed("data again", GET, RX, value=READ_WRITE, kinds=Kind.EL0),
    *refuse(DENIED, RELEASE, [("gone", ())]),
]

ROWS = [
    *[replace(row, kinds=GUESTS) for row in NEGOTIATION],
    *AGREED,
    *FEATURES,
    *UNSERVED,
    *CONSOLE,
    *PERMISSIONS,
    *BUFFERS,
]

ROW_SIZE = 3 + 2 * REGISTER_COUNT
"""Words of a row: who and what to ignore, the bases of both halves, the call, the result."""
CALL_AT = 3
WANTED_AT = CALL_AT + REGISTER_COUNT
VERSIONS_LSB = 8
IGNORED_LSB = 16
BASE_WIDTH = 4


def _halves(registers: Registers) -> tuple[int, list[int]]:
    """Bases, four bits for each register, and the values."""
    padded = [*registers, *[0] * (REGISTER_COUNT - len(registers))]
    split = [(item.base, item.offset) if isinstance(item, Value) else (Base.NONE, item) for item in padded]
    bases = sum(int(base) << (BASE_WIDTH * index) for index, (base, _) in enumerate(split))
    return bases, [value for _, value in split]


def _words(row: Row) -> list[int]:
    versions = sum(1 << (version & 3) for version in row.versions)
    ignored = sum(1 << index for index in row.ignored)
    call_bases, call = _halves(row.call)
    wanted_bases, wanted = _halves(row.wanted)
    return [row.kinds | versions << VERSIONS_LSB | ignored << IGNORED_LSB, call_bases, wanted_bases, *call, *wanted]


WORDS: Array[u64] = constant([word for row in ROWS for word in _words(row)])
