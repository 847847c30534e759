"""`match`: on integers, enums, bools, optionals and results; exhaustive for enums.

Without guards it is a switch. A `match` over an enum names every member or has a wildcard; a value that is none of
the members, which only corrupt memory can hold, traps.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from compiler.check.assignments import assign_name
from compiler.check.conditions import condition
from compiler.check.constants import adapt, bool_constant, describe, int_constant, own_type
from compiler.check.context import FunctionChecker
from compiler.check.flow import Flow, join_all
from compiler.check.statements import branch, if_statement
from compiler.check.values import Known, Value, value_type
from compiler.language.enums import EnumBase
from compiler.language.types import BoolType, EnumType, IntType, OptionalType, ResultType, Type
from compiler.program import types as value_types
from compiler.program.nodes import (
    Compare,
    CompareOp,
    Conversion,
    Convert,
    Expression,
    If,
    Logical,
    Sequence,
    Statement,
    Switch,
    SwitchCase,
    Trap,
    TrapKind,
)


@dataclass
class Coverage:
    """Values that the cases so far take; `all` after a wildcard."""

    values: dict[int, ast.AST] = field(default_factory=dict[int, ast.AST])
    all: bool = False


@dataclass(frozen=True)
class Pattern:
    """What a case's pattern takes: values, or everything; and the name that it binds."""

    values: tuple[int, ...]
    wildcard: bool
    capture: ast.MatchAs | None


def match_statement(fn: FunctionChecker, node: ast.Match) -> None:
    """`match subject:`."""
    subject = fn.expression(node.subject)
    if isinstance(subject, Known):
        _known_match(fn, subject, node)
        return
    value = fn.run_time(subject, node.subject)
    if isinstance(value.type, OptionalType | ResultType):
        _outcome_match(fn, node)
        return
    if not isinstance(value.type, IntType | EnumType | BoolType):
        fix = f"match on `{fn.text(node.subject)}.raw`" if hasattr(value.type, "base") else None
        message = f"match takes integers, enums and bools, `{fn.text(node.subject)}` is {value.type.name}"
        fn.fail("E0318", message, node.subject, fix=fix)
    held = Value(value.type, fn.hold_always(value.node, fn.span(node.subject)))
    patterns: list[Pattern] = []
    coverage = Coverage()
    for case in node.cases:
        pattern = _pattern(fn, case.pattern, value.type)
        _cover(fn, pattern, case, coverage)
        patterns.append(pattern)
    _exhaustive(fn, value.type, coverage, node)
    if any(case.guard is not None for case in node.cases):
        _chain(fn, node, held, patterns, coverage)
    else:
        _switch(fn, node, held, patterns, coverage)


def _known_match(fn: FunctionChecker, subject: Known, node: ast.Match) -> None:
    """A match on a build-time value: the first case that fits is the program, the others are not checked."""
    kind = own_type(subject)
    if isinstance(subject.object, int) and kind is None:
        kind = IntType("int", 64, subject.object < 0)
    if isinstance(kind, EnumType | IntType | BoolType):
        number = subject.object.value if isinstance(subject.object, EnumBase) else int(subject.object)
        for case in node.cases:
            pattern = _pattern(fn, case.pattern, kind)
            if case.guard is not None:
                fn.fail("E0318", "a match on a build-time value has no guards", case.guard)
            if pattern.wildcard or number in pattern.values:
                if pattern.capture is not None:
                    _bind(fn, pattern.capture, Value(kind, fn.run_time(subject, node.subject).node))
                _, after = _emit_branch(fn, case)
                fn.flow = after
                return
        return
    fn.fail("E0318", f"match takes integers, enums and bools, found {describe(subject)}", node.subject)


def _emit_branch(fn: FunctionChecker, case: ast.match_case) -> tuple[tuple[Statement, ...], Flow]:
    body, after = branch(fn, fn.flow.copy(), case.body)
    for statement in body:
        fn.emit(statement)
    return body, after


def _pattern(fn: FunctionChecker, pattern: ast.pattern, kind: Type) -> Pattern:
    match pattern:
        case ast.MatchAs(pattern=None, name=None):
            return Pattern((), True, None)
        case ast.MatchAs(pattern=None):
            return Pattern((), True, pattern)
        case ast.MatchAs(pattern=inner) if inner is not None:
            found = _pattern(fn, inner, kind)
            return Pattern(found.values, found.wildcard, pattern)
        case ast.MatchOr(patterns=alternatives):
            parts = [_pattern(fn, alternative, kind) for alternative in alternatives]
            values = tuple(value for part in parts for value in part.values)
            return Pattern(values, any(part.wildcard for part in parts), None)
        case ast.MatchValue(value=value):
            return Pattern((_constant(fn, value, kind),), False, None)
        case ast.MatchSingleton(value=bool() as flag) if isinstance(kind, BoolType):
            return Pattern((int(flag),), False, None)
        case _:
            fn.fail("E0318", f"`{ast.unparse(pattern)}` is not a pattern for {kind.name}", pattern)


