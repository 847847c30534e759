"""Links relocatable objects by a linker script into an image: resolve, inline, collect, lay out, relocate, write.

Invariants: all problems of a link are reported at once; equal inputs give equal bytes; what stays unresolved in live
code is an error that names the function and, where there is DWARF, the source line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from compiler.link import elf, relocate, relr
from compiler.link.dwarf_lines import DwarfError, LineTable, decode_line_table
from compiler.link.elf import R
from compiler.link.image import Contribution, LinkedImage, Section, Symbol
from compiler.link.inline import replace_calls
from compiler.link.layout import Layout, LayoutEngine, OutputSection, input_address
from compiler.link.problems import LinkError, ProblemList
from compiler.link.reader import InputSection, InputSymbol, ObjectFile, read_object
from compiler.link.resolve import Definitions, collect_garbage, resolve, target_of
from compiler.link.script import Script
from compiler.link.segments import build_segments
from compiler.link.writer import write_executable

RELR_SECTION = ".relr.dyn"
_LINKER_OBJECT = "<linker>"
_SITES_SHOWN_MAX = 4


def link(
    objects: Sequence[tuple[str, bytes]],
    script: Script,
    *,
    symbols: Mapping[str, int] | None = None,
    entry: str | None = None,
    relocatable: bool = False,
    keep: Sequence[str] = (),
) -> LinkedImage:
    """Links `objects`, pairs of a name for messages and the bytes of a relocatable ELF64 AArch64 object.

    `symbols` are constants for the script and the objects (`--defsym` of other linkers). `entry` overrides the
    script's ENTRY. `keep` names symbols that nothing in the image references but that must stay. With `relocatable`
    the image may run at any address that is a multiple of 4096: the addresses of all pointers in static data are
    listed in the section `.relr.dyn`, in RELR format, which the script places.
    Raises `LinkError` with every problem found.
    """
    problems = ProblemList()
    files: list[ObjectFile] = []
    for name, data in objects:
        try:
            files.append(read_object(name, data))
        except LinkError as error:
            problems.problems += error.problems
    problems.raise_if_any()
    return _Link(files, script, dict(symbols or {}), entry or script.entry, relocatable, keep, problems).run()


@dataclass(slots=True)
class _Target:
    """What a symbol index of an object leads to; `address` is None where the code was dropped or nothing defines it."""

    address: int | None
    is_absolute: bool
    is_undefined: bool = False
    is_weak: bool = False


@dataclass(slots=True)
class _Site:
    """A field that could not be relocated."""

    obj: ObjectFile
    section: InputSection
    offset: int
    place: int


class _Link:
    def __init__(
        self,
        files: list[ObjectFile],
        script: Script,
        outside: dict[str, int],
        entry: str | None,
        relocatable: bool,
        keep: Sequence[str],
        problems: ProblemList,
    ) -> None:
        self._files, self._script, self._outside = files, script, outside
        self._entry, self._relocatable, self._keep, self._problems = entry, relocatable, keep, problems
        self._definitions: Definitions = resolve(files, script, outside, problems)
        self._relr = InputSection(_LINKER_OBJECT, 0, RELR_SECTION, elf.SHT_RELR, elf.SHF_ALLOC, 8, 0, b"")
        self._pointers: tuple[int, ...] = ()
        self._discarded: set[int] = set()
        self._undefined: dict[str, list[_Site]] = {}
        self._failed: list[tuple[relocate.RelocationError, _Site, str]] = []

    def run(self) -> LinkedImage:
        self._check_roots()
        replace_calls(self._files, self._definitions.objects, self._problems)
        roots = [name for name in (self._entry, *self._keep) if name is not None]
        collect_garbage(self._files, self._script, self._definitions, roots)
        if self._relocatable:
            self._relr.live = True
            self._files.append(ObjectFile(_LINKER_OBJECT, [self._relr]))
        engine = LayoutEngine(self._script, self._files, self._definitions, self._problems)
        layout = engine.run(self._update_relr)
        if self._pointers and self._relr.output is None:
            message = f"start-up has pointers to adjust ({len(self._pointers)}) and no rule places the list of them"
            fix = f"add .relr.dyn : {{ __relr_start = .; *({RELR_SECTION}) __relr_end = .; }} to {self._script.path}"
            self._problems.add("LNK005", message, fix=fix)
        sections = self._sections(layout)
        self._report_sites(sections)
        flags = engine.header_flags()
        segments = build_segments(self._script, layout.sections, sections, flags, self._problems)
        self._problems.raise_if_any()
        table = self._symbols(layout)
        entry = self._entry_address(layout)
        named = [symbol for symbol in table if symbol.kind != elf.STT_FILE]
        return LinkedImage(
            write_executable(sections, segments, table, entry),
            entry,
            sections,
            segments,
            tuple(sorted(named, key=lambda symbol: (symbol.address, symbol.name))),
            self._contributions(layout),
            tuple(f"{s.label} ({s.size} bytes)" for s in layout.dropped if s.size),
            self._pointers,
        )

    def _check_roots(self) -> None:
        if self._entry is None:
            fix = "write ENTRY(symbol) in the script"
            self._problems.add("LNK016", f"{self._script.path} names no entry", fix=fix)
        elif self._entry not in self._definitions:
            position = self._script.entry_position if self._entry == self._script.entry else None
            where = self._script.source_position(position) if position is not None else None
            fix = f"define it, or export a function called {self._entry}"
            self._problems.add("LNK016", f"the entry {self._entry} is not defined", fix=fix, position=where)
        for name in self._keep:
            if name not in self._definitions:
                self._problems.add("LNK013", f"symbol {name} is to be kept and nothing defines it", fix="define it")

    # Pointers that start-up adjusts.

    def _update_relr(self, layout: Layout) -> bool:
        """Sizes `.relr.dyn` for the present addresses; it never shrinks, so that the layout settles."""
        if not self._relocatable:
            return False
        addresses: list[int] = []
        for obj in self._files:
            targets: list[_Target] | None = None
            for section in obj.sections:
                start = input_address(section, layout.sections)
                if start is None or not section.is_allocated:
                    continue
                for offset, index, number, _ in section.relocations:
                    if number == R.ABS64:
                        targets = targets or self._targets(obj, layout)
                        if not targets[index].is_absolute:
                            addresses.append(start + offset)
        self._pointers = tuple(sorted(addresses))
        words = relr.encode(address for address in addresses if address % relr.WORD_BYTES == 0)
        words += [relr.PADDING] * (self._relr.size // relr.WORD_BYTES - len(words))
        self._relr.data = b"".join(word.to_bytes(8, "little") for word in words)
        changed = self._relr.size != len(self._relr.data)
        self._relr.size = len(self._relr.data)
        return changed

    # Addresses of symbols.

    def _targets(self, obj: ObjectFile, layout: Layout) -> list[_Target]:
        return [self._target(symbol, layout) for symbol in obj.symbols]

    def _target(self, symbol: InputSymbol, layout: Layout) -> _Target:
        definition: InputSymbol | None = symbol
        if not symbol.is_local:
            definition = self._definitions.objects.get(symbol.name)
        if definition is not None:
            if definition.is_absolute or definition.is_undefined:
                return _Target(definition.value, is_absolute=True)
            if definition.section is None:
                return _Target(None, is_absolute=True)
            start = input_address(definition.section, layout.sections)
            return _Target(None if start is None else start + definition.value, is_absolute=False)
        if symbol.name in layout.symbols:
            value = layout.symbols[symbol.name]
            return _Target(value.number, is_absolute=value.section is None)
        if symbol.name in self._outside:
            return _Target(self._outside[symbol.name], is_absolute=True)
        weak = symbol.binding == elf.STB_WEAK
        return _Target(0 if weak else None, is_absolute=True, is_undefined=True, is_weak=weak)

    def _entry_address(self, layout: Layout) -> int:
        assert self._entry is not None
        wanted = InputSymbol("", self._entry, 0, 0, 0, elf.STB_GLOBAL, 0, None, elf.SHN_UNDEF)
        return self._target(wanted, layout).address or 0

    # Contents.

    def _sections(self, layout: Layout) -> tuple[Section, ...]:
        contents = [self._blank(section) for section in layout.sections]
        self._discarded = layout.discarded
        # With an unfinished layout every address is a guess: only undefined symbols are worth reporting.
        trustworthy = not self._problems.problems
        for obj in self._files:
            targets = self._targets(obj, layout)
            for section in obj.sections:
                if section.output is not None and contents[section.output]:
                    data = contents[section.output]
                    data[section.offset : section.offset + len(section.data)] = section.data
                    if section.rela:
                        place = layout.sections[section.output].address + section.offset
                        self._relocate(obj, section, targets, data, place, trustworthy)
        return tuple(
            Section(s.name, s.address, s.load_address, s.size, s.flags, s.type, s.alignment, bytes(data))
            for s, data in zip(layout.sections, contents, strict=True)
        )

    @staticmethod
    def _blank(section: OutputSection) -> bytearray:
        if section.type == elf.SHT_NOBITS:
            return bytearray()
        data = bytearray(section.fill.to_bytes(4, "big") * (section.size // 4 + 1))[: section.size]
        for offset, item in section.data_items:
            data[offset : offset + len(item)] = item
        return data

    def _relocate(
        self,
        obj: ObjectFile,
        section: InputSection,
        targets: list[_Target],
        data: bytearray,
        section_address: int,
        trustworthy: bool,
    ) -> None:
        """Applies the relocations of one input section; what fails is noted for `_report_sites`."""
        start, allocated = section.offset, section.is_allocated
        for offset, index, number, addend in section.relocations:
            target = targets[index]
            address = target.address
            place = section_address + offset
            try:
                if number not in relocate.RULES:
                    if number != R.NONE:
                        raise relocate.unsupported(number)
                elif address is None:
                    if allocated:
                        self._note_unresolved(obj.symbols[index], _Site(obj, section, offset, place))
                    else:
                        relocate.apply(data, start + offset, number, _tombstone(section.name), place)
                elif target.is_weak and number in relocate.BRANCHES:
                    # A call of a weak function that nothing defines goes to the next instruction, as in lld.
                    relocate.apply(data, start + offset, number, place + 4, place)
                else:
                    if self._relocatable and allocated:
                        self._check_movable(number, target, place)
                    relocate.apply(data, start + offset, number, address + addend, place)
            except relocate.RelocationError as error:
                if trustworthy:
                    site = _Site(obj, section, offset, place)
                    self._failed.append((error, site, obj.symbols[index].name))

    def _note_unresolved(self, symbol: InputSymbol, site: _Site) -> None:
        target = target_of(symbol, self._definitions)
        if target is None:
            self._undefined.setdefault(symbol.name, []).append(site)
        elif id(target) in self._discarded:
            message = f"section {target.label} is discarded by {self._script.path} but used"
            error = relocate.RelocationError("LNK013", message, "take it out of /DISCARD/")
            self._failed.append((error, site, symbol.name))

    @staticmethod
    def _check_movable(number: int, target: _Target, place: int) -> None:
        if number == R.ABS64 and not target.is_absolute and place % relr.WORD_BYTES:
            message = f"the pointer at {place:#x} is not 8-byte aligned, so start-up cannot adjust it"
            raise relocate.RelocationError("LNK015", message, "align the pointer: no packed layouts around it")
        if relocate.moves_apart(number, target.is_absolute) and not target.is_weak:
            kind = "a plain number" if target.is_absolute else "an address in the image"
            message = f"{elf.relocation_name(number)} against {kind} breaks when the image moves"
            fix = "use adrp and add for addresses in the image, and immediates or 64-bit data for plain numbers"
            raise relocate.RelocationError("LNK017", message, fix)

    # Problems found while relocating.

    def _report_sites(self, sections: Sequence[Section]) -> None:
        if not self._undefined and not self._failed:
            return
        lines = _line_table(sections)
        known = [name for name in self._definitions.objects if name]
        for name, sites in self._undefined.items():
            found = [_describe(site, lines) for site in sites[:_SITES_SHOWN_MAX]]
            if len(sites) > _SITES_SHOWN_MAX:
                found.append(f"and {len(sites) - _SITES_SHOWN_MAX} more places")
            similar = get_close_matches(name, known, n=1)
            fix = f"did you mean {similar[0]}?" if similar else "define it, or link the object that does"
            self._problems.add("LNK013", f"symbol {name} is not defined", found=found, fix=fix)
        for error, site, name in self._failed:
            facts = (f"{_describe(site, lines)}, target {name}",)
            self._problems.add(error.code, str(error), found=facts, fix=error.fix)

    # What the image lists.

    def _symbols(self, layout: Layout) -> list[Symbol]:
        result: list[Symbol] = []
        for obj in self._files:
            for symbol in obj.symbols:
                if symbol.type == elf.STT_FILE:
                    result.append(Symbol(symbol.name, 0, 0, elf.STT_FILE, elf.STB_LOCAL, None, obj.name))
                elif symbol.type != elf.STT_SECTION and symbol.name and not symbol.is_undefined:
                    self._add_symbol(result, obj, symbol, layout)
        for name, value in layout.symbols.items():
            section = layout.sections[value.section].name if value.section is not None and layout.sections else None
            binding = elf.STB_LOCAL if name in layout.hidden else elf.STB_GLOBAL
            result.append(Symbol(name, value.number, 0, elf.STT_NOTYPE, binding, section, self._script.path))
        for name, number in self._outside.items():
            if name not in layout.symbols:
                result.append(Symbol(name, number, 0, elf.STT_NOTYPE, elf.STB_GLOBAL, None, "<constants>"))
        return result

    def _add_symbol(self, result: list[Symbol], obj: ObjectFile, symbol: InputSymbol, layout: Layout) -> None:
        if not symbol.is_local and self._definitions.objects.get(symbol.name) is not symbol:
            return
        target = self._target(symbol, layout)
        if target.address is None:
            return
        section: str | None = None
        if symbol.section is not None and symbol.section.output is not None:
            section = layout.sections[symbol.section.output].name
        result.append(Symbol(symbol.name, target.address, symbol.size, symbol.type, symbol.binding, section, obj.name))

    def _contributions(self, layout: Layout) -> tuple[Contribution, ...]:
        return tuple(
            Contribution(item.object_name, item.name, section.name, section.address + item.offset, item.size)
            for section in layout.sections
            for item in section.inputs
            if item.size
        )


def _tombstone(section_name: str) -> int:
    """What a debug section's reference to dropped code becomes, as in lld: 0 and 0 would end a range list early."""
    return 1 if section_name in (".debug_loc", ".debug_ranges") else 0


def _line_table(sections: Sequence[Section]) -> LineTable:
    code = [(s.address, s.end) for s in sections if s.is_executable]
    data = {s.name: s.data for s in sections}
    parts = [data.get(name, b"") for name in (".debug_line", ".debug_line_str", ".debug_str")]
    try:
        return decode_line_table(parts[0], parts[1], parts[2], code)
    except DwarfError:
        return LineTable(())


def _describe(site: _Site, lines: LineTable) -> str:
    """`function at file:line (object:section+offset)`."""
    functions = [
        symbol.name
        for symbol in site.obj.symbols
        if symbol.section is site.section
        and symbol.type in (elf.STT_FUNC, elf.STT_OBJECT)
        and symbol.value <= site.offset < symbol.value + max(symbol.size, 1)
    ]
    row = lines.find(site.place)
    parts = [f"used by {functions[0]}" if functions else "used"]
    if row is not None:
        parts.append(f"at {row.path}:{row.line}")
    return " ".join([*parts, f"({site.section.label}+{site.offset:#x})"])
