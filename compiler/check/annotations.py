"""Annotations and signatures: annotation text evaluated once per module, types with TypeVars replaced."""

from __future__ import annotations

import ast
import types as python_types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from compiler.check.context import FunctionChecker
from compiler.language.errors import BuildError
from compiler.language.structs import Array, ArrayValue
from compiler.language.types import (
    ArrayType,
    AtomicType,
    ConstType,
    FunctionType,
    NeverType,
    OptionalType,
    PtrType,
    ResultType,
    SliceType,
    StructType,
    TupleType,
    Type,
    TypeVariable,
    ValueType,
    array_type,
    resolve_names,
    type_of,
)


class AnnotationError(Exception):
    """An annotation that is no type of the dialect; the text says why. `node` is the annotation, where known."""

    def __init__(self, message: str, node: ast.AST | None = None) -> None:
        super().__init__(message)
        self.node = node


@dataclass(frozen=True)
class Parameter:
    """A parameter as written. `default` is meaningful when `has_default`."""

    name: str
    type: Type
    default: Any
    has_default: bool


@dataclass(frozen=True)
class Declared:
    """A function's signature as written, TypeVars not yet replaced."""

    parameters: tuple[Parameter, ...]
    result: Type

    @property
    def is_generic(self) -> bool:
        """Whether each use needs a copy of its own."""
        return any(isinstance(p.type, ConstType) or has_variables(p.type) for p in self.parameters)


def namespace_of(function: python_types.FunctionType) -> Mapping[str, Any]:
    """The names that a function's body sees: its module's, and those of the factory that made it."""
    cells = function.__closure__ or ()
    if not cells:
        return function.__globals__
    captured: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            captured[name] = cell.cell_contents
        except ValueError:
            continue
    return {**function.__globals__, **captured}


def has_variables(kind: Type) -> bool:
    """Whether a type mentions a TypeVar."""
    return substitute(kind, _AnyBinding()) is not kind


class _AnyBinding(dict[Any, Type]):
    def __missing__(self, key: Any) -> Type:
        return Type(f"<{key}>")

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key]


def substitute(kind: Type, bindings: Mapping[Any, Type]) -> Type:
    """The type with TypeVars replaced; the same object when it has none."""
    if isinstance(kind, TypeVariable):
        return bindings.get(kind.variable, kind)
    if isinstance(kind, PtrType):
        if isinstance(kind.target_annotation, str | type):
            return kind
        target = kind.target
        changed = substitute(target, bindings)
        return kind if changed is target else PtrType(f"Ptr[{changed.name}]", changed)
    if isinstance(kind, SliceType | AtomicType | ArrayType | ValueType | ConstType | OptionalType | ResultType):
        element = substitute(kind.element, bindings)
        return kind if element is kind.element else _with_element(kind, element)
    if isinstance(kind, TupleType):
        elements = tuple(substitute(element, bindings) for element in kind.elements)
        if all(new is old for new, old in zip(elements, kind.elements, strict=True)):
            return kind
        return TupleType(f"tuple[{', '.join(element.name for element in elements)}]", elements)
    if isinstance(kind, FunctionType):
        parameters = tuple(substitute(parameter, bindings) for parameter in kind.parameters)
        result = substitute(kind.result, bindings)
        return FunctionType(kind.name, parameters, result)
    return kind


def _with_element(kind: Type, element: Type) -> Type:
    name = element.name
    match kind:
        case SliceType():
            return SliceType(f"Slice[{name}]", element)
        case AtomicType():
            return AtomicType(f"Atomic[{name}]", element)
        case ArrayType():
            return ArrayType(f"Array[{name}, {kind.count}]", element, kind.count)
        case ValueType():
            return ValueType(f"Value[{name}]", element)
        case ConstType():
            return ConstType(f"Const[{name}]", element)
        case OptionalType():
            return OptionalType(f"{name} | None", element)
        case ResultType():
            return ResultType(f"{name} | {kind.error.name}", element, kind.error)
        case _:
            raise ValueError(kind.name)


