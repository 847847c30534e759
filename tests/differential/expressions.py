"""Random typed expressions of the dialect, as source text.

Most operations are chosen so that they do not trap, since code after a trap goes untested; every kind of trap still
happens now and then. No constant operation is generated that the compiler could refuse.
"""

from __future__ import annotations

from random import Random

from compiler.language.types import BOOL, I64, U8, U32, U64, IntType
from tests.differential.scope import (
    INTEGERS,
    ArrayOf,
    ByValue,
    Declarations,
    Enumeration,
    GeneratedFunction,
    Kind,
    OptionalOf,
    ResultOf,
    Scalar,
    Scope,
    SliceOf,
    Struct,
    widens,
)

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_TRAPPING_PERCENT = 12
_CALL_BUDGET = 400


class ExpressionGenerator:
    """Expressions over one function's scope. `repetitions` bounds how often the current place runs."""

    def __init__(self, random: Random, declarations: Declarations) -> None:
        self.random = random
        self.declarations = declarations
        self.scope: Scope = Scope()
        self.repetitions: int = 1
        self.cost: int = 1

    def chance(self, percent: int) -> bool:
        """True that often."""
        return self.random.randrange(100) < percent

    def literal(self, kind: IntType) -> str:
        """A literal that fits."""
        choice = self.random.randrange(10)
        if choice < 6:
            value = self.random.randrange(0, 17)
        elif choice < 8:
            value = self.random.choice((kind.highest, kind.highest - 1, kind.highest // 2, 1 << (kind.bits // 2)))
        else:
            value = self.random.randrange(0, kind.highest + 1)
        if kind.signed and self.chance(30):
            value = max(-value, kind.lowest)
        return str(value) if value < 1000 else f"{value:#x}"

    def integer(self, kind: IntType, depth: int) -> str:
        """An expression for a place of type `kind`: a literal, or of this type, or of one that widens to it."""
        if self.chance(20):
            return self.literal(kind)
        if depth > 0 and self.chance(15):
            narrower = [other for other in INTEGERS if other != kind and widens(other, kind)]
            if narrower:
                return self.typed(self.random.choice(narrower), depth - 1)
        return self.typed(kind, depth)

    def typed(self, kind: IntType, depth: int) -> str:
        """An expression whose own type is `kind`."""
        if depth <= 0:
            return self._leaf(kind)
        makers = (
            (4, self._leaf_deep),
            (6, self._wrapping),
            (5, self._bitwise),
            (3, self._arithmetic),
            (3, self._division),
            (3, self._shift),
            (2, self._saturating),
            (2, self._rotation),
            (3, self._unary),
            (2, self._extreme),
            (4, self._conversion),
            (3, self._conditional),
            (2, self._element),
            (2, self._call),
            (1, self._miscellaneous),
        )
        maker = self.random.choices([maker for _, maker in makers], [weight for weight, _ in makers])[0]
        return maker(kind, depth - 1)

    def _leaf_deep(self, kind: IntType, _depth: int) -> str:
        return self._leaf(kind)

    def _leaf(self, kind: IntType) -> str:
        places = self.scope.integers()
        exact = [text for text, own in places if own == kind]
        if exact and self.chance(85):
            return self.random.choice(exact)
        text, own = self.random.choice(places)
        return text if own == kind else f"truncate({kind.name}, {text})"

    def _wrapping(self, kind: IntType, depth: int) -> str:
        operation = self.random.choice(("wrapping_add", "wrapping_sub", "wrapping_mul"))
        return f"{operation}({self.typed(kind, depth)}, {self._operand(kind, depth)})"

    def _operand(self, kind: IntType, depth: int) -> str:
        return self.literal(kind) if self.chance(25) else self.typed(kind, depth)

    def _bitwise(self, kind: IntType, depth: int) -> str:
        operator = self.random.choice("&|^")
        return f"({self.typed(kind, depth)} {operator} {self._operand(kind, depth)})"

    def _arithmetic(self, kind: IntType, depth: int) -> str:
        operator = self.random.choice("+-*")
        left, right = self.typed(kind, depth), self._operand(kind, depth)
        if self.chance(_TRAPPING_PERCENT):
            return f"({left} {operator} {right})"
        if operator == "*":
            mask = (1 << (kind.bits // 2 - 1)) - 1
            return f"(({left} & {mask:#x}) * ({right} & {mask:#x}))"
        if operator == "+" or kind.signed:
            mask = kind.highest >> 1
            return f"(({left} & {mask:#x}) {operator} ({right} & {mask:#x}))"
        top = 1 << (kind.bits - 1)
        return f"(({left} | {top:#x}) - ({right} & {top - 1:#x}))"

    def _division(self, kind: IntType, depth: int) -> str:
        operator = self.random.choice(("//", "%"))
        left = self.typed(kind, depth)
        if self.chance(30):
            divisor = str(self.random.choice((1, 2, 3, 7, 10, 16, 100)))
        elif self.chance(2 * _TRAPPING_PERCENT):
            divisor = self.typed(kind, depth)
        else:
            divisor = f"({self.typed(kind, depth)} | 1)"
        return f"({left} {operator} {divisor})"

    def _shift(self, kind: IntType, depth: int) -> str:
        value = self.typed(kind, depth)
        if self.chance(40):
            count = str(self.random.randrange(kind.bits))
        else:
            counted = self.random.choice((U8, U32, U64))
            count = self.typed(counted, depth)
            if not self.chance(_TRAPPING_PERCENT):
                count = f"({count} & {kind.bits - 1})"
        form = self.random.randrange(10)
        if form < 4:
            return f"({value} >> {count})"
        if form < 8:
            return f"wrapping_shl({value}, {count})"
        if self.chance(30):
            return f"({value} << {count})"
        return f"(({value} & 1) << {self.random.randrange(kind.bits - 1)})"

    def _saturating(self, kind: IntType, depth: int) -> str:
        operation = self.random.choice(("saturating_add", "saturating_sub"))
        return f"{operation}({self.typed(kind, depth)}, {self._operand(kind, depth)})"

    def _rotation(self, kind: IntType, depth: int) -> str:
        operation = self.random.choice(("rotate_left", "rotate_right"))
        return f"{operation}({self.typed(kind, depth)}, {self.typed(U64, depth)})"

    def _unary(self, kind: IntType, depth: int) -> str:
        operand = self.typed(kind, depth)
        if self.chance(_TRAPPING_PERCENT):
            return f"(-{operand})"
        operation = self.random.choice(
            ("~", "wrapping_neg", "leading_zeros", "trailing_zeros", "count_ones", "byte_swap", "reverse_bits")
        )
        return f"(~{operand})" if operation == "~" else f"{operation}({operand})"

    def _extreme(self, kind: IntType, depth: int) -> str:
        if kind.signed and self.chance(30):
            return f"abs({self.typed(kind, depth)})"
        return f"{self.random.choice(('min', 'max'))}({self.typed(kind, depth)}, {self._operand(kind, depth)})"

    def _conversion(self, kind: IntType, depth: int) -> str:
        if self.chance(20):
            return f"{kind.name}({self.boolean(depth)})"
        source = self.random.choice(INTEGERS)
        value = self.typed(source, depth)
        if widens(source, kind) or self.chance(2 * _TRAPPING_PERCENT):
            return f"{kind.name}({value})"
        if self.chance(30):
            return f"{kind.name}({value} & {min(kind.highest, source.highest):#x})"
        return f"truncate({kind.name}, {value})"

    def _conditional(self, kind: IntType, depth: int) -> str:
        return f"({self.typed(kind, depth)} if {self.boolean(depth)} else {self.typed(kind, depth)})"

    def _element(self, kind: IntType, depth: int) -> str:
        arrays = [(text, array) for text, array in self.scope.all_arrays() if array.element == kind]
        slices = [name for name, element in self.scope.slices.items() if element == kind]
        if arrays and (not slices or self.chance(50)):
            text, array = self.random.choice(arrays)
            return f"{text}[{self.index(array.count, depth)}]"
        if slices:
            name = self.random.choice(slices)
            if self.chance(2 * _TRAPPING_PERCENT):
                return f"{name}[{self.typed(U64, depth)} & 7]"
            return f"({name}[{self.typed(U64, depth)} % len({name})] if len({name}) != 0 else {self._leaf(kind)})"
        return self._leaf(kind)

    def index(self, count: int, depth: int) -> str:
        """An index into an array of `count` elements, seldom out of range."""
        if self.chance(40):
            return str(self.random.randrange(count))
        beyond = 1 if self.chance(_TRAPPING_PERCENT) else 0
        return f"{self.typed(U64, depth)} % {count + beyond}"

    def _call(self, kind: IntType, depth: int) -> str:
        return self.call_giving(kind, depth) or self.typed(kind, depth)

    def call_giving(self, kind: Kind, depth: int) -> str | None:
        """A call of an earlier function with this result, or None where there is none that is cheap enough."""
        fitting = [
            function
            for function in self.declarations.functions
            if function.result == kind and self.callable_here(function)
        ]
        return self.call(self.random.choice(fitting), depth) if fitting else None

    def callable_here(self, function: GeneratedFunction) -> bool:
        """Whether arguments are at hand and the call is cheap enough."""
        if function.cost * self.repetitions > _CALL_BUDGET:
            return False
        return all(self._has_argument(kind) for kind in function.parameters)

    def _has_argument(self, kind: Kind) -> bool:
        match kind:
            case Struct():
                return kind in self.scope.structs.values()
            case SliceOf():
                known = [*self.scope.slices.values(), *(array.element for _, array in self.changeable_arrays())]
                return kind.element in known
            case _:
                return True

    def call(self, function: GeneratedFunction, depth: int) -> str:
        """A call with random arguments."""
        self.cost += function.cost * self.repetitions
        arguments = [self.argument(kind, depth) for kind in function.parameters]
        return f"{function.name}({', '.join(arguments)})"

    def argument(self, kind: Kind, depth: int) -> str:
        """An argument for a parameter of this kind."""
        match kind:
            case Struct():
                return self.random.choice([name for name, own in self.scope.structs.items() if own == kind])
            case SliceOf():
                return self._slice(kind.element, depth)
            case IntType():
                return self.integer(kind, min(depth, 1))
            case _:
                return self.value(kind, min(depth, 1))

    def changeable_arrays(self) -> list[tuple[str, ArrayOf]]:
        """Arrays that a callee may write."""
        constants = {name for name, _, mutable in self.declarations.static_arrays if not mutable}
        return [(text, array) for text, array in self.scope.all_arrays() if text not in constants]

    def _slice(self, element: IntType, depth: int) -> str:
        arrays = [(text, array.count) for text, array in self.changeable_arrays() if array.element == element]
        slices = [name for name, own in self.scope.slices.items() if own == element]
        if arrays and (not slices or self.chance(50)):
            text, count = self.random.choice(arrays)
            start = self.random.randrange(count + 1)
            return self.random.choice((text, f"{text}[{start}:]", f"{text}[:{start}]"))
        name = self.random.choice(slices)
        if self.chance(50):
            return name
        if self.chance(_TRAPPING_PERCENT):
            return f"{name}[{self.typed(U64, depth)} & 3 :]"
        return f"{name}[len({name}) // 2 :]"

    def value(self, kind: Kind, depth: int) -> str:
        """An expression for a place of a kind that is no struct and no slice."""
        match kind:
            case IntType():
                return self.integer(kind, depth)
            case _ if kind == BOOL:
                return self.boolean(depth)
            case _:
                return self._tagged(kind, depth)

    def _tagged(self, kind: Kind, depth: int) -> str:
        match kind:
            case Enumeration():
                known = [name for name, own in self.scope.enumerations.items() if own == kind]
                if known and self.chance(50):
                    return self.random.choice(known)
                return f"{kind.name}.{self.random.choice(kind.members)}"
            case OptionalOf():
                return "None" if self.chance(30) else self.integer(kind.element, depth)
            case ResultOf():
                if self.chance(30):
                    return self.random.choice(("Problem.BUSY", "Problem.DENIED"))
                return self.integer(kind.element, depth)
            case ByValue():
                return self.construction(kind.struct, depth)
            case _:
                raise TypeError(f"{kind} is not given as a value")

    def construction(self, struct: Struct, depth: int) -> str:
        """A constructor call; array fields are left to their default."""
        arguments: list[str] = []
        for name, kind in struct.fields:
            if isinstance(kind, Struct):
                arguments.append(f"{name}={self.construction(kind, depth)}")
            elif isinstance(kind, Scalar):
                arguments.append(f"{name}={self.value(kind, depth)}")
        return f"{struct.name}({', '.join(arguments)})"

    def _miscellaneous(self, kind: IntType, depth: int) -> str:
        if kind == U64 and self.scope.slices and self.chance(50):
            return f"len({self.random.choice(list(self.scope.slices))})"
        members = [name for name, own in self.scope.enumerations.items() if own.base == kind]
        if members:
            return f"{self.random.choice(members)}.value"
        if kind in (U64, I64):
            return f"multiply_high({self.typed(kind, depth)}, {self.typed(kind, depth)})"
        name = f"v{self.random.randrange(10**6)}"
        if self.chance(30) and self.repetitions == 1:
            return f"({name} if ({name} := {self.typed(kind, depth)}) != 1 else 0)"
        return self._leaf(kind)

    def boolean(self, depth: int) -> str:
        """A bool expression."""
        known = self.scope.bools()
        choice = self.random.randrange(12)
        if depth <= 0 or choice == 0:
            if known:
                return self.random.choice(known)
            kind = self.random.choice(INTEGERS)
            return f"({self._leaf(kind)} {self.random.choice(_COMPARISONS)} {self.literal(kind)})"
        if choice < 3:
            operator = self.random.choice(("and", "or"))
            return f"({self.boolean(depth - 1)} {operator} {self.boolean(depth - 1)})"
        if choice == 3:
            return f"(not {self.boolean(depth - 1)})"
        if choice == 4 and self.scope.enumerations:
            name = self.random.choice(list(self.scope.enumerations))
            enumeration = self.scope.enumerations[name]
            operator = self.random.choice(("==", "!=", "is", "is not"))
            return f"({name} {operator} {enumeration.name}.{self.random.choice(enumeration.members)})"
        return self._comparison(depth - 1)

    def _comparison(self, depth: int) -> str:
        kind = self.random.choice(INTEGERS)
        left, operator, right = self.typed(kind, depth), self.random.choice(_COMPARISONS), self.integer(kind, depth)
        if self.chance(10):
            return f"({left} {operator} {self.typed(kind, depth)} {self.random.choice(_COMPARISONS)} {right})"
        return f"({left} {operator} {right})"
