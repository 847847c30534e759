"""Numbers of run-time checks: what the immediate of a `brk` stands for, and the table of them in the image.

Each distinct (kind, place, message) has one number from 1 to 65535, which is the immediate of its `brk #number`. The
image holds the entries of those checks that are left after optimisation, in ascending order of number, for the panic
report. Bytes of the table, all little-endian, at symbol `__trap_table` in section `.rodata.traps` (8-byte aligned):

    offset  size  meaning
    0       4     entry_count
    4       4     text_offset: from the start of the table to the texts
    8       8*n   entries, each
                      0   u16  number (the immediate of the brk)
                      2   u16  cause: offset of a cause, counted from text_offset
                      4   u16  line, from 1; 65535 stands for all above too
                      6   u16  file: offset of a text, counted from text_offset
                  or 4*n without line and file, where a line table tells them of the brk's address
    ...           texts, each a u16 count of bytes followed by that many bytes of UTF-8; and causes, each a u8, the
                  kind (`TrapKind.code`), followed by a text: the kind's words, or what `panic` or `assert` said
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from compiler.lower.errors import LowerError
from compiler.program.nodes import Span, TrapKind

TRAP_TABLE_SYMBOL = "__trap_table"
TRAP_TABLE_SECTION = ".rodata.traps"
HIGHEST_NUMBER = 0xFFFF

_HEADER = struct.Struct("<II")
_ENTRY = struct.Struct("<HH")
_PLACE = struct.Struct("<HH")
_OFFSET_MAX = 0xFFFF
_TEXT_SIZE = struct.Struct("<H")
_KIND_OF_CODE = {kind.code: kind for kind in TrapKind}


@dataclass(frozen=True)
class TrapSite:
    """One check: why it traps, where, and the message of an assert or panic."""

    kind: TrapKind
    span: Span
    message: str = ""

    @property
    def text(self) -> str:
        """What a report says: the message where there is one, else the kind's words."""
        return self.message or self.kind.text


@dataclass
class TrapTable:
    """Numbers of check sites, in the order in which the emission met them."""

    sites: dict[int, TrapSite] = field(default_factory=dict[int, TrapSite])
    _numbers: dict[TrapSite, int] = field(default_factory=dict[TrapSite, int])

    def number_of(self, site: TrapSite) -> int:
        """The site's number; the same site always has the same one. Raises LowerError when they run out."""
        number = self._numbers.get(site)
        if number is None:
            number = len(self._numbers) + 1
            if number > HIGHEST_NUMBER:
                raise LowerError(
                    f"more than {HIGHEST_NUMBER} run-time checks in one program; split it into several images",
                    site.span,
                )
            self._numbers[site] = number
            self.sites[number] = site
        return number

    def keep(self, numbers: Iterable[int]) -> TrapTable:
        """The table of only these sites, in ascending order of number."""
        kept = {number: self.sites[number] for number in sorted(set(numbers)) if number in self.sites}
        return TrapTable(kept, {site: number for number, site in kept.items()})

    def count_by_kind(self) -> Mapping[TrapKind, int]:
        """How many sites there are of each kind that occurs."""
        counts: dict[TrapKind, int] = {}
        for site in self.sites.values():
            counts[site.kind] = counts.get(site.kind, 0) + 1
        return counts


@dataclass(frozen=True)
class TrapReport:
    """A decoded entry of the table in an image; file and line are empty where the table has no places."""

    number: int
    kind: TrapKind
    file: str
    line: int
    message: str


def encode_table(table: TrapTable, *, with_places: bool = True) -> bytes:
    """The bytes of the table as they stand in the image; see the module's text for the layout. Raises LowerError."""
    texts = bytearray()
    offsets: dict[bytes, int] = {}

    def offset_of(text: str, site: TrapSite, prefix: bytes = b"") -> int:
        data = text.encode("utf-8", "replace")[:0xFFFF]
        record = prefix + _TEXT_SIZE.pack(len(data)) + data
        if record not in offsets:
            if len(texts) > _OFFSET_MAX:
                raise LowerError(
                    "the files and messages of the run-time checks have more than 64 KiB of text; shorten messages",
                    site.span,
                )
            offsets[record] = len(texts)
            texts.extend(record)
        return offsets[record]

    entries = bytearray()
    for number, site in sorted(table.sites.items()):
        entries += _ENTRY.pack(number, offset_of(site.text, site, bytes([site.kind.code])))
        if with_places:
            entries += _PLACE.pack(min(site.span.line, 0xFFFF), offset_of(site.span.file, site))
    return _HEADER.pack(len(table.sites), _HEADER.size + len(entries)) + bytes(entries) + bytes(texts)


def decode_table(data: bytes) -> dict[int, TrapReport]:
    """Number -> report of an encoded table: the reference for the decoder in the image."""
    entry_count, text_start = _HEADER.unpack_from(data)

    def text_at(offset: int) -> str:
        (size,) = _TEXT_SIZE.unpack_from(data, text_start + offset)
        start = text_start + offset + _TEXT_SIZE.size
        return data[start : start + size].decode("utf-8")

    reports: dict[int, TrapReport] = {}
    entry_size = (text_start - _HEADER.size) // entry_count if entry_count else _ENTRY.size
    for start in range(_HEADER.size, text_start, entry_size):
        number, cause = _ENTRY.unpack_from(data, start)
        file, line = "", 0
        if entry_size > _ENTRY.size:
            line, place = _PLACE.unpack_from(data, start + _ENTRY.size)
            file = text_at(place)
        reports[number] = TrapReport(number, _KIND_OF_CODE[data[text_start + cause]], file, line, text_at(cause + 1))
    return reports
