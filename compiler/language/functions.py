"""How functions are marked: exported, placed, inlined; compile-time parameters; log messages; panic.

Plain functions need no mark: what an entry point reaches is compiled. A parameter of type `Const[T]` must be known at
build time and gives a specialised copy for each value; a parameter typed by a TypeVar, one for each type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias, TypeVar

from compiler.language.errors import only_in_function
from compiler.language.structs import Slice

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class _Constant:
    """Marks `Const[T]`."""


CONSTANT = _Constant()
Const = Annotated[T, CONSTANT]
"""Type of a compile-time parameter."""

FUNCTION_OPTIONS = "__tantalum_function__"


def function_options(function: object) -> dict[str, Any]:
    """What the decorators below recorded for a function."""
    return dict(getattr(function, FUNCTION_OPTIONS, {}))


def _mark(function: F, **options: Any) -> F:
    setattr(function, FUNCTION_OPTIONS, {**function_options(function), **options})
    return function


def export(name: str) -> Callable[[F], F]:
    """Give a function a global symbol and the AAPCS64 calling convention, for the linker, blocks, C or gdb."""
    return lambda function: _mark(function, export=name)


def extern(name: str) -> Callable[[F], F]:
    """Declare a function that somebody else defines (its body is `...`), called with AAPCS64."""
    return lambda function: _mark(function, extern=name)


def inline(function: F) -> F:
    """Always inline."""
    return _mark(function, inline=True)


def no_inline(function: F) -> F:
    """Never inline: a cold path, or a name that shall be seen in backtraces."""
    return _mark(function, no_inline=True)


def cold(function: F) -> F:
    """Runs rarely: make it, and what is inlined into it, as small as possible."""
    return _mark(function, cold=True)


def section(name: str) -> Callable[[F], F]:
    """Place a function in a section of its own name."""
    return lambda function: _mark(function, section=name)


def no_builtins(function: F) -> F:
    """Loops of this function never become calls of memset or memcpy."""
    return _mark(function, no_builtins=True)


if TYPE_CHECKING:
    Format: TypeAlias = str
else:

    class Format:
        """A log message: the type of a parameter that is given an f-string or a str; see `format_text`."""


def format_text(message: Format) -> str:
    """Literal parts of a message with one placeholder per value; the values are in `format_values`.

    A placeholder is two bytes. The first: 0x01 decimal, 0x02 signed decimal, 0x03 hexadecimal with 0x, 0x04
    hexadecimal without, 0x05 a string (two values: address and count), 0x06 a character, 0x07 bool. The second: least
    width in digits, plus 0x80 to fill with zeros. Literal bytes below 0x08 do not occur.
    """
    raise only_in_function("format_text", message)


def format_values(message: Format) -> Slice[int]:
    """The values (u64) of a message in order; a string takes two, a signed value is sign-extended."""
    raise only_in_function("format_values", message)


def utf8(text: str) -> Slice[int]:
    """The bytes (u8) of a string."""
    raise only_in_function("utf8", text)


def string_at(start: Slice[int]) -> str:
    """The bytes as a string; the caller vouches that they are UTF-8."""
    raise only_in_function("string_at", start)


def panic(message: str) -> NoReturn:
    """Stop with a panic report that shows `message` (a literal), file and line."""
    raise only_in_function("panic", message)


def unreachable() -> NoReturn:
    """Code that is never reached; traps if it is."""
    raise only_in_function("unreachable")


def cpu_index() -> int:
    """Index of this CPU, from the per-CPU register."""
    raise only_in_function("cpu_index")
