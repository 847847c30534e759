"""Operands after evaluation, and the canonical text that the encoder and the verifier see.

Every number is printed as hexadecimal with 0x, because keystone may read decimal digits as hexadecimal.
"""

from dataclasses import dataclass

from compiler.asm.registers import Register


@dataclass(frozen=True, slots=True)
class SymbolReference:
    """A symbol of the link plus an offset in bytes: what `resolve` returns for anything that is not a number."""

    symbol: str
    addend: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """A number, or an address: `number` plus `symbol`, plus `origins` times the address of the block's start.

    A label is its offset with one origin; the difference of two labels has none and is a number.
    """

    number: int
    symbol: str = ""
    origins: int = 0

    @property
    def is_number(self) -> bool:
        return not self.symbol and self.origins == 0

    @property
    def is_local(self) -> bool:
        """An address in the block itself."""
        return not self.symbol and self.origins == 1


@dataclass(frozen=True, slots=True)
class Immediate:
    value: int

    def __str__(self) -> str:
        return f"#-{-self.value:#x}" if self.value < 0 else f"#{self.value:#x}"


@dataclass(frozen=True, slots=True)
class Modifier:
    """A shift or extension: `lsl #0x3`; `amount` is None for a bare `uxtw` or `mul vl`."""

    word: str
    amount: int | None

    def __str__(self) -> str:
        return self.word if self.amount is None else f"{self.word} #{self.amount:#x}"


@dataclass(frozen=True, slots=True)
class Word:
    """A name that is no register: a condition, an option, or a label or symbol in a place that takes an address."""

    text: str

    def __str__(self) -> str:
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Address:
    """A code or data address."""

    value: Value

    def __str__(self) -> str:
        return "#0x0"


@dataclass(frozen=True, slots=True)
class PageOffset:
    """`:lo12:`: the low 12 bits of an address; the linker fills them in."""

    value: Value

    def __str__(self) -> str:
        return "#0x0"


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory operand; `mode` is `offset`, `pre` or `post`."""

    base: Register
    offset: "Immediate | Register | PageOffset | None"
    modifier: Modifier | None
    mode: str

    @property
    def writes_base(self) -> bool:
        return self.mode != "offset"

    @property
    def displacement(self) -> int | None:
        """The constant distance from the base at which memory is accessed; None where a register decides."""
        if self.mode == "post" or self.offset is None:
            return 0
        return self.offset.value if isinstance(self.offset, Immediate) else None

    def __str__(self) -> str:
        offset = self.offset.name if isinstance(self.offset, Register) else str(self.offset or "")
        if self.mode == "post":
            return f"[{self.base.name}], {offset}"
        inside = ", ".join(part for part in (self.base.name, offset, str(self.modifier or "")) if part)
        return f"[{inside}]" + ("!" if self.mode == "pre" else "")


Operand = Register | Immediate | Modifier | Word | Address | PageOffset | Memory


def operand_text(operand: Operand) -> str:
    return operand.name if isinstance(operand, Register) else str(operand)


def statement_text(mnemonic: str, operands: tuple[Operand, ...]) -> str:
    """The canonical text of an instruction."""
    return f"{mnemonic} {', '.join(operand_text(operand) for operand in operands)}".rstrip()


def describe_operand(operand: Operand) -> str:
    """How error messages show an operand."""
    if isinstance(operand, Register):
        return operand.name
    if isinstance(operand, Word):
        return operand.text
    if isinstance(operand, Address):
        return operand.value.symbol or "a label"
    if isinstance(operand, PageOffset):
        return ":lo12:" + (operand.value.symbol or "label")
    return str(operand)
