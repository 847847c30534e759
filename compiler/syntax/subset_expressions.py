"""Expressions and patterns of the dialect's subset of Python: the second half of `compiler.syntax.subset`.

An f-string is accepted only as the argument of a call, where the parameter's type decides; `/` and `**` only where no
local is involved, since build-time constants are folded later.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from compiler.syntax.diagnostics import DiagnosticSink, Note
from compiler.syntax.library import LIBRARY_FUNCTIONS
from compiler.syntax.source import SourceFile

_LONGEST_QUOTE = 40
_NO_DISPLAY = (
    "for a local write `name: Array[T] = array(n)` and fill it, "
    "for a table `NAME: Array[T] = constant([...])` at module level"
)


class ExpressionChecker:
    """Reports what is not in the dialect in expressions and patterns."""

    def __init__(
        self, sink: DiagnosticSink, file: SourceFile, local_names: set[str], module_names: Collection[str]
    ) -> None:
        self.sink = sink
        self.file = file
        self.local_names = local_names
        self.module_names = module_names
        self.current: ast.stmt | None = None
        self.rejected: set[ast.AST] = set()

    def report(
        self, node: ast.AST, code: str, message: str, fix: str | None = None, notes: Sequence[Note] = ()
    ) -> None:
        """Report an error at a node; the statement that is being checked is rejected."""
        if self.current is not None:
            self.rejected.add(self.current)
        self.sink.error(code, message, self.file.span(node), notes=notes, fix=fix)

    def source(self, node: ast.AST) -> str:
        """The node as source, shortened for a message."""
        text = " ".join(ast.unparse(node).split())
        return text if len(text) <= _LONGEST_QUOTE else "the expression"

    def expression(self, node: ast.expr) -> None:
        """Check an expression."""
        match node:
            case ast.Name() | ast.Constant():
                self._leaf(node)
            case ast.BinOp(left=left, op=operator, right=right):
                self.operator(node, operator, left, right)
                self.expression(left)
                self.expression(right)
            case ast.Compare(left=left, ops=operators, comparators=comparators):
                self._compare(left, operators, comparators)
            case ast.Call():
                self._call(node)
            case ast.Subscript(value=value, slice=index):
                self.expression(value)
                self._index(index)
            case ast.JoinedStr():
                fix = "pass the f-string directly to a parameter of type Format"
                self.report(node, "E0129", "an f-string is a message: the argument of a call, not a value", fix)
            case ast.Attribute() | ast.BoolOp() | ast.UnaryOp() | ast.IfExp() | ast.NamedExpr() | ast.Tuple():
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.expression(child)
            case _:
                self._unsupported_expression(node)

    def _leaf(self, node: ast.Name | ast.Constant) -> None:
        if isinstance(node, ast.Name):
            return
        match node.value:
            case float() | complex():
                fix = "scale the value, as in thousandths; a whole number is written without a point"
                self.report(node, "E0122", f"`{self.source(node)}` is not an integer", fix)
            case bytes():
                self.report(node, "E0123", "bytes literals are not values", 'write `utf8("text")` for a Slice[u8]')
            case str() as text:
                self._check_text(node, text)
            case value if value is ...:
                self.report(node, "E0130", "`...` is the body of extern functions only", "write a value")
            case _:
                pass

    def _check_text(self, node: ast.Constant, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            fix = "write the character itself or its full \\U escape"
            self.report(node, "E0135", "the string holds a lone surrogate, which UTF-8 cannot express", fix)

    def operator(self, node: ast.AST, operator: ast.operator, left: ast.expr, right: ast.expr) -> None:
        """Check the operator of a binary operation or an augmented assignment."""
        if _is_string(left) or _is_string(right):
            if not (self._is_build_time(left) and self._is_build_time(right)):
                fix = "format a message with an f-string given to a parameter of type Format"
                self.report(node, "E0120", "strings are not computed with at run time: there is no heap", fix)
            return
        if isinstance(operator, ast.MatMult):
            self.report(
                node, "E0115", "`@` multiplies matrices, which the dialect does not have", "write `*`, or a loop"
            )
        if not isinstance(operator, ast.Div | ast.Pow) or (self._is_build_time(left) and self._is_build_time(right)):
            return
        if isinstance(operator, ast.Div):
            fix = f"write `{self.source(left)} // {self.source(right)}`, which rounds down"
            self.report(node, "E0113", "`/` gives a fraction in Python, and the dialect has integers only", fix)
        else:
            is_two = isinstance(left, ast.Constant) and left.value == 2
            fix = f"write `1 << {self.source(right)}`" if is_two else "write the multiplications, or a loop"
            self.report(node, "E0114", "`**` is for build-time constants only", fix)

    def _is_build_time(self, node: ast.expr) -> bool:
        """Whether no local and no call is involved, so that the value may be a constant."""
        return all(
            not (isinstance(part, ast.Name) and part.id in self.local_names)
            and not isinstance(part, ast.Call | ast.NamedExpr)
            for part in ast.walk(node)
        )

    def _compare(self, left: ast.expr, operators: list[ast.cmpop], comparators: list[ast.expr]) -> None:
        operands = [left, *comparators]
        for operand in operands:
            if not (isinstance(operand, ast.List | ast.Set) and _is_membership(operators)):
                self.expression(operand)
        for operator, first, second in zip(operators, operands, operands[1:], strict=False):
            if isinstance(operator, ast.In | ast.NotIn):
                self._membership(operator, first, second)
            elif isinstance(operator, ast.Is | ast.IsNot):
                self._identity(operator, first, second)

    def _membership(self, operator: ast.cmpop, first: ast.expr, second: ast.expr) -> None:
        """`in` takes a tuple of values; what else may stand there is decided when types are known."""
        message = "`in` tests for one of several values, listed in parentheses"
        if isinstance(second, ast.List | ast.Set):
            word = "in" if isinstance(operator, ast.In) else "not in"
            listed = ", ".join(self.source(item) for item in second.elts)
            self.report(second, "E0117", message, f"write `{self.source(first)} {word} ({listed})`")
        elif isinstance(second, ast.Call) and isinstance(second.func, ast.Name) and second.func.id == "range":
            self.report(second, "E0117", message, "write a chained comparison, as in `low <= x < high`")

    def _identity(self, operator: ast.cmpop, first: ast.expr, second: ast.expr) -> None:
        is_same = isinstance(operator, ast.Is)
        for side, other in ((first, second), (second, first)):
            if not isinstance(side, ast.Constant) or side.value is None:
                continue
            if isinstance(side.value, bool):
                fix = f"write `{self.source(other)}`" if side.value is is_same else f"write `not {self.source(other)}`"
            else:
                fix = f"write `{self.source(other)} {'==' if is_same else '!='} {self.source(side)}`"
            message = (
                "`is` compares objects, and numbers have no identity"
                if is_same
                else ("`is not` compares objects, and numbers have no identity")
            )
            self.report(side, "E0116", message, fix)
            return

    def _call(self, node: ast.Call) -> None:
        match node.func:
            case ast.Name(id=name) if name in LIBRARY_FUNCTIONS and not self._is_defined(name):
                message = f"`{name}()` is a function of Python's library, which is not on the target"
                self.report(node.func, "E0121", message, LIBRARY_FUNCTIONS[name])
            case ast.Attribute(value=ast.Constant(value=str()) | ast.JoinedStr(), attr=name):
                fix = "format a message with an f-string given to a parameter of type Format"
                self.report(node.func, "E0120", f"strings have no method `{name}` at run time: there is no heap", fix)
            case _:
                self.expression(node.func)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg is not None)]:
            if isinstance(argument, ast.JoinedStr):
                self._message(argument)
            elif isinstance(argument, ast.Starred):
                self.report(argument, "E0111", "`*` passes any number of arguments", "write each argument")
            else:
                self.expression(argument)
        for keyword in node.keywords:
            if keyword.arg is None:
                self.report(
                    keyword, "E0111", "`**` passes any number of arguments", "write each argument as `name=value`"
                )

    def _is_defined(self, name: str) -> bool:
        return name in self.local_names or name in self.module_names

    def _message(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                self._check_text(part, part.value)
            if not isinstance(part, ast.FormattedValue):
                continue
            self.expression(part.value)
            if part.conversion != -1:
                text = f"`!{chr(part.conversion)}` is not a conversion of messages"
                self.report(
                    part.value, "E0129", text, "use `{x}`, `{x:x}`, `{x:#x}` or `{x:c}`, with a width if needed"
                )
            if isinstance(part.format_spec, ast.JoinedStr):
                self._format_spec(part.format_spec)

    def _format_spec(self, spec: ast.JoinedStr) -> None:
        for part in spec.values:
            if not isinstance(part, ast.Constant):
                self.report(
                    part, "E0129", "the format of a value is fixed at build time", "write the width as a number"
                )

    def _index(self, index: ast.expr) -> None:
        match index:
            case ast.Slice(lower=lower, upper=upper, step=step):
                if step is not None:
                    fix = "loop with `range(start, stop, step)` and index"
                    self.report(step, "E0124", "a slice with a step is not a run of elements", fix)
                for bound in (lower, upper):
                    if bound is not None:
                        self.expression(bound)
            case ast.Tuple():
                fix = "index an array of arrays as `a[i][j]`"
                self.report(index, "E0124", "several indexes at once", fix)
            case _:
                self.expression(index)

    def _unsupported_expression(self, node: ast.expr) -> None:
        match node:
            case ast.Lambda():
                fix = "write a function at module level; a parameter of type `Const[Callable[[...], T]]` takes it"
                self.report(node, "E0103", "there are no lambdas: a function has a name in backtraces", fix)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                kind = "a generator expression" if isinstance(node, ast.GeneratorExp) else "a comprehension"
                fix = "write a for loop that fills an array; at module level, which runs at build time, it works"
                self.report(node, "E0104", f"{kind} would need a heap", fix)
            case ast.Yield() | ast.YieldFrom():
                fix = "return values one call at a time and keep the state in a struct"
                self.report(node, "E0105", "there are no generators", fix)
            case ast.Await():
                self.report(node, "E0106", "there is no async code in the dialect", "call the function directly")
            case ast.List():
                self.report(node, "E0112", "a list would need a heap", _NO_DISPLAY)
            case ast.Set():
                self.report(node, "E0112", "a set would need a heap", "use the bits of a word, or an `Array[bool]`")
            case ast.Dict():
                fix = "use `match`, or a table at module level: `NAME: Array[T] = constant([...])`"
                self.report(node, "E0112", "a dict would need a heap", fix)
            case ast.Starred():
                self.report(node, "E0125", "a starred expression stands for any number of values", "write each value")
            case _:
                self.report(node, "E0100", f"{type(node).__name__} is not an expression of the dialect", "rewrite it")

    def pattern(self, node: ast.pattern) -> None:
        """Check the pattern of a case."""
        match node:
            case ast.MatchValue(value=value):
                self.expression(value)
            case ast.MatchSingleton():
                pass
            case ast.MatchOr(patterns=patterns):
                for alternative in patterns:
                    self.pattern(alternative)
            case ast.MatchAs(pattern=inner):
                if inner is not None:
                    self.pattern(inner)
            case ast.MatchClass(cls=cls, patterns=[], kwd_patterns=[]):
                self.expression(cls)
            case ast.MatchClass():
                fix = "match the value, then use its fields in the body or in a guard"
                self.report(node, "E0126", "a class pattern cannot take a value apart", fix)
            case ast.MatchSequence() | ast.MatchStar():
                fix = "index the elements and match on one of them"
                self.report(node, "E0126", "a sequence pattern is not supported", fix)
            case _:
                fix = "match on an integer, an enum or a bool"
                self.report(node, "E0126", "a mapping pattern is not supported", fix)


def _is_membership(operators: list[ast.cmpop]) -> bool:
    return any(isinstance(operator, ast.In | ast.NotIn) for operator in operators)


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
