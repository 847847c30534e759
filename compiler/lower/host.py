"""Hardware operations on the host: registers are memory, the rest are calls that Python may answer.

The module's `@__host` object is the meeting point of generated code and `compiler.lower.jit`, which fills in its
callbacks. Its fields are 8 bytes each, at the offsets below; arrays stand in globals of their own:

    __registers        u64 for each system register that the program names
    __register_hooks   u8 for each: bit 0 reads are answered by a callback, bit 1 writes are
    __linker_symbols   u64 for each linker symbol

A trap stores its number and jumps to the innermost guard, which the thunk of the running entry has set up. Every
callback may ask for the same by setting `stop`. `__call_many` calls a thunk once for each row of arguments, stores the
number of each call's trap, and gives the number of calls made: it ends early only when a callback has asked to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from compiler.lower.aarch64 import check_barrier, check_hint, readable_register, system_encoding, writable_register
from compiler.lower.builder import BlockWriter, Builder
from compiler.lower.errors import LowerError
from compiler.lower.expressions import load_scalar, store_scalar
from compiler.lower.intrinsics import Intrinsics
from compiler.lower.metadata import Metadata
from compiler.lower.text import Value, global_name, result_type, scalar_type
from compiler.program.nodes import Barrier, Hint, RegisterWrite, SystemOperation
from compiler.program.program import Function
from compiler.program.types import U64, Bool, Int, Pointer, ValueType, leaves, stored_size

HOST_FIELDS = (
    "trap",
    "stop",
    "guard",
    "read_register",
    "write_register",
    "device_load",
    "device_store",
    "system",
    "extern",
)
"""Fields of `@__host` in order."""

STOPPED = 0x10000
"""The trap number of an entry that a callback stopped."""

_JUMP_BUFFER_SIZE = 512
_RUNTIME = Template("""
declare i32 @_setjmp(ptr) returns_twice nounwind
declare void @longjmp(ptr, i32) noreturn nounwind
define internal void @__trap(i32 %number) noreturn $cold {
  %wide = zext i32 %number to i64
  store i64 %wide, ptr $trap
  %guard = load ptr, ptr $guard
  call void @longjmp(ptr %guard, i32 1)
  unreachable
}
define internal void @__after_callback() $cold {
  %stop = load i64, ptr $stop
  %go_on = icmp eq i64 %stop, 0
  br i1 %go_on, label %done, label %leave
leave:
  call void @__trap(i32 $stopped)
  unreachable
done:
  ret void
}
define internal i64 @__ask_register(i64 %number) $cold {
  %callback = load ptr, ptr $read_register
  %value = call i64 %callback(i64 %number)
  call void @__after_callback()
  ret i64 %value
}
define internal void @__tell_register(i64 %number, i64 %value) $cold {
  %callback = load ptr, ptr $write_register
  call void %callback(i64 %number, i64 %value)
  call void @__after_callback()
  ret void
}
define internal i64 @__read_register(i64 %number) alwaysinline nounwind {
  %hook_at = getelementptr i8, ptr @__register_hooks, i64 %number
  %hook = load i8, ptr %hook_at
  %bit = and i8 %hook, 1
  %hooked = icmp ne i8 %bit, 0
  br i1 %hooked, label %ask, label %plain
ask:
  %answer = call i64 @__ask_register(i64 %number)
  ret i64 %answer
plain:
  %at = getelementptr [8 x i8], ptr @__registers, i64 %number
  %value = load i64, ptr %at
  ret i64 %value
}
define internal void @__write_register(i64 %number, i64 %value) alwaysinline nounwind {
  %at = getelementptr [8 x i8], ptr @__registers, i64 %number
  store i64 %value, ptr %at
  %hook_at = getelementptr i8, ptr @__register_hooks, i64 %number
  %hook = load i8, ptr %hook_at
  %bit = and i8 %hook, 2
  %hooked = icmp ne i8 %bit, 0
  br i1 %hooked, label %tell, label %done
tell:
  call void @__tell_register(i64 %number, i64 %value)
  br label %done
done:
  ret void
}
define internal i64 @__ask_device(ptr %callback, ptr %address, i64 %width) $cold {
  %value = call i64 %callback(ptr %address, i64 %width)
  call void @__after_callback()
  ret i64 %value
}
define internal void @__tell_device(ptr %callback, ptr %address, i64 %value, i64 %width) $cold {
  call void %callback(ptr %address, i64 %value, i64 %width)
  call void @__after_callback()
  ret void
}
define internal void @__system(i64 %operation, i64 %value) $cold {
  %callback = load ptr, ptr $system
  %none = icmp eq ptr %callback, null
  br i1 %none, label %done, label %tell
tell:
  call void %callback(i64 %operation, i64 %value)
  call void @__after_callback()
  br label %done
done:
  ret void
}
define internal void @__call_extern(i64 %function, ptr %arguments, ptr %results) $cold {
  %callback = load ptr, ptr $extern
  call void %callback(i64 %function, ptr %arguments, ptr %results)
  call void @__after_callback()
  ret void
}
define i64 @__call_many(
    ptr %thunk, i64 %count, ptr %arguments, i64 %argument_step, ptr %results, i64 %result_step, ptr %traps) {
entry:
  %none = icmp eq i64 %count, 0
  br i1 %none, label %done, label %loop
loop:
  %index = phi i64 [ 0, %entry ], [ %next, %loop ]
  %argument_offset = mul i64 %index, %argument_step
  %argument_at = getelementptr i8, ptr %arguments, i64 %argument_offset
  %result_offset = mul i64 %index, %result_step
  %result_at = getelementptr i8, ptr %results, i64 %result_offset
  %trap = call i32 %thunk(ptr %argument_at, ptr %result_at)
  %trap_at = getelementptr [4 x i8], ptr %traps, i64 %index
  store i32 %trap, ptr %trap_at
  %next = add i64 %index, 1
  %more = icmp ult i64 %next, %count
  %go_on = icmp ne i32 %trap, $stopped
  %again = and i1 %more, %go_on
  br i1 %again, label %loop, label %done
done:
  %made = phi i64 [ 0, %entry ], [ %next, %loop ]
  ret i64 %made
}
""")


def thunk_name(symbol: str) -> str:
    """Symbol of the thunk through which Python calls a function."""
    return f"thunk {symbol}"


class Host:
    """The machine that runs the compiler, standing in for the target."""

    def __init__(self, entries: frozenset[str] | None) -> None:
        """`entries`: symbols of the functions that Python will call; None: all."""
        self._entries = entries
        self.intrinsics = Intrinsics()
        self.metadata = Metadata()
        self.registers: dict[str, int] = {}
        self.linker_symbols: dict[str, int] = {}
        self.operations: dict[str, int] = {}
        self.externs: dict[str, int] = {}

    def trap_instruction(self, number: int) -> str:
        return f"call void @__trap(i32 {number})"

    def read_register(self, builder: Builder, name: str) -> str:
        number = _number(self.registers, readable_register(name).name)
        return builder.value(f"call i64 @__read_register(i64 {number})")

    def write_register(self, builder: Builder, node: RegisterWrite, value: str) -> None:
        number = _number(self.registers, writable_register(node.name, node.span).name)
        builder.emit(f"call void @__write_register(i64 {number}, i64 {value})")

    def system_operation(self, builder: Builder, node: SystemOperation, value: str) -> None:
        system_encoding(node)
        self._operation(builder, f"{node.instruction} {node.operation}".lower(), value)

    def barrier(self, builder: Builder, node: Barrier) -> None:
        check_barrier(node)
        self._operation(builder, "isb" if node.instruction == "isb" else f"{node.instruction} {node.option}", "0")

    def hint(self, builder: Builder, node: Hint) -> None:
        check_hint(node)
        self._operation(builder, node.name, "0")

    def device_load(self, builder: Builder, kind: ValueType, address: str, align: int) -> str:
        callback, ask, plain, join = self._device_paths(builder, "device_load")
        builder.start(ask)
        size = stored_size(kind)
        wide = builder.value(f"call i64 @__ask_device(ptr {callback}, ptr {address}, i64 {size})")
        asked = from_word(builder, kind, wide)
        builder.jump(join)
        builder.start(plain)
        loaded = load_scalar(builder, kind, address, align, volatile=True)
        builder.jump(join)
        builder.start(join)
        return builder.phi((kind,), [((asked,), ask), ((loaded,), plain)])[0]

    def device_store(self, builder: Builder, kind: ValueType, value: str, address: str, align: int) -> None:
        callback, ask, plain, join = self._device_paths(builder, "device_store")
        builder.start(ask)
        wide = to_word(builder, kind, value)
        size = stored_size(kind)
        builder.emit(f"call void @__tell_device(ptr {callback}, ptr {address}, i64 {wide}, i64 {size})")
        builder.jump(join)
        builder.start(plain)
        store_scalar(builder, kind, value, address, align, volatile=True)
        builder.jump(join)
        builder.start(join)

    def linker_address(self, builder: Builder, symbol: str) -> str:
        number = _number(self.linker_symbols, symbol)
        return builder.value(f"load ptr, ptr getelementptr (i8, ptr @__linker_symbols, i64 {8 * number})")

    def outside_symbol(self, symbol: str) -> None:
        raise LowerError(f"a static object points to {symbol!r}, which has no address on the host")

    def has_body(self, function: Function) -> bool:
        return not function.extern

    def function_attributes(self) -> Sequence[str]:
        return ()

    def extern_definition(self, function: Function) -> list[str]:
        """A function that hands its arguments to Python."""
        number = _number(self.externs, function.symbol)
        kinds = [kind for parameter in function.parameters for kind in leaves(parameter.type)]
        arguments = ", ".join(f"{scalar_type(kind)} %arg{index}" for index, kind in enumerate(kinds))
        builder = BlockWriter()
        words = max(len(kinds), len(leaves(function.result)), 1)
        builder.emit(f"%words = alloca [{words} x i64]")
        for index, kind in enumerate(kinds):
            word = to_word(builder, kind, f"%arg{index}")
            builder.emit(f"store i64 {word}, ptr {_word_at(builder, '%words', index)}")
        builder.emit(f"call void @__call_extern(i64 {number}, ptr %words, ptr %words)")
        values = _load_words(builder, "%words", leaves(function.result))
        result = result_type(function.result)
        if result == "void":
            builder.emit("ret void")
        else:
            builder.emit(f"ret {result} {builder.aggregate(values, result)}")
        return [
            f"define internal {result} {global_name(function.symbol)}({arguments}) nounwind {{",
            *builder.lines,
            "}",
        ]

    def prelude(self, known: frozenset[str]) -> list[str]:
        fields = {name: _field(name) for name in HOST_FIELDS}
        return [
            f"@__host = global [{8 * len(HOST_FIELDS)} x i8] zeroinitializer, align 8",
            f"@__registers = global [{8 * len(self.registers)} x i8] zeroinitializer, align 8",
            f"@__register_hooks = global [{len(self.registers)} x i8] zeroinitializer",
            f"@__linker_symbols = global [{8 * len(self.linker_symbols)} x i8] zeroinitializer, align 8",
            _RUNTIME.substitute(fields, cold="nounwind cold noinline", stopped=STOPPED),
        ]

    def thunk(self, function: Function) -> list[str]:
        """`i32 thunk(ptr arguments, ptr results)`: runs a function under a guard; 0, or the number of a trap."""
        if not self.is_entry(function.symbol):
            return []
        builder = BlockWriter()
        guard = _field("guard")
        builder.emit(f"%buffer = alloca [{_JUMP_BUFFER_SIZE} x i8], align 16")
        builder.emit(f"%outer = load ptr, ptr {guard}")
        builder.emit(f"store ptr %buffer, ptr {guard}")
        builder.emit("%again = call i32 @_setjmp(ptr %buffer) returns_twice")
        builder.emit("%trapped = icmp ne i32 %again, 0")
        builder.branch("%trapped", "trap", "run")
        builder.start("run")
        kinds = [kind for parameter in function.parameters for kind in leaves(parameter.type)]
        values = _load_words(builder, "%arguments", kinds)
        operands = ", ".join(f"{scalar_type(kind)} {value}" for kind, value in zip(kinds, values, strict=True))
        results = builder.call(function.symbol, function.result, operands)
        for index, (kind, value) in enumerate(zip(leaves(function.result), results, strict=True)):
            word = to_word(builder, kind, value)
            builder.emit(f"store i64 {word}, ptr {_word_at(builder, '%results', index)}")
        builder.emit(f"store ptr %outer, ptr {guard}")
        builder.finish("ret i32 0")
        builder.start("trap")
        builder.emit(f"store ptr %outer, ptr {guard}")
        builder.emit(f"%wide = load i64, ptr {_field('trap')}")
        builder.emit("%number = trunc i64 %wide to i32")
        builder.finish("ret i32 %number")
        name = global_name(thunk_name(function.symbol))
        header = f"define i32 {name}(ptr noalias %arguments, ptr noalias %results) nounwind {{"
        return [header, "entry:", *builder.lines, "}"]

    def is_entry(self, symbol: str) -> bool:
        """Whether the function of this symbol has a thunk."""
        return self._entries is None or symbol in self._entries

    def _operation(self, builder: Builder, text: str, value: str) -> None:
        builder.emit(f"call void @__system(i64 {_number(self.operations, text)}, i64 {value})")

    def _device_paths(self, builder: Builder, field: str) -> tuple[str, str, str, str]:
        callback = builder.value(f"load ptr, ptr {_field(field)}")
        absent = builder.value(f"icmp eq ptr {callback}, null")
        ask, plain, join = builder.label(), builder.label(), builder.label()
        builder.branch(absent, plain, ask)
        return callback, ask, plain, join


def to_word(builder: BlockWriter, kind: ValueType, value: str) -> str:
    """A scalar as the u64 that stands for it outside."""
    match kind:
        case Bool():
            return builder.value(f"zext i1 {value} to i64")
        case Pointer():
            return builder.value(f"ptrtoint ptr {value} to i64")
        case Int(64, _):
            return value
        case _:
            extend = "sext" if isinstance(kind, Int) and kind.signed else "zext"
            return builder.value(f"{extend} {scalar_type(kind)} {value} to i64")


def from_word(builder: BlockWriter, kind: ValueType, word: str) -> str:
    """A scalar from the u64 that stands for it outside."""
    if kind == U64 or (isinstance(kind, Int) and kind.bits == 64):
        return word
    if isinstance(kind, Pointer):
        return builder.value(f"inttoptr i64 {word} to ptr")
    return builder.value(f"trunc i64 {word} to {scalar_type(kind)}")


def _word_at(builder: BlockWriter, base: str, index: int) -> str:
    return builder.value(f"getelementptr [8 x i8], ptr {base}, i64 {index}")


def _load_words(builder: BlockWriter, base: str, kinds: Sequence[ValueType]) -> Value:
    return tuple(
        from_word(builder, kind, builder.value(f"load i64, ptr {_word_at(builder, base, index)}"))
        for index, kind in enumerate(kinds)
    )


def _field(name: str) -> str:
    return f"getelementptr (i8, ptr @__host, i64 {8 * HOST_FIELDS.index(name)})"


def _number(numbers: dict[str, int], name: str) -> int:
    return numbers.setdefault(name, len(numbers))
