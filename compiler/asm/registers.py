"""Register names of blocks: what an operand name denotes, and which machine resource it is.

A *resource* is what the data-flow checks track: `x0`..`x30`, `sp`, `nzcv`, `v0`..`v31`, `p0`..`p15`, `ffr`. W and X
names of one register share a resource, and so do B, H, S, D, Q, V and Z names.
"""

import re
from dataclasses import dataclass

_RESOURCES = (
    *(f"x{n}" for n in range(31)),
    *("sp", "nzcv"),
    *(f"v{n}" for n in range(32)),
    *(f"p{n}" for n in range(16)),
    *("ffr", "memory"),
)

RESOURCE_ORDER: dict[str, int] = {name: index for index, name in enumerate(_RESOURCES)}
"""All resources in the order in which messages list them."""

CALLEE_SAVED = frozenset([*(f"x{n}" for n in range(19, 31)), "sp"])
"""General registers that an AAPCS64 function (IHI 0055, 6.1.1) returns with their entry values; x30 with them."""

CALLER_SAVED = frozenset(
    [*(f"x{n}" for n in range(19)), "nzcv", *(f"v{n}" for n in (*range(8), *range(16, 32)))]
    + [f"p{n}" for n in range(16)]
    + ["ffr"]
)
"""What a call of an AAPCS64 function may change, x30 apart: the meaning of `clobber caller_saved`."""

ARGUMENT_REGISTERS = frozenset(f"x{n}" for n in range(9))
"""What a called function may read: x0 to x7 and the indirect result register x8."""

SMCCC_REGISTERS = frozenset(f"x{n}" for n in range(18))
"""What SVC, HVC and SMC may read and change under the SMC Calling Convention (DEN0028)."""


@dataclass(frozen=True, slots=True)
class Register:
    """A register operand.

    `bank` is one of x w (general), b h s d q (scalar), v (vector) z p (SVE); `number` 31 with `stack` set is SP,
    without it XZR. `arrangement` is the part after the dot, such as `2d`.
    """

    bank: str
    number: int
    stack: bool = False
    arrangement: str = ""

    @property
    def name(self) -> str:
        if self.bank in "xw" and self.number == 31:
            if self.stack:
                return "sp" if self.bank == "x" else "wsp"
            return f"{self.bank}zr"
        suffix = f".{self.arrangement}" if self.arrangement else ""
        return f"{self.bank}{self.number}{suffix}"

    @property
    def is_general(self) -> bool:
        return self.bank in "xw"

    @property
    def is_zero(self) -> bool:
        return self.is_general and self.number == 31 and not self.stack

    @property
    def resource(self) -> str | None:
        """The machine resource, or None for the zero register."""
        if self.is_general:
            return "sp" if self.stack else None if self.number == 31 else f"x{self.number}"
        return f"p{self.number}" if self.bank == "p" else f"v{self.number}"


_NUMBERED = re.compile(r"([xwbhsdqvzp])(0|[1-9]\d?)(?:\.([0-9]{0,2}[bhsdq]))?")
_SPECIAL = {
    "sp": Register("x", 31, stack=True),
    "wsp": Register("w", 31, stack=True),
    "xzr": Register("x", 31),
    "wzr": Register("w", 31),
    "lr": Register("x", 30),
    "fp": Register("x", 29),
}
_LOOKS_NUMBERED = re.compile(r"[xwqvz]\d{1,3}|[bhsdp]\d{1,2}")


def find_register(name: str) -> Register | None:
    """The register of this name, in any case, or None."""
    lowered = name.lower()
    if lowered in _SPECIAL:
        return _SPECIAL[lowered]
    match = _NUMBERED.fullmatch(lowered)
    if match is None:
        return None
    bank, number, arrangement = match[1], int(match[2]), match[3] or ""
    highest = 30 if bank in "xw" else 15 if bank == "p" else 31
    if number > highest or (arrangement and bank not in "vzp"):
        return None
    return Register(bank, number, arrangement=arrangement)


def looks_like_register(name: str) -> bool:
    """Whether a name that is no register was probably meant to be one, such as `x31`."""
    return bool(_LOOKS_NUMBERED.fullmatch(name.lower()))


def find_resource(name: str) -> str | None:
    """The resource that a header names: a register of any width, `nzcv` or `ffr`; None otherwise."""
    lowered = name.lower()
    if lowered in ("nzcv", "ffr"):
        return lowered
    register = find_register(lowered)
    return register.resource if register is not None else None


def describe(resources: frozenset[str] | set[str]) -> str:
    """A list for messages, in register order: `x0, x3, nzcv`."""
    return ", ".join(sorted(resources, key=lambda name: RESOURCE_ORDER[name]))