class Annotations:
    """Evaluates annotations; each text once per namespace."""

    def __init__(self) -> None:
        self._evaluated: dict[tuple[int, str], Any] = {}
        self._kept: list[Mapping[str, Any]] = []

    def evaluate_text(self, text: str, namespace: Mapping[str, Any]) -> Any:
        """The object that annotation text stands for. Raises AnnotationError."""
        key = (id(namespace), text)
        if key not in self._evaluated:
            self._kept.append(namespace)
            try:
                self._evaluated[key] = resolve_names(eval(text, dict(namespace)), namespace)
            except Exception as error:
                reason = str(error) or type(error).__name__
                raise AnnotationError(f"annotation `{text}`: {reason}") from error
        found = self._evaluated[key]
        return self.evaluate_text(found, namespace) if isinstance(found, str) else found

    def evaluate(self, fn: FunctionChecker, node: ast.expr) -> Any:
        """The object that an annotation in a function stands for."""
        try:
            return self.evaluate_text(ast.unparse(node), fn.namespace)
        except AnnotationError as error:
            return fn.fail("E0306", str(error), node)

    def type_of(self, fn: FunctionChecker, annotation: Any, node: ast.AST, array: ArrayValue | None = None) -> Type:
        """The type of a local; `array` gives an Array its length."""
        try:
            kind = array_type(annotation, array) if array is not None else type_of(annotation)
            kind = substitute(kind, fn.bindings)
            check_layout(kind)
        except (BuildError, AnnotationError) as error:
            fn.fail("E0306", str(error), node)
        if isinstance(kind, ConstType | ValueType):
            fn.fail("E0306", f"a local cannot be of type {kind.name}", node, fix=f"`{kind.element.name}`")
        return kind

    def hint(self, fn: FunctionChecker, annotation: Any) -> Type | None:
        """The type that an annotation gives its value to aim at, when it has one by itself."""
        if get_origin(annotation) is Array:
            return None
        try:
            return substitute(type_of(annotation), fn.bindings)
        except BuildError:
            return None

    def declared(self, function: python_types.FunctionType, node: ast.FunctionDef, self_type: Type | None) -> Declared:
        """A function's signature; `self_type` is the type of a method's first parameter. Raises AnnotationError."""
        namespace = namespace_of(function)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        defaults: dict[str, Any] = dict(function.__kwdefaults__ or {})
        positional = [*node.args.posonlyargs, *node.args.args]
        values = function.__defaults__ or ()
        if values:
            named = [argument.arg for argument in positional[-len(values) :]]
            defaults.update(zip(named, values, strict=True))
        parameters: list[Parameter] = []
        for index, argument in enumerate(arguments):
            name = argument.arg
            if index == 0 and self_type is not None and (argument.annotation is None):
                kind = self_type
            else:
                kind = self._parameter_type(function, argument, namespace)
            parameters.append(Parameter(name, kind, defaults.get(name), name in defaults))
            if function.__name__ == "__exit__" and self_type is not None:
                break
        result = self._result_type(function, node, namespace)
        return Declared(tuple(parameters), result)

    def _parameter_type(
        self, function: python_types.FunctionType, argument: ast.arg, namespace: Mapping[str, Any]
    ) -> Type:
        try:
            return self._written_type(function, argument, namespace)
        except AnnotationError as error:
            raise AnnotationError(str(error), argument.annotation) from error

    def _written_type(
        self, function: python_types.FunctionType, argument: ast.arg, namespace: Mapping[str, Any]
    ) -> Type:
        annotation = self._object(function, argument.arg, namespace)
        if get_origin(annotation) is Array:
            (element,) = get_args(annotation)
            shown = getattr(element, "__name__", element)
            raise AnnotationError(f"parameter `{argument.arg}`: an array has no length here; write `Slice[{shown}]`")
        kind = self._checked(annotation, f"parameter `{argument.arg}`")
        if isinstance(kind, ValueType | NeverType):
            raise AnnotationError(f"parameter `{argument.arg}` cannot be of type {kind.name}")
        return kind

    def _result_type(
        self, function: python_types.FunctionType, node: ast.FunctionDef, namespace: Mapping[str, Any]
    ) -> Type:
        try:
            return self._checked(self._object(function, "return", namespace), "the result")
        except AnnotationError as error:
            raise AnnotationError(str(error), node.returns) from error

    def _object(self, function: python_types.FunctionType, name: str, namespace: Mapping[str, Any]) -> Any:
        annotation = function.__annotations__.get(name)
        if isinstance(annotation, str):
            return self.evaluate_text(annotation, namespace)
        try:
            return resolve_names(annotation, namespace)
        except Exception as error:
            raise AnnotationError(f"annotation of `{name}`: {error}") from error

    def _checked(self, annotation: Any, what: str) -> Type:
        try:
            kind = type_of(annotation)
            check_layout(kind)
        except BuildError as error:
            raise AnnotationError(f"{what}: {error}") from error
        return kind


def check_layout(kind: Type) -> None:
    """Compute the layout of the structs that a type embeds. Raises AnnotationError where that is impossible."""
    inner = getattr(kind, "element", None)
    if isinstance(inner, Type):
        check_layout(inner)
        if isinstance(kind, ArrayType | SliceType) and not has_variables(inner):
            _demand_stored(inner, kind)
    if isinstance(kind, StructType):
        try:
            _ = kind.layout
        except BuildError as error:
            raise AnnotationError(str(error)) from error
        except RecursionError as error:
            raise AnnotationError(f"struct {kind.name} contains itself") from error
        except Exception as error:
            raise AnnotationError(f"struct {kind.name}: {type(error).__name__}: {error}") from error


def _demand_stored(inner: Type, kind: Type) -> None:
    """Elements of arrays and slices lie in memory."""
    try:
        _ = inner.size
    except BuildError as error:
        raise AnnotationError(f"{kind.name}: {error}, so it cannot be an element") from error
