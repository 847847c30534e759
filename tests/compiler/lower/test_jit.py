"""Native code of the host: what surrounds it is answered by Python, traps and exceptions come back."""

from __future__ import annotations

import ctypes
import gc
import time

import pytest

from compiler.check import check_source
from compiler.language import types as written
from compiler.lower import HostOptions, LowerError, TrapSite
from compiler.lower.jit import HostModule, HostTrap, lower_for_host
from compiler.program.nodes import (
    Access,
    Barrier,
    BinaryOp,
    Conversion,
    Evaluate,
    Hint,
    LinkerAddress,
    Load,
    MakeTuple,
    Offset,
    RegisterRead,
    RegisterWrite,
    Statement,
    StaticAddress,
    Store,
    SystemOperation,
    TrapKind,
)
from compiler.program.program import AssemblyText, Function, Program, Relocation, StaticObject
from compiler.program.types import BOOL, I8, I32, POINTER, U8, U32, U64, VOID, Tuple, ValueType
from tests.compiler.lower.programs import SPAN, at, binary, call, convert, function, give, local, number, program, read


def _module(*functions: Function) -> HostModule:
    return lower_for_host(program(*functions), HostOptions())


def test_scalars_of_every_kind_go_in_and_come_out() -> None:
    kinds: tuple[ValueType, ...] = (U8, I8, U32, I32, U64, BOOL, POINTER)
    parameters = [local(f"p{index}", kind) for index, kind in enumerate(kinds)]
    kind = Tuple(kinds)
    same = function("sample.same", parameters, kind, [give(MakeTuple(tuple(map(read, parameters)), kind))])
    entry = _module(same).entry("sample.same")
    assert entry.parameters == kinds
    assert entry.results == kinds
    values = (255, -128, 1 << 31, -5, (1 << 64) - 1, 1, 0x1234)
    assert entry.call(*values) == values
    with pytest.raises(TypeError, match="7 scalars wanted, 1 given"):
        entry.call(1)


def test_a_trap_names_its_site_and_leaves_the_module_usable() -> None:
    a = local("a", U8)
    entry = _module(
        function("sample.add", [a], U8, [give(binary(BinaryOp.ADD, read(a), number(1, U8), line=7))])
    ).entry("sample.add")
    for _ in range(3):
        with pytest.raises(HostTrap, match=r"tests/sample\.py:7: arithmetic overflow") as caught:
            entry.call(255)
        assert caught.value.site == TrapSite(TrapKind.OVERFLOW, at(7))
        assert entry.call(254) == (255,)


def _registers() -> HostModule:
    value = local("value")
    getter = function("sample.get", [], U64, [give(RegisterRead("TPIDR_EL2"))])
    setter = function("sample.set", [value], VOID, [RegisterWrite("tpidr_el2", read(value), SPAN)])
    return _module(getter, setter)


def test_registers_hold_values_or_ask_hooks() -> None:
    module = _registers()
    get, put = module.entry("sample.get").call, module.entry("sample.set").call
    put(17)
    assert get() == (17,)
    assert module.registers["tpidr_el2"] == 17
    module.registers["TPIDR_EL2"] = 18
    assert get() == (18,)
    told: list[int] = []
    module.registers.on_write("TPIDR_EL2", told.append)
    module.registers.on_read("TPIDR_EL2", lambda: 99)
    put(20)
    assert (told, get(), module.registers["TPIDR_EL2"]) == ([20], (99,), 20)
    module.registers.clear_hooks()
    put(21)
    assert (told, get()) == ([20], (21,))
    module.reset()
    assert get() == (0,)
    assert "HCR_EL2" not in module.registers
    with pytest.raises(LowerError, match="does not name the system register HCR_EL2"):
        module.registers["HCR_EL2"] = 1


def test_an_exception_in_a_callback_stops_the_entry_and_is_raised_again() -> None:
    module = _registers()

    def refuse(value: int) -> None:
        raise ZeroDivisionError(f"no {value}")

    module.registers.on_write("TPIDR_EL2", refuse)
    for value in (1, 2):
        with pytest.raises(ZeroDivisionError, match=f"no {value}"):
            module.entry("sample.set").call(value)
    module.registers.clear_hooks()
    module.entry("sample.set").call(3)
    assert module.entry("sample.get").call() == (3,)


