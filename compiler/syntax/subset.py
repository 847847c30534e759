"""The subset of Python that compiled functions and structs are written in, checked on the syntax tree alone.

Every construct is either of the dialect or gets a diagnostic that says what to write instead. What passes here has only
the nodes that the rest of the compiler handles: assignments have one target, loops no else, calls no stars, and
no expression is nested more than MAX_DEPTH deep. Types and names are not looked at, apart from which names are local.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence

from compiler.program.nodes import Span
from compiler.syntax.diagnostics import DiagnosticSink
from compiler.syntax.library import LANGUAGE_DECORATORS, OTHER_DECORATORS
from compiler.syntax.source import SourceFile
from compiler.syntax.subset_expressions import ExpressionChecker

MAX_DEPTH = 120
"""Greatest nesting of syntax nodes: ten times what code has, and well within Python's own limit for the passes."""

_STRUCT_METHODS = ("__enter__", "__exit__")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def check_subset(
    function: FunctionNode, sink: DiagnosticSink, file: SourceFile, module_names: Collection[str] = frozenset()
) -> set[ast.AST]:
    """Report what is not in the dialect in the body of a function.

    Gives the statements that hold something rejected (the innermost ones), which are not to be checked further; the
    function itself among them when nothing in it is. `module_names`: names that the module defines, so that a
    function of the program may be called `sum`.
    """
    checker = _FunctionChecker(function, sink, file, module_names)
    checker.check()
    return checker.rejected


def check_signature(function: FunctionNode, sink: DiagnosticSink, file: SourceFile) -> bool:
    """Report what is not in the dialect around a body: async, decorators, parameters, result. Whether all is well."""
    count = len(sink.diagnostics)
    _FunctionChecker(function, sink, file, frozenset()).check_signature()
    return len(sink.diagnostics) == count


def check_struct_body(cls: ast.ClassDef, sink: DiagnosticSink, file: SourceFile) -> bool:
    """Report statements and methods that a struct cannot have. Whether nothing was found."""
    count = len(sink.diagnostics)
    for index, statement in enumerate(cls.body):
        _check_member(statement, index == 0, sink, file)
    return len(sink.diagnostics) == count


def _check_member(statement: ast.stmt, is_first: bool, sink: DiagnosticSink, file: SourceFile) -> None:
    span = file.span(statement)
    match statement:
        case ast.AnnAssign(target=ast.Name()) | ast.Pass():
            pass
        case ast.Expr(value=ast.Constant(value=str())):
            pass
        case ast.FunctionDef(name="__init__"):
            sink.error(
                "E0133",
                "a struct's constructor is made from its fields, `__init__` would never run",
                _head_span(statement, file),
                fix="write a `@staticmethod` that returns `Value[...]`, and call that",
            )
        case ast.FunctionDef(name=name) if _is_dunder(name) and name not in _STRUCT_METHODS:
            sink.error(
                "E0133",
                f"`{name}` has no meaning in a struct: operators and protocols are not looked up",
                _head_span(statement, file),
                fix="give the method a name and call it",
            )
        case ast.FunctionDef():
            pass
        case ast.AsyncFunctionDef():
            sink.error("E0106", "there is no async code in the dialect", _head_span(statement, file), fix="write `def`")
        case ast.Assign(targets=[ast.Name(id=name)]):
            sink.error(
                "E0133",
                f"`{name}` has no type, so it is not a field",
                span,
                fix=f"write `{name}: u64 = ...` for a field, or move a constant to module level",
            )
        case ast.Expr(value=ast.Constant(value=value)) if value is ...:
            sink.error("E0130", "`...` does not declare anything", span, fix="write `pass` for a struct without fields")
        case _:
            sink.error(
                "E0133",
                "the body of a struct holds fields and methods only",
                span,
                fix="move the statement to module level, which runs at build time",
            )


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _head_span(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, file: SourceFile) -> Span:
    """The `def name` of a definition rather than its whole body."""
    line = node.lineno
    whole = file.span(node)
    text = file.lines[line - 1] if line <= len(file.lines) else ""
    name = re.compile(rf"\b{re.escape(node.name)}\b").search(text, whole.column - 1)
    end = name.end() + 1 if name else len(text) + 1
    return Span(file.path, line, whole.column, line, end)


