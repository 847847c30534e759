"""A program on the host, whichever engine runs it: calls with marshalled arguments, objects as views, the machine.

Engines implement the abstract part in raw values and addresses; tests and tools use the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self, cast

from compiler.host.faults import HostError
from compiler.host.marshal import Arguments, by_value_result, by_value_struct, result_value
from compiler.host.memory import AddressSpace, Device
from compiler.host.registers import Registers
from compiler.host.views import ArrayView, Detached, StructView, load_place, store_elements, store_fields
from compiler.language import types as t
from compiler.program.program import Function, Program


class Session(ABC):
    """A program ready to run. `program` is what it runs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._by_symbol = {function.symbol: function for function in program.functions}
        self._statics = {item.symbol: item for item in program.statics}
        self._initial = {
            item.symbol: self.read(self.static_address(item.symbol), item.size)
            for item in program.statics
            if item.mutable and self.has_static(item.symbol)
        }

    @property
    @abstractmethod
    def memory(self) -> AddressSpace:
        """The program's address space."""

    @property
    @abstractmethod
    def registers(self) -> Registers:
        """The simulated system registers, and the record of system events."""

    @abstractmethod
    def static_address(self, symbol: str) -> int:
        """Address of a static object, function or linker symbol."""

    def has_static(self, symbol: str) -> bool:
        """Whether the engine has the static object in memory: an optimiser may have removed it."""
        return symbol in self._statics

    @abstractmethod
    def allocate(self, size: int, align: int) -> int:
        """Address of `size` bytes for objects that the host makes."""

    @abstractmethod
    def allocation_mark(self) -> int:
        """The present state of allocation, for `release`."""

    @abstractmethod
    def release(self, mark: int) -> None:
        """Give back what was allocated since `mark`."""

    @abstractmethod
    def invoke(self, function: Function, arguments: Sequence[Any]) -> Any:
        """Call with raw values (see compiler.host.marshal); TrapError when a check fails."""

    def close(self) -> None:  # noqa: B027 - only some engines hold something
        """Give back what the session holds; it cannot be used afterwards. Also done at the end of a `with`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the program's memory."""
        return self.memory.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Replace bytes of the program's memory."""
        self.memory.write(address, data)

    def function(self, which: str | Callable[..., Any]) -> Function:
        """A function of the program by symbol, by the name without the module where only one has it, or by the
        Python function that it was compiled from."""
        if not isinstance(which, str):
            which = f"{which.__module__}.{which.__qualname__}"
        if which in self._by_symbol:
            return self._by_symbol[which]
        named = [
            function
            for function in self.program.functions
            if which in (function.source_name, f"{function.module}.{function.source_name}")
        ]
        if len(named) == 1:
            return named[0]
        if named:
            symbols = ", ".join(function.symbol for function in named)
            raise HostError(f"{which!r} names several functions: {symbols}; give the symbol")
        raise HostError(f"the program has no function {which!r}; only what its entries reach is compiled")

    def call(self, which: str | Callable[..., Any], *values: Any) -> Any:
        """Call a function with Python values and give its result as one.

        Slices take bytes, bytearray, lists or views; structs take views, build-time instances or dicts. A struct
        returned by value is a detached view. Raises TrapError, HostFault, and HostError for a wrong argument.
        """
        function = self.function(which)
        parameters = [(name, kind) for name, kind in function.signature.parameters if not isinstance(kind, t.ConstType)]
        if len(values) != len(parameters):
            expected = ", ".join(f"{name}: {kind.name}" for name, kind in parameters)
            raise HostError(f"{function.source_name}({expected}) was called with {len(values)} arguments")
        mark = self.allocation_mark()
        try:
            arguments = Arguments(self, self)
            raw = [arguments.raw(kind, value) for (_, kind), value in zip(parameters, values, strict=True)]
            if function.result_pointer:
                return self._call_by_value(function, raw, arguments)
            result = self.invoke(function, raw)
            arguments.finish()
            return result_value(self, function.signature.result, result)
        finally:
            self.release(mark)

    def _call_by_value(self, function: Function, raw: list[Any], arguments: Arguments) -> Any:
        kind = by_value_struct(function.signature.result) or cast(t.StructType, function.signature.result)
        place = self.allocate(kind.size, max(kind.align, 8))
        result = self.invoke(function, [place, *raw])
        arguments.finish()
        detached = StructView(Detached(self.read(place, kind.size)), 0, kind)
        return by_value_result(function.signature.result, result, detached)

    def new(self, struct_class: type[Any], /, **fields: Any) -> Any:
        """A struct in the program's memory, as a view. Fields not given take their defaults, or zero."""
        kind = t.type_of(struct_class)
        if not isinstance(kind, t.StructType):
            raise HostError(f"{struct_class.__name__} is not a struct")
        address = self.allocate(kind.size, max(kind.align, 8))
        store_fields(self, address, kind, fields)
        return StructView(self, address, kind)

    def new_array(self, element: Any, values: Sequence[Any]) -> ArrayView:
        """An array in the program's memory, as a view that can be given for a Slice; `element` is their type."""
        kind = element if isinstance(element, t.Type) else t.type_of(element)
        array = t.ArrayType(f"Array[{kind.name}, {len(values)}]", kind, len(values))
        view = ArrayView(self, self.allocate(max(array.size, 1), max(kind.align, 8)), array)
        store_elements(self, view.address_, kind, values)
        return view

    def static(self, symbol: str) -> Any:
        """A static object: a view of a struct or array, the value of a scalar, a list for a per-CPU object."""
        if symbol not in self._statics:
            raise HostError(f"the program has no static object {symbol!r}; it has {', '.join(self._statics)}")
        item = self._statics[symbol]
        address = self.static_address(symbol)
        if not isinstance(item.type, t.PerCpuType):
            return load_place(self, address, item.type)
        element = item.type.element
        stride = (element.size + item.align - 1) & -item.align
        return [load_place(self, address + offset, element) for offset in range(0, item.size, stride)]

    def reset_statics(self) -> None:
        """Give every mutable static object its initial contents again."""
        for symbol, data in self._initial.items():
            self.write(self.static_address(symbol), data)

    def changed_statics(self) -> list[str]:
        """Symbols of the mutable static objects whose bytes are not the initial ones."""
        return [
            symbol
            for symbol, data in self._initial.items()
            if self.read(self.static_address(symbol), len(data)) != data
        ]

    def device(self, base: int, size: int, model: Device) -> None:
        """Let `model` answer device accesses to `size` bytes at `base`."""
        self.memory.device(base, size, model)

    def on_register_write(self, name: str, hook: Callable[[int], None]) -> None:
        """Call `hook(value)` whenever the program writes the system register."""
        self.registers.on_write(name, hook)

    def on_register_read(self, name: str, hook: Callable[[], int]) -> None:
        """Let `hook()` give the register's value whenever the program reads it."""
        self.registers.on_read(name, hook)
