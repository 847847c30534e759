"""What a finished image contains: its trap sites by kind, and calls of helpers that nobody asked for.

Invariant: every `brk` in the code is counted once, at its address, and one whose immediate no table knows is listed as
unknown, so that a table that has lost entries is noticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from compiler.inspect.executable import Executable

_BRK, _BRK_MASK = 0xD4200000, 0xFFE0001F
_INSTRUCTION_BYTES = 4
COMPILER_HELPERS = frozenset(
    {"memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen", "abort", "__stack_chk_fail", "__chkstk"}
)
"""What LLVM may call without being asked, besides the names that `is_helper` knows by their form"""
_HELPER_PREFIXES = ("__aeabi_", "__aarch64_", "__div", "__udiv", "__mod", "__umod", "__mul", "__ash", "__lsh", "__clz")


@dataclass(frozen=True, slots=True)
class TrapInstruction:
    """A `brk #immediate` and the function that it is in."""

    address: int
    immediate: int
    function: str


@dataclass(frozen=True)
class ImageScan:
    """What `scan` found. `helpers`: functions that LLVM calls by itself; `unknown_traps`: in no table."""

    traps_by_kind: Mapping[str, int]
    unknown_traps: tuple[TrapInstruction, ...]
    helpers: tuple[str, ...]

    @property
    def trap_count(self) -> int:
        """All trap sites, known or not."""
        return sum(self.traps_by_kind.values()) + len(self.unknown_traps)


def trap_instructions(image: Executable) -> list[TrapInstruction]:
    """Every `brk` in a function of the image, in address order."""
    found: list[TrapInstruction] = []
    for function in image.functions:
        for at in range(0, len(function.code) - 3, _INSTRUCTION_BYTES):
            word = int.from_bytes(function.code[at : at + _INSTRUCTION_BYTES], "little")
            if word & _BRK_MASK == _BRK:
                found.append(TrapInstruction(function.address + at, word >> 5 & 0xFFFF, function.name))
    return found


def is_helper(name: str) -> bool:
    """Whether `name` is one that a compiler calls without being asked."""
    return name in COMPILER_HELPERS or name.startswith(_HELPER_PREFIXES)


def scan(image: Executable, trap_kinds: Mapping[int, str], expected_helpers: Collection[str] = ()) -> ImageScan:
    """Scans `image`; `trap_kinds`: the kind of each `brk` immediate, `expected_helpers`: what the runtime defines."""
    traps = trap_instructions(image)
    known = Counter(trap_kinds[trap.immediate] for trap in traps if trap.immediate in trap_kinds)
    return ImageScan(
        dict(sorted(known.items())),
        tuple(trap for trap in traps if trap.immediate not in trap_kinds),
        tuple(f.name for f in image.functions if is_helper(f.name) and f.name not in expected_helpers),
    )
