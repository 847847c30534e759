"""What a linked image has to satisfy before it is handed out; anything else fails the build.

The worst case of each stack, computed from the machine code, fits the size that the linker script gives it. No function
is there that the code generator asked for by itself and the runtime does not mean to have. The immediate of every `brk`
is in the trap table, so that the panic report can name the source line. (Undefined symbols are the linker's LNK013.)

Nothing is subtracted from a stack for exceptions: those of EL2 are reported on stacks of their own, those of EL0 start
at the top of the hypervisor's stack and have their bound, and a partition's stack is not used by exceptions at all.
"""

from collections.abc import Collection, Mapping

from compiler.asm import BlockHeader, BlockSource, parse_header
from compiler.driver.errors import ToolError
from compiler.driver.images import Image
from compiler.driver.stages import StackUse
from compiler.inspect.executable import Executable
from compiler.inspect.scan import scan
from compiler.inspect.stack import StackBound, StackError, StackProblem, stack_bounds
from compiler.lower import TrapTable
from compiler.program.program import Function, Program

ORDINARY_STACK = "STACK_SIZE"
HELPERS = frozenset({"memcpy", "memmove", "memset", "memcmp", "__stack_chk_fail"})
"""Memory functions of `runtime.memory_functions`, and what the stack protector calls, which traps."""


def check_scan(executable: Executable, traps: TrapTable) -> None:
    """Raise ToolError B309 for a helper that nobody asked for, B310 for a `brk` that no table knows."""
    found = scan(executable, {number: site.kind.name for number, site in traps.sites.items()}, HELPERS)
    if found.helpers:
        what = f"the image has functions that only the code generator calls: {', '.join(found.helpers)}"
        fix = "avoid the operation that needs them, or, if they are meant, list them in compiler/driver/guards.py"
        raise ToolError("B309", what, fix=fix, status=1)
    if found.unknown_traps:
        places = ", ".join(f"brk #{trap.immediate} in {trap.function}" for trap in found.unknown_traps)
        raise ToolError(
            "B310", f"the trap table has no entry for {places}", fix="use panic() or an assert in its place", status=1
        )


def check_stacks(
    executable: Executable, program: Program, image: Image, constants: Mapping[str, int]
) -> tuple[StackUse, ...]:
    """Return the use of each stack of the image, the ordinary one first. Raises StackError.

    Entries are the assembly blocks and the labels that they export: the CPU, the firmware and the vectors enter nothing
    else, so that all code that can run is below one of them.
    """
    blocks = {function.symbol: (function, _header(function)) for function in program.functions if function.assembly}
    switches = [name for name, (_, header) in blocks.items() if "sp" in header.clobbers]
    symbols = {name for _, name in executable.symbols}
    labels = {label for _, header in blocks.values() for label in header.exports} & symbols
    entries = sorted(blocks.keys() & symbols | labels)
    code = {function.symbol for function in program.functions} | labels
    targets = {name: found for name, block in blocks.items() if (found := _indirect_targets(*block, code))}
    bounds = stack_bounds(executable, entries, indirect_targets=targets, stack_switches=switches)
    other_stacks = dict(image.other_stacks)
    worst: dict[str, StackBound] = {}
    for bound in bounds:
        stack = next((other_stacks[f.function] for f in bound.path if f.function in other_stacks), ORDINARY_STACK)
        known = worst.get(stack)
        # Of equal ones the outermost: the longest path.
        if known is None or (bound.size_bytes, len(bound.path)) > (known.size_bytes, len(known.path)):
            worst[stack] = bound
    order = [stack for stack in (ORDINARY_STACK, *sorted(other_stacks.values())) if stack in worst]
    uses = [_use(stack, constants[stack], worst[stack]) for stack in order]
    _check_sizes(uses)
    return tuple(uses)


def _header(function: Function) -> BlockHeader:
    assert function.assembly is not None
    text = function.assembly
    return parse_header(BlockSource(function.symbol, text.text, text.file, text.first_line))


def _indirect_targets(function: Function, header: BlockHeader, code: Collection[str]) -> list[str]:
    """What an indirect branch of a block may reach: the code that its header names."""
    assert function.assembly is not None
    called = [function.assembly.bindings.get(name) for name in header.calls]
    return sorted({name for name in [*called, *header.exports] if isinstance(name, str) and name in code})


def _use(stack: str, size_bytes: int, bound: StackBound) -> StackUse:
    return StackUse(stack, size_bytes, bound.size_bytes, bound.entry, tuple(frame.function for frame in bound.path))


def _check_sizes(uses: Collection[StackUse]) -> None:
    problems = [
        StackProblem(
            "STK007",
            f"the code entered by {use.entry} may use {use.used_bytes} bytes "
            f"of a stack of {use.size_bytes} ({use.stack})",
            (f"the deepest path is {' > '.join(use.path)}",),
            "move large locals to static objects, or enlarge the stack",
        )
        for use in uses
        if use.used_bytes > use.size_bytes
    ]
    if problems:
        raise StackError(problems)
