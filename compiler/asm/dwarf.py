"""DWARF 4 for assembly blocks: line tables, a unit per source file, a subprogram per block, and unwind rows.

Debuggers and disassemblers show the program's source line for every instruction. Addresses are relocations against
the blocks' sections, so that the linker may move or drop each block on its own.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from compiler.asm.block import AssembledBlock
from compiler.asm.elf import ObjectWriter, Section
from compiler.asm.relocation import RelocationType

_DW_LANG_ASSEMBLER = 0x8001
_TAG_COMPILE_UNIT, _TAG_SUBPROGRAM = 0x11, 0x2E
_AT_NAME, _AT_STMT_LIST, _AT_LOW_PC, _AT_HIGH_PC, _AT_LANGUAGE = 0x03, 0x10, 0x11, 0x12, 0x13
_AT_COMP_DIR, _AT_PRODUCER, _AT_DECL_FILE, _AT_DECL_LINE, _AT_EXTERNAL = 0x1B, 0x25, 0x3A, 0x3B, 0x3F
_AT_FRAME_BASE, _AT_RANGES = 0x40, 0x55
_FORM_ADDR, _FORM_DATA2, _FORM_DATA4, _FORM_DATA8, _FORM_STRING = 0x01, 0x05, 0x06, 0x07, 0x08
_FORM_UDATA, _FORM_SEC_OFFSET, _FORM_EXPRLOC, _FORM_FLAG_PRESENT = 0x0F, 0x17, 0x18, 0x19
_OP_CALL_FRAME_CFA = 0x9C
_LNS_COPY, _LNS_ADVANCE_PC, _LNS_ADVANCE_LINE = 1, 2, 3
_LNE_END_SEQUENCE, _LNE_SET_ADDRESS = 1, 2
_INSTRUCTION_BYTES = 4
_RETURN_ADDRESS, _STACK_POINTER = 30, 31

_ABBREVIATIONS = {
    1: (
        _TAG_COMPILE_UNIT,
        True,
        (
            (_AT_PRODUCER, _FORM_STRING),
            (_AT_LANGUAGE, _FORM_DATA2),
            (_AT_NAME, _FORM_STRING),
            (_AT_COMP_DIR, _FORM_STRING),
            (_AT_STMT_LIST, _FORM_SEC_OFFSET),
            (_AT_LOW_PC, _FORM_ADDR),
            (_AT_RANGES, _FORM_SEC_OFFSET),
        ),
    ),
    2: (
        _TAG_SUBPROGRAM,
        False,
        (
            (_AT_NAME, _FORM_STRING),
            (_AT_DECL_FILE, _FORM_UDATA),
            (_AT_DECL_LINE, _FORM_UDATA),
            (_AT_EXTERNAL, _FORM_FLAG_PRESENT),
            (_AT_LOW_PC, _FORM_ADDR),
            (_AT_HIGH_PC, _FORM_DATA8),
            (_AT_FRAME_BASE, _FORM_EXPRLOC),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block and the offset of its first byte in its section."""

    block: AssembledBlock
    section: Section
    offset: int


def uleb128(value: int) -> bytes:
    """An unsigned number in base 128, low digits first (DWARF 4, 7.6)."""
    result = bytearray()
    while True:
        value, digit = value >> 7, value & 0x7F
        result.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(result)


def sleb128(value: int) -> bytes:
    """A signed number in base 128, low digits first (DWARF 4, 7.6)."""
    result = bytearray()
    while True:
        digit = value & 0x7F
        value >>= 7
        done = value == (-1 if digit & 0x40 else 0)
        result.append(digit | (0 if done else 0x80))
        if done:
            return bytes(result)


def _string(text: str) -> bytes:
    return text.encode() + b"\0"


def _address(section: Section, placed: PlacedBlock, addend: int = 0) -> None:
    """Append the eight bytes of an address in a block."""
    section.relocate(len(section.data), RelocationType.ABS64, placed.section.symbol, placed.offset + addend)
    section.data += bytes(8)


