"""Specialisation by types and by build-time values, and what is made by functions of module level."""

from __future__ import annotations

from tests.compiler.check.accepted import Running, accept, run

GENERIC = """
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=int)

def first(run: Slice[T], default: T) -> T:
    for item in run:
        return item
    return default

def size(where: Ptr[T]) -> u64:
    held: T = where.value
    return size_of(T) + u64(held)

def shift(value: u64, by: Const[u64] = 3) -> u64:
    return value << by

def twice(function: Const[Callable[[u64], u64]], value: u64) -> u64:
    return function(function(value))

def increment(value: u64) -> u64:
    return value + 1

number: u16 = static(40)
"""


def test_each_use_is_specialised() -> None:
    source = (
        GENERIC
        + """
def main() -> u64:
    bytes: Array[u8] = array(3)
    words: Array[u32] = array(0)
    bytes[0] = 200
    total = u64(first(bytes, 1)) + first(words, 7)
    return total * 10000 + size(address_of(number)) * 100 + shift(1) + shift(by=4, value=1) + twice(increment, 5)
"""
    )
    assert run(source) == 207 * 10000 + 4200 + 8 + 16 + 7
    symbols = [function.symbol for function in accept(source).functions]
    assert symbols == [
        "program.main",
        "program.first.u8",
        "program.first.u32",
        "program.size.u16",
        "program.shift.by=3",
        "program.shift.by=4",
        "program.twice.function=increment",
        "program.increment",
    ]


def test_a_factory_of_module_level_makes_functions() -> None:
    source = """
        from collections.abc import Callable

        def scaled(factor: int) -> Callable[[int], int]:
            def scale(x: u64) -> u64:
                return x * factor
            return scale

        double = scaled(2)
        triple = scaled(3)

        def main(x: u64) -> u64:
            return double(x) * 100 + triple(x)
    """
    assert run(source, 7) == 1421


def test_build_time_objects_are_constants() -> None:
    source = """
        class Platform:
            def __init__(self, base: int, names: list[str]) -> None:
                self.base = PhysAddr(base)
                self.names = names

            @property
            def end(self) -> PhysAddr:
                return self.base + 0x1000

        PLATFORM = Platform(0x9000000, ["uart", "gic"])
        SIZES = {"uart": 0x1000}

        def main(x: u64) -> u64:
            static_assert(len(PLATFORM.names) == 2, "two devices")
            return PLATFORM.end.raw + SIZES["uart"] + len(PLATFORM.names[1]) + x
    """
    assert run(source, 1) == 0x9001000 + 0x1000 + 3 + 1


def test_extern_and_export_of_one_name_are_one_function() -> None:
    source = """
        @extern("console_write")
        def write(byte: u8) -> u64: ...

        @export("console_write")
        def console(byte: u8) -> u64:
            return u64(byte) + 1

        def main(byte: u8) -> u64:
            return write(byte)
    """
    program = Running(source, "main", "console")
    assert program(4) == 5
    assert [function.symbol for function in program.program.functions] == ["program.main", "console_write"]


def test_options_of_functions() -> None:
    source = """
        from typing import NoReturn

        @export("entry")
        @section(".boot")
        @no_builtins
        def main() -> NoReturn:
            while True:
                helper()

        @inline
        def helper() -> None:
            cold()

        @no_inline
        def cold() -> None:
            outside(1)

        @extern("outside")
        def outside(x: u64) -> None: ...
    """
    main, helper, cold, outside = accept(source).functions
    assert (main.symbol, main.exported, main.section, main.no_builtins, main.no_return) == (
        "entry",
        True,
        ".boot",
        True,
        True,
    )
    assert (helper.symbol, helper.inline, cold.no_inline) == ("program.helper", True, True)
    assert (outside.symbol, outside.extern, outside.body) == ("outside", True, ())