def _constant(fn: FunctionChecker, tree: ast.expr, kind: Type) -> int:
    found = fn.expression(tree)
    if isinstance(found, Known):
        own = own_type(found)
        if isinstance(kind, EnumType) and own == kind:
            return int(found.object.value)
        if isinstance(kind, BoolType) and isinstance(found.object, bool):
            return int(found.object)
        if isinstance(kind, IntType) and isinstance(found.object, int) and own in (None, kind):
            return adapt(fn, found, kind, tree)
    fix = None
    if isinstance(kind, EnumType) and kind.members:
        fix = f"`{kind.name}.{next(iter(kind.members))}`"
    return fn.fail("E0318", f"a pattern for {kind.name} is a constant of it, found {describe(found)}", tree, fix=fix)


def _cover(fn: FunctionChecker, pattern: Pattern, case: ast.match_case, coverage: Coverage) -> None:
    if coverage.all:
        fn.fail("E0319", "an earlier case takes every value", case.pattern)
    for value in pattern.values:
        if value in coverage.values:
            fn.error("E0319", f"`{ast.unparse(case.pattern)}` is taken by an earlier case", case.pattern)
        elif case.guard is None:
            coverage.values[value] = case.pattern
    if pattern.wildcard and case.guard is None:
        coverage.all = True


def _exhaustive(fn: FunctionChecker, kind: Type, coverage: Coverage, node: ast.Match) -> None:
    if coverage.all or isinstance(kind, IntType):
        return
    wanted = {"False": 0, "True": 1} if isinstance(kind, BoolType) else {}
    if isinstance(kind, EnumType):
        wanted = {f"{kind.name}.{name}": value for name, value in kind.members.items()}
    missing = [name for name, value in wanted.items() if value not in coverage.values]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        fix = f"add `case {' | '.join(missing)}:` or `case _:`"
        fn.error("E0317", f"the match over {kind.name} misses {listed}", node.subject, fix=fix)


def _covers_all(kind: Type, coverage: Coverage) -> bool:
    return coverage.all or not isinstance(kind, IntType)


def _switch(fn: FunctionChecker, node: ast.Match, subject: Value, patterns: list[Pattern], coverage: Coverage) -> None:
    entry = fn.flow
    cases: list[SwitchCase] = []
    default: tuple[Statement, ...] = ()
    afters: list[Flow] = []
    for case, pattern in zip(node.cases, patterns, strict=True):
        body, after = _case_body(fn, case, pattern, subject, entry)
        afters.append(after)
        if pattern.wildcard:
            default = body
        else:
            cases.append(SwitchCase(tuple(dict.fromkeys(pattern.values)), body, fn.span(case.pattern)))
    if not coverage.all:
        if _covers_all(subject.type, coverage):
            default = (Trap(TrapKind.MATCH, fn.span(node.subject)),)
        else:
            afters.append(entry)
    fn.flow = entry
    span = fn.span(node.subject)
    fn.emit(Switch(_as_int(fn, subject, node), tuple(cases), default, span))
    fn.flow = join_all(afters)


def _as_int(fn: FunctionChecker, subject: Value, node: ast.Match) -> Expression:
    if isinstance(subject.type, BoolType):
        return Convert(Conversion.BOOL_TO_INT, subject.node, value_types.U8, fn.span(node.subject))
    return subject.node


def _case_body(
    fn: FunctionChecker, case: ast.match_case, pattern: Pattern, subject: Value, entry: Flow
) -> tuple[tuple[Statement, ...], Flow]:
    fn.flow = entry.copy()
    with fn.block() as bound:
        if pattern.capture is not None:
            _bind(fn, pattern.capture, subject)
        flow = fn.flow
    body, after = branch(fn, flow, case.body)
    return (*bound, *body), after


def _bind(fn: FunctionChecker, capture: ast.MatchAs, subject: Value) -> None:
    assert capture.name is not None
    target = ast.copy_location(ast.Name(capture.name, ast.Store()), capture)
    assign_name(fn, target, subject, target, None)


