"""Random programs of the dialect: a preamble of declarations, random functions, and one function per rarer construct.

A program is a function of its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from compiler.language.types import BOOL, U8, U16, U32, IntType
from tests.differential.rare import rare_functions
from tests.differential.scope import INTEGERS, ArrayOf, Declarations, Enumeration, Scalar, Struct
from tests.differential.statements import FunctionGenerator

_PREAMBLE = '''"""Generated with seed {seed}."""

from collections.abc import Callable
from typing import TypeVar

from compiler.language import *
from runtime.text import TextBuffer, render


class Problem(ErrorEnum):
    BUSY = -1
    DENIED = -7


@struct
class Gate:
    depth: u32
    entries: u32

    def __enter__(self) -> "Gate":
        self.depth = wrapping_add(self.depth, 1)
        self.entries = wrapping_add(self.entries, 1)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.depth = wrapping_sub(self.depth, 1)


gate: Gate = static(Gate(depth=0, entries=0))
'''


@dataclass(frozen=True)
class GeneratedProgram:
    """Source text, and the functions to call."""

    seed: int
    source: str
    entries: tuple[str, ...]


def generate(seed: int, function_count: int = 24, statement_count: int = 5) -> GeneratedProgram:
    """The program of a seed."""
    random = Random(seed)
    declarations = Declarations()
    lines = _PREAMBLE.format(seed=seed).splitlines()
    lines += _enumerations(random, declarations)
    lines += _structs(random, declarations)
    lines += _statics(random, declarations)
    generator = FunctionGenerator(random, declarations)
    names: list[str] = []
    for number in range(function_count):
        names.append(f"f{number}")
        lines += ["", "", *generator.function(names[-1], statement_count)]
    rare_lines, rare_names = rare_functions(random)
    return GeneratedProgram(seed, "\n".join([*lines, *rare_lines, ""]), (*names, *rare_names))


def _enumerations(random: Random, declarations: Declarations) -> list[str]:
    lines: list[str] = []
    for name, base, type_name in (("Mode", U8, "EnumU8"), ("Level", U32, "EnumU32")):
        members = tuple(f"{name.upper()}_{number}" for number in range(random.randrange(2, 6)))
        declarations.enumerations.append(Enumeration(name, base, members))
        lines += ["", "", f"class {name}({type_name}):"]
        lines += [f"    {member} = {value}" for value, member in enumerate(members)]
    return lines


def _structs(random: Random, declarations: Declarations) -> list[str]:
    lines: list[str] = []
    packed: set[Struct] = set()
    for number in range(3):
        option = random.choice(("@struct", "@struct", "@struct(packed=True)", "@struct(align=16)"))
        is_packed = "packed" in option
        fields: list[tuple[str, Scalar | ArrayOf | Struct]] = []
        for index in range(random.randrange(2, 5)):
            kind: Scalar = BOOL if random.randrange(6) == 0 else random.choice(INTEGERS)
            fields.append((f"m{index}", kind))
        embeddable = [struct for struct in declarations.structs if struct in packed or not is_packed]
        if embeddable and random.randrange(2):
            fields.append(("inner", random.choice(embeddable)))
        if random.randrange(2):
            fields.append(("items", ArrayOf(U8 if is_packed else random.choice(INTEGERS), random.randrange(1, 5))))
        struct = Struct(f"Record{number}", tuple(fields))
        declarations.structs.append(struct)
        if is_packed:
            packed.add(struct)
        lines += ["", "", option, f"class {struct.name}:"]
        lines += [f"    {_field(name, kind)}" for name, kind in fields]
    return lines


def _field(name: str, kind: Scalar | ArrayOf | Struct) -> str:
    if isinstance(kind, ArrayOf):
        return f"{name}: Array[{kind.element.name}] = array({kind.count})"
    return f"{name}: {kind.name}"


def _statics(random: Random, declarations: Declarations) -> list[str]:
    lines = ["", ""]
    for number in range(2):
        table = ArrayOf(random.choice((U8, U16, *INTEGERS)), random.randrange(2, 9))
        values = [_value(random, table.element) for _ in range(table.count)]
        lines.append(f"TABLE{number}: Array[{table.element.name}] = constant({values})")
        declarations.static_arrays.append((f"TABLE{number}", table, False))
    for number in range(2):
        buffer = ArrayOf(random.choice(INTEGERS), random.randrange(2, 9))
        lines.append(f"buffer{number}: Array[{buffer.element.name}] = static(array({buffer.count}))")
        declarations.static_arrays.append((f"buffer{number}", buffer, True))
    struct = random.choice(declarations.structs)
    lines.append(f"state: {struct.name} = static({_initial(random, struct)})")
    declarations.static_structs.append(("state", struct))
    return lines


def _initial(random: Random, struct: Struct) -> str:
    arguments: list[str] = []
    for name, kind in struct.fields:
        if isinstance(kind, Struct):
            arguments.append(f"{name}={_initial(random, kind)}")
        elif isinstance(kind, IntType):
            arguments.append(f"{name}={_value(random, kind)}")
        elif not isinstance(kind, ArrayOf):
            arguments.append(f"{name}={random.random() < 0.5}")
    return f"{struct.name}({', '.join(arguments)})"


def _value(random: Random, kind: IntType) -> int:
    return random.choice((0, 1, kind.lowest, kind.highest, random.randint(kind.lowest, kind.highest)))
