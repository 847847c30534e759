"""What `asm` shows of a linked file: functions with their source lines, sizes and stacks; pages and JSON."""

import difflib
from dataclasses import replace
from pathlib import Path

from compiler.cli import output
from compiler.driver.errors import ToolError
from compiler.driver.paths import ROOT
from compiler.inspect.attribution import listing_json
from compiler.inspect.executable import Executable, Function, NotAnImage, read_executable
from compiler.inspect.listing import Listing
from compiler.inspect.stack import StackError, frame_sizes, stack_bounds

LARGEST_SHOWN = 40


def show(elf: Path, symbol: str | None, html: Path | None, json: Path | None) -> None:
    """Show the function of that name, or the largest ones; or write them to a page, to JSON, or to both."""
    executable = _read(elf)
    if html is not None or json is not None:
        chosen = executable
        if symbol is not None:
            chosen = replace(executable, functions=tuple(_matching(executable, symbol, elf)))
        _write(chosen, elf.name if symbol is None else f"{symbol} in {elf.name}", html, json)
    elif symbol is None:
        _show_sizes(executable)
    else:
        listing = Listing(executable, ROOT)
        for function in _matching(executable, symbol, elf):
            output.say("\n".join(listing.function(function)))
            output.say(f"  stack: {_stack_text(executable, function)}")


def _write(executable: Executable, title: str, html: Path | None, json: Path | None) -> None:
    if html is not None:
        from compiler.inspect.html import render_page

        output.write_text(html, render_page(executable, ROOT, title))
    if json is not None:
        output.write_text(json, listing_json(executable))
    for file in (html, json):
        if file is not None:
            output.say(f"{file} ({output.size_text(file.stat().st_size)})")


def _read(elf: Path) -> Executable:
    try:
        return read_executable(elf.read_bytes())
    except OSError as error:
        raise ToolError("B204", f"cannot read the file: {error.strerror}", where=elf) from None
    except NotAnImage as error:
        raise ToolError("B111", f"the file cannot be listed: {error}", where=elf) from None


def _matching(executable: Executable, symbol: str, elf: Path) -> list[Function]:
    """Return the function of that name, or else those whose name ends in it after a dot."""
    exact = [function for function in executable.functions if function.name == symbol]
    found = exact or [function for function in executable.functions if function.name.endswith(f".{symbol}")]
    if not found:
        names = {function.name.rpartition(".")[2]: function.name for function in executable.functions}
        near = difflib.get_close_matches(symbol.rpartition(".")[2], names, 3)
        hint = f"did you mean {' or '.join(names[name] for name in near)}? " if near else ""
        fix = f"{hint}./build.py asm without a name lists functions; inlined ones have no code of their own"
        raise ToolError("B112", f"there is no function '{symbol}'", where=elf, fix=fix)
    return found


def _show_sizes(executable: Executable) -> None:
    largest = sorted(executable.functions, key=lambda function: (-len(function.code), function.name))
    output.show_table(
        ["bytes", "stack", "function", "source"],
        [
            (str(len(function.code)), _frame_size(executable, function), function.name, _source(executable, function))
            for function in largest[:LARGEST_SHOWN]
        ],
        right=["bytes", "stack"],
    )
    if len(largest) > LARGEST_SHOWN:
        rest = sum(len(function.code) for function in largest[LARGEST_SHOWN:])
        output.say(f"and {len(largest) - LARGEST_SHOWN} smaller functions with {rest} bytes")
    output.say(", ".join(f"{kind} {output.size_text(size)}" for kind, size in executable.size_bytes.items()))


def _stack_text(executable: Executable, function: Function) -> str:
    """Say how much stack a function uses, alone and with all that it calls, as far as the code tells."""
    try:
        (bound,) = stack_bounds(executable, [function.name])
    except StackError as error:
        own = _frame_size(executable, function)
        reasons = "; ".join(dict.fromkeys(problem.message for problem in error.problems))
        return f"{own} bytes of its own, no bound for what it calls ({reasons})"
    path = " > ".join(frame.function for frame in bound.path)
    return f"{_frame_size(executable, function)} bytes of its own, {bound.size_bytes} bytes at most ({path})"


def _frame_size(executable: Executable, function: Function) -> str:
    """Return the bytes of stack that a function itself uses, "?" where that is not constant."""
    try:
        return str(frame_sizes(replace(executable, functions=(function,)))[function.name])
    except StackError:
        return "?"


def _source(executable: Executable, function: Function) -> str:
    row = executable.lines.find(function.address)
    return f"{row.path}:{row.line}" if row is not None else ""
