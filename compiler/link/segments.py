"""Groups the allocated sections into PT_LOADs.

With PHDRS the script decides, as in GNU ld: a section without `:header` stays in the one before it. Without, a new
segment starts where permissions change, where load and run address part, where bytes follow zeros, or after a gap.
Invariant: within a segment, load address minus run address is constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from compiler.link import elf
from compiler.link.image import Section, Segment
from compiler.link.layout import OutputSection
from compiler.link.problems import ProblemList
from compiler.link.script import Script

PAGE_BYTES = 4096
_GAP_BYTES_MAX = 64 * 1024


@dataclass(slots=True)
class _Group:
    name: str
    flags: int | None
    sections: list[Section] = field(default_factory=list[Section])


def build_segments(
    script: Script,
    planned: Sequence[OutputSection],
    sections: Sequence[Section],
    header_flags: Mapping[str, int],
    problems: ProblemList,
) -> tuple[Segment, ...]:
    """The segments of an image, in order of their first use; `planned` and `sections` run in parallel."""
    if script.program_headers:
        groups = _explicit(script, planned, sections, header_flags, problems)
    else:
        groups = _implicit(sections)
    return tuple(_segment(group, problems) for group in groups if any(s.size for s in group.sections))


def _explicit(
    script: Script,
    planned: Sequence[OutputSection],
    sections: Sequence[Section],
    header_flags: Mapping[str, int],
    problems: ProblemList,
) -> list[_Group]:
    groups = {rule.name: _Group(rule.name, header_flags.get(rule.name)) for rule in script.program_headers}
    current: tuple[str, ...] = ()
    for plan, section in zip(planned, sections, strict=True):
        if plan.rule is None or not section.is_allocated:
            continue
        current = plan.rule.program_headers or current
        where = script.source_position(plan.rule.position)
        if not current:
            message = f"section {section.name} is in no program header"
            problems.add("LNK008", message, fix="write :NAME after its closing brace", position=where)
        for name in current:
            if name in groups:
                groups[name].sections.append(section)
            elif name != "NONE":
                known = ", ".join(groups)
                message = f"section {section.name} names the program header {name}, which PHDRS does not list"
                problems.add("LNK008", message, found=(f"PHDRS lists {known}",), fix="list it", position=where)
    return list(groups.values())


def _implicit(sections: Sequence[Section]) -> list[_Group]:
    groups: list[_Group] = []
    last: Section | None = None
    for section in sections:
        if not section.is_allocated or not section.size:
            continue
        if last is None or _starts_segment(last, section):
            groups.append(_Group(section.name, None))
        groups[-1].sections.append(section)
        last = section
    return groups


def _starts_segment(last: Section, section: Section) -> bool:
    permissions = elf.SHF_WRITE | elf.SHF_EXECINSTR
    return (
        last.flags & permissions != section.flags & permissions
        or last.load_address - last.address != section.load_address - section.address
        or (last.type == elf.SHT_NOBITS and section.type != elf.SHT_NOBITS)
        or not 0 <= section.address - last.end <= _GAP_BYTES_MAX
    )


def _segment(group: _Group, problems: ProblemList) -> Segment:
    first = min(group.sections, key=lambda section: section.address)
    flags = group.flags
    if flags is None:
        flags = elf.PF_R
        for section in group.sections:
            flags |= elf.PF_W if section.flags & elf.SHF_WRITE else 0
            flags |= elf.PF_X if section.is_executable else 0
    for section in group.sections:
        if section.size and section.load_address - section.address != first.load_address - first.address:
            problems.add(
                "LNK008",
                f"section {section.name} cannot share the program header {group.name} with {first.name}",
                found=[f"{s.name}: runs at {s.address:#x}, loads at {s.load_address:#x}" for s in (first, section)],
                fix="give it a program header of its own, or the same distance between the two addresses",
            )
    end = max(section.end for section in group.sections)
    stored = [section for section in group.sections if section.type != elf.SHT_NOBITS]
    data = bytearray(max((section.end for section in stored), default=first.address) - first.address)
    for section in stored:
        at = section.address - first.address
        data[at : at + section.size] = section.data
    return Segment(
        group.name,
        first.address,
        first.load_address,
        end - first.address,
        flags,
        PAGE_BYTES,
        tuple(section.name for section in group.sections),
        bytes(data),
    )
