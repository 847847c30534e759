"""Definitions of static objects: bytes with pointers among them."""

from __future__ import annotations

from compiler.lower.text import bytes_constant, global_name
from compiler.program.program import StaticObject

_LONG_ZERO_TAIL = 32


def static_line(static: StaticObject, linkage: str, placement: str, debug: str) -> str:
    """The definition of an object, in its section (`placement`) and with its description (`debug`).

    Objects that are zero throughout take no room in the image.
    """
    kind = "global" if static.mutable else "constant"
    value = _initial_value(static)
    return f"{global_name(static.symbol)} = {linkage} {kind} {value}{placement}, align {static.align}{debug}"


def _initial_value(static: StaticObject) -> str:
    data = static.data.ljust(static.size, b"\0")
    parts: list[str] = []
    position = 0
    for relocation in sorted(static.relocations, key=lambda relocation: relocation.offset):
        if relocation.offset > position:
            parts.append(bytes_constant(data[position : relocation.offset]))
        target = global_name(relocation.target)
        addend = relocation.addend
        parts.append(f"ptr getelementptr (i8, ptr {target}, i64 {addend})" if addend else f"ptr {target}")
        position = relocation.offset + 8
    rest = data[position:]
    filled = len(rest.rstrip(b"\0"))
    if len(rest) - filled > _LONG_ZERO_TAIL and filled:
        parts += [bytes_constant(rest[:filled]), bytes_constant(rest[filled:])]
    elif rest or not parts:
        parts.append(bytes_constant(rest))
    return (
        parts[0]
        if len(parts) == 1
        else f"<{{ {', '.join(_type_of(part) for part in parts)} }}> <{{ {', '.join(parts)} }}>"
    )


def _type_of(part: str) -> str:
    return "ptr" if part.startswith("ptr ") else part[: part.index("]") + 1]