def test_a_callback_may_call_an_entry_that_traps() -> None:
    a = local("a", U8)
    add = function("sample.add", [a], U8, [give(binary(BinaryOp.ADD, read(a), number(1, U8)))])
    value = local("value")
    body: list[Statement] = [
        RegisterWrite("TPIDR_EL2", read(value), SPAN),
        give(binary(BinaryOp.ADD, read(value), number(1))),
    ]
    outer = function("sample.outer", [value], U64, body)
    module = _module(add, outer)

    def nested(value: int) -> None:
        assert module.entry("sample.add").call(1) == (2,)
        with pytest.raises(HostTrap):
            module.entry("sample.add").call(255)

    module.registers.on_write("TPIDR_EL2", nested)
    assert module.entry("sample.outer").call(41) == (42,)
    with pytest.raises(HostTrap):
        module.entry("sample.outer").call((1 << 64) - 1)


def test_device_accesses_go_to_a_model() -> None:
    base, value = local("base"), local("value", U32)
    address = Offset(convert(Conversion.INT_TO_POINTER, read(base), POINTER), 8)
    body: list[Statement] = [
        Store(address, read(value), 4, SPAN, Access.DEVICE),
        give(Load(address, U32, 4, Access.DEVICE)),
    ]
    entry = _module(function("sample.poke", [base, value], U32, body))
    seen: list[tuple[int, ...]] = []

    def load(at_: int, width_bytes: int) -> int:
        seen.append((at_, width_bytes))
        return 0x1_2345_6789

    entry.on_device(load, lambda at_, new, width_bytes: seen.append((at_, new, width_bytes)))
    assert entry.entry("sample.poke").call(0x9000000, 0xABCD) == (0x2345_6789,)
    assert seen == [(0x9000008, 0xABCD, 4), (0x9000008, 4)]


def test_system_operations_are_told() -> None:
    value = local("value")
    body: list[Statement] = [
        SystemOperation("tlbi", "vae2is", read(value), SPAN),
        Barrier("dsb", "ish", SPAN),
        Barrier("isb", "sy", SPAN),
        Hint("wfi", SPAN),
    ]
    module = _module(function("sample.flush", [value], VOID, body))
    module.entry("sample.flush").call(1)
    told: list[tuple[str, int]] = []
    module.on_system(lambda text, operand: told.append((text, operand)))
    module.entry("sample.flush").call(5)
    assert told == [("tlbi vae2is", 5), ("dsb ish", 0), ("isb", 0), ("wfi", 0)]


def test_linker_symbols_externs_and_twins() -> None:
    a, b = local("a", U8), local("b", I32)
    outside = function("outside", [a, b], Tuple((I32, BOOL)), [])
    outside.extern = True
    block = function("sample.block", [a], POINTER, [give(LinkerAddress("__text_start"))])
    block.assembly = AssemblyText("", "tests/sample.py", 1, {})
    entry = function("sample.entry", [a, b], outside.result, [give(call(outside, read(a), read(b)))])
    module = _module(outside, block, entry)
    assert module.entry("sample.block").call(0) == (0,)
    module.set_linker_symbol("__text_start", 0x40080000)
    module.set_linker_symbol("__unknown", 1)
    assert module.entry("sample.block").call(0) == (0x40080000,)
    with pytest.raises(HostTrap, match="extern function outside has no host version"):
        module.entry("sample.entry").call(200, -3)

    def product(first: int, second: int) -> tuple[int, bool]:
        return first * second, second < 0

    def same(first: int, second: int) -> int:
        return first + 0 * second

    module.on_extern("outside", product)
    assert module.entry("sample.entry").call(200, -3) == (-600, 1)
    module.on_extern("outside", same)
    with pytest.raises(TypeError, match="the host version of outside gave 1 scalars, 2 wanted"):
        module.entry("sample.entry").call(200, -3)
    with pytest.raises(LowerError, match="no extern function 'elsewhere'"):
        module.on_extern("elsewhere", print)


