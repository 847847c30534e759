"""The three ways to run a typed program as machine code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.lower import HostOptions, Optimisation, TargetOptions, TrapSite, lower
from compiler.lower.jit import HostTrap, lower_for_host
from compiler.program.program import Program
from tests.compiler.lower.emulator import Emulator

Call = Callable[..., tuple[int, ...] | TrapSite]
"""Symbol and scalars to the result's words (not yet narrowed to the result's type), or the check that stopped it."""

Run = Callable[[Program], Call]


@pytest.fixture(scope="session", params=["O0", "O2", "host"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Compiles a program for AArch64 (run in Unicorn) at O0 or O2, or for this machine."""
    way: str = request.param

    def compile_program(program: Program) -> Call:
        if way == "host":
            return _on_host(program)
        return _in_unicorn(program, Optimisation(way), tmp_path_factory.mktemp("lower"))

    return compile_program


def _on_host(program: Program) -> Call:
    module = lower_for_host(program, HostOptions())

    def call(symbol: str, *arguments: int) -> tuple[int, ...] | TrapSite:
        try:
            return module.entry(symbol).call(*arguments)
        except HostTrap as trap:
            return trap.site

    return call


def _in_unicorn(program: Program, optimisation: Optimisation, folder: Path) -> Call:
    lowered = lower(program, TargetOptions(optimisation=optimisation))
    emulator = Emulator(lowered.object, folder)

    def call(symbol: str, *arguments: int) -> tuple[int, ...] | TrapSite:
        outcome = emulator.call(symbol, *arguments)
        return outcome.registers if outcome.trap is None else lowered.traps.sites[outcome.trap]

    return call
