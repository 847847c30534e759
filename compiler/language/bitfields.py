"""Words made of bit-fields: descriptors, flag words, register contents.

`class PageDescriptor(Bits, base=u64): VALID = bit(0); ATTR = bits(4, 2)`. On the class a single bit is its mask,
`HCR_EL2.E2H | HCR_EL2.TGE`, and a wider field is called with its value, `TCR_EL2.T0SZ(25)`. On a value the
field's contents: a bool for one bit, a number for more. Overlaps and widths are checked when the class is made.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, overload

from compiler.language.errors import BuildError, only_in_function
from compiler.language.integers import u64

B = TypeVar("B", bound="Bits")


class Bit:
    """A one-bit field."""

    def __init__(self, position: int) -> None:
        self.high = self.low = position

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> int: ...
    @overload
    def __get__(self, instance: Bits, owner: type[Any]) -> bool: ...
    def __get__(self, instance: Bits | None, owner: type[Any]) -> int | bool:
        if instance is None:
            return 1 << self.low
        return bool(instance.raw >> self.low & 1)


class FieldMaker:
    """A field named on its class: called with a value it gives the value in place; `.mask` is its mask."""

    def __init__(self, high: int, low: int, base: type[int] = u64) -> None:
        self.high = high
        self.low = low
        self.base = base
        self.mask = ((1 << (high - low + 1)) - 1) << low

    def __call__(self, value: int) -> int:
        if not 0 <= value < 1 << (self.high - self.low + 1):
            raise BuildError(f"{value} does not fit in bits [{self.high}:{self.low}]")
        return value << self.low


class BitRange:
    """A field of several bits."""

    def __init__(self, high: int, low: int) -> None:
        self.high = high
        self.low = low

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> FieldMaker: ...
    @overload
    def __get__(self, instance: Bits, owner: type[Any]) -> int: ...
    def __get__(self, instance: Bits | None, owner: type[Any]) -> FieldMaker | int:
        if instance is None:
            return FieldMaker(self.high, self.low, owner.base)
        return instance.raw >> self.low & ((1 << (self.high - self.low + 1)) - 1)


def bit(position: int) -> Bit:
    """The field of one bit at `position`."""
    return Bit(position)


def bits(high: int, low: int) -> BitRange:
    """The field of bits [high:low]."""
    return BitRange(high, low)


class Bits:
    """A word of bit-fields; `base` is its integer type, `raw` the number."""

    base: ClassVar[type[int]] = u64
    fields: ClassVar[dict[str, tuple[int, int]]] = {}

    def __init_subclass__(cls, base: type[int] | None = None, **_options: Any) -> None:
        super().__init_subclass__()
        if base is not None:
            cls.base = base
        width = getattr(cls.base, "bits", 64)
        cls.fields = dict(cls.fields)
        for name, entry in vars(cls).items():
            if isinstance(entry, Bit | BitRange):
                cls._declare(name, entry.high, entry.low, width)

    @classmethod
    def _declare(cls, name: str, high: int, low: int, width: int) -> None:
        if not 0 <= low <= high < width:
            raise BuildError(f"{cls.__name__}.{name}: bits [{high}:{low}] are not within a word of {width} bits")
        for other, (other_high, other_low) in cls.fields.items():
            if low <= other_high and other_low <= high:
                raise BuildError(
                    f"{cls.__name__}.{name}: bits [{high}:{low}] overlap {other} [{other_high}:{other_low}]"
                )
        cls.fields[name] = (high, low)

    def __init__(self, raw: int) -> None:
        self.raw: int = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bits) and type(other) is type(self) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash((type(self), self.raw))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw:#x})"

    @classmethod
    def make(cls: type[B], **fields: int) -> B:
        """The word with the named fields set and the rest zero; each value must fit its field."""
        word = 0
        for name, value in fields.items():
            high, low = cls.fields[name]
            word |= FieldMaker(high, low)(int(value))
        return cls(word)

    def replace(self: B, **fields: int) -> B:
        """The same word with the named fields changed; each value must fit its field."""
        raise only_in_function("replace", fields)
