"""Statics, stack slots, elements, slices, copies, atomics: the same at O0, O2 and on the host."""

from __future__ import annotations

import pytest

from compiler.language import types as written
from compiler.lower import TrapSite
from compiler.program.nodes import (
    Access,
    AtomicUpdate,
    CompareExchange,
    CompareOp,
    Conversion,
    CopyMemory,
    Element,
    Evaluate,
    Expression,
    FillMemory,
    Load,
    Loop,
    MakeTuple,
    Offset,
    Overflow,
    SlotAddress,
    Statement,
    StaticAddress,
    Store,
    Subslice,
    TrapKind,
    TupleElement,
)
from compiler.program.nodes import BinaryOp as Op
from compiler.program.program import Function, Relocation, StackSlot, StaticObject
from compiler.program.types import BOOL, POINTER, SLICE, U8, U16, U32, U64, Int, ValueType
from tests.compiler.lower.conftest import Call, Run
from tests.compiler.lower.programs import (
    SPAN,
    assign,
    at,
    binary,
    call,
    compare,
    convert,
    function,
    give,
    local,
    number,
    program,
    read,
)

BYTES = written.ArrayType("Array[u8, 16]", written.U8, 16)


def _static(symbol: str, data: bytes, *, mutable: bool = True, align: int = 8) -> StaticObject:
    return StaticObject(symbol, symbol, "sample", BYTES, len(data), align, mutable, data)


def _load(address: Expression, kind: ValueType, align: int = 1) -> Load:
    return Load(address, kind, align)


def _value(call_: Call, symbol: str, *arguments: int) -> int:
    outcome = call_(symbol, *arguments)
    assert isinstance(outcome, tuple), outcome
    return outcome[0]


def test_static_data_pointers_and_zeros(run: Run) -> None:
    target = _static("sample.target", bytes(range(16)), mutable=False)
    holder = _static("sample.holder", b"\x11" * 8 + bytes(8) + b"\x22" * 3 + bytes(50))
    holder.relocations.append(Relocation(8, "sample.target", 4))
    index = local("index")
    pointer = _load(Offset(StaticAddress(holder), 8), POINTER, 8)
    through = Element(pointer, read(index), number(12), 1, SPAN)
    entry = function("through", [index], U8, [give(_load(through, U8))], exported=True)
    byte = Element(StaticAddress(holder), read(index), number(holder.size), 1, SPAN)
    own = function("own", [index], U8, [give(_load(byte, U8))], exported=True)
    whole = program(entry, own)
    whole.statics += [target, holder]
    compiled = run(whole)
    assert [_value(compiled, "through", n) & 0xFF for n in range(12)] == list(range(4, 16))
    assert [_value(compiled, "own", n) & 0xFF for n in (0, 7, 16, 18, 19, 68)] == [0x11, 0x11, 0x22, 0x22, 0, 0]
    assert compiled("own", 69) == TrapSite(TrapKind.BOUNDS, SPAN)


def test_a_static_keeps_what_is_stored(run: Run) -> None:
    counter = _static("sample.counter", (40).to_bytes(8, "little"))
    address = StaticAddress(counter)
    bump = Store(address, binary(Op.ADD, _load(address, U64, 8), number(1)), 8, SPAN)
    entry = function("bump", [], U64, [bump, give(_load(address, U64, 8))], exported=True)
    whole = program(entry)
    whole.statics.append(counter)
    compiled = run(whole)
    assert [_value(compiled, "bump") for _ in range(3)] == [41, 42, 43]