def _offset(section: Section, target: Section, value: int) -> None:
    """Append the four bytes of an offset into another debug section."""
    section.relocate(len(section.data), RelocationType.ABS32, target.symbol, value)
    section.data += bytes(4)


class _Unit:
    """A unit of a debug section: its length is filled in when it ends."""

    def __init__(self, section: Section) -> None:
        self._data = section.data
        self.start = len(section.data)
        section.data += bytes(4)

    def end(self) -> None:
        self._data[self.start : self.start + 4] = struct.pack("<I", len(self._data) - self.start - 4)


def _write_abbreviations(section: Section) -> None:
    for code, (tag, has_children, attributes) in _ABBREVIATIONS.items():
        section.data += uleb128(code) + uleb128(tag) + bytes([has_children])
        for attribute, form in attributes:
            section.data += uleb128(attribute) + uleb128(form)
        section.data += b"\0\0"
    section.data += b"\0"


def _write_lines(section: Section, file: str, blocks: Iterable[PlacedBlock]) -> int:
    """The line program of one source file; returns its offset in the section."""
    unit = _Unit(section)
    data = section.data
    data += struct.pack("<H", 4)
    header_length_at = len(data)
    data += bytes(4)
    # Instruction length, operations per instruction, default is_stmt, line base, line range, opcode base.
    data += struct.pack("<BBBbBB", _INSTRUCTION_BYTES, 1, 1, -5, 14, 13) + bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])
    data += b"\0" + _string(file) + uleb128(0) * 3 + b"\0"
    data[header_length_at : header_length_at + 4] = struct.pack("<I", len(data) - header_length_at - 4)
    for placed in blocks:
        data += b"\0" + uleb128(9) + bytes([_LNE_SET_ADDRESS])
        _address(section, placed, placed.block.lines[0][0] if placed.block.lines else 0)
        offset, line = placed.block.lines[0][0] if placed.block.lines else 0, 1
        for next_offset, next_line in placed.block.lines:
            if next_offset != offset:
                data += bytes([_LNS_ADVANCE_PC]) + uleb128((next_offset - offset) // _INSTRUCTION_BYTES)
            data += bytes([_LNS_ADVANCE_LINE]) + sleb128(next_line - line) + bytes([_LNS_COPY])
            offset, line = next_offset, next_line
        rest = -(-(len(placed.block.code) - offset) // _INSTRUCTION_BYTES)
        data += bytes([_LNS_ADVANCE_PC]) + uleb128(rest) + b"\0" + uleb128(1) + bytes([_LNE_END_SEQUENCE])
    unit.end()
    return unit.start


@dataclass(slots=True)
class _DebugSections:
    info: Section
    abbreviations: Section
    lines: Section
    ranges: Section
    by_address: Section


def _write_unit(sections: _DebugSections, file: str, directory: str, blocks: Sequence[PlacedBlock]) -> None:
    """The unit of one source file with its subprograms, address ranges and lines."""
    lines_at = _write_lines(sections.lines, file, blocks)
    ranges_at = len(sections.ranges.data)
    for placed in blocks:
        _address(sections.ranges, placed)
        _address(sections.ranges, placed, len(placed.block.code))
    sections.ranges.data += bytes(16)
    info = sections.info
    unit = _Unit(info)
    info.data += struct.pack("<H", 4)
    _offset(info, sections.abbreviations, 0)
    info.data += bytes([8])
    info.data += uleb128(1) + _string("Tantalum") + struct.pack("<H", _DW_LANG_ASSEMBLER)
    info.data += _string(file) + _string(directory)
    _offset(info, sections.lines, lines_at)
    info.data += bytes(8)
    _offset(info, sections.ranges, ranges_at)
    for placed in blocks:
        info.data += uleb128(2) + _string(placed.block.name) + uleb128(1) + uleb128(placed.block.first_line)
        _address(info, placed)
        info.data += struct.pack("<Q", len(placed.block.code)) + uleb128(1) + bytes([_OP_CALL_FRAME_CFA])
    info.data += b"\0"
    unit.end()
    _write_address_ranges(sections, unit.start, blocks)


def _write_address_ranges(sections: _DebugSections, unit_at: int, blocks: Iterable[PlacedBlock]) -> None:
    section = sections.by_address
    unit = _Unit(section)
    section.data += struct.pack("<H", 2)
    _offset(section, sections.info, unit_at)
    section.data += bytes([8, 0]) + bytes(4)
    for placed in blocks:
        _address(section, placed)
        section.data += struct.pack("<Q", len(placed.block.code))
    section.data += bytes(16)
    unit.end()


_CFA_DEF_CFA, _CFA_DEF_CFA_OFFSET, _CFA_OFFSET, _CFA_RESTORE = 0x0C, 0x0E, 0x80, 0xC0
_CFA_ADVANCE_LOC4, _CFA_UNDEFINED, _CFA_NEGATE_RA_STATE = 0x04, 0x07, 0x2D
_DATA_ALIGNMENT = -8


def _write_frames(section: Section, blocks: Iterable[PlacedBlock]) -> None:
    """.debug_frame: one common entry, and how to unwind each block (DWARF 4, 6.4; AADWARF64, IHI 0057)."""
    common = _Unit(section)
    section.data += struct.pack("<IB", 0xFFFFFFFF, 4) + b"\0" + bytes([8, 0])
    section.data += uleb128(_INSTRUCTION_BYTES) + sleb128(_DATA_ALIGNMENT) + uleb128(_RETURN_ADDRESS)
    section.data += bytes([_CFA_DEF_CFA]) + uleb128(_STACK_POINTER) + uleb128(0)
    section.data += bytes(-(len(section.data) - common.start - 4) % 8)
    common.end()
    for placed in blocks:
        entry = _Unit(section)
        _offset(section, section, common.start)
        _address(section, placed)
        section.data += struct.pack("<Q", len(placed.block.code)) + _frame_program(placed.block)
        section.data += bytes(-(len(section.data) - entry.start - 4) % 8)
        entry.end()


def _frame_program(block: AssembledBlock) -> bytes:
    if block.naked:
        return bytes([_CFA_UNDEFINED]) + uleb128(_RETURN_ADDRESS)
    result = b""
    offset, depth, signed = 0, 0, False
    saved: dict[int, int] = {}
    for row in block.frame_rows:
        if row.offset != offset:
            result += struct.pack("<BI", _CFA_ADVANCE_LOC4, (row.offset - offset) // _INSTRUCTION_BYTES)
            offset = row.offset
        if row.depth != depth:
            depth = row.depth
            result += bytes([_CFA_DEF_CFA_OFFSET]) + uleb128(depth)
        now = dict(row.saved)
        for register in sorted(saved.keys() - now.keys()):
            result += bytes([_CFA_RESTORE | register])
        for register, place in now.items():
            if saved.get(register) != place:
                result += bytes([_CFA_OFFSET | register]) + uleb128(place // _DATA_ALIGNMENT)
        saved = now
        if row.signed != signed:
            signed = row.signed
            result += bytes([_CFA_NEGATE_RA_STATE])
    return result


def write_debug_sections(writer: ObjectWriter, placed_blocks: Sequence[PlacedBlock], directory: str) -> None:
    """Add the debug sections for all blocks; `directory` is what relative file names are relative to."""
    sections = _DebugSections(
        info=writer.add_section(".debug_info"),
        abbreviations=writer.add_section(".debug_abbrev"),
        lines=writer.add_section(".debug_line"),
        ranges=writer.add_section(".debug_ranges"),
        by_address=writer.add_section(".debug_aranges"),
    )
    _write_abbreviations(sections.abbreviations)
    by_file: dict[str, list[PlacedBlock]] = {}
    for placed in placed_blocks:
        by_file.setdefault(placed.block.file, []).append(placed)
    for file, blocks in by_file.items():
        _write_unit(sections, file, directory, blocks)
    _write_frames(writer.add_section(".debug_frame", alignment=8), placed_blocks)
