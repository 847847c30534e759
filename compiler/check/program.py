"""The whole program: from entries through a work list to everything that they reach.

Each Python function is checked once, a generic one once per specialisation. Functions, statics and tables come out in
the order in which they are met, which depends on the source alone. Errors are collected; nothing but CompileErrors
leaves.
"""

from __future__ import annotations

import ast
import sys
import types as python_types
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compiler.check import assembly, dispatch, loading
from compiler.check.annotations import AnnotationError, Annotations, Declared, Parameter, namespace_of, substitute
from compiler.check.context import FunctionChecker
from compiler.check.exports import exported_functions
from compiler.check.flow import Variable, assigned_names
from compiler.check.sources import ParsedFile, Sources, shown_path
from compiler.check.statements import check_kept, lock_of, statement_list
from compiler.check.statics import Statics
from compiler.check.values import Abandon, Known, by_value_struct, value_type
from compiler.check.whole_program import check_whole_program
from compiler.language.addresses import VirtAddr
from compiler.language.assembly import ASSEMBLY_TEXT
from compiler.language.errors import BuildError
from compiler.language.functions import function_options
from compiler.language.types import (
    NEVER,
    ConstType,
    NeverType,
    Type,
    VoidType,
    type_of,
)
from compiler.program.nodes import Expression, Local, Return, Span, StaticAddress
from compiler.program.program import Function, Program, Signature, StaticObject
from compiler.program.types import POINTER, VOID
from compiler.syntax.diagnostics import DiagnosticSink, Note
from compiler.syntax.subset import check_signature, check_struct_body, check_subset

Entry = str | Callable[..., Any]
_LANGUAGE = "compiler.language"


@dataclass(frozen=True)
class Job:
    """A function whose body is to be checked."""

    function: Function
    python: Any  # a FunctionType; type checkers take one in a field for a method
    declared: Declared
    bindings: Mapping[Any, Type]
    constants: Mapping[str, Known]


