"""Puts the instruction of an inline assembly block in the place of the `bl` that calls it.

An object names its inline blocks in the section `.tantalum.inline`; as a function such a block is its instruction and
RET. Only calls (R_AARCH64_CALL26 at a BL) are replaced: a tail call, `b block`, needs the RET and an address needs the
function, so these keep it alive, and garbage collection drops it where they do not occur.

Invariant: runs before garbage collection; sections of which nothing is replaced stay as they were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from compiler.link import elf
from compiler.link.problems import ProblemList
from compiler.link.reader import InputSection, InputSymbol, ObjectFile, Relocation
from compiler.program.objects import INLINE_LIST_SECTION

_INSTRUCTION_BYTES = 4
_RET = (0xD65F03C0).to_bytes(_INSTRUCTION_BYTES, "little")
_BL, _BL_MASK = 0x94000000, 0xFC000000


def replace_calls(objects: Sequence[ObjectFile], definitions: Mapping[str, InputSymbol], problems: ProblemList) -> None:
    """Replaces calls of inline blocks in all objects, and takes the lists of inline blocks out of them.

    `definitions` has the definition of each global name. A list that names no function of one instruction and RET is
    recorded as LNK010.
    """
    words = {id(symbol): word for obj in objects for symbol, word in _inline_blocks(obj, problems)}
    if not words:
        return
    for obj in objects:
        # By symbol index: what an object's calls of an inline block refer to.
        replacements: dict[int, bytes] = {}
        for index, symbol in enumerate(obj.symbols):
            definition = symbol if symbol.is_local else definitions.get(symbol.name)
            if definition is not None and id(definition) in words:
                replacements[index] = words[id(definition)]
        if replacements:
            for section in obj.sections:
                _replace_in(section, replacements)


def _inline_blocks(obj: ObjectFile, problems: ProblemList) -> Iterator[tuple[InputSymbol, bytes]]:
    """The symbol of each inline block of an object, with its instruction."""
    lists = [section for section in obj.sections if section.name == INLINE_LIST_SECTION]
    if not lists:
        return
    obj.sections = [section for section in obj.sections if section not in lists]
    symbols = {symbol.name: symbol for symbol in obj.symbols if symbol.type == elf.STT_FUNC}
    for listed in b"".join(section.data for section in lists).split(b"\0")[:-1]:
        name = listed.decode("utf-8", "replace")
        symbol = symbols.get(name)
        code = _function_bytes(symbol)
        if symbol is None or len(code) != 2 * _INSTRUCTION_BYTES or not code.endswith(_RET):
            what = f"{INLINE_LIST_SECTION} lists {name}, which is not one instruction and RET"
            fix = "assemble the block again; inline blocks are exactly one instruction"
            problems.add("LNK010", f"{obj.name} is not a usable object", found=(what,), fix=fix)
        else:
            yield symbol, code[:_INSTRUCTION_BYTES]


def _function_bytes(symbol: InputSymbol | None) -> bytes:
    if symbol is None or symbol.section is None or symbol.section.rela:
        return b""
    return symbol.section.data[symbol.value : symbol.value + symbol.size]


def _replace_in(section: InputSection, replacements: Mapping[int, bytes]) -> None:
    data = bytearray(section.data)
    kept: list[Relocation] = []
    for relocation in section.relocations:
        offset, index, number, addend = relocation
        is_call = number == elf.R.CALL26 and addend == 0 and index in replacements
        if is_call and int.from_bytes(data[offset : offset + _INSTRUCTION_BYTES], "little") & _BL_MASK == _BL:
            data[offset : offset + _INSTRUCTION_BYTES] = replacements[index]
        else:
            kept.append(relocation)
    if len(kept) < len(section.relocations):
        section.replace(bytes(data), kept)
