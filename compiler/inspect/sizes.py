"""Sizes of an image by section, module and symbol, saved and compared from build to build.

Invariant: the sizes of the sections, and those of the modules, add up to what the image occupies in memory; bytes that
no symbol covers (padding, stacks, tables without a name) are the module "(unnamed)".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from compiler.link import LinkedImage, Symbol

UNNAMED = "(unnamed)"
_FORMAT = 1


class SizesFileError(Exception):
    """A saved report that cannot be read; the message says why."""


@dataclass(frozen=True)
class SizeReport:
    """Bytes by section, by module and by symbol; every mapping is sorted by name."""

    sections: Mapping[str, int]
    modules: Mapping[str, int]
    symbols: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """What the image occupies in memory."""
        return sum(self.sections.values())

    def to_json(self) -> str:
        """The report as JSON with sorted keys, for `from_json`."""
        content = {"format": _FORMAT, "sections": self.sections, "modules": self.modules, "symbols": self.symbols}
        return json.dumps(content, indent=1, sort_keys=True, default=dict) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SizeReport:
        """Reads what `to_json` wrote; raises `SizesFileError`."""
        try:
            content: Any = json.loads(text)
        except ValueError as error:
            raise SizesFileError(f"this is no saved size report: {error}") from None
        if not isinstance(content, dict) or cast("dict[str, Any]", content).get("format") != _FORMAT:
            raise SizesFileError(f"this is no saved size report of format {_FORMAT}; save it again")
        tables: list[dict[str, int]] = []
        for key in ("sections", "modules", "symbols"):
            table: Any = cast("dict[str, Any]", content).get(key)
            sizes: list[Any] = list(cast("dict[str, Any]", table).values()) if isinstance(table, dict) else [None]
            if not all(isinstance(size, int) for size in sizes):
                raise SizesFileError(f"the saved size report has no table of {key}; save it again")
            tables.append(cast("dict[str, int]", table))
        return cls(*tables)


@dataclass(frozen=True, slots=True)
class SizeChange:
    """A size that differs between two reports; 0 where the name was or is not there."""

    kind: str
    name: str
    before_bytes: int
    after_bytes: int

    @property
    def growth_bytes(self) -> int:
        return self.after_bytes - self.before_bytes


def measure(image: LinkedImage) -> SizeReport:
    """The sizes of `image`. A symbol's module is its name up to the last dot, or else its object."""
    sections = {section.name: section.size for section in image.sections if section.is_allocated and section.size}
    symbols: dict[str, int] = {}
    modules: dict[str, int] = {}
    covered = dict.fromkeys(sections, 0)
    end = 0
    for symbol in image.all_symbols:
        # Of aliases and nested symbols only the first is counted.
        if symbol.section not in sections or not symbol.size or symbol.address < end:
            continue
        end = symbol.end
        covered[symbol.section] += symbol.size
        symbols[symbol.name] = symbols.get(symbol.name, 0) + symbol.size
        module = _module(symbol)
        modules[module] = modules.get(module, 0) + symbol.size
    rest = sum(sections.values()) - sum(covered.values())
    if rest:
        modules[UNNAMED] = rest
    return SizeReport(dict(sorted(sections.items())), dict(sorted(modules.items())), dict(sorted(symbols.items())))


def _module(symbol: Symbol) -> str:
    return symbol.name.rpartition(".")[0] or symbol.object_name


def compare(before: SizeReport, after: SizeReport) -> tuple[SizeChange, ...]:
    """What changed, largest change first within sections, modules and symbols."""
    changes: list[SizeChange] = []
    for kind in ("sections", "modules", "symbols"):
        old: Mapping[str, int] = getattr(before, kind)
        new: Mapping[str, int] = getattr(after, kind)
        found = [SizeChange(kind, name, old.get(name, 0), new.get(name, 0)) for name in sorted(old.keys() | new.keys())]
        differing = [change for change in found if change.growth_bytes]
        changes += sorted(differing, key=lambda change: (-abs(change.growth_bytes), change.name))
    return tuple(changes)