@pytest.mark.parametrize("access", [Access.PLAIN, Access.VOLATILE, Access.DEVICE])
def test_every_width_and_bools_in_a_slot(run: Run, access: Access) -> None:
    functions: list[Function] = []
    kinds: dict[str, ValueType] = {"u8": U8, "u16": U16, "u32": U32, "u64": U64, "bool": BOOL}
    for name, kind in kinds.items():
        given = local("given", kind)
        slot = StackSlot("box", 16, 8)
        store = Store(SlotAddress(slot), read(given), 8, SPAN, access)
        body: list[Statement] = [store, give(Load(SlotAddress(slot), kind, 8, access))]
        entry = function(name, [given], kind, body, exported=True)
        entry.slots.append(slot)
        functions.append(entry)
    compiled = run(program(*functions))
    for name, kind in kinds.items():
        mask = (1 << kind.bits) - 1 if isinstance(kind, Int) else 1
        for value in (0, 1, 0x8182838485868788):
            assert _value(compiled, name, value & mask) & mask == value & mask


def test_slices_of_slices(run: Run) -> None:
    run_of = local("run", SLICE)
    start, stop, index = local("start"), local("stop"), local("index")
    part = Subslice(read(run_of), read(start), read(stop), 2, at(3))
    inner = local("inner", SLICE)
    element = Element(TupleElement(read(inner), 0, POINTER), read(index), TupleElement(read(inner), 1, U64), 2, at(4))
    body: list[Statement] = [assign(inner, part), give(_load(element, U16, 2))]
    entry = function("pick", [run_of, start, stop, index], U16, body, [inner], exported=True)
    words = _static("sample.words", b"".join(n.to_bytes(2, "little") for n in range(100, 110)))
    n = [local(f"n{i}") for i in range(3)]
    pair = local("pair", SLICE)
    forward = function(
        "forward",
        n,
        U16,
        [
            assign(pair, MakeTuple((StaticAddress(words), number(10)), SLICE)),
            give(call(entry, read(pair), *(read(x) for x in n))),
        ],
        [pair],
        exported=True,
    )
    whole = program(entry, forward)
    whole.statics.append(words)
    compiled = run(whole)
    assert _value(compiled, "forward", 2, 5, 2) & 0xFFFF == 104
    assert compiled("forward", 2, 5, 3) == TrapSite(TrapKind.BOUNDS, at(4))
    assert compiled("forward", 2, 11, 0) == TrapSite(TrapKind.SLICE, at(3))
    assert compiled("forward", 5, 4, 0) == TrapSite(TrapKind.SLICE, at(3))
    assert compiled("forward", 10, 10, 0) == TrapSite(TrapKind.BOUNDS, at(4))


def _memory_functions() -> list[Function]:
    """memcpy and memset as an image defines them; a loop that LLVM must not turn into a call of itself."""
    target, source, size, byte = local("target", POINTER), local("source", POINTER), local("size"), local("byte", U64)
    i = local("i")
    step = (assign(i, binary(Op.ADD, read(i), number(1), Overflow.PROVEN)),)
    more = compare(CompareOp.LT, read(i), read(size))
    to = Element(read(target), read(i), None, 1, SPAN)
    copied = Store(to, _load(Element(read(source), read(i), None, 1, SPAN), U8), 1, SPAN)
    filled = Store(to, convert(Conversion.TRUNCATE, read(byte), U8), 1, SPAN)
    functions: list[Function] = []
    for name, second, store in (("memcpy", source, copied), ("memset", byte, filled)):
        body: list[Statement] = [assign(i, number(0)), Loop(more, (store,), step, SPAN), give(read(target))]
        functions.append(function(name, [target, second, size], POINTER, body, [i], exported=True))
    for memory_function in functions:
        memory_function.no_builtins = True
    return functions


