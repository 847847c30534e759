"""The compiler's stages as the pipeline sees them: what goes in, what comes out, and which module does it.

This is the one place where the driver calls the compiler proper. A stage imports its module when it is
called, so that commands that compile nothing pay for nothing.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from compiler.driver import child
from compiler.driver.errors import ToolError
from compiler.driver.images import Image
from compiler.driver.platforms import Platform

if TYPE_CHECKING:
    from compiler.lower import LoweredObject, TargetOptions
    from compiler.program.program import Program


class Profile(Enum):
    """How code is generated; run-time checks are on in both."""

    RELEASE = "release"
    DEBUG = "debug"


@dataclass(frozen=True)
class Target:
    """What an image is built for."""

    root: Path
    image: Image
    platform: Platform
    profile: Profile


@dataclass(frozen=True)
class Linked:
    """The ELF file, the raw binary that a loader places at the image's base, and the map."""

    elf: bytes
    raw: bytes
    map_text: str


@dataclass(frozen=True)
class Inspected:
    """The listing in text, and the size of each kind of content in bytes (such as "code", "data")."""

    listing: str
    size_bytes: Mapping[str, int]


class Stages(Protocol):
    """The stages in their order. On a bad program a stage raises CompileErrors, never anything else."""

    def check(self, target: Target) -> "Program":
        """Read everything reachable from the image's entry modules and return it typed and checked."""
        ...

    def lower(self, program: "Program", target: Target) -> "LoweredObject":
        """Generate code, in a child process because LLVM may end its process."""
        ...

    def assemble(self, program: "Program", target: Target) -> tuple[bytes, ...]:
        """Encode the program's assembly blocks; return relocatable objects."""
        ...

    def link(self, objects: tuple[bytes, ...], target: Target) -> Linked:
        """Link objects with the image's script."""
        ...

    def inspect(self, linked: Linked, target: Target) -> Inspected:
        """Measure and list what was linked."""
        ...


class CompilerStages:
    """The stages as this checkout has them."""

    def check(self, target: Target) -> "Program":
        from compiler.check import check_program

        os.environ["TANTALUM_PLATFORM"] = target.platform.name  # read by hypervisor.platform as it is imported
        return check_program(target.image.entries, name=target.image.name)

    def lower(self, program: "Program", target: Target) -> "LoweredObject":
        return lower_in_child(program, target_options(target.profile))

    def assemble(self, program: "Program", target: Target) -> tuple[bytes, ...]:
        raise _absent("assemble")

    def link(self, objects: tuple[bytes, ...], target: Target) -> Linked:
        raise _absent("link")

    def inspect(self, linked: Linked, target: Target) -> Inspected:
        from compiler.inspect.executable import read_executable
        from compiler.inspect.listing import Listing

        executable = read_executable(linked.elf)
        return Inspected(Listing(executable, target.root).text, executable.size_bytes)


def target_options(profile: Profile) -> "TargetOptions":
    """Return how images are compiled. Memory may be accessed while the MMU is off, hence no unaligned access."""
    from compiler.lower import Optimisation, TargetOptions

    optimisation = Optimisation.SPEED if profile is Profile.RELEASE else Optimisation.DEBUG
    return TargetOptions(optimisation, pac=True, bti=True, stack_protector=True, strict_align=True)


def lower_in_child(
    program: "Program", options: "TargetOptions", *, want_llvm: bool = False, want_assembly: bool = False
) -> "LoweredObject":
    """Generate code in a child process. Raises ToolError B307 for what has no code, B302 when LLVM fails."""
    from compiler.lower import LowerError, lower

    try:
        outcome = child.call(lower, program, options, want_llvm=want_llvm, want_assembly=want_assembly)
    except LowerError as error:
        where = f"{error.span.file}:{error.span.line}:{error.span.column}" if error.span else ""
        raise ToolError("B307", error.message, where=where, status=1) from None
    except child.ChildCrashed as error:
        raise ToolError(
            "B302",
            f"the code generator ended abnormally ({error.reason}): {error.printed.strip() or 'it said nothing'}",
            fix="this is a defect of the compiler, whatever the program; report it with the program",
            status=3,
        ) from None
    return outcome.value


def _absent(stage: str) -> ToolError:
    return ToolError(
        "B301",
        f"the compiler of this checkout has no `{stage}` stage yet, so that nothing can be built with it",
        where="compiler/driver/stages.py",
        fix="take a newer checkout",
    )
