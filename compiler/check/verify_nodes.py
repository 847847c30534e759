"""Verifies the expressions of a typed program: every operand has the type that its node promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from compiler.program import nodes
from compiler.program.nodes import (
    BinaryOp,
    CompareOp,
    Conversion,
    Expression,
    Local,
    Overflow,
    Span,
    Statement,
    UnaryOp,
)
from compiler.program.program import Function, StaticObject, Table
from compiler.program.types import BOOL, POINTER, SLICE, U64, VOID, Bool, Int, Pointer, Tuple, ValueType

_COUNTED = (BinaryOp.SHL, BinaryOp.SHR, BinaryOp.ROTATE_LEFT, BinaryOp.ROTATE_RIGHT)
_ATOMIC = ("exchange", "add", "sub", "and", "or")


class ExpressionVerifier(ABC):
    """The part of the verifier that looks at expressions; `problems` collects what it finds."""

    def __init__(
        self, function: Function, functions: set[Function], statics: set[StaticObject], tables: set[Table]
    ) -> None:
        self.function = function
        self.functions = functions
        self.statics = statics
        self.tables = tables
        self.span: Span = function.span
        self.problems: list[str] = []
        self.declared: set[Local] = set()
        self.assigned: set[Local] = set()
        self.break_states: list[list[set[Local]]] = []
        self.continue_states: list[list[set[Local]]] = []

    def problem(self, text: str) -> None:
        """Note a broken invariant at the current place."""
        self.problems.append(f"{self.function.symbol} ({self.span.file}:{self.span.line}): {text}")

    @abstractmethod
    def block(self, statements: Sequence[Statement]) -> None:
        """Verify statements (of a Sequence)."""

    def expect(self, node: Expression, kind: ValueType, what: str) -> None:
        """Verify an expression that must be of type `kind`."""
        found = self.expression(node)
        if found != kind:
            self.problem(f"{what} is {found}, not {kind}")

    def pointer(self, node: Expression) -> None:
        """Verify an address."""
        self.expect(node, POINTER, "address")

    def scalar(self, kind: ValueType, align: int) -> None:
        """Verify the type and alignment of a memory access."""
        if not isinstance(kind, Int | Bool | Pointer):
            self.problem(f"{kind} in memory is not one scalar")
        if align < 1 or align & (align - 1):
            self.problem(f"align {align} is not a power of two")

    def expression(self, node: Expression) -> ValueType:
        """Verify an expression and give its type."""
        match node:
            case nodes.Constant():
                self._constant(node)
            case nodes.ReadLocal(local=local):
                if local not in self.declared:
                    self.problem(f"{local.name} is not a local of this function")
                elif local not in self.assigned:
                    self.problem(f"{local.name} is read before it is assigned")
            case nodes.Unary() | nodes.Binary() | nodes.CheckedBinary() | nodes.Compare() | nodes.Logical():
                self._operation(node)
            case nodes.Conditional():
                self._conditional(node)
            case nodes.Convert():
                self._convert(node)
            case nodes.Call() | nodes.TableCall():
                self._call(node)
            case nodes.Sequence():
                self.block(node.statements)
                self.expression(node.value)
            case nodes.MakeTuple() | nodes.TupleElement() | nodes.Subslice():
                self._tuple(node)
            case _:
                self._address(node)
        return node.type

    def _constant(self, node: nodes.Constant) -> None:
        match node.type:
            case Int() as kind if not kind.lowest <= node.value <= kind.highest:
                self.problem(f"constant {node.value} is not a value of {kind}")
            case Bool() if node.value not in (0, 1):
                self.problem(f"constant {node.value} is not a bool")
            case Pointer() if node.value != 0:
                self.problem(f"constant pointer {node.value:#x} is not null")
            case Tuple() | _ if not isinstance(node.type, Int | Bool | Pointer):
                self.problem(f"constant of type {node.type}")
            case _:
                pass

    def _operation(
        self, node: nodes.Unary | nodes.Binary | nodes.CheckedBinary | nodes.Compare | nodes.Logical
    ) -> None:
        match node:
            case nodes.Unary(op=op, operand=operand, type=kind):
                self.expect(operand, kind, f"operand of {op.value}")
                if not (kind == BOOL if op is UnaryOp.NOT else isinstance(kind, Int)):
                    self.problem(f"{op.value} of {kind}")
            case nodes.Binary(op=op, left=left, right=right, type=kind):
                self.expect(left, kind, f"left of {op.value}")
                self.expect(right, U64 if op in _COUNTED else kind, f"right of {op.value}")
                is_bitwise = op in (BinaryOp.AND, BinaryOp.OR, BinaryOp.XOR)
                if not isinstance(kind, Int) and not (is_bitwise and kind == BOOL):
                    self.problem(f"{op.value} of {kind}")
                if node.overflow is Overflow.SATURATE and op not in (BinaryOp.ADD, BinaryOp.SUB):
                    self.problem(f"{op.value} does not saturate")
            case nodes.CheckedBinary(op=op, left=left, right=right, type=kind):
                value = kind.elements[0]
                self.expect(left, value, f"left of {op.value}")
                self.expect(right, value, f"right of {op.value}")
                if len(kind.elements) != 2 or kind.elements[1] != BOOL:
                    self.problem(f"checked {op.value} gives {kind}")
            case nodes.Compare(op=op, left=left, right=right):
                self.expect(right, self.expression(left), f"right of {op.value}")
                if not isinstance(left.type, Int) and op not in (CompareOp.EQ, CompareOp.NE):
                    self.problem(f"{op.value} of {left.type}")
            case nodes.Logical():
                when_true, when_false = self.condition(node)
                self.assigned = when_true & when_false

    def condition(self, node: Expression) -> tuple[set[Local], set[Local]]:
        """Verify a condition; the locals that are assigned when it is true, and when it is false."""
        if isinstance(node, nodes.Logical):
            true, false = self.condition(node.left)
            self.assigned = set(true if node.is_and else false)
            right_true, right_false = self.condition(node.right)
            if node.is_and:
                return right_true, false & right_false
            return true & right_true, right_false
        if isinstance(node, nodes.Unary) and node.op is UnaryOp.NOT:
            true, false = self.condition(node.operand)
            return false, true
        self.expect(node, BOOL, "condition")
        return set(self.assigned), set(self.assigned)

    def _conditional(self, node: nodes.Conditional) -> None:
        self.assigned, before = self.condition(node.condition)
        self.expect(node.when_true, node.type, "value when true")
        after_true = self.assigned
        self.assigned = before
        self.expect(node.when_false, node.type, "value when false")
        self.assigned &= after_true

    def _convert(self, node: nodes.Convert) -> None:
        source, target = self.expression(node.operand), node.type
        match node.kind:
            case Conversion.WIDEN | Conversion.TRUNCATE | Conversion.CHECKED:
                if not (isinstance(source, Int) and isinstance(target, Int)):
                    self.problem(f"{node.kind.value} from {source} to {target}")
                elif node.kind is Conversion.WIDEN and target.bits < source.bits:
                    self.problem(f"widen from {source} to {target}")
                elif node.kind is Conversion.TRUNCATE and target.bits > source.bits:
                    self.problem(f"truncate from {source} to {target}")
            case Conversion.BOOL_TO_INT:
                self._ends_are(node, source == BOOL and isinstance(target, Int))
            case Conversion.INT_TO_BOOL:
                self._ends_are(node, isinstance(source, Int) and target == BOOL)
            case Conversion.POINTER_TO_INT:
                self._ends_are(node, source == POINTER and target == U64)
            case Conversion.INT_TO_POINTER:
                self._ends_are(node, source == U64 and target == POINTER)

    def _ends_are(self, node: nodes.Convert, holds: bool) -> None:
        if not holds:
            self.problem(f"{node.kind.value} from {node.operand.type} to {node.type}")

    def _call(self, node: nodes.Call | nodes.TableCall) -> None:
        if isinstance(node, nodes.TableCall):
            self.expect(node.index, U64, "index of a table")
            if node.table not in self.tables:
                self.problem(f"{node.table.symbol} is not among the tables")
            targets = node.table.functions[:1]
        else:
            targets = [node.function]
        found = [self.expression(argument) for argument in node.arguments]
        for target in targets:
            if target not in self.functions:
                self.problem(f"{target.symbol} is not among the functions")
            wanted = [parameter.type for parameter in target.parameters]
            if found != wanted:
                self.problem(f"call of {target.symbol} with {found} for {wanted}")
            if node.type != target.result:
                self.problem(f"call of {target.symbol} as {node.type}, its result is {target.result}")

    def _tuple(self, node: nodes.MakeTuple | nodes.TupleElement | nodes.Subslice) -> None:
        match node:
            case nodes.MakeTuple(elements=elements, type=kind):
                found = tuple(self.expression(element) for element in elements)
                if found != kind.elements:
                    self.problem(f"tuple of {found} as {kind}")
            case nodes.TupleElement(operand=operand, index=index, type=kind):
                whole = self.expression(operand)
                if not isinstance(whole, Tuple) or not 0 <= index < len(whole.elements):
                    self.problem(f"element {index} of {whole}")
                elif whole.elements[index] != kind:
                    self.problem(f"element {index} of {whole} as {kind}")
            case nodes.Subslice(slice=whole_slice, start=start, stop=stop):
                self.expect(whole_slice, SLICE, "sliced value")
                self.expect(start, U64, "start")
                self.expect(stop, U64, "stop")

    def _address(self, node: Expression) -> None:
        match node:
            case nodes.StaticAddress(object=static, offset=offset):
                if static not in self.statics:
                    self.problem(f"{static.symbol} is not among the statics")
                if not 0 <= offset <= static.size:
                    self.problem(f"offset {offset} is outside {static.symbol} of {static.size} bytes")
            case nodes.FunctionAddress(function=function):
                if function not in self.functions:
                    self.problem(f"{function.symbol} is not among the functions")
            case nodes.SlotAddress(slot=slot):
                if not any(slot is own for own in self.function.slots):
                    self.problem(f"slot {slot.name} is not of this function")
            case nodes.Load(address=address, align=align):
                self.pointer(address)
                self.scalar(node.type, align)
            case nodes.Offset(base=base):
                self.pointer(base)
            case nodes.Element(base=base, index=index, count=count):
                self.pointer(base)
                self.expect(index, U64, "index")
                if count is not None:
                    self.expect(count, U64, "count")
            case nodes.AtomicUpdate(op=op, address=address, value=value, type=kind):
                self.pointer(address)
                self.expect(value, kind, "value of an atomic update")
                if op not in _ATOMIC:
                    self.problem(f"{op} is not an atomic update")
            case nodes.CompareExchange(address=address, expected=expected, desired=desired):
                self.pointer(address)
                self.expect(desired, self.expression(expected), "desired value")
            case _:
                if node.type == VOID:
                    self.problem("a value of type void")