class ProgramChecker:
    """The state of one run."""

    def __init__(self, name: str, texts: dict[str, str] | None = None) -> None:
        self.sink = DiagnosticSink()
        self.rules = dispatch.RULES
        self.intrinsics = dispatch.INTRINSICS
        self.sources = Sources(texts)
        self.annotations = Annotations()
        self.program = Program(name)
        self.virtual_address = type_of(VirtAddr)
        self.statics = Statics(self)
        self._declared: dict[tuple[Any, Any], Declared | None] = {}
        self._functions: dict[Any, Function] = {}
        self._symbols: dict[str, int] = {}
        self._exports: dict[str, python_types.FunctionType] = {}
        self._jobs: deque[Job] = deque()

    # Functions

    def is_dialect(self, function: python_types.FunctionType) -> bool:
        """Whether a Python function is the program's own and has source to compile."""
        module = function.__module__ or ""
        if module == _LANGUAGE or module.startswith(_LANGUAGE + "."):
            return False
        return not loading.is_library_file(function.__code__.co_filename)

    def declared(self, function: python_types.FunctionType, self_type: Type | None) -> Declared | None:
        """A function's signature; None, with an error reported, when it has none."""
        key = (function, self_type)
        if key not in self._declared:
            self._declared[key] = self._declare(function, self_type)
        return self._declared[key]

    def _declare(self, function: python_types.FunctionType, self_type: Type | None) -> Declared | None:
        coroutine = self.sources.coroutine(function)
        if coroutine is not None:
            check_signature(coroutine[1], self.sink, coroutine[0].file)
            return None
        found = self.sources.definition(function)
        if found is None:
            message = f"the source of `{function.__qualname__}` is not to be found; it must be a `def` in a file"
            self.sink.error("E0609", message, _code_span(function))
            return None
        parsed, node = found
        if not check_signature(node, self.sink, parsed.file):
            return None
        try:
            return self.annotations.declared(function, node, self_type)
        except AnnotationError as error:
            span = parsed.file.span(error.node) if error.node is not None else _header_span(parsed, node)
            self.sink.error("E0306", str(error), span)
            return None

    def definition_note(self, function: python_types.FunctionType) -> list[Note]:
        """A note that points to a function's definition."""
        found = self.sources.definition(function)
        if found is None:
            return []
        parsed, node = found
        return [Note(f"`{function.__qualname__}` is defined here", _header_span(parsed, node))]

    def request(
        self,
        python: python_types.FunctionType,
        self_type: Type | None,
        bindings: Mapping[Any, Type],
        constants: Mapping[str, Known],
    ) -> Function | None:
        """The function of the program for a Python function and its specialisation; None after an error."""
        declared = self.declared(python, self_type)
        if declared is None:
            return None
        defined = self._exports.get(function_options(python).get("extern", ""))
        if defined is not None:
            self._compare_signatures(python, declared, defined)
            return self.request(defined, None, {}, {})
        key = (
            python,
            self_type,
            tuple(bindings.items()),
            tuple((name, _constant_key(known)) for name, known in constants.items()),
        )
        if key not in self._functions:
            function = self._make(python, declared, bindings, constants)
            self._functions[key] = function
            self.program.functions.append(function)
            if not function.extern:
                self._jobs.append(Job(function, python, declared, bindings, constants))
        return self._functions[key]

    def _compare_signatures(
        self, python: python_types.FunctionType, declared: Declared, defined: python_types.FunctionType
    ) -> None:
        """An `@extern` that an `@export` of the program defines is that function."""
        other = self.declared(defined, None)
        if other is None:
            return
        shapes = [([p.type.name for p in each.parameters], each.result.name) for each in (declared, other)]
        if shapes[0] != shapes[1]:
            where = self.definition_note(python)[0].span
            message = f"`{python.__name__}` is declared with another signature than its definition has"
            self.sink.error("E0612", message, where, notes=self.definition_note(defined))

    def _make(
        self,
        python: python_types.FunctionType,
        declared: Declared,
        bindings: Mapping[Any, Type],
        constants: Mapping[str, Known],
    ) -> Function:
        found = self.sources.definition(python)
        assert found is not None
        parsed, node = found
        parameters = _run_time_parameters(declared, bindings, constants)
        result = substitute(declared.result, bindings)
        options = function_options(python)
        by_value = by_value_struct(result) is not None
        listed = [Local(name, value_type(kind), name, kind.name) for name, kind in parameters]
        if by_value:
            listed.insert(0, Local("result", POINTER))
        qualified = python.__qualname__.replace("<locals>.", "")
        symbol = options.get("extern") or options.get("export") or self._symbol(python, bindings, constants)
        held = VOID if isinstance(result, NeverType | VoidType) else value_type(result)
        return Function(
            symbol=symbol,
            source_name=qualified,
            module=python.__module__,
            signature=Signature(tuple(parameters), result),
            parameters=listed,
            result=held,
            span=_header_span(parsed, node),
            result_pointer=by_value,
            exported="export" in options,
            extern="extern" in options,
            inline=options.get("inline", False),
            no_inline=options.get("no_inline", False),
            cold=options.get("cold", False),
            no_builtins=options.get("no_builtins", False),
            no_return=result is NEVER or isinstance(result, NeverType),
            section=options.get("section"),
            acquires=self._lock(python, declared, "__enter__"),
            releases=self._lock(python, declared, "__exit__"),
        )

    def _lock(self, python: python_types.FunctionType, declared: Declared, name: str) -> tuple[str, int] | None:
        if python.__name__ != name or not declared.parameters:
            return None
        return lock_of(getattr(declared.parameters[0].type, "cls", None))

    def _symbol(
        self, python: python_types.FunctionType, bindings: Mapping[Any, Type], constants: Mapping[str, Known]
    ) -> str:
        base = f"{python.__module__}.{python.__qualname__}".replace("<locals>.", "")
        parts = [_plain(kind.name) for kind in bindings.values()]
        parts += [f"{name}={_plain(_shown(known))}" for name, known in constants.items()]
        return self.unique_symbol(".".join([base, *parts]))

    def unique_symbol(self, base: str) -> str:
        """A symbol not given before."""
        count = self._symbols.get(base, 0)
        self._symbols[base] = count + 1
        return base if count == 0 else self.unique_symbol(f"{base}.{count + 1}")

    # Static objects

    def string(self, data: bytes) -> StaticObject:
        """The bytes of a string literal, each text once."""
        return self.statics.string(data)

    def constant_image(self, fn: FunctionChecker, kind: Type, value: Any, node: ast.AST) -> Expression | None:
        """A read-only image of a build-time struct or array; None when it is all zero."""
        found = self.statics.image(fn, kind, value, node)
        return None if found is None else StaticAddress(found)

    def substituted(self, fn: FunctionChecker, kind: Type) -> Type:
        """A type with this specialisation's TypeVars replaced."""
        return substitute(kind, fn.bindings)

    def type_argument(self, fn: FunctionChecker, node: ast.expr) -> Type:
        """An argument that is a type: `size_of(T)`."""
        found = fn.expression(node)
        if not isinstance(found, Known):
            return fn.fail("E0301", f"`{fn.text(node)}` is not a type", node)
        try:
            return substitute(type_of(found.object), fn.bindings)
        except BuildError as error:
            return fn.fail("E0306", str(error), node)

    # The run

    def run(self, entries: Iterable[python_types.FunctionType]) -> None:
        """Check everything that the entries reach."""
        for python in entries:
            declared = self.declared(python, None)
            if declared is None:
                continue
            if declared.is_generic:
                message = f"`{python.__qualname__}` is generic and cannot be an entry: nothing says for which types"
                self.sink.error("E0314", message, self.definition_note(python)[0].span)
                continue
            function = self.request(python, None, {}, {})
            if function is not None:
                self.program.entries.append(function)
        while self._jobs:
            self._check_body(self._jobs.popleft())
        self.program.statics = self.statics.objects
        self.program.tables = self.statics.tables
        self.program.sources = self.sources.texts()
        for parsed in self.sources.files():
            for structure in parsed.structures:
                check_struct_body(structure, self.sink, parsed.file)
        if not self.sink.has_errors:
            for found in check_whole_program(self.program):
                self.sink.add(found)

    def _check_body(self, job: Job) -> None:
        found = self.sources.definition(job.python)
        assert found is not None
        parsed, node = found
        result = job.function.signature.result
        fn = FunctionChecker(self, job.function, parsed, namespace_of(job.python), job.bindings, result)
        fn.local_names = assigned_names(node.body)
        values = [f"{variable.__name__} = {kind.name}" for variable, kind in job.bindings.items()]
        values += [f"{name} = {_shown(known)}" for name, known in job.constants.items()]
        fn.specialisation = ", ".join(values)
        fn.rejected = check_subset(node, self.sink, parsed.file, fn.namespace)
        if node in fn.rejected:
            return
        try:
            if hasattr(job.python, ASSEMBLY_TEXT):
                assembly.bind(fn, job.python, node, self._exports.get)
            _declare_parameters(fn, job)
            statement_list(fn, node.body)
            check_kept(fn)
            _check_end(fn, node, result)
        except Abandon:
            pass
        except RecursionError:
            self.sink.error("E0100", "the code is nested too deeply", job.function.span, fix="split it into functions")
        job.function.body = tuple(fn.statements)

    def know_exports(self, functions: Iterable[python_types.FunctionType]) -> None:
        """Functions that may define what others declare `@extern`."""
        for function in functions:
            name = function_options(function).get("export")
            if name is not None:
                self._exports.setdefault(name, function)