def _chain(fn: FunctionChecker, node: ast.Match, subject: Value, patterns: list[Pattern], coverage: Coverage) -> None:
    """With guards: tests one after the other."""
    entry = fn.flow
    afters: list[Flow] = []
    rest = entry
    opened: list[tuple[Expression, tuple[Statement, ...], ast.match_case]] = []
    last: tuple[Statement, ...] | None = None
    for case, pattern in zip(node.cases, patterns, strict=True):
        test, taken, rest = _case_test(fn, case, pattern, subject, rest)
        body, after = branch(fn, taken, case.body)
        afters.append(after)
        if test is None:
            last = body
            break
        opened.append((test, body, case))
    if last is None:
        if _covers_all(subject.type, coverage):
            last = (Trap(TrapKind.MATCH, fn.span(node.subject)),)
        else:
            last = ()
            afters.append(rest)
    for test, body, case in reversed(opened):
        last = (If(test, body, last, fn.span(case.pattern)),)
    fn.flow = entry
    for statement in last:
        fn.emit(statement)
    fn.flow = join_all(afters)


def _case_test(
    fn: FunctionChecker, case: ast.match_case, pattern: Pattern, subject: Value, entry: Flow
) -> tuple[Expression | None, Flow, Flow]:
    """The test of a case (None: always), the flow where it is taken, the flow where it is not."""
    test: Expression | None = None
    for value in pattern.values if not pattern.wildcard else ():
        part = _equals(subject, value)
        test = part if test is None else Logical(False, test, part)
    fn.flow = entry.copy()
    with fn.block() as bound:
        if pattern.capture is not None:
            _bind(fn, pattern.capture, subject)
    if case.guard is None:
        if bound:
            test = _with_statements(bound, test)
        return test, fn.flow, entry
    guard = condition(fn, case.guard)
    guard_node = bool_constant(guard.test) if isinstance(guard.test, bool) else guard.test
    if bound:
        guard_node = Sequence(tuple(bound), guard_node)
    whole = guard_node if test is None else Logical(True, test, guard_node)
    return whole, guard.when_true, entry


def _with_statements(bound: list[Statement], test: Expression | None) -> Expression:
    always = Sequence(tuple(bound), bool_constant(True))
    return always if test is None else Logical(True, test, always)


def _equals(subject: Value, value: int) -> Expression:
    if isinstance(subject.type, BoolType):
        return Compare(CompareOp.EQ, subject.node, bool_constant(bool(value)))
    base = subject.type if isinstance(subject.type, IntType) else getattr(subject.type, "base")  # noqa: B009
    assert isinstance(base, IntType)
    assert value_type(subject.type) == value_type(base)
    return Compare(CompareOp.EQ, subject.node, int_constant(base, value))


def _outcome_match(fn: FunctionChecker, node: ast.Match) -> None:
    """`case None:` and `case SomeError():` on an optional or result, as the tests that they stand for."""
    if not isinstance(node.subject, ast.Name):
        fix = f"`result = {fn.text(node.subject)}` and match `result`"
        fn.fail("E0318", "an optional or a result is matched by the name of a local", node.subject, fix=fix)
    statement = _outcome_chain(fn, node, node.subject, list(node.cases))
    if statement is not None:
        if_statement(fn, statement)


def _outcome_chain(
    fn: FunctionChecker, node: ast.Match, subject: ast.Name, cases: list[ast.match_case]
) -> ast.If | None:
    case = cases[0]
    read = ast.copy_location(ast.Name(subject.id, ast.Load()), case.pattern)
    test: ast.expr
    match case.pattern:
        case ast.MatchSingleton(value=None):
            test = ast.Compare(read, [ast.Is()], [ast.copy_location(ast.Constant(None), case.pattern)])
        case ast.MatchClass(cls=cls, patterns=[], kwd_patterns=[]):
            test = ast.Call(ast.copy_location(ast.Name("isinstance", ast.Load()), cls), [read, cls], [])
        case ast.MatchAs(pattern=None, name=None):
            test = ast.Constant(True)
        case _:
            fix = "`case None:`, `case SomeError():` or `case _:`"
            fn.fail(
                "E0318",
                f"`{ast.unparse(case.pattern)}` is not a pattern for an optional or result",
                case.pattern,
                fix=fix,
            )
    ast.copy_location(test, case.pattern)
    if case.guard is not None:
        test = ast.copy_location(ast.BoolOp(ast.And(), [test, case.guard]), case.pattern)
    rest: list[ast.stmt] = []
    if len(cases) > 1:
        following = _outcome_chain(fn, node, subject, cases[1:])
        rest = [following] if following is not None else []
    return ast.copy_location(ast.If(test, case.body, rest), case.pattern)
