"""Functions of the typed program as Python code objects.

A code object's file name and line numbers are those of the dialect source, so debuggers, coverage and tracebacks
show it; source variables keep their names. Names that begin with two underscores belong to the emitter.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Sequence
from types import CodeType

from compiler.host import python_ast as py
from compiler.host.emit_expressions import TEMPORARY, ExpressionEmitter, Linkage, accessor
from compiler.program import nodes
from compiler.program.nodes import Span, Statement
from compiler.program.program import Function, StackSlot

_STACK_ALIGN = 16


class FunctionEmitter(ExpressionEmitter):
    """Translates one function."""

    def __init__(self, linkage: Linkage, function: Function) -> None:
        super().__init__(linkage)
        self._function = function
        self._names: dict[nodes.Local, str] = {}
        self._taken: set[str] = set()
        self._steps: list[Sequence[Statement]] = []
        self._slots: dict[StackSlot, int] = {}
        self._frame_size, self._frame_align = self._lay_out_slots()

    def code(self) -> CodeType:
        """The code object of the function, to be made a function over the program's namespace."""
        function = self._function
        parameters = [self.local(parameter) for parameter in function.parameters]
        if self._slots:
            enter = py.call("__enter", py.constant(self._frame_size), py.constant(self._frame_align))
            self.block.append(py.located(py.assign("__frame", enter), function.span))
        self.statements(function.body)
        if self._slots or not self.block:
            self.block.append(py.located(self._leave(None), _last_span(function)))
        definition = py.located(py.function_definition("f", parameters, self.block), function.span)
        module = ast.fix_missing_locations(ast.Module([definition], []))
        outer = compile(module, function.span.file, "exec", dont_inherit=True)
        inner = next(item for item in outer.co_consts if isinstance(item, CodeType))
        simple_name = function.source_name.rpartition(".")[2]
        return inner.replace(co_name=simple_name, co_qualname=function.source_name)

    def _lay_out_slots(self) -> tuple[int, int]:
        size, align = 0, _STACK_ALIGN
        for slot in self._function.slots:
            size = (size + slot.align - 1) & -slot.align
            self._slots[slot] = size
            size += slot.size
            align = max(align, slot.align)
        return size, align

    def local(self, local: nodes.Local) -> str:
        known = self._names.get(local)
        if known is not None:
            return known
        base = local.source_name or f"__{local.name}"
        if not base.isidentifier() or keyword.iskeyword(base):
            base = "__" + "".join(letter if letter.isalnum() else "_" for letter in base)
        unique, number = base, 1
        while unique in self._taken or TEMPORARY.fullmatch(unique):
            number += 1
            unique = f"{base}_again_{number}"
        self._taken.add(unique)
        self._names[local] = unique
        return unique

    def slot(self, slot: StackSlot) -> ast.expr:
        return py.binary(py.name("__frame"), ast.Add(), py.constant(self._slots[slot]))

    def statements(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            first = len(self.block)
            self._statement(statement)
            for node in self.block[first:]:
                if not hasattr(node, "lineno"):
                    py.located(node, statement.span)

    def _nested(self, statements: Sequence[Statement], span: Span) -> list[ast.stmt]:
        outer, self.block = self.block, []
        self.statements(statements)
        body, self.block = self.block, outer
        return body or [py.located(ast.Pass(), span)]

    def _statement(self, statement: Statement) -> None:
        match statement:
            case nodes.Assign(local, value):
                translated = self.expression(value)
                self.block.append(py.assign(self.local(local), translated))
            case nodes.Evaluate(expression):
                self.block.append(ast.Expr(self.expression(expression)))
            case nodes.If(condition, then, otherwise, span):
                test = self.expression(condition)
                alternative = self._nested(otherwise, span) if otherwise else []
                self.block.append(ast.If(test, self._nested(then, span), alternative))
            case nodes.Loop():
                self._loop(statement)
            case nodes.Break():
                self.block.append(ast.Break())
            case nodes.Continue(span):
                self.statements(self._steps[-1])
                self.block.append(py.located(ast.Continue(), span))
            case nodes.Return(value):
                self.block.append(self._leave(None if value is None else self.expression(value)))
            case nodes.Switch():
                self._switch(statement)
            case nodes.Trap(kind, span, message):
                self.block.append(ast.Expr(self.trap(kind, span, message)))
            case _:
                self.block.append(ast.Expr(self._effect(statement)))

    def _leave(self, value: ast.expr | None) -> ast.stmt:
        if self._slots:
            value = py.call("__leave", *([] if value is None else [value]))
        return ast.Return(value)

    def _loop(self, loop: nodes.Loop) -> None:
        before: list[ast.stmt] = []
        test = py.constant(True)
        if loop.condition is not None:
            before, test = self.captured(loop.condition)
        if before:
            before.append(ast.If(py.negated(test), [ast.Break()], []))
            test = py.constant(True)
        self._steps.append(loop.step)
        body = self._nested(loop.body, loop.span)
        self._steps.pop()
        step = self._nested(loop.step, loop.span) if loop.step else []
        for node in before:
            if not hasattr(node, "lineno"):
                py.located(node, loop.span)
        self.block.append(ast.While(test, [*before, *body, *step], []))

    def _switch(self, switch: nodes.Switch) -> None:
        subject = self.temporary()
        self.block.append(py.located(py.assign(subject, self.expression(switch.subject)), switch.span))
        alternative: list[ast.stmt] = self._nested(switch.default, switch.span) if switch.default else []
        for case in reversed(switch.cases):
            if len(case.values) == 1:
                test = py.compare(py.name(subject), ast.Eq(), py.constant(case.values[0]))
            else:
                values = py.tuple_of([py.constant(value) for value in case.values])
                test = py.compare(py.name(subject), ast.In(), values)
            choice: ast.stmt = ast.If(test, self._nested(case.body, switch.span), alternative)
            alternative = [py.located(choice, case.span or switch.span)]
        self.block += alternative

    def _effect(self, statement: Statement) -> ast.expr:
        match statement:
            case nodes.Store(address, value, align):
                return py.call(accessor("store", value.type, align), *self.operands(address, value))
            case nodes.CopyMemory(destination, source, size):
                return py.call("__copy_memory", *self.operands(destination, source, size))
            case nodes.FillMemory(destination, byte, size):
                return py.call("__fill_memory", *self.operands(destination, byte, size))
            case nodes.RegisterWrite(name, value):
                return py.call("__write_register", ast.Constant(name), self.expression(value))
            case nodes.SystemOperation(instruction, operation, value):
                operand = py.constant(None) if value is None else self.expression(value)
                return py.call("__system", ast.Constant(instruction), ast.Constant(operation), operand)
            case nodes.Barrier(instruction, option):
                return py.call("__barrier", ast.Constant(instruction), ast.Constant(option))
            case nodes.Hint(name):
                return py.call("__hint", ast.Constant(name))
            case _:
                raise TypeError(f"{type(statement).__name__} is not a statement of the typed program")


def _last_span(function: Function) -> Span:
    return function.body[-1].span if function.body else function.span
