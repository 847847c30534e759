"""Whether the registers that an assembly block declares are those in which its function is called.

A call passes the scalars of the parameters in x0 to x7 in their order and expects those of the result from x0 on
(AAPCS64, 6.8.2); a by-value struct is written to the address in x0. Naked blocks are entered in their own ways: of
these only the names are checked. A header that cannot be read is left to the assembler, which says why.
"""

from __future__ import annotations

from collections.abc import Sequence

from compiler.asm import AsmErrors, BlockHeader, BlockSource, parse_header
from compiler.asm.header import Item
from compiler.asm.registers import CALLER_SAVED
from compiler.check.context import FunctionChecker
from compiler.program.nodes import Span
from compiler.program.program import AssemblyText, Function
from compiler.program.types import leaves

_CODE = "E0610"
_ARGUMENT_REGISTER_COUNT = 8


def check_block_signature(fn: FunctionChecker, text: AssemblyText) -> None:
    """Report every input and output of the block that does not fit the function (E0610)."""
    try:
        header = parse_header(BlockSource(fn.function.symbol, text.text, text.file, text.first_line))
    except AsmErrors:
        return
    _check_inputs(fn, header)
    if not header.naked:
        _check_outputs(fn, header)


def _check_inputs(fn: FunctionChecker, header: BlockHeader) -> None:
    held = _argument_names(fn.function)
    registers = {f"x{index}" for index in range(min(len(held), _ARGUMENT_REGISTER_COUNT))}
    # Of the registers that a caller gives nothing in, x18 belongs to the platform.
    empty = CALLER_SAVED - registers - {"x18"}
    names = {declared.resource: declared.name for declared in header.inputs}
    for item in header.declared.get("in", ()):
        resources = sorted(item.resources)
        name = names.get(resources[0], "") if len(resources) == 1 else ""
        if name and name not in held:
            _error(fn, item, f"`{fn.function.source_name}` has no parameter `{name}`", _listed(held))
        elif header.naked:
            continue
        elif name and (resources[0] not in registers or held[int(resources[0][1:])] != name):
            _error(fn, item, f"parameter `{name}` is not in {resources[0]}", _listed(held))
        elif item.resources & empty:
            message = f"{item.text} holds nothing when `{fn.function.source_name}` is called"
            _error(fn, item, message, _listed(held))


def _check_outputs(fn: FunctionChecker, header: BlockHeader) -> None:
    count = 0 if fn.function.no_return else len(leaves(fn.function.result))
    name = fn.function.source_name
    if count > _ARGUMENT_REGISTER_COUNT:
        message = f"`{name}` gives {count} values, more than the {_ARGUMENT_REGISTER_COUNT} registers for them"
        fn.error(_CODE, message, fn.function.span, fix="write them to a struct that a parameter points to")
        return
    wanted = [f"x{index}" for index in range(count)]
    items = header.declared.get("out", [])
    for item in items:
        if not item.resources <= set(wanted):
            message = f"{item.text} is an output, and `{name}` gives {_values(wanted)}"
            _error(fn, item, message, "declare what the block only changes in `clobber`")
    missing = [register for register in wanted if register not in header.output_resources]
    if missing:
        message = f"`{name}` gives {_values(wanted)}, and {', '.join(missing)} is no output"
        span = _span(fn, items[0]) if items else fn.function.span
        fn.error(_CODE, message, span, fix=f"write: out {', '.join(wanted)}")


def _argument_names(function: Function) -> list[str]:
    """The name of the parameter that each scalar of the arguments belongs to, in the order of the registers."""
    return [parameter.name for parameter in function.parameters for _ in leaves(parameter.type)]


def _listed(held: Sequence[str]) -> str:
    if not held:
        return "the function has no parameters"
    found = [f"x{index} = {name}" for index, name in enumerate(held[:_ARGUMENT_REGISTER_COUNT])]
    rest = "; the others are on the stack" if len(held) > _ARGUMENT_REGISTER_COUNT else ""
    return f"the arguments are: in {', '.join(found)}{rest}"


def _values(wanted: Sequence[str]) -> str:
    return f"its result in {', '.join(wanted)}" if wanted else "no result"


def _error(fn: FunctionChecker, item: Item, message: str, fix: str) -> None:
    fn.error(_CODE, message, _span(fn, item), fix=fix)


def _span(fn: FunctionChecker, item: Item) -> Span:
    place = item.place
    return Span(fn.parsed.file.path, place.line, place.column, place.line, place.column + len(item.text))
