"""Emission of expressions: each evaluates, left to right, to the operands of its scalars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from compiler.lower import arithmetic
from compiler.lower.builder import Builder
from compiler.lower.errors import LowerError
from compiler.lower.machine import Machine
from compiler.lower.text import Value, constant, global_name, memory_type, scalar_type
from compiler.program.nodes import (
    Access,
    AtomicUpdate,
    Binary,
    Call,
    CheckedBinary,
    Compare,
    CompareExchange,
    Conditional,
    Constant,
    Convert,
    Element,
    Expression,
    FunctionAddress,
    LinkerAddress,
    Load,
    Local,
    Logical,
    MakeTuple,
    Offset,
    ReadLocal,
    RegisterRead,
    SlotAddress,
    Statement,
    StaticAddress,
    Subslice,
    TableCall,
    TrapKind,
    TupleElement,
    Unary,
    UnaryOp,
)
from compiler.program.nodes import (
    Sequence as SequenceNode,
)
from compiler.program.program import Function, StackSlot, StaticObject, Table
from compiler.program.types import BOOL, Tuple, ValueType, leaves, stored_size

_LOAD_ORDERINGS = {"monotonic": "monotonic", "acquire": "acquire", "acq_rel": "acquire", "seq_cst": "seq_cst"}
_FAILURE_ORDERINGS = {
    "monotonic": "monotonic",
    "acquire": "acquire",
    "release": "monotonic",
    "acq_rel": "acquire",
    "seq_cst": "seq_cst",
}
_UPDATES = {"exchange": "xchg", "add": "add", "sub": "sub", "and": "and", "or": "or", "xor": "xor"}


class Symbols(Protocol):
    """Names of what functions refer to; asking for one makes sure that it is declared."""

    def function(self, function: Function) -> str:
        """Symbol to call."""
        ...

    def static(self, static: StaticObject) -> str:
        """Symbol of an object."""
        ...

    def dispatcher(self, table: Table) -> str:
        """Symbol of the function that calls the table's entry of a given index."""
        ...


@dataclass(frozen=True)
class Frame:
    """Where a function's locals and slots are: a stack address for each scalar of a local, one for a slot.

    `result`: addresses for the scalars of a result that consists of several, else empty.
    """

    locals: Mapping[Local, Value]
    slots: Mapping[StackSlot, str]
    result: Value


