"""Typed programs built by hand, for tests of the stages behind the front end."""

from compiler.language import types
from compiler.program import nodes
from compiler.program.nodes import BinaryOp, CompareOp, Expression, Local, Overflow, Span, Statement
from compiler.program.program import Function, Program, Signature, StackSlot
from compiler.program.types import BOOL, U64, VOID, ValueType


def at(line: int) -> Span:
    """A place on `line` of the one source file."""
    return Span("app.py", line, 1, line, 2)


HERE = at(1)


def const(value: int, kind: ValueType = U64) -> nodes.Constant:
    """A constant."""
    return nodes.Constant(kind, value)


def read(local: Local) -> nodes.ReadLocal:
    """The value of a local."""
    return nodes.ReadLocal(local)


def binary(op: BinaryOp, left: Expression, right: Expression, overflow: Overflow = Overflow.TRAP) -> nodes.Binary:
    """An operation of the left operand's type."""
    return nodes.Binary(op, left, right, left.type, overflow, HERE)


def compare(op: CompareOp, left: Expression, right: Expression) -> nodes.Compare:
    """A comparison."""
    return nodes.Compare(op, left, right)


def assign(local: Local, value: Expression, line: int = 1) -> nodes.Assign:
    """An assignment."""
    return nodes.Assign(local, value, at(line))


def call(function: Function, *arguments: Expression, line: int = 1) -> nodes.Evaluate:
    """A call as a statement."""
    return nodes.Evaluate(nodes.Call(function, arguments, function.result, at(line)), at(line))


def ret(value: Expression | None = None) -> nodes.Return:
    """A return."""
    return nodes.Return(value, HERE)


def if_(condition: Expression, then: list[Statement], otherwise: list[Statement] | None = None) -> nodes.If:
    """A choice."""
    return nodes.If(condition, tuple(then), tuple(otherwise or ()), HERE)


def loop(condition: Expression | None, body: list[Statement], step: list[Statement] | None = None) -> nodes.Loop:
    """A loop."""
    return nodes.Loop(condition, tuple(body), tuple(step or ()), HERE)


def function(
    name: str,
    body: list[Statement],
    parameters: list[Local] | None = None,
    result: ValueType = VOID,
    locals: list[Local] | None = None,
    slots: list[StackSlot] | None = None,
) -> Function:
    """A function of the module `app`."""
    signature = Signature(tuple((local.name, types.U64) for local in parameters or []), types.VOID)
    return Function(
        f"app.{name}",
        name,
        "app",
        signature,
        parameters or [],
        result,
        HERE,
        body=tuple(body),
        locals=locals or [],
        slots=slots or [],
    )


def program(*functions: Function) -> Program:
    """A program of these functions; the first is the entry."""
    return Program("app", entries=[functions[0]], functions=list(functions))


TRUE = const(1, BOOL)