def test_static_objects_have_addresses_and_can_be_reset() -> None:
    cell = StaticObject("sample.cell", "cell", "sample", written.U64, 8, 8, True, (5).to_bytes(8, "little"))
    holder = StaticObject("sample.holder", "holder", "sample", written.U64, 8, 8, True, bytes(8))
    holder.relocations.append(Relocation(0, "sample.cell", 0))
    bump = binary(BinaryOp.ADD, Load(StaticAddress(cell), U64, 8), number(1))
    entry = function("sample.bump", [], VOID, [Store(Load(StaticAddress(holder), POINTER, 8), bump, 8, SPAN)])
    whole = program(entry)
    whole.statics += [cell, holder]
    module = lower_for_host(whole, HostOptions())
    address = module.address_of("sample.cell")
    module.entry("sample.bump").call()
    assert ctypes.c_uint64.from_address(address).value == 6
    assert ctypes.c_uint64.from_address(module.address_of("sample.holder")).value == address
    module.reset()
    assert ctypes.c_uint64.from_address(address).value == 5
    with pytest.raises(LowerError, match=r"no static object 'sample\.other'"):
        module.address_of("sample.other")
    outside = StaticObject("sample.outside", "outside", "sample", written.U64, 8, 8, True, bytes(8))
    outside.relocations.append(Relocation(0, "__text_start", 0))
    whole.statics.append(outside)
    with pytest.raises(LowerError, match="'__text_start', which has no address on the host"):
        lower_for_host(whole, HostOptions())


COVERED = """
from compiler.language import export, u64

@export("choose")
def choose(n: u64) -> u64:
    result: u64 = 1
    if n > 3:
        result = 7
    else:
        result = 9
    while n > 10:
        n -= 10
        result += 1
    return result
"""


def test_coverage_tells_which_lines_ran() -> None:
    module = lower_for_host(check_source(COVERED, ["choose"]), HostOptions(coverage=True))

    def ran() -> set[int]:
        return {line for (_, line), did in module.coverage().items() if did}

    assert {line for _, line in module.coverage()} == {6, 7, 8, 10, 11, 12, 13, 14}
    assert ran() == set()
    module.entry("choose").call(5)
    assert ran() == {6, 7, 8, 11, 14}
    module.entry("choose").call(1)
    assert ran() == {6, 7, 8, 10, 11, 14}
    module.clear_coverage()
    module.entry("choose").call(15)
    assert ran() == {6, 7, 8, 11, 12, 13, 14}


def test_only_the_chosen_entries_can_be_called() -> None:
    a, b = function("sample.a", [], U64, [give(number(1))]), function("sample.b", [], U64, [give(number(2))])
    module = lower_for_host(program(a, b), HostOptions(entries=frozenset({"sample.a"})))
    assert module.entry("sample.a").call() == (1,)
    with pytest.raises(LowerError, match=r"no function 'sample\.b' that the host can call"):
        module.entry("sample.b")


def test_modules_come_and_go_in_any_order() -> None:
    modules: list[tuple[HostModule, object]] = []
    for n in range(20):
        module = _module(function("sample.n", [], U64, [give(number(n))]))
        modules.append((module, [module]))
        assert module.entry("sample.n").call() == (n,)
        if n % 3 == 0:
            modules.pop(n // 7)
            gc.collect()
    assert modules[-1][0].entry("sample.n").call() == (19,)


def test_a_short_call_takes_about_a_microsecond() -> None:
    a, b = local("a"), local("b")
    entry = _module(function("sample.add", [a, b], U64, [give(binary(BinaryOp.ADD, read(a), read(b)))]))
    add = entry.entry("sample.add").call
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        for n in range(20_000):
            add(n, 1)
        best = min(best, (time.perf_counter() - start) / 20_000)
    assert best < 4e-6


def test_unused_values_are_still_evaluated() -> None:
    value = local("value")
    entry = function(
        "sample.entry", [value], VOID, [Evaluate(binary(BinaryOp.FLOOR_DIV, number(1), read(value)), SPAN)]
    )
    whole: Program = program(entry)
    module = lower_for_host(whole, HostOptions())
    assert module.entry("sample.entry").call(1) == ()
    with pytest.raises(HostTrap, match="division by zero"):
        module.entry("sample.entry").call(0)
