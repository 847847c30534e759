"""The CPython back end: a program as Python functions over a simulated machine.

Static objects, functions, the stack and the heap of host-made objects stand at fixed addresses below 2**40, away from
the low addresses where platforms have memory and devices, so that a run is the same every time.
"""

from __future__ import annotations

import ast
import linecache
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from mmap import mmap
from types import FunctionType
from typing import Any, NoReturn

from compiler.host import arithmetic
from compiler.host import python_ast as py
from compiler.host.emit import FunctionEmitter
from compiler.host.emit_expressions import Linkage
from compiler.host.faults import HostError, HostFault, TrapError
from compiler.host.memory import Memory
from compiler.host.registers import SystemRegisters
from compiler.host.session import Session
from compiler.program.nodes import Span, TrapKind
from compiler.program.program import Function, Program, StaticObject, Table

STATICS_BASE = 0x60_0000_0000
CONSTANTS_BASE = 0x60_8000_0000
FUNCTIONS_BASE = 0x61_0000_0000
STACK_BASE = 0x62_0000_0000
STACK_SIZE = 1 << 20
HEAP_BASE = 0x63_0000_0000
HEAP_SIZE = 1 << 26

_UNDEFINED_BYTE = b"\xa5"
_MASK_64 = (1 << 64) - 1
_FUNCTION_STRIDE = 16
_PLACES = ((STATICS_BASE, True), (CONSTANTS_BASE, False))


