"""What the caller chooses about generated code; every combination gives code of the same meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from compiler.lower.errors import LowerError

_CPU_NAMES = """
generic cortex-a35 cortex-a53 cortex-a55 cortex-a57 cortex-a65 cortex-a72 cortex-a73 cortex-a75
cortex-a76 cortex-a77 cortex-a78 cortex-a510 cortex-a520 cortex-a710 cortex-a715 cortex-a720 cortex-x1
cortex-x2 cortex-x3 cortex-x4 neoverse-e1 neoverse-n1 neoverse-n2 neoverse-v1 neoverse-v2 neoverse-v3
"""
CPUS = frozenset(_CPU_NAMES.split())
"""CPUs whose schedule can be chosen (the instructions stay those of Armv8.0-A unless a feature adds to them)."""

FEATURES = frozenset({"crc", "dit", "flagm", "mte", "predres", "rand", "rcpc", "rcpc-immo", "sb", "ssbs"})
"""Architecture features that may be switched on because they touch general registers only."""


class Optimisation(Enum):
    """How hard to optimise. DEBUG keeps every local in memory and every line apart."""

    DEBUG = "O0"
    SPEED = "O2"
    SIZE = "Os"

    @property
    def level(self) -> int:
        """LLVM's level, 0 to 3."""
        return 0 if self is Optimisation.DEBUG else 2


@dataclass(frozen=True)
class TargetOptions:
    """Code generation for an AArch64 image, Armv8.0-A and general registers only unless told otherwise.

    `checks`: emit run-time checks; off only to compare generated code with C. `pac`, `bti`: sign return addresses and
    mark branch targets, in instructions that older CPUs execute as NOP. `stack_protector`: a guard value below the
    return address of functions with arrays on their stack. `lse`: atomic instructions of Armv8.1 in place of loops.
    `strict_align`: never emit an access wider than its alignment (needed with the MMU off or SCTLR.A set).
    `frame_pointers`: keep x29 chains. `debug_info`: DWARF. `trap_places`: file
    and line in the table of checks, for images without a line table.
    """

    optimisation: Optimisation = Optimisation.SPEED
    checks: bool = True
    debug_info: bool = True
    trap_places: bool = True
    pac: bool = False
    bti: bool = False
    stack_protector: bool = False
    lse: bool = False
    strict_align: bool = False
    frame_pointers: bool = True
    cpu: str = "generic"
    features: tuple[str, ...] = ()

    def feature_string(self) -> str:
        """LLVM's features. Raises LowerError for a CPU or feature that is not known to be safe."""
        if self.cpu not in CPUS:
            raise LowerError(f"CPU {self.cpu!r} is not known; one of {', '.join(sorted(CPUS))}")
        for feature in self.features:
            if feature not in FEATURES:
                raise LowerError(f"CPU feature {feature!r} is not known; one of {', '.join(sorted(FEATURES))}")
        chosen = ["+v8a", "-fp-armv8", "-neon", "-outline-atomics"]
        chosen += [f"+{feature}" for feature in self.features]
        chosen += ["+lse"] if self.lse else []
        chosen += ["+strict-align"] if self.strict_align else []
        return ",".join(chosen)


@dataclass(frozen=True)
class HostOptions:
    """Code generation for the machine that runs the compiler.

    `coverage`: record which source lines ran. `entries`: symbols of the functions that Python will call, so that only
    what they reach is compiled; None makes every function callable.
    """

    optimisation: Optimisation = Optimisation.SPEED
    coverage: bool = False
    entries: frozenset[str] | None = None
