"""A program as native code in this process, callable from Python.

Memory is this process's own: a pointer in the program is an address here, and simulated memory at a fixed address is
memory that the caller has mapped there. Not thread-safe; a callback may call an entry again.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from compiler.lower.errors import LowerError
from compiler.lower.host import HOST_FIELDS, STOPPED, Host, thunk_name
from compiler.lower.llvm import Engine, Module, TargetMachine, host_triple
from compiler.lower.module import EmittedModule, ModuleOptions, emit_module
from compiler.lower.options import HostOptions, Optimisation
from compiler.lower.traps import TrapSite, TrapTable
from compiler.program.nodes import Span, TrapKind
from compiler.program.program import Function, Program
from compiler.program.types import Bool, Int, ValueType, leaves

_MASK = (1 << 64) - 1
_WORD = ctypes.c_uint64
_NOWHERE = Span("host", 0, 1, 0, 1)

_Thunk = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)
_CallMany = ctypes.CFUNCTYPE(
    _WORD, ctypes.c_void_p, _WORD, ctypes.c_void_p, _WORD, ctypes.c_void_p, _WORD, ctypes.c_void_p
)
_ReadRegister = ctypes.CFUNCTYPE(_WORD, _WORD)
_WriteRegister = ctypes.CFUNCTYPE(None, _WORD, _WORD)
_DeviceLoad = ctypes.CFUNCTYPE(_WORD, _WORD, _WORD)
_DeviceStore = ctypes.CFUNCTYPE(None, _WORD, _WORD, _WORD)
_System = ctypes.CFUNCTYPE(None, _WORD, _WORD)
_Extern = ctypes.CFUNCTYPE(None, _WORD, ctypes.c_void_p, ctypes.c_void_p)


class HostTrap(Exception):
    """A run-time check stopped the entry."""

    def __init__(self, number: int, site: TrapSite) -> None:
        super().__init__(f"{site.span.file}:{site.span.line}: {site.text}")
        self.number = number
        self.site = site


def lower_for_host(program: Program, options: HostOptions) -> HostModule:
    """Compile a program for this machine, assembly blocks by their twins. Raises LowerError."""
    level = options.optimisation.level
    machine = TargetMachine(host_triple(), "", "", level, jit=True)
    host = Host(options.entries)
    module_options = ModuleOptions(
        checks=True,
        debug_info=False,
        optimised=options.optimisation is not Optimisation.DEBUG,
        is_object=False,
        coverage=options.coverage,
    )
    try:
        emitted = emit_module(program, host, module_options)
    except RecursionError as error:
        raise LowerError("an expression is nested too deeply; split it over several statements") from error
    module = Module(emitted.text, machine)
    module.optimise()
    return HostModule(program, host, emitted, Engine(module, machine))


@dataclass(frozen=True)
class Batch:
    """Results of many calls: `results` holds the result words of each call in turn, `traps` its trap or 0."""

    results: array[int]
    traps: array[int]


@dataclass(frozen=True)
class Entry:
    """A function that Python can call; scalars of `parameters` go in, scalars of `results` come out.

    Integers are Python ints of their type's range, bools 0 or 1, pointers addresses. `address` is that of
    `int32 thunk(const u64 *arguments, u64 *results)`, which returns 0 or the number of the trap. `call_many` takes the
    argument words of `count` calls in turn, integers as in `thunk`, and calls in native code.
    """

    parameters: tuple[ValueType, ...]
    results: tuple[ValueType, ...]
    address: int
    call: Callable[..., tuple[int, ...]]
    call_many: Callable[[array[int], int], Batch]


class HostModule:
    """Native code of a program, with its static objects, registers, and what its surroundings answer."""

    def __init__(self, program: Program, host: Host, emitted: EmittedModule, engine: Engine) -> None:
        self._engine = engine
        self._functions = {
            function.symbol: function
            for function in program.functions
            if not function.extern and host.is_entry(function.symbol)
        }
        self._statics = {static.symbol for static in program.statics}
        self._entries: dict[str, Entry] = {}
        self._error: BaseException | None = None
        self._keep: dict[str, Any] = {}
        self._host: Any = (_WORD * len(HOST_FIELDS)).from_address(engine.global_address("__host"))
        self._linker_numbers = host.linker_symbols
        self._operations = list(host.operations)
        self._extern_numbers = host.externs
        self._externs: dict[int, tuple[Function, Callable[..., object]]] = {}
        self._extern_functions = {function.symbol: function for function in program.functions if function.extern}
        self._coverage_lines = emitted.coverage_lines
        self.traps: TrapTable = emitted.traps
        """What the numbers of traps stand for."""
        self.registers = HostRegisters(self, host.registers)
        """The system registers that the program names."""
        self._initial = [
            (engine.global_address(static.symbol), static.size) for static in program.statics if static.mutable
        ]
        self._initial_bytes = [ctypes.string_at(address, size) for address, size in self._initial]
        self._install("extern", _Extern(self._on_extern))

    def entry(self, symbol: str) -> Entry:
        """A function by its symbol. Raises LowerError when the program has none of that name to call."""
        known = self._entries.get(symbol)
        if known is not None:
            return known
        function = self._functions.get(symbol)
        if function is None:
            raise LowerError(f"the program has no function {symbol!r} that the host can call")
        address = self._engine.function_address(thunk_name(symbol))
        parameters = tuple(leaf for parameter in function.parameters for leaf in leaves(parameter.type))
        results = leaves(function.result)
        entry = Entry(
            parameters,
            results,
            address,
            self._caller(address, len(parameters), results),
            self._bulk_caller(address, len(parameters), len(results)),
        )
        self._entries[symbol] = entry
        return entry

    def _caller(
        self, address: int, parameter_count: int, results: tuple[ValueType, ...]
    ) -> Callable[..., tuple[int, ...]]:
        # One pair of arrays serves nested calls too: arguments are read before the function runs, results written
        # after it and read at once.
        thunk = _Thunk(address)
        arguments: Any = (_WORD * max(parameter_count, 1))()
        words: Any = (_WORD * max(len(results), 1))()
        arguments_at, words_at = ctypes.addressof(arguments), ctypes.addressof(words)
        decoders = [(index, _decoder(kind)) for index, kind in enumerate(results)]

        def call(*scalars: int) -> tuple[int, ...]:
            if len(scalars) != parameter_count:
                raise TypeError(f"{parameter_count} scalars wanted, {len(scalars)} given")
            arguments[:parameter_count] = scalars
            number = thunk(arguments_at, words_at)
            if number:
                self._raise(number)
            return tuple([decode(words[index]) for index, decode in decoders])

        return call

    def _bulk_caller(self, address: int, parameter_count: int, result_count: int) -> Callable[[array[int], int], Batch]:
        many = _CallMany(self._engine.function_address("__call_many"))

        def call_many(words: array[int], count: int) -> Batch:
            if len(words) != count * parameter_count:
                raise TypeError(f"{count * parameter_count} argument words wanted, {len(words)} given")
            results, traps = array("Q", bytes(8 * count * result_count)), array("I", bytes(4 * count))
            places = [each.buffer_info()[0] for each in (words, results, traps)]
            made = many(address, count, places[0], 8 * parameter_count, places[1], 8 * result_count, places[2])
            if made and traps[made - 1] == STOPPED:
                self._raise(STOPPED)
            return Batch(results, traps)

        return call_many

    def address_of(self, symbol: str) -> int:
        """Address of a static object. Raises LowerError when there is none of that name."""
        if symbol not in self._statics:
            raise LowerError(f"the program has no static object {symbol!r}")
        return self._engine.global_address(symbol)

    def reset(self) -> None:
        """Give every static object its initial bytes, and every register 0."""
        for (address, size), data in zip(self._initial, self._initial_bytes, strict=True):
            ctypes.memmove(address, data, size)
        self.registers.clear()

    def on_device(self, load: Callable[[int, int], int], store: Callable[[int, int, int], None]) -> None:
        """Answer device accesses: `load(address, width_bytes)`, `store(address, value, width_bytes)`."""
        self._install("device_load", _DeviceLoad(self._guarded(load)))
        self._install("device_store", _DeviceStore(self._guarded(store)))

    def on_system(self, tell: Callable[[str, int], None]) -> None:
        """Hear of SYS instructions, barriers and hints: text such as "tlbi vae2is", "dsb ish", "wfi", and the value."""

        def by_number(number: int, value: int) -> None:
            tell(self._operations[number], value)

        self._install("system", _System(self._guarded(by_number)))

    def on_extern(self, symbol: str, function: Callable[..., object]) -> None:
        """The host's version of an extern function: takes scalars; gives one, a tuple of them, or None."""
        if symbol not in self._extern_numbers:
            raise LowerError(f"the program has no extern function {symbol!r}")
        self._externs[self._extern_numbers[symbol]] = (self._extern_functions[symbol], function)

    def set_linker_symbol(self, name: str, value: int) -> None:
        """Value of a linker symbol; one that the program does not name is ignored."""
        number = self._linker_numbers.get(name)
        if number is not None:
            _WORD.from_address(self._engine.global_address("__linker_symbols") + 8 * number).value = value

    def coverage(self) -> Mapping[tuple[str, int], bool]:
        """(file, line) -> whether it ran, for each line that has a statement."""
        if not self._coverage_lines:
            return {}
        data = ctypes.string_at(self._engine.global_address("__coverage"), len(self._coverage_lines))
        return {line: bool(ran) for line, ran in zip(self._coverage_lines, data, strict=True)}

    def clear_coverage(self) -> None:
        """Forget which lines ran."""
        if self._coverage_lines:
            ctypes.memset(self._engine.global_address("__coverage"), 0, len(self._coverage_lines))

    def install_register_hooks(self, read: Callable[[int], int], write: Callable[[int, int], None]) -> int:
        """Callbacks for registers by number; gives the address of the hook bits, one byte for each register."""
        self._install("read_register", _ReadRegister(self._guarded(read)))
        self._install("write_register", _WriteRegister(self._guarded(write)))
        return self._engine.global_address("__register_hooks")

    @property
    def registers_address(self) -> int:
        """Address of the registers' values, 8 bytes each."""
        return self._engine.global_address("__registers")

    def _install(self, field: str, callback: Any) -> None:
        self._keep[field] = callback
        self._host[HOST_FIELDS.index(field)] = ctypes.cast(callback, ctypes.c_void_p).value or 0

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A callback whose exception stops the running entry, which raises it again."""

        def guarded(*arguments: int) -> int:
            try:
                return (function(*arguments) or 0) & _MASK
            except BaseException as error:
                self._error = error
                self._host[HOST_FIELDS.index("stop")] = 1
                return 0

        return guarded

    def _on_extern(self, number: int, arguments_at: int, results_at: int) -> None:
        def run() -> int:
            symbol = next(name for name, known in self._extern_numbers.items() if known == number)
            if number not in self._externs:
                site = TrapSite(TrapKind.PANIC, _NOWHERE, f"extern function {symbol} has no host version")
                raise HostTrap(STOPPED, site)
            function, version = self._externs[number]
            kinds = [leaf for parameter in function.parameters for leaf in leaves(parameter.type)]
            words = (_WORD * len(kinds)).from_address(arguments_at)
            given = version(*[_decoder(kind)(word) for kind, word in zip(kinds, words, strict=True)])
            results = () if given is None else cast(tuple[int, ...], given if isinstance(given, tuple) else (given,))
            expected = len(leaves(function.result))
            if len(results) != expected:
                raise TypeError(f"the host version of {symbol} gave {len(results)} scalars, {expected} wanted")
            into = (_WORD * expected).from_address(results_at)
            for index, scalar in enumerate(results):
                into[index] = int(scalar) & _MASK
            return 0

        self._guarded(run)()

    def _raise(self, number: int) -> None:
        if number == STOPPED:
            error, self._error = self._error, None
            self._host[HOST_FIELDS.index("stop")] = 0
            if error is not None:
                raise error
        raise HostTrap(number, self.traps.sites[number])


class HostRegisters:
    """System registers by name; they hold what was written, or ask a hook."""

    def __init__(self, module: HostModule, numbers: Mapping[str, int]) -> None:
        self._numbers = {name.upper(): number for name, number in numbers.items()}
        self._values: Any = (_WORD * len(numbers)).from_address(module.registers_address)
        self._readers: dict[int, Callable[[], int]] = {}
        self._writers: dict[int, Callable[[int], None]] = {}
        hooks = module.install_register_hooks(lambda n: self._readers[n](), lambda n, value: self._writers[n](value))
        self._hooks: Any = (ctypes.c_uint8 * len(numbers)).from_address(hooks)

    def __contains__(self, name: str) -> bool:
        return name.upper() in self._numbers

    def __getitem__(self, name: str) -> int:
        return int(self._values[self._number(name)])

    def __setitem__(self, name: str, value: int) -> None:
        self._values[self._number(name)] = value & _MASK

    def names(self) -> list[str]:
        """The registers that the program names."""
        return list(self._numbers)

    def on_read(self, name: str, answer: Callable[[], int]) -> None:
        """Ask `answer` whenever the program reads the register."""
        number = self._number(name)
        self._readers[number] = answer
        self._hooks[number] |= 1

    def on_write(self, name: str, tell: Callable[[int], None]) -> None:
        """Tell `tell` of each value that the program writes, after it has been stored."""
        number = self._number(name)
        self._writers[number] = tell
        self._hooks[number] |= 2

    def clear_hooks(self) -> None:
        """Forget all hooks."""
        self._readers.clear()
        self._writers.clear()
        ctypes.memset(ctypes.addressof(self._hooks), 0, len(self._numbers))

    def clear(self) -> None:
        """Set every register to 0."""
        ctypes.memset(ctypes.addressof(self._values), 0, 8 * len(self._numbers))

    def _number(self, name: str) -> int:
        number = self._numbers.get(name.upper())
        if number is None:
            raise LowerError(f"the program does not name the system register {name}")
        return number


def _decoder(kind: ValueType) -> Callable[[int], int]:
    match kind:
        case Int(bits, True):
            half, full = 1 << (bits - 1), 1 << bits
            return lambda word: ((word & (full - 1)) ^ half) - half
        case Int(bits, False):
            mask = (1 << bits) - 1
            return lambda word: word & mask
        case Bool():
            return lambda word: word & 1
        case _:
            return int
