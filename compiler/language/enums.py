"""Enumerations with a declared width, and error enumerations for results.

`class VcpuState(EnumU8)` is a Python Enum whose members are integers of that width. `match` over one must name every
member or have a wildcard. `VcpuState.decode(raw)` gives the member or None. A subclass of `ErrorEnum` can stand in a
result type, `u64 | FfaError`, which must be tested before use; none of its members may be zero.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

E = TypeVar("E", bound="EnumBase")


class EnumBase(Enum):
    """What all dialect enumerations share."""

    _value_: int

    @classmethod
    def decode(cls: type[E], raw: int) -> E | None:
        """The member whose value is `raw`, or None."""
        for member in cls:
            if member.value == raw:
                return member
        return None


class EnumU8(EnumBase):
    """Members are u8."""


class EnumU16(EnumBase):
    """Members are u16."""


class EnumU32(EnumBase):
    """Members are u32."""


class EnumU64(EnumBase):
    """Members are u64."""


class EnumI32(EnumBase):
    """Members are i32."""


class ErrorEnum(EnumBase):
    """Error codes, i32, none of them zero: the second half of a result type."""