def _check_end(fn: FunctionChecker, node: ast.FunctionDef, result: Type) -> None:
    if fn.flow.dead or fn.flow_unknown:
        return
    if isinstance(result, VoidType):
        fn.emit(Return(None, _end_span(fn, node)))
        return
    header = _header_span(fn.parsed, node)
    if isinstance(result, NeverType):
        fn.fail("E0405", f"`{node.name}` is of type NoReturn but its end can be reached", header)
    note = Note("the end is reached from here", _end_span(fn, node))
    message = f"`{node.name}` gives {result.name} but its end can be reached without a return"
    fn.fail("E0405", message, header, notes=[note])


def _end_span(fn: FunctionChecker, node: ast.FunctionDef) -> Span:
    return fn.span(node.body[-1])


def _code_span(function: python_types.FunctionType) -> Span | None:
    """The first line of a function that has no `def`, such as a lambda."""
    code = function.__code__
    if loading.is_library_file(code.co_filename):
        return None
    return Span(shown_path(code.co_filename), code.co_firstlineno, 1, code.co_firstlineno, 2)


def _header_span(parsed: ParsedFile, node: ast.FunctionDef) -> Span:
    """The name in a `def` line."""
    span = parsed.file.span(node)
    column = span.column + len("def ")
    return Span(span.file, span.line, column, span.line, column + len(node.name))


