"""Emission of statements: structured control flow becomes blocks."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.lower.builder import Builder
from compiler.lower.errors import LowerError
from compiler.lower.expressions import Expressions, Frame, Symbols, store_scalar
from compiler.lower.machine import Machine
from compiler.lower.text import constant, memory_type, result_type, scalar_type
from compiler.program.nodes import (
    Access,
    Assign,
    Barrier,
    Break,
    Constant,
    Continue,
    CopyMemory,
    Evaluate,
    FillMemory,
    Hint,
    If,
    Loop,
    RegisterWrite,
    Return,
    Statement,
    Store,
    Switch,
    SystemOperation,
    Trap,
    TrapKind,
)
from compiler.program.types import U64, ValueType, leaves, stored_size

_STORE_ORDERINGS = {"monotonic": "monotonic", "release": "release", "acq_rel": "release", "seq_cst": "seq_cst"}
_DELIBERATE = (TrapKind.ASSERT, TrapKind.PANIC)
"""Traps that the source asks for; they stay when run-time checks are left out."""


class Statements:
    """Emits the statements of one function whose result is of type `result`."""

    def __init__(self, builder: Builder, machine: Machine, symbols: Symbols, frame: Frame, result: ValueType) -> None:
        self.builder = builder
        self.machine = machine
        self.result = result
        self.expressions = Expressions(builder, machine, symbols, frame, self.run)
        self._frame = frame
        self._loops: list[tuple[str, str]] = []
        self._returns = False

    def run(self, statements: Sequence[Statement]) -> None:
        """Emit statements in order; those behind a jump are never reached and are left out."""
        for statement in statements:
            if not self.builder.open:
                return
            self.builder.move_to(statement.span)
            slot = self.builder.surroundings.coverage_slot(statement.span)
            if slot is not None:
                self.builder.emit(f"store i8 1, ptr {slot}")
            self._statement(statement)

    def _statement(self, node: Statement) -> None:
        builder = self.builder
        expressions = self.expressions
        match node:
            case Assign(local, value, _):
                expressions.assign(local, expressions.value(value))
            case If():
                self._if(node)
            case Loop():
                self._loop(node)
            case Switch():
                self._switch(node)
            case Store() | CopyMemory() | FillMemory():
                self._memory(node)
            case Evaluate(expression, _):
                expressions.value(expression)
            case Return():
                self._return(node)
            case Break():
                builder.jump(self._loops[-1][0])
            case Continue():
                builder.jump(self._loops[-1][1])
            case Trap():
                self._trap(node)
            case RegisterWrite():
                self.machine.write_register(builder, node, expressions.scalar(node.value))
            case SystemOperation():
                operand = expressions.scalar(node.value) if node.value is not None else "0"
                self.machine.system_operation(builder, node, operand)
            case Barrier():
                self.machine.barrier(builder, node)
            case Hint():
                self.machine.hint(builder, node)

    def _if(self, node: If) -> None:
        builder = self.builder
        if isinstance(node.condition, Constant):
            self.run(node.then if node.condition.value else node.otherwise)
            return
        then, otherwise, join = builder.label(), builder.label(), builder.label()
        self.expressions.branch(node.condition, then, otherwise if node.otherwise else join)
        builder.start(then)
        self.run(node.then)
        reaches_join = not node.otherwise
        if builder.open:
            builder.jump(join)
            reaches_join = True
        if node.otherwise:
            builder.start(otherwise)
            self.run(node.otherwise)
            if builder.open:
                builder.jump(join)
                reaches_join = True
        if reaches_join:
            builder.start(join)

    def _loop(self, node: Loop) -> None:
        builder = self.builder
        head, body, step, leave = (builder.label() for _ in range(4))
        builder.start(head)
        if node.condition is not None:
            self.expressions.branch(node.condition, body, leave)
            builder.start(body)
        self._loops.append((leave, step))
        self.run(node.body)
        self._loops.pop()
        builder.start(step)
        builder.move_to(node.span)
        self.run(node.step)
        if builder.open:
            builder.jump(head)
        builder.start(leave)

    def _switch(self, node: Switch) -> None:
        builder = self.builder
        kind = node.subject.type
        scalar = scalar_type(kind)
        subject = self.expressions.scalar(node.subject)
        join, default = builder.label(), builder.label()
        labels = [builder.label() for _ in node.cases]
        choices = " ".join(
            f"{scalar} {constant(kind, value)}, label %{label}"
            for case, label in zip(node.cases, labels, strict=True)
            for value in case.values
        )
        builder.finish(f"switch {scalar} {subject}, label %{default} [ {choices} ]")
        reaches_join = False
        bodies = [*((label, case.body) for label, case in zip(labels, node.cases, strict=True))]
        for label, body in [*bodies, (default, node.default)]:
            builder.start(label)
            self.run(body)
            if builder.open:
                builder.jump(join)
                reaches_join = True
        if reaches_join:
            builder.start(join)

    def _memory(self, node: Store | CopyMemory | FillMemory) -> None:
        builder = self.builder
        scalar = self.expressions.scalar
        match node:
            case Store():
                self._store(node)
            case CopyMemory():
                target, source, size = scalar(node.destination), scalar(node.source), scalar(node.size)
                name = "llvm.memmove.p0.p0" if node.may_overlap else "llvm.memcpy.p0.p0"
                intrinsic = builder.surroundings.intrinsic(name, U64)
                align = f"align {node.align} "
                volatile = "true" if node.is_shared else "false"
                operands = f"ptr {align}{target}, ptr {align}{source}, i64 {size}"
                builder.emit(f"call void {intrinsic}({operands}, i1 {volatile})")
            case FillMemory():
                target, byte, size = scalar(node.destination), scalar(node.byte), scalar(node.size)
                intrinsic = builder.surroundings.intrinsic("llvm.memset.p0", U64)
                builder.emit(f"call void {intrinsic}(ptr align {node.align} {target}, i8 {byte}, i64 {size}, i1 false)")

    def _store(self, node: Store) -> None:
        builder = self.builder
        address = self.expressions.scalar(node.address)
        value = self.expressions.scalar(node.value)
        kind = node.value.type
        builder.move_to(node.span)
        if node.access is Access.DEVICE:
            self.machine.device_store(builder, kind, value, address, node.align)
        elif node.ordering is not None:
            ordering = _STORE_ORDERINGS.get(node.ordering)
            if ordering is None:
                raise LowerError(f"an atomic store cannot have the ordering {node.ordering}", node.span)
            stored = builder.as_stored(kind, value)
            size = stored_size(kind)
            builder.emit(f"store atomic {memory_type(kind)} {stored}, ptr {address} {ordering}, align {size}")
        else:
            store_scalar(builder, kind, value, address, node.align, node.access is Access.VOLATILE)

    def finish(self) -> None:
        """Emit the common end of a function that returns several scalars.

        They meet there as scalars, since LLVM does not see through choices between aggregates.
        """
        if not self._returns:
            return
        builder = self.builder
        builder.start("exit")
        kinds = leaves(self.result)
        value = tuple(builder.load(kind, at, "") for kind, at in zip(kinds, self._frame.result, strict=True))
        kind = result_type(self.result)
        builder.finish(f"ret {kind} {builder.aggregate(value, kind)}")

    def _return(self, node: Return) -> None:
        builder = self.builder
        kinds = leaves(self.result)
        if node.value is None:
            builder.finish("ret void")
            return
        value = self.expressions.value(node.value)
        builder.move_to(node.span)
        if not kinds:
            builder.finish("ret void")
        elif len(kinds) == 1:
            builder.finish(f"ret {result_type(self.result)} {value[0]}")
        else:
            for kind, operand, address in zip(kinds, value, self._frame.result, strict=True):
                builder.store(kind, operand, address, "")
            builder.jump("exit")
            self._returns = True

    def _trap(self, node: Trap) -> None:
        if self.builder.surroundings.checks or node.kind in _DELIBERATE:
            self.builder.trap(node.kind, node.span, node.message)
        else:
            self.builder.finish("unreachable")