def test_copies_and_fills_of_any_size(run: Run) -> None:
    source = _static("sample.source", bytes(range(1, 65)), mutable=False)
    target = _static("sample.target", bytes(64))
    size, index = local("size"), local("index")
    body: list[Statement] = [
        FillMemory(StaticAddress(target), number(0xEE, U8), number(64), 8, SPAN),
        CopyMemory(StaticAddress(target), StaticAddress(source), read(size), 8, SPAN),
        FillMemory(StaticAddress(target), number(0, U8), number(4), 4, SPAN),
        give(_load(Element(StaticAddress(target), read(index), number(64), 1, SPAN), U8)),
    ]
    entry = function("copy", [size, index], U8, body, exported=True)
    whole = program(entry, *_memory_functions())
    whole.statics += [source, target]
    compiled = run(whole)
    for count in (0, 1, 3, 8, 33, 64):
        expected = bytearray(b"\xee" * 64)
        expected[:count] = bytes(range(1, count + 1))
        expected[:4] = bytes(4)
        assert [_value(compiled, "copy", count, n) & 0xFF for n in range(64)] == list(expected)


ATOMIC_RESULTS = {"exchange": 9, "add": 0x109, "sub": 0xF7, "and": 0, "or": 0x109}


@pytest.mark.parametrize("kind", [U8, U16, U32, U64])
def test_atomic_updates(run: Run, kind: Int) -> None:
    cell = _static("sample.cell", bytes(8))
    address = StaticAddress(cell)
    mask = (1 << kind.bits) - 1
    functions: list[Function] = []
    for ordering in ("monotonic", "acquire", "release", "acq_rel", "seq_cst"):
        for op in ATOMIC_RESULTS:
            value = local("value", kind)
            update = AtomicUpdate(op, address, read(value), kind, ordering)
            functions.append(function(f"{op}.{ordering}", [value], kind, [give(update)], exported=True))
        expected, desired = local("expected", kind), local("desired", kind)
        exchange = CompareExchange(address, read(expected), read(desired), ordering)
        functions.append(function(f"cas.{ordering}", [expected, desired], BOOL, [give(exchange)], exported=True))
    value = local("value", kind)
    store = Store(address, read(value), 8, SPAN, ordering="release")
    functions.append(function("store", [value], kind, [store, give(Load(address, kind, 8, ordering="acquire"))]))
    functions[-1].exported = True
    whole = program(*functions)
    whole.statics.append(cell)
    compiled = run(whole)
    for ordering in ("monotonic", "acquire", "release", "acq_rel", "seq_cst"):
        for op, result in ATOMIC_RESULTS.items():
            assert _value(compiled, "store", 0x100 & mask) & mask == 0x100 & mask
            assert _value(compiled, f"{op}.{ordering}", 9) & mask == 0x100 & mask
            base = result if kind.bits > 8 else {"exchange": 9, "add": 9, "sub": 0xF7, "and": 0, "or": 9}[op]
            assert _value(compiled, f"cas.{ordering}", base & mask, 1) & 1 == 1
            assert _value(compiled, f"cas.{ordering}", 77, 5) & 1 == 0
            assert _value(compiled, f"exchange.{ordering}", 0) & mask == 1


def test_a_bool_in_memory_is_its_lowest_bit(run: Run) -> None:
    cell = _static("sample.cell", b"\x02" + bytes(7))
    entry = function("flag", [], BOOL, [give(_load(StaticAddress(cell), BOOL))], exported=True)
    byte = local("byte", U8)
    put = function("put", [byte], U8, [Store(StaticAddress(cell), read(byte), 1, SPAN), give(read(byte))])
    put.exported = True
    whole = program(entry, put)
    whole.statics.append(cell)
    compiled = run(whole)
    for value in (0, 1, 2, 3):
        compiled("put", value)
        assert _value(compiled, "flag") & 1 == value & 1


def test_effects_of_an_evaluated_expression_happen(run: Run) -> None:
    cell = _static("sample.cell", bytes(8))
    update = AtomicUpdate("add", StaticAddress(cell), number(2), U64, "monotonic")
    body: list[Statement] = [Evaluate(update, SPAN), Evaluate(update, SPAN), give(_load(StaticAddress(cell), U64, 8))]
    whole = program(function("twice", [], U64, body, exported=True))
    whole.statics.append(cell)
    assert _value(run(whole), "twice") == 4
