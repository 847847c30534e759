"""What a guest finds beneath it in a test: calls are answered by Python functions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from compiler.check import check_program
from compiler.host import Interpreter

Registers = list[int]
Answer = Callable[[Registers], Registers]
COUNT = 18


class Guest:
    """A guest's program on the host. `calls`: the registers of every call that it made; `answer` gives the results."""

    def __init__(self, entries: Sequence[Callable[..., object]], answer: Answer) -> None:
        self.calls: list[Registers] = []
        self.answer = answer
        program = check_program(list(entries), name="guest")
        wanted: dict[str, Callable[..., Any]] = {"ffa_call": self._call, "ffa_call_long": self._call_long}
        named = {function.symbol for function in program.functions}
        self.session = Interpreter(program, externs={name: model for name, model in wanted.items() if name in named})

    def call(self, function: Callable[..., object], *values: Any) -> Any:
        """Call a function of the program."""
        return self.session.call(function, *values)

    def static(self, name: str) -> Any:
        """A static object of the program."""
        return self.session.static(name)

    def _call(self, *registers: int) -> tuple[int, ...]:
        return tuple(self._answered([*registers, *[0] * (COUNT - len(registers))])[:8])

    def _call_long(self, address: int) -> None:
        registers = list(struct.unpack(f"<{COUNT}Q", self.session.read(address, 8 * COUNT)))
        self.session.write(address, struct.pack(f"<{COUNT}Q", *self._answered(registers)))

    def _answered(self, registers: Registers) -> Registers:
        self.calls.append(registers)
        result = self.answer(list(registers))
        return [*result, *[0] * (COUNT - len(result))]


def error(code: int) -> Registers:
    """FFA_ERROR."""
    return [0x8400_0060, 0, code & 0xFFFF_FFFF]


def success(*values: int) -> Registers:
    """FFA_SUCCESS, with w2 and what follows."""
    return [0x8400_0061, 0, *values]
