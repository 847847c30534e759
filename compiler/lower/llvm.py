"""The only file that touches llvmlite: parse, verify, optimise, emit, execute.

llvmlite has no type information, so it enters here once as an untyped module. LLVM ends the process on some bad input;
whoever lowers text that is not trusted runs `compiler.lower.lower` in a child process.
"""

from __future__ import annotations

import importlib
import weakref
from functools import cache
from typing import Any

from compiler.lower.errors import LowerError


@cache
def binding() -> Any:
    """llvmlite's binding, with every target set up."""
    module: Any = importlib.import_module("llvmlite.binding")
    module.initialize_all_targets()
    module.initialize_all_asmprinters()
    return module


class TargetMachine:
    """LLVM's code generator for one target and set of options; `level` 0 to 3.

    Below level 1 the generator itself is not run: it would give SYS instructions that take no register one other than
    XZR, which CPUs may refuse (DDI 0487, C5.1.3). Level 0 leaves out the optimiser only.
    """

    def __init__(self, triple: str, cpu: str, features: str, level: int, jit: bool = False) -> None:
        self.triple = triple
        self.level = level
        self._handle: Any = (
            binding()
            .Target.from_triple(triple)
            .create_target_machine(
                cpu=cpu,
                features=features,
                opt=max(level, 1),
                reloc="default" if jit else "static",
                codemodel="jitdefault" if jit else "small",
                jit=jit,
            )
        )

    @property
    def handle(self) -> Any:
        """llvmlite's object."""
        return self._handle

    @property
    def data_layout(self) -> str:
        """How the target lays out data; without it in the module, 64-bit integers would be 4-aligned."""
        return str(self._handle.target_data)


class Module:
    """A parsed and verified module. Raises LowerError when LLVM rejects the text."""

    def __init__(self, text: str, machine: TargetMachine) -> None:
        self._machine = machine
        header = f'target datalayout = "{machine.data_layout}"\ntarget triple = "{machine.triple}"\n'
        self._context: Any = binding().create_context()
        # LLVM wants a module to go before its context; the garbage collector knows no such order.
        self._context._owned = True
        self._disposal = weakref.finalize(self, _dispose, [], self._context)
        try:
            self._handle: Any = binding().parse_assembly(header + text, self._context)
            self._disposal.detach()
            self._disposal = weakref.finalize(self, _dispose, [self._handle], self._context)
            self._handle.verify()
        except RuntimeError as error:
            raise LowerError(f"LLVM rejected the generated module (a defect of the compiler): {error}") from error

    @property
    def handle(self) -> Any:
        """llvmlite's object."""
        return self._handle

    def optimise(self) -> None:
        """Run LLVM's default pipeline for the machine's level."""
        options: Any = binding().create_pipeline_tuning_options(self._machine.level)
        options.loop_vectorization = False
        options.slp_vectorization = False
        builder: Any = binding().create_pass_builder(self._machine.handle, options)
        builder.getModulePassManager().run(self._handle, builder)

    def link(self, text: str) -> None:
        """Add the definitions of another module's text, for the same target."""
        header = f'target datalayout = "{self._machine.data_layout}"\ntarget triple = "{self._machine.triple}"\n'
        other: Any = binding().parse_assembly(header + text, self._context)
        self._handle.link_in(other)

    def give_away(self, owner: object, handle: Any) -> None:
        """Live from now on as long as `owner`, whose `handle` has taken the module over."""
        self._disposal.detach()
        weakref.finalize(owner, _dispose, [handle], self._context)

    def text(self) -> str:
        """The module as it now is."""
        return str(self._handle)

    def object_bytes(self) -> bytes:
        """An object file."""
        return bytes(self._machine.handle.emit_object(self._handle))

    def assembly(self) -> str:
        """Assembly text, for reading."""
        return str(self._machine.handle.emit_assembly(self._handle))


def _dispose(handles: list[Any], context: Any) -> None:
    for handle in handles:
        handle.close()
    context._owned = False
    context.close()


def host_triple() -> str:
    """The machine that runs this process."""
    return str(binding().get_process_triple())


class Engine:
    """A module turned into code in this process. The code lives as long as the engine.

    LLVM ends the process when it is asked for a name that the module does not define.
    """

    def __init__(self, module: Module, machine: TargetMachine) -> None:
        self._engine: Any = binding().create_mcjit_compiler(module.handle, machine.handle)
        module.give_away(self, self._engine)
        self._engine.finalize_object()
        self._engine.run_static_constructors()

    def function_address(self, name: str) -> int:
        """Address of a function that the module defines."""
        return int(self._engine.get_function_address(name))

    def global_address(self, name: str) -> int:
        """Address of an object that the module defines."""
        return int(self._engine.get_global_value_address(name))