class Expressions:
    """Emits expressions of one function. `run` emits statements (for Sequence nodes)."""

    def __init__(
        self,
        builder: Builder,
        machine: Machine,
        symbols: Symbols,
        frame: Frame,
        run: Callable[[Sequence[Statement]], None],
    ) -> None:
        self.builder = builder
        self.machine = machine
        self.symbols = symbols
        self.frame = frame
        self.run = run

    def scalar(self, node: Expression) -> str:
        """The operand of an expression that is one scalar."""
        return self.value(node)[0]

    def value(self, node: Expression) -> Value:
        """The operands of an expression; none when its type is VOID."""
        match node:
            case ReadLocal(local):
                return self._read_local(local)
            case Constant(kind, number):
                return (constant(kind, number),)
            case Binary() | CheckedBinary() | Compare() | Unary() | Convert():
                return self._operation(node)
            case Load() | Offset() | Element() | Subslice() | AtomicUpdate() | CompareExchange():
                return self._memory(node)
            case StaticAddress() | LinkerAddress() | FunctionAddress() | SlotAddress():
                return (self._address(node),)
            case Call():
                return self._call(node)
            case TableCall():
                return self._table_call(node)
            case Logical() | Conditional():
                return self._choice(node)
            case MakeTuple(elements, _):
                return tuple(operand for element in elements for operand in self.value(element))
            case TupleElement():
                return self._tuple_element(node)
            case RegisterRead(name, _):
                return (self.machine.read_register(self.builder, name),)
            case SequenceNode(statements, value):
                self.run(statements)
                return self.value(value)

    def assign(self, local: Local, value: Value) -> None:
        """Give a local its value."""
        for kind, operand, address in zip(leaves(local.type), value, self.frame.locals[local], strict=True):
            self.builder.store(kind, operand, address, "")

    def branch(self, condition: Expression, when_true: str, when_false: str) -> None:
        """Go to one of two blocks by a condition, short-circuiting."""
        if isinstance(condition, Logical):
            middle = self.builder.label()
            if condition.is_and:
                self.branch(condition.left, middle, when_false)
            else:
                self.branch(condition.left, when_true, middle)
            self.builder.start(middle)
            self.branch(condition.right, when_true, when_false)
        elif isinstance(condition, Unary) and condition.op is UnaryOp.NOT:
            self.branch(condition.operand, when_false, when_true)
        else:
            self.builder.branch(self.scalar(condition), when_true, when_false)

    def typed(self, arguments: Sequence[Expression]) -> str:
        """Evaluated arguments as typed operands, flattened."""
        parts: list[str] = []
        for argument in arguments:
            value = self.value(argument)
            parts += [f"{scalar_type(kind)} noundef {v}" for kind, v in zip(leaves(argument.type), value, strict=True)]
        return ", ".join(parts)

    def _read_local(self, local: Local) -> Value:
        addresses = self.frame.locals[local]
        return tuple(
            self.builder.load(kind, address, "") for kind, address in zip(leaves(local.type), addresses, strict=True)
        )

    def _operation(self, node: Binary | CheckedBinary | Compare | Unary | Convert) -> Value:
        builder = self.builder
        if isinstance(node, Compare):
            left, right = self.scalar(node.left), self.scalar(node.right)
            return (arithmetic.compare(builder, node.op, node.left.type, left, right),)
        before = builder.move_to(node.span)
        result: Value
        match node:
            case Binary():
                left, right = self.scalar(node.left), self.scalar(node.right)
                result = (arithmetic.binary(builder, node, left, right),)
            case CheckedBinary():
                left, right = self.scalar(node.left), self.scalar(node.right)
                result = arithmetic.checked_binary(builder, node, left, right)
            case Unary():
                result = (arithmetic.unary(builder, node, self.scalar(node.operand)),)
            case Convert():
                result = (arithmetic.convert(builder, node, self.scalar(node.operand)),)
        builder.location = before
        return result

    def _memory(self, node: Load | Offset | Element | Subslice | AtomicUpdate | CompareExchange) -> Value:
        match node:
            case Load():
                return (self._load(node),)
            case Offset(base, offset, _):
                address = self.scalar(base)
                wrap = " nuw" if offset >= 0 else ""
                if offset == 0:
                    return (address,)
                return (self.builder.value(f"getelementptr inbounds{wrap} i8, ptr {address}, i64 {offset}"),)
            case Element():
                return (self._element(node),)
            case Subslice():
                return self._subslice(node)
            case AtomicUpdate():
                return (self._atomic_update(node),)
            case CompareExchange():
                return (self._compare_exchange(node),)

    def _load(self, node: Load) -> str:
        before = self.builder.move_to(node.span) if node.span is not None else self.builder.location
        address = self.scalar(node.address)
        if node.access is Access.DEVICE:
            loaded = self.machine.device_load(self.builder, node.type, address, node.align)
        elif node.ordering is not None:
            loaded = self._atomic_load(node, address)
        else:
            volatile = node.access is Access.VOLATILE
            loaded = load_scalar(self.builder, node.type, address, node.align, volatile)
        self.builder.location = before
        return loaded

    def _atomic_load(self, node: Load, address: str) -> str:
        ordering = _LOAD_ORDERINGS.get(node.ordering or "")
        if ordering is None:
            raise LowerError(f"an atomic load cannot have the ordering {node.ordering}", node.span)
        stored = memory_type(node.type)
        loaded = self.builder.value(f"load atomic {stored}, ptr {address} {ordering}, align {stored_size(node.type)}")
        return self._from_stored(node.type, loaded)

    def _from_stored(self, kind: ValueType, value: str) -> str:
        return self.builder.value(f"trunc i8 {value} to i1") if kind == BOOL else value

    def _element(self, node: Element) -> str:
        builder = self.builder
        base = self.scalar(node.base)
        index = self.scalar(node.index)
        wrap = ""
        if node.count is not None:
            count = self.scalar(node.count)
            before = builder.move_to(node.span)
            outside = builder.value(f"icmp uge i64 {index}, {count}")
            builder.trap_if(outside, TrapKind.BOUNDS, node.span)
            builder.location = before
            wrap = " nuw"
        return builder.value(f"getelementptr inbounds{wrap} [{node.stride} x i8], ptr {base}, i64 {index}")

    def _subslice(self, node: Subslice) -> Value:
        builder = self.builder
        base, count = self.value(node.slice)
        start = self.scalar(node.start)
        stop = self.scalar(node.stop)
        before = builder.move_to(node.span)
        builder.trap_if(builder.value(f"icmp ugt i64 {stop}, {count}"), TrapKind.SLICE, node.span)
        builder.trap_if(builder.value(f"icmp ugt i64 {start}, {stop}"), TrapKind.SLICE, node.span)
        address = builder.value(f"getelementptr inbounds nuw [{node.stride} x i8], ptr {base}, i64 {start}")
        length = builder.value(f"sub{' nuw' if builder.surroundings.checks else ''} i64 {stop}, {start}")
        builder.location = before
        return address, length

    def _atomic_update(self, node: AtomicUpdate) -> str:
        if node.op not in _UPDATES or node.ordering not in _FAILURE_ORDERINGS:
            raise LowerError(f"no atomic update {node.op} with the ordering {node.ordering}")
        address = self.scalar(node.address)
        operand = self.builder.as_stored(node.type, self.scalar(node.value))
        stored = memory_type(node.type)
        size = stored_size(node.type)
        text = f"atomicrmw {_UPDATES[node.op]} ptr {address}, {stored} {operand} {node.ordering}, align {size}"
        return self._from_stored(node.type, self.builder.value(text))

    def _compare_exchange(self, node: CompareExchange) -> str:
        failure = _FAILURE_ORDERINGS.get(node.ordering)
        if failure is None:
            raise LowerError(f"no compare-and-exchange with the ordering {node.ordering}")
        builder = self.builder
        kind = node.expected.type
        stored = memory_type(kind)
        address = self.scalar(node.address)
        expected = builder.as_stored(kind, self.scalar(node.expected))
        desired = builder.as_stored(kind, self.scalar(node.desired))
        pair = builder.value(
            f"cmpxchg ptr {address}, {stored} {expected}, {stored} {desired} {node.ordering} {failure}, "
            f"align {stored_size(kind)}"
        )
        return builder.value(f"extractvalue {{ {stored}, i1 }} {pair}, 1")

    def _address(self, node: StaticAddress | LinkerAddress | FunctionAddress | SlotAddress) -> str:
        match node:
            case StaticAddress(target, offset, _):
                name = global_name(self.symbols.static(target))
                if offset == 0:
                    return name
                return f"getelementptr inbounds (i8, ptr {name}, i64 {offset})"
            case LinkerAddress(symbol, _):
                return self.machine.linker_address(self.builder, symbol)
            case FunctionAddress(function, _):
                return global_name(self.symbols.function(function))
            case SlotAddress(slot, _):
                return self.frame.slots[slot]

    def _call(self, node: Call) -> Value:
        arguments = self.typed(node.arguments)
        before = self.builder.move_to(node.span)
        attributes = " noreturn" if node.function.no_return else ""
        symbol = self.symbols.function(node.function)
        result = self.builder.call(symbol, node.function.result, arguments, attributes)
        self.builder.location = before
        return result

    def _table_call(self, node: TableCall) -> Value:
        builder = self.builder
        index = self.scalar(node.index)
        arguments = self.typed(node.arguments)
        before = builder.move_to(node.span)
        outside = builder.value(f"icmp uge i64 {index}, {len(node.table.functions)}")
        builder.trap_if(outside, TrapKind.BOUNDS, node.span)
        operands = f"i64 noundef {index}" + (f", {arguments}" if arguments else "")
        result = builder.call(self.symbols.dispatcher(node.table), node.type, operands)
        builder.location = before
        return result

    def _choice(self, node: Logical | Conditional) -> Value:
        builder = self.builder
        when_true, when_false, join = builder.label(), builder.label(), builder.label()
        if isinstance(node, Logical):
            left = self.scalar(node.left)
            before_right = builder.current()
            right_block = when_true if node.is_and else when_false
            builder.branch(left, *((right_block, join) if node.is_and else (join, right_block)))
            builder.start(right_block)
            right = self.scalar(node.right)
            incoming: list[tuple[Value, str]] = [(("false" if node.is_and else "true",), before_right)]
            incoming.append(((right,), self._leave_for(join)))
            builder.start(join)
            return builder.phi((BOOL,), incoming)
        self.branch(node.condition, when_true, when_false)
        builder.start(when_true)
        first = self.value(node.when_true)
        first_block = self._leave_for(join)
        builder.start(when_false)
        second = self.value(node.when_false)
        second_block = self._leave_for(join)
        builder.start(join)
        return builder.phi(leaves(node.type), [(first, first_block), (second, second_block)])

    def _leave_for(self, label: str) -> str:
        """Jump to a block; the name of the block that the jump stands in."""
        block = self.builder.current()
        self.builder.jump(label)
        return block

    def _tuple_element(self, node: TupleElement) -> Value:
        whole = node.operand.type
        if not isinstance(whole, Tuple):
            raise ValueError("element of something that is no tuple")
        start = sum(len(leaves(element)) for element in whole.elements[: node.index])
        stop = start + len(leaves(whole.elements[node.index]))
        if isinstance(node.operand, ReadLocal):
            kinds = leaves(node.type)
            addresses = self.frame.locals[node.operand.local][start:stop]
            return tuple(self.builder.load(kind, at, "") for kind, at in zip(kinds, addresses, strict=True))
        return self.value(node.operand)[start:stop]


def load_scalar(builder: Builder, kind: ValueType, address: str, align: int, volatile: bool) -> str:
    """A scalar from ordinary memory."""
    if not volatile:
        return builder.load(kind, address, f", align {align}")
    loaded = builder.value(f"load volatile {memory_type(kind)}, ptr {address}, align {align}")
    return builder.value(f"trunc i8 {loaded} to i1") if kind == BOOL else loaded


def store_scalar(builder: Builder, kind: ValueType, value: str, address: str, align: int, volatile: bool) -> None:
    """A scalar to ordinary memory."""
    stored = builder.as_stored(kind, value)
    builder.emit(f"store {'volatile ' if volatile else ''}{memory_type(kind)} {stored}, ptr {address}, align {align}")