class Interpreter(Session):
    """A program under CPython.

    `symbols` gives addresses to symbols of the linker script; `externs` gives Python functions for extern functions,
    by symbol, which take and return raw values.
    """

    def __init__(
        self,
        program: Program,
        *,
        symbols: Mapping[str, int] | None = None,
        externs: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._memory = Memory()
        self._registers = SystemRegisters()
        self._stack = Stack(self._memory)
        self._heap_top = HEAP_BASE
        self._memory.map(HEAP_BASE, HEAP_SIZE)
        self._linkage = _ProgramLinkage(program, self._memory, symbols or {})
        self._namespace = _machine_namespace(self._memory, self._registers, self._stack, self._linkage)
        self._functions = self._emit(program, externs or {})
        _show_sources(program)
        super().__init__(program)

    @property
    def memory(self) -> Memory:
        """The simulated address space."""
        return self._memory

    @property
    def registers(self) -> SystemRegisters:
        """The simulated system registers, and the record of system events."""
        return self._registers

    def static_address(self, symbol: str) -> int:
        return self._linkage.symbol_address(symbol)

    def allocate(self, size: int, align: int) -> int:
        address = (self._heap_top + align - 1) & -align
        if address + size > HEAP_BASE + HEAP_SIZE:
            raise HostError(f"the heap of host-made objects ({HEAP_SIZE} bytes) is full")
        self._heap_top = address + size
        return address

    def allocation_mark(self) -> int:
        return self._heap_top

    def release(self, mark: int) -> None:
        self._heap_top = mark

    def invoke(self, function: Function, arguments: Sequence[Any]) -> Any:
        stack_depth = self._stack.depth
        try:
            return self._functions[function](*arguments)
        except TrapError as error:
            self._stack.unwind(stack_depth)
            raise error.with_traceback(_without_helpers(error)) from None
        except BaseException:
            self._stack.unwind(stack_depth)
            raise

    def _emit(self, program: Program, externs: Mapping[str, Callable[..., Any]]) -> dict[Function, Callable[..., Any]]:
        functions: dict[Function, Callable[..., Any]] = {}
        for function in program.functions:
            if function.extern:
                model = externs.get(function.symbol) or partial(_no_model, function.symbol)
            else:
                model = FunctionType(FunctionEmitter(self._linkage, function).code(), self._namespace)
            functions[function] = model
            self._namespace[self._linkage.function(function)] = model
        for table in program.tables:
            self._namespace[self._linkage.table(table)] = [functions[function] for function in table.functions]
        return functions


class Stack:
    """Memory for the slots of active functions. It grows downwards; a new frame's bytes are a pattern."""

    def __init__(self, memory: Memory) -> None:
        region = memory.map(STACK_BASE, STACK_SIZE)
        assert isinstance(region.data, mmap)
        self._data = region.data
        self._top = region.end
        self._saved: list[int] = []

    @property
    def depth(self) -> int:
        """Number of frames."""
        return len(self._saved)

    def enter(self, size: int, align: int) -> int:
        """Make a frame of `size` bytes and give its address."""
        base = (self._top - size) & -align
        if base < STACK_BASE:
            raise HostFault(base, f"stack overflow: more than {STACK_SIZE} bytes of slots")
        self._saved.append(self._top)
        self._top = base
        offset = base - STACK_BASE
        self._data[offset : offset + size] = _UNDEFINED_BYTE * size
        return base

    def leave(self, result: Any = None) -> Any:
        """Drop the newest frame; gives `result` back, evaluated while the frame was there."""
        self._top = self._saved.pop()
        return result

    def unwind(self, depth: int) -> None:
        """Drop the frames above `depth`."""
        if len(self._saved) > depth:
            self._top = self._saved[depth]
            del self._saved[depth:]


class _ProgramLinkage(Linkage):
    """Names and addresses of everything in a program."""

    def __init__(self, program: Program, memory: Memory, symbols: Mapping[str, int]) -> None:
        self.traps: list[tuple[TrapKind, Span, str]] = []
        self._symbols = symbols
        self._addresses: dict[str, int] = {}
        self._functions = {function: f"__f{number}" for number, function in enumerate(program.functions)}
        self._tables = {table: f"__table{number}" for number, table in enumerate(program.tables)}
        for number, function in enumerate(program.functions):
            self._addresses[function.symbol] = FUNCTIONS_BASE + number * _FUNCTION_STRIDE
        self._place(program.statics, memory)

    def _place(self, statics: Sequence[StaticObject], memory: Memory) -> None:
        parts = [(base, [item for item in statics if item.mutable is mutable]) for base, mutable in _PLACES]
        for base, items in parts:
            address = base
            for item in items:
                address = (address + item.align - 1) & -item.align
                self._addresses[item.symbol] = address
                address += item.size
        for base, items in parts:
            contents = self._contents(items, base)
            if items and items[0].mutable:
                memory.map(base, len(contents), contents)
            elif items:
                memory.map_constant(base, contents)

    def _contents(self, items: Sequence[StaticObject], base: int) -> bytes:
        """The memory of static objects placed from `base` on, with their pointers."""
        contents = bytearray()
        for item in items:
            data = bytearray(item.data.ljust(item.size, b"\0"))
            for relocation in item.relocations:
                value = (self.symbol_address(relocation.target) + relocation.addend) & _MASK_64
                data[relocation.offset : relocation.offset + 8] = value.to_bytes(8, "little")
            contents += bytes(self._addresses[item.symbol] - base - len(contents)) + data
        return bytes(contents or b"\0")

    def symbol_address(self, symbol: str) -> int:
        """Address of a function, static object or linker symbol."""
        for known in (self._addresses, self._symbols):
            if symbol in known:
                return known[symbol]
        raise HostError(f"no symbol {symbol!r}; an address for a linker symbol is given as symbols={{{symbol!r}: ...}}")

    def trap(self, kind: TrapKind, span: Span, message: str) -> int:
        self.traps.append((kind, span, message))
        return len(self.traps) - 1

    def raise_trap(self, number: int) -> NoReturn:
        """What emitted code calls when a check fails."""
        raise TrapError(*self.traps[number])

    def function(self, function: Function) -> str:
        return self._functions[function]

    def function_address(self, function: Function) -> int:
        return self._addresses[function.symbol]

    def table(self, table: Table) -> str:
        return self._tables[table]

    def static(self, target: StaticObject) -> int:
        return self._addresses[target.symbol]

    def linker_symbol(self, symbol: str) -> ast.expr:
        return py.call("__symbol_address", ast.Constant(symbol))


def _machine_namespace(
    memory: Memory, registers: SystemRegisters, stack: Stack, linkage: _ProgramLinkage
) -> dict[str, Any]:
    """The globals of emitted code: what it calls to reach the simulated machine."""

    def atomic_update(op: str, address: int, value: int, width: int, signed: bool) -> int:
        old = memory.load(address, width, signed)
        new = {"exchange": value, "add": old + value, "sub": old - value, "and": old & value, "or": old | value}[op]
        memory.store(address, width, new)
        return old

    def compare_exchange(address: int, expected: int, desired: int, width: int, signed: bool) -> bool:
        if memory.load(address, width, signed) != expected:
            return False
        memory.store(address, width, desired)
        return True

    def subslice(run: tuple[int, int], start: int, stop: int, stride: int, trap: int) -> tuple[int, int]:
        if not start <= stop <= run[1]:
            linkage.raise_trap(trap)
        return run[0] + start * stride, stop - start

    namespace: dict[str, Any] = {
        "__trap": linkage.raise_trap,
        "__symbol_address": linkage.symbol_address,
        "__enter": stack.enter,
        "__leave": stack.leave,
        "__copy_memory": memory.copy,
        "__fill_memory": memory.fill,
        "__atomic_update": atomic_update,
        "__compare_exchange": compare_exchange,
        "__subslice": subslice,
        "__read_register": registers.read,
        "__write_register": registers.write,
        "__system": registers.system,
        "__barrier": registers.barrier,
        "__hint": registers.hint,
    }
    operations = (
        arithmetic.rotate_left,
        arithmetic.rotate_right,
        arithmetic.leading_zeros,
        arithmetic.trailing_zeros,
        arithmetic.count_ones,
        arithmetic.byte_swap,
        arithmetic.reverse_bits,
    )
    namespace |= {f"__{operation.__name__}": operation for operation in operations}
    for width in (1, 2, 4, 8):
        for signed in (False, True):
            for aligned in (False, True):
                suffix = f"{'i' if signed else 'u'}{8 * width}{'' if aligned else '_packed'}"
                namespace[f"__load_{suffix}"] = memory.loader(width, signed, aligned)
                namespace[f"__store_{suffix}"] = memory.storer(width, signed, aligned)
    return namespace


def _show_sources(program: Program) -> None:
    """Let tracebacks and debuggers show source text that is in no file."""
    for path, text in program.sources.items():
        if not os.path.exists(path):
            linecache.cache[path] = len(text), None, text.splitlines(keepends=True), path


def _no_model(symbol: str, *_arguments: Any) -> NoReturn:
    raise HostError(f"the extern function {symbol} has no host model; give one as externs={{{symbol!r}: ...}}")


def _without_helpers(error: TrapError) -> Any:
    """The traceback of a trap, ending at the dialect line rather than in the helper that raised."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        code = frame.tb_next.tb_frame.f_code
        if code.co_filename == __file__:
            frame.tb_next = None
            break
        frame = frame.tb_next
    return error.__traceback__