def _run_time_parameters(
    declared: Declared, bindings: Mapping[Any, Type], constants: Mapping[str, Known]
) -> list[tuple[str, Type]]:
    return [
        (parameter.name, substitute(parameter.type, bindings))
        for parameter in declared.parameters
        if not isinstance(parameter.type, ConstType) and parameter.name not in constants
    ]


def _declare_parameters(fn: FunctionChecker, job: Job) -> None:
    locals_left = list(job.function.parameters)
    if job.function.result_pointer:
        fn.result_address = locals_left.pop(0)
    by_name = dict(zip((name for name, _ in job.function.signature.parameters), locals_left, strict=True))
    for parameter in job.declared.parameters:
        fn.variables[parameter.name] = _parameter_variable(fn, job, parameter, by_name)
        fn.flow.assigned.add(fn.variables[parameter.name])


def _parameter_variable(
    fn: FunctionChecker, job: Job, parameter: Parameter, locals_by_name: Mapping[str, Local]
) -> Variable:
    known = job.constants.get(parameter.name)
    span = job.function.span
    if known is not None:
        return Variable(parameter.name, parameter.type, span, known=known, fixed="compile-time parameter")
    kind = substitute(parameter.type, job.bindings)
    return Variable(parameter.name, kind, span, local=locals_by_name[parameter.name])


def _constant_key(known: Known) -> Any:
    found = known.object
    try:
        hash(found)
    except TypeError:
        return ("id", id(found))
    return (type(found), found, known.type)


def _shown(known: Known) -> str:
    found = known.object
    return getattr(found, "__name__", None) or getattr(found, "name", None) or str(found)


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in text).strip("_")


def check_program(
    entries: Sequence[Entry], *, name: str, modules: Sequence[str] = (), follow_imports: bool = True
) -> Program:
    """The typed program of everything that the entries reach, and the exported functions of `modules`.

    An entry is "package.module:function", "path/to/file.py:function" or a function object, a module "package.module" or
    "path/to/file.py"; with `follow_imports` the exports of what these modules import count too. Raises CompileErrors
    with every error of the run.
    """
    checker = ProgramChecker(name)
    functions = loading.load_entries(entries, checker.sink)
    functions += exported_functions(modules, checker.sources, checker.sink, follow_imports=follow_imports)
    homes = dict.fromkeys(function.__module__ for function in functions)
    checker.know_exports(exported_functions(list(homes), checker.sources, checker.sink, follow_imports=True))
    checker.run(dict.fromkeys(functions))
    checker.sink.raise_errors()
    return checker.program


def check_source(text: str, entries: Sequence[str], *, module: str = "program") -> Program:
    """The typed program of source text as a module by itself; entries are names of its functions."""
    path = f"{module}.py"
    checker = ProgramChecker(module, {path: text})
    functions = loading.load_source(text, path, module, entries, checker.sink)
    defined = vars(sys.modules[module]).values()
    checker.know_exports(found for found in defined if isinstance(found, python_types.FunctionType))
    checker.run(functions)
    checker.sink.raise_errors()
    return checker.program
