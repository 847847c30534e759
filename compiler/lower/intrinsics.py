"""The LLVM intrinsics that lowering uses, with their types.

LLVM turns an unknown `llvm.*` name into a call of an external function without a word, so nothing outside this list
may be emitted.
"""

from __future__ import annotations

from compiler.lower.errors import LowerError
from compiler.lower.text import scalar_type
from compiler.program.types import ValueType

# {T} stands for the scalar type that the intrinsic is overloaded for.
_TYPES = {
    "llvm.uadd.with.overflow": "{ {T}, i1 } ({T}, {T})",
    "llvm.sadd.with.overflow": "{ {T}, i1 } ({T}, {T})",
    "llvm.usub.with.overflow": "{ {T}, i1 } ({T}, {T})",
    "llvm.ssub.with.overflow": "{ {T}, i1 } ({T}, {T})",
    "llvm.umul.with.overflow": "{ {T}, i1 } ({T}, {T})",
    "llvm.smul.with.overflow": "{ {T}, i1 } ({T}, {T})",
    "llvm.uadd.sat": "{T} ({T}, {T})",
    "llvm.sadd.sat": "{T} ({T}, {T})",
    "llvm.usub.sat": "{T} ({T}, {T})",
    "llvm.ssub.sat": "{T} ({T}, {T})",
    "llvm.umin": "{T} ({T}, {T})",
    "llvm.umax": "{T} ({T}, {T})",
    "llvm.smin": "{T} ({T}, {T})",
    "llvm.smax": "{T} ({T}, {T})",
    "llvm.fshl": "{T} ({T}, {T}, {T})",
    "llvm.fshr": "{T} ({T}, {T}, {T})",
    "llvm.ctlz": "{T} ({T}, i1)",
    "llvm.cttz": "{T} ({T}, i1)",
    "llvm.ctpop": "{T} ({T})",
    "llvm.bswap": "{T} ({T})",
    "llvm.bitreverse": "{T} ({T})",
    "llvm.memcpy.p0.p0": "void (ptr, ptr, {T}, i1)",
    "llvm.memmove.p0.p0": "void (ptr, ptr, {T}, i1)",
    "llvm.memset.p0": "void (ptr, i8, {T}, i1)",
    "llvm.read_volatile_register": "{T} (metadata)",
    "llvm.write_register": "void (metadata, {T})",
    "llvm.aarch64.isb": "void (i32)",
    "llvm.aarch64.dsb": "void (i32)",
    "llvm.aarch64.dmb": "void (i32)",
    "llvm.aarch64.hint": "void (i32)",
    "llvm.aarch64.break": "void (i32)",
}


class Intrinsics:
    """Those that a module uses."""

    def __init__(self) -> None:
        self._declared: dict[str, str] = {}

    def reference(self, name: str, scalar: ValueType | None) -> str:
        """`@name` of an intrinsic, declared for a scalar type. Raises LowerError for a name not in the list."""
        if name not in _TYPES:
            raise LowerError(f"{name} is not among the LLVM intrinsics that may be used")
        overload = scalar_type(scalar) if scalar is not None else ""
        full_name = f"@{name}.{overload}" if overload else f"@{name}"
        if full_name not in self._declared:
            result, arguments = _TYPES[name].replace("{T}", overload).rsplit(" (", 1)
            self._declared[full_name] = f"declare {result} {full_name}({arguments}"
        return full_name

    def lines(self) -> list[str]:
        """Their declarations."""
        return list(self._declared.values())
