"""Random statements and whole functions of the dialect, as source text.

Every loop has a bound, every local is assigned before it is read, and nothing is generated that the checker refuses.
"""

from __future__ import annotations

from collections.abc import Callable

from compiler.language.types import BOOL, U32, U64, IntType
from tests.differential.expressions import ExpressionGenerator
from tests.differential.scope import (
    INTEGERS,
    ArrayOf,
    ByValue,
    Enumeration,
    GeneratedFunction,
    Kind,
    OptionalOf,
    ResultOf,
    Scope,
    SliceOf,
    Struct,
    annotation,
)

Declare = Callable[[], None]

_LOOP_BOUND = 6
_LOOP_DEPTH = 2


class FunctionGenerator(ExpressionGenerator):
    """Writes one function after the other into `lines`."""

    lines: list[str]
    _indent: int
    _loop_depth: int
    _names: int
    _result: Kind | None

    def function(self, name: str, statement_count: int) -> list[str]:
        """The lines of a function with random parameters, result and body; it is declared for later callers."""
        self.lines, self._indent, self._loop_depth, self._names = [], 0, 0, 0
        self.scope, self.repetitions, self.cost = Scope(), 1, 1
        parameters = [self._random_kind() for _ in range(self.random.randrange(1, 5))]
        if not any(isinstance(kind, IntType) for kind in parameters):
            parameters.append(self.random.choice(INTEGERS))
        self._result = self._random_result()
        declared = [f"p{number}: {annotation(kind)}" for number, kind in enumerate(parameters)]
        result = "None" if self._result is None else annotation(self._result)
        self._line(f"def {name}({', '.join(declared)}) -> {result}:")
        for number, kind in enumerate(parameters):
            self._declare(f"p{number}", kind, assignable=True)
        self._see_statics()
        self._indent = 1
        for _ in range(self.random.randrange(1, 4)):
            self._new_local(2)
        self._block(statement_count, 3)
        self._return(3)
        self.declarations.functions.append(GeneratedFunction(name, tuple(parameters), self._result, self.cost))
        return self.lines

    def _random_kind(self) -> Kind:
        choice = self.random.randrange(100)
        if choice < 58:
            return self.random.choice(INTEGERS)
        if choice < 66:
            return BOOL
        if choice < 78:
            return self.random.choice(self.declarations.structs)
        if choice < 90:
            return SliceOf(self.random.choice(INTEGERS))
        if choice < 95:
            return self.random.choice(self.declarations.enumerations)
        return OptionalOf(self.random.choice(INTEGERS))

    def _random_result(self) -> Kind | None:
        choice = self.random.randrange(100)
        if choice < 60:
            return self.random.choice(INTEGERS)
        if choice < 68:
            return BOOL
        if choice < 73:
            return None
        if choice < 78:
            return self.random.choice(self.declarations.enumerations)
        if choice < 86:
            return OptionalOf(self.random.choice(INTEGERS))
        if choice < 94:
            return ResultOf(self.random.choice(INTEGERS))
        return ByValue(self.random.choice(self.declarations.structs))

    def _see_statics(self) -> None:
        for name, array, _ in self.declarations.static_arrays:
            self.scope.arrays[name] = array
        for name, struct in self.declarations.static_structs:
            self.scope.structs[name] = struct

    def _declare(self, name: str, kind: Kind, *, assignable: bool = False) -> None:
        scope = self.scope
        match kind:
            case SliceOf():
                scope.slices[name] = kind.element
            case Struct():
                scope.structs[name] = kind
            case ByValue():
                scope.structs[name] = kind.struct
            case Enumeration():
                scope.enumerations[name] = kind
            case OptionalOf():
                scope.optionals[name] = kind.element
            case ResultOf():
                raise TypeError("a result is narrowed where it is made")
            case _:
                scope.scalars[name] = kind
                if assignable:
                    scope.assignable.append(name)

    def _line(self, text: str) -> None:
        self.lines.append("    " * self._indent + text)

    def _fresh(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _nested(self, count: int, depth: int, *, repetitions: int = 1, declare: Declare | None = None) -> None:
        """An indented block with a scope of its own."""
        outer, repeated = self.scope, self.repetitions
        self.scope, self.repetitions = outer.copy(), repeated * repetitions
        self._indent += 1
        if declare is not None:
            declare()
        self._block(count, depth)
        self._indent -= 1
        self.scope, self.repetitions = outer, repeated

    def _block(self, count: int, depth: int) -> None:
        for _ in range(max(count, 1)):
            self.cost += self.repetitions
            self._statement(depth)

    def _statement(self, depth: int) -> None:
        simple: list[tuple[int, Callable[[int], None]]] = [
            (8, self._assign),
            (4, self._augment),
            (4, self._new_local),
            (4, self._set_field),
            (4, self._set_element),
            (2, self._call_statement),
            (2, self._assertion),
            (3, self._narrow_optional),
            (2, self._narrow_result),
            (1, self._new_struct),
            (1, self._new_array),
        ]
        compound: list[tuple[int, Callable[[int], None]]] = [
            (7, self._if),
            (3, self._match_enumeration),
            (2, self._match_integer),
            (1, self._gate),
        ]
        if self._loop_depth < _LOOP_DEPTH:
            compound += [(4, self._for_range), (2, self._while), (3, self._for_each)]
        if self._loop_depth:
            simple.append((3, self._leave_loop))
        makers = simple + (compound if depth > 0 else [])
        maker = self.random.choices([maker for _, maker in makers], [weight for weight, _ in makers])[0]
        maker(depth)

    def _assign(self, depth: int) -> None:
        if not self.scope.assignable:
            self._new_local(depth)
            return
        name = self.random.choice(self.scope.assignable)
        self._line(f"{name} = {self.value(self.scope.scalars[name], 3)}")

    def _augment(self, depth: int) -> None:
        named = [name for name in self.scope.assignable if isinstance(self.scope.scalars[name], IntType)]
        if not named:
            self._new_local(depth)
            return
        name = self.random.choice(named)
        kind = self.scope.scalars[name]
        assert isinstance(kind, IntType)
        operator = self.random.choice(("^", "|", "&", "+", "-", "*") if self.chance(20) else ("^", "|", "&"))
        self._line(f"{name} {operator}= {self.integer(kind, 2)}")

    def _new_local(self, _depth: int) -> None:
        kind = BOOL if self.chance(12) else self.random.choice(INTEGERS)
        name = self._fresh("x")
        value = self.value(kind, 3)
        self._line(f"{name}: {kind.name} = {value}")
        self._declare(name, kind, assignable=True)

    def _new_struct(self, _depth: int) -> None:
        struct = self.random.choice(self.declarations.structs)
        made = self.call_giving(ByValue(struct), 1) if self.chance(50) else None
        known = [name for name, own in self.scope.structs.items() if own == struct]
        if made is None and known and self.chance(40):
            made = f"copy({self.random.choice(known)})"
        name = self._fresh("s")
        self._line(f"{name} = {made or self.construction(struct, 2)}")
        self._declare(name, struct)

    def _new_array(self, _depth: int) -> None:
        array = ArrayOf(self.random.choice(INTEGERS), self.random.randrange(1, 6))
        name = self._fresh("a")
        self._line(f"{name}: Array[{array.element.name}] = array({array.count})")
        self.scope.arrays[name] = array

    def _set_field(self, depth: int) -> None:
        places = [
            (f"{name}.{path}", kind) for name, struct in self.scope.structs.items() for path, kind in struct.scalars()
        ]
        if not places:
            self._assign(depth)
            return
        place, kind = self.random.choice(places)
        self._line(f"{place} = {self.value(kind, 2)}")

    def _set_element(self, depth: int) -> None:
        arrays = self.changeable_arrays()
        if self.scope.slices and (not arrays or self.chance(50)):
            name, element = self.random.choice(list(self.scope.slices.items()))
            self._line(f"if len({name}) > {self.random.randrange(3)}:")
            self._indent += 1
            self._line(f"{name}[{self.typed(U64, 1)} % len({name})] = {self.integer(element, 2)}")
            self._indent -= 1
        elif arrays:
            text, array = self.random.choice(arrays)
            self._line(f"{text}[{self.index(array.count, 1)}] = {self.integer(array.element, 2)}")
        else:
            self._assign(depth)

    def _call_statement(self, depth: int) -> None:
        fitting = [
            function
            for function in self.declarations.functions
            if not isinstance(function.result, ResultOf | ByValue) and self.callable_here(function)
        ]
        if fitting:
            self._line(self.call(self.random.choice(fitting), 1))
        else:
            self._assign(depth)

    def _assertion(self, depth: int) -> None:
        if self.chance(30):
            self._line(f'assert {self.boolean(2)} or {self.boolean(1)} or {self.boolean(1)}, "checked {self._names}"')
        else:
            self._assign(depth)

    def _narrow_optional(self, depth: int) -> None:
        kind = self.random.choice(INTEGERS)
        name = self._fresh("o")
        made = self.call_giving(OptionalOf(kind), 1)
        if self.scope.optionals and self.chance(40):
            source, kind = self.random.choice(list(self.scope.optionals.items()))
            self._line(f"{name} = {source}")
        elif made is not None and self.chance(70):
            self._line(f"{name} = {made}")
        else:
            operation = self.random.choice(("checked_add", "checked_sub", "checked_mul"))
            self._line(f"{name} = {operation}({self.typed(kind, 2)}, {self.typed(kind, 2)})")
        if self.chance(20):
            self._line(f"if {name} is None:")
            self._indent += 1
            self._return(1)
            self._indent -= 1
            self._declare(name, kind)
            return
        if self.chance(40):
            chosen = self._fresh("x")
            self._line(f"{chosen}: {kind.name} = {name} if {name} is not None else {self.literal(kind)}")
            self._declare(chosen, kind, assignable=True)
            return
        self._line(f"if {name} is not None:")
        self._nested(2, depth - 1, declare=lambda: self._declare(name, kind))

    def _narrow_result(self, depth: int) -> None:
        kind = self.random.choice(INTEGERS)
        made = self.call_giving(ResultOf(kind), 1)
        if made is None:
            self._augment(depth)
            return
        name = self._fresh("r")
        self._line(f"{name} = {made}")
        self._line(f"if isinstance({name}, Problem):")
        self._nested(1, 0)
        self._line("else:")
        self._nested(2, depth - 1, declare=lambda: self._declare(name, kind))

    def _if(self, depth: int) -> None:
        self._line(f"if {self.boolean(3)}:")
        self._nested(self.random.randrange(1, 4), depth - 1)
        if self.chance(25):
            self._line(f"elif {self.boolean(2)}:")
            self._nested(1, depth - 1)
        if self.chance(50):
            self._line("else:")
            self._nested(self.random.randrange(1, 3), depth - 1)
        elif self.chance(15):
            self._line(f"if {self.boolean(2)}:")
            self._indent += 1
            self._return(2)
            self._indent -= 1

    def _for_range(self, depth: int) -> None:
        kind = self.random.choice(INTEGERS)
        name = self._fresh("n")
        bound = f"({self.typed(kind, 1)} & 3)"
        form = self.random.randrange(5)
        if form == 0:
            kind, text = U64, f"range({self.random.randrange(_LOOP_BOUND)})"
        elif form == 1:
            text = f"range({bound})"
        elif form == 2:
            text = f"range({bound}, 5)"
        elif form == 3:
            text = f"range({bound}, {self.random.randrange(4, 10)}, {self.random.randrange(1, 4)})"
        else:
            text = f"reversed(range({bound}))"
        self._line(f"for {name} in {text}:")
        self._loop(depth, lambda: self._declare(name, kind))

    def _loop(self, depth: int, declare: Declare | None = None) -> None:
        self._loop_depth += 1
        self._nested(self.random.randrange(1, 4), depth - 1, repetitions=_LOOP_BOUND, declare=declare)
        self._loop_depth -= 1

    def _while(self, depth: int) -> None:
        fuel = self._fresh("fuel")
        self._line(f"{fuel}: u32 = 0")
        self._line(f"while {fuel} < {self.random.randrange(1, _LOOP_BOUND)} and {self.boolean(2)}:")

        def count() -> None:
            self._line(f"{fuel} += 1")
            self._declare(fuel, U32)

        self._loop(depth, count)

    def _for_each(self, depth: int) -> None:
        arrays = [(text, array.element) for text, array in self.scope.all_arrays()]
        runs = [*arrays, *self.scope.slices.items()]
        if not runs:
            self._for_range(depth)
            return
        text, element = self.random.choice(runs)
        name = self._fresh("e")
        if self.chance(30):
            index = self._fresh("n")
            self._line(f"for {index}, {name} in enumerate({text}):")

            def declare_both() -> None:
                self._declare(index, U64)
                self._declare(name, element)

            self._loop(depth, declare_both)
            return
        self._line(f"for {name} in {text}:")
        self._loop(depth, lambda: self._declare(name, element))

    def _leave_loop(self, _depth: int) -> None:
        self._line(f"if {self.boolean(2)}:")
        self._indent += 1
        self._line(self.random.choice(("break", "continue")))
        self._indent -= 1

    def _match_enumeration(self, depth: int) -> None:
        if not self.scope.enumerations:
            self._if(depth)
            return
        name = self.random.choice(list(self.scope.enumerations))
        kind = self.scope.enumerations[name]
        self._line(f"match {name}:")
        self._indent += 1
        members = list(kind.members)
        self.random.shuffle(members)
        while members:
            if self.chance(25) and len(members) < len(kind.members):
                self._line("case _:")
                members = []
            else:
                taken = [members.pop() for _ in range(min(len(members), self.random.randrange(1, 3)))]
                self._line(f"case {' | '.join(f'{kind.name}.{member}' for member in taken)}:")
            self._nested(1, depth - 1)
        self._indent -= 1

    def _match_integer(self, depth: int) -> None:
        kind = self.random.choice(INTEGERS)
        self._line(f"match {self.typed(kind, 2)} & 7:")
        self._indent += 1
        values = self.random.sample(range(8), 4)
        self._line(f"case {values[0]}:")
        self._nested(1, depth - 1)
        guard = f" if {self.boolean(1)}" if self.chance(40) else ""
        self._line(f"case {values[1]} | {values[2]}{guard}:")
        self._nested(1, depth - 1)
        captured = self._fresh("m")
        if self.chance(50):
            self._line(f"case {captured}:")
            self._nested(1, depth - 1, declare=lambda: self._declare(captured, kind))
        else:
            self._line("case _:")
            self._nested(1, depth - 1)
        self._indent -= 1

    def _gate(self, depth: int) -> None:
        self._line("with gate:")
        self._nested(2, depth - 1)

    def _return(self, depth: int) -> None:
        match self._result:
            case None:
                self._line("return")
            case ByValue():
                self._return_struct(self._result)
            case OptionalOf() if self.scope.optionals and self.chance(20):
                same = [name for name, kind in self.scope.optionals.items() if kind == self._result.element]
                self._line(f"return {self.random.choice(same) if same else self.value(self._result, depth)}")
            case _:
                self._line(f"return {self.value(self._result, depth)}")

    def _return_struct(self, kind: ByValue) -> None:
        known = [name for name, own in self.scope.structs.items() if own == kind.struct]
        if known and self.chance(60):
            self._line(f"return copy({self.random.choice(known)})")
        else:
            self._line(f"return {self.construction(kind.struct, 1)}")
