"""What `assemble` returns: a block's bytes and all that the linker, the debugger and the tools need to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.asm.header import Declared
from compiler.asm.relocation import Relocation


@dataclass(frozen=True, slots=True)
class InstructionLine:
    """One instruction as assembled: byte offset, canonical text, 1-based source line.

    A target is shown as a symbol, a label, or `.L` and its offset in hexadecimal where no named label stands.
    """

    offset: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class FrameRow:
    """How to unwind from code at `offset` on: SP at entry is SP + `depth`; `saved` gives general registers with the
    distance of their slots from SP at entry; `signed` tells whether the return address carries a PAC.
    """

    offset: int
    depth: int
    saved: tuple[tuple[int, int], ...]
    signed: bool

    @property
    def without_offset(self) -> tuple[int, tuple[tuple[int, int], ...], bool]:
        return self.depth, self.saved, self.signed


@dataclass(frozen=True, slots=True)
class AssembledBlock:
    """An assembled block.

    `code` starts at an address that is a multiple of `alignment`. `lines` maps byte offsets to lines of `file`, in
    offset order. `labels` has every named label, `exports` those of the `global` lines. `calls` are the link symbols
    that the block refers to. `data_ranges` are the half-open byte ranges that hold no instructions. `stack_bytes` is
    the deepest the block itself moves the stack pointer. An `inline` block is one instruction without
    relocations: `inline_word`, which replaces calls of it; `code` is the same as a function, with a RET added.
    """

    name: str
    file: str
    first_line: int
    section: str
    alignment: int
    code: bytes
    relocations: tuple[Relocation, ...]
    lines: tuple[tuple[int, int], ...]
    instructions: tuple[InstructionLine, ...]
    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    clobbers: frozenset[str]
    calls: tuple[str, ...]
    labels: Mapping[str, int]
    exports: Mapping[str, int]
    data_ranges: tuple[tuple[int, int], ...]
    stack_bytes: int
    frame_rows: tuple[FrameRow, ...]
    naked: bool
    inline: bool

    @property
    def words(self) -> tuple[int, ...]:
        """The code as 32-bit words; bytes after the last whole word are left out."""
        whole = len(self.code) // 4 * 4
        return tuple(int.from_bytes(self.code[i : i + 4], "little") for i in range(0, whole, 4))

    @property
    def inline_word(self) -> int:
        """The instruction of an inline block, without the RET of its function form."""
        return self.words[0]