def local_names(function: FunctionNode) -> set[str]:
    """Names that the function binds: its parameters and everything that its body assigns."""
    arguments = function.args
    names = {parameter.arg for parameter in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    for node in _nodes(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.MatchAs) and node.name is not None:
            names.add(node.name)
    return names


def _nodes(function: FunctionNode) -> list[ast.AST]:
    return [node for statement in function.body for node in ast.walk(statement)]


class _FunctionChecker(ExpressionChecker):
    """Walks one function."""

    def __init__(
        self, function: FunctionNode, sink: DiagnosticSink, file: SourceFile, module_names: Collection[str]
    ) -> None:
        super().__init__(sink, file, local_names(function), module_names)
        self.function = function

    def check(self) -> None:
        """Check the body."""
        if not self._check_depth():
            self.rejected.add(self.function)
        elif not self._is_declaration():
            self.block(self.function.body)

    def check_signature(self) -> None:
        """Check what stands around the body."""
        function = self.function
        if isinstance(function, ast.AsyncFunctionDef):
            self.report_head("E0106", "there is no async code in the dialect", "write `def`")
        for decorator in function.decorator_list:
            self._decorator(decorator)
        self._parameters(function.args)
        if function.returns is None:
            message = f"`{function.name}` does not say what it returns"
            self.report_head("E0131", message, "write `-> None`, or the type of its result")

    def report_head(self, code: str, message: str, fix: str) -> None:
        """Report at the `def` line."""
        self.sink.error(code, message, _head_span(self.function, self.file), fix=fix)

    def _is_declaration(self) -> bool:
        """A body of docstring and `...`, as extern functions have."""
        body = [node for node in self.function.body if not _is_text(node)]
        return len(body) == 1 and isinstance(body[0], ast.Expr) and _is_ellipsis(body[0].value)

    def _check_depth(self) -> bool:
        pending: list[tuple[ast.AST, int]] = [(statement, 1) for statement in self.function.body]
        pending += [(default, 1) for default in self.function.args.defaults]
        while pending:
            node, depth = pending.pop()
            if depth > MAX_DEPTH:
                self.report(
                    node,
                    "E0136",
                    f"this is nested more than {MAX_DEPTH} levels deep",
                    "name parts of the expression, use match in place of a long elif chain, or split the function",
                )
                return False
            pending += [(child, depth + 1) for child in ast.iter_child_nodes(node)]
        return True

    def _decorator(self, node: ast.expr) -> None:
        target = node.func if isinstance(node, ast.Call) else node
        name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
        if name in LANGUAGE_DECORATORS:
            return
        fix = OTHER_DECORATORS.get(name, f"remove it; the decorators are {', '.join(LANGUAGE_DECORATORS)}")
        self.report(node, "E0132", f"`@{self.source(target)}` is not a decorator of the dialect", fix)

    def _parameters(self, arguments: ast.arguments) -> None:
        for parameter, stars in ((arguments.vararg, "*"), (arguments.kwarg, "**")):
            if parameter is not None and self.function.name != "__exit__":
                self.report(
                    parameter,
                    "E0111",
                    f"`{stars}{parameter.arg}` takes any number of arguments",
                    "name each parameter, or take a `Slice[T]`",
                )
        positional = [*arguments.posonlyargs, *arguments.args]
        for index, parameter in enumerate([*positional, *arguments.kwonlyargs]):
            is_self = index == 0 and parameter.arg in ("self", "cls")
            if parameter.annotation is None and not is_self:
                self.report(
                    parameter, "E0131", f"parameter `{parameter.arg}` has no type", f"write `{parameter.arg}: u64`"
                )
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.expression(default)

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Check statements."""
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Check a statement."""
        outer, self.current = self.current, node
        self._statement(node)
        self.current = outer

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                self._assign(node, targets, value)
            case ast.AnnAssign(target=target, value=value):
                if not isinstance(target, ast.Name):
                    self.report(
                        target,
                        "E0127",
                        "only a local can be given a type",
                        "remove it: a field's type is in its struct",
                    )
                self._optional(value)
            case ast.AugAssign(target=target, op=operator, value=value):
                self.expression(target)
                self.operator(node, operator, target, value)
                self.expression(value)
            case ast.Expr(value=value):
                self._expression_statement(node, value)
            case ast.Return(value=value):
                self._optional(value)
            case ast.Assert(test=test, msg=message):
                self.expression(test)
                self._assert_message(message)
            case ast.Pass() | ast.Break() | ast.Continue():
                pass
            case ast.If() | ast.While() | ast.For() | ast.With() | ast.Match():
                self._compound(node)
            case _:
                self._unsupported(node)

    def _optional(self, value: ast.expr | None) -> None:
        if value is not None:
            self.expression(value)

    def _assign(self, node: ast.Assign, targets: list[ast.expr], value: ast.expr) -> None:
        if len(targets) > 1:
            self.report(node, "E0127", "several targets in one assignment", "write one assignment for each target")
        for target in targets:
            self._target(target, "assigned")
        self.expression(value)

    def _target(self, target: ast.expr, verb: str, *, nested: bool = False) -> None:
        match target:
            case ast.Name():
                pass
            case ast.Attribute() | ast.Subscript():
                self.expression(target)
            case ast.Tuple(elts=elements) if not nested:
                for element in elements:
                    self._target(element, verb, nested=True)
            case ast.Starred():
                self.report(target, "E0125", "a starred target takes any number of values", "name each target")
            case _:
                self.report(
                    target,
                    "E0127",
                    f"`{self.source(target)}` cannot be {verb}",
                    "write a flat list of names, as in `a, b = pair()`",
                )

    def _expression_statement(self, node: ast.Expr, value: ast.expr) -> None:
        match value:
            case ast.Call() | ast.Yield() | ast.YieldFrom() | ast.Await():
                self.expression(value)
            case ast.Constant(value=str()):
                pass
            case ast.Constant(value=constant) if constant is ...:
                self.report(node, "E0130", "`...` is the body of extern functions only", "write `pass`")
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                fix = f"`{self.source(left)} = {self.source(right)}` assigns, `assert {self.source(value)}` checks"
                self.report(node, "E0128", "the comparison's result is not used", fix)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self.expression(value)
            case _:
                self.expression(value)
                fix = (
                    f"call it: `{self.source(value)}()`" if isinstance(value, ast.Name | ast.Attribute) else "remove it"
                )
                self.report(node, "E0128", f"`{self.source(value)}` has no effect as a statement", fix)

    def _assert_message(self, message: ast.expr | None) -> None:
        if message is None:
            return
        if isinstance(message, ast.Constant) and isinstance(message.value, str):
            self.expression(message)
            return
        self.report(
            message,
            "E0134",
            "the message of an assert is a literal: the image holds the number of a text, not code that makes one",
            'write `assert condition, "text"`',
        )

    def _compound(self, node: ast.If | ast.While | ast.For | ast.With | ast.Match) -> None:
        match node:
            case ast.If(test=test, body=body, orelse=otherwise):
                self.expression(test)
                self.block(body)
                self.block(otherwise)
            case ast.While(test=test, body=body, orelse=otherwise):
                self.expression(test)
                self._no_else(otherwise, "while")
                self.block(body)
            case ast.For(target=target, iter=iterated, body=body, orelse=otherwise):
                self._target(target, "a loop variable")
                self.expression(iterated)
                self._no_else(otherwise, "for")
                self.block(body)
            case ast.With(items=items, body=body):
                for item in items:
                    self._with_item(item)
                self.block(body)
            case ast.Match(subject=subject, cases=cases):
                self.expression(subject)
                for case in cases:
                    self.pattern(case.pattern)
                    self._optional(case.guard)
                    self.block(case.body)

    def _no_else(self, otherwise: list[ast.stmt], loop: str) -> None:
        if otherwise:
            self.report(
                otherwise[0],
                "E0118",
                f"a {loop} loop has no else in the dialect",
                "set a bool before `break` and test it after the loop, or make the loop a function that returns",
            )

    def _with_item(self, item: ast.withitem) -> None:
        self.expression(item.context_expr)
        if item.optional_vars is not None and not isinstance(item.optional_vars, ast.Name):
            self.report(item.optional_vars, "E0127", "`with ... as` binds one name", "write `as name`")

    def _unsupported(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.rejected.add(node)
                self.sink.error(
                    "E0101",
                    f"`{node.name}` is defined inside a function",
                    _head_span(node, self.file),
                    fix="move it to module level and pass what it needs as arguments",
                )
            case ast.ClassDef():
                self.rejected.add(node)
                self.sink.error(
                    "E0102",
                    f"`{node.name}` is defined inside a function",
                    _head_span(node, self.file),
                    fix="move the class to module level",
                )
            case ast.Import() | ast.ImportFrom():
                fix = "move it to the top of the file, where it runs at build time"
                self.report(node, "E0119", "there is no import at run time", fix)
            case _:
                self._unsupported_simple(node)

    def _unsupported_simple(self, node: ast.stmt) -> None:
        name = type(node).__name__
        head = ast.Pass(lineno=node.lineno, col_offset=node.col_offset, end_lineno=node.lineno)
        match node:
            case ast.Try() | ast.TryStar():
                head.end_col_offset = node.col_offset + len("try")
                fix = (
                    "return `T | SomeErrorEnum` and test it with isinstance(); `with` releases resources on every exit"
                )
                self.report(head, "E0107", "there are no exceptions on target", fix)
            case ast.Raise():
                fix = 'return a member of an ErrorEnum, or call `panic("...")` where nothing can go on'
                self.report(node, "E0108", "there are no exceptions on target", fix)
            case ast.Global() | ast.Nonlocal():
                fix = "declare `state: State = static(State())` at module level and assign to its fields"
                self.report(
                    node,
                    "E0109",
                    f"`{name.lower()}` would rebind {', '.join(node.names)}, and names of modules are constants",
                    fix,
                )
            case ast.Delete():
                self.report(node, "E0110", "nothing is deleted at run time: there is no heap", "remove the statement")
            case ast.AsyncFor() | ast.AsyncWith():
                head.end_col_offset = node.col_offset + len("async")
                self.report(head, "E0106", "there is no async code in the dialect", "write the plain form")
            case _:
                self.report(node, "E0100", f"{name} is not a statement of the dialect", "remove it")


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
