"""What to write instead of the functions and string methods of Python that the dialect does not have."""

from __future__ import annotations

_BYTES_TEXT = "bytes are an `Array[u8]` or a `Slice[u8]`; `utf8(text)` gives those of a string"
_NO_REFLECTION = "fields and functions are known at build time: name them directly"
_LOOP = "write a for loop"
_MESSAGE = 'give the value to a parameter of type Format in an f-string, as in `log(f"{value:#x}")`'
_NO_HEAP = "there is no heap: use a local `name: Array[T] = array(n)` or a static object"

LIBRARY_FUNCTIONS: dict[str, str] = {
    "all": _LOOP,
    "any": _LOOP,
    "ascii": _MESSAGE,
    "bin": _MESSAGE,
    "breakpoint": "stop at the line in a debugger: the image carries line tables",
    "bytearray": _BYTES_TEXT,
    "bytes": _BYTES_TEXT,
    "callable": _NO_REFLECTION,
    "chr": "use `{value:c}` in a message to show a character",
    "complex": "the dialect has integers only",
    "delattr": _NO_REFLECTION,
    "dict": _NO_HEAP,
    "dir": _NO_REFLECTION,
    "divmod": "write `a // b` and `a % b`",
    "eval": "code is compiled ahead of time; evaluate at module level, which runs at build time",
    "exec": "code is compiled ahead of time; execute at module level, which runs at build time",
    "exit": "call `panic(...)` to stop, or return to the caller",
    "filter": _LOOP,
    "float": "the dialect has integers only; scale the value, as in thousandths",
    "format": _MESSAGE,
    "frozenset": _NO_HEAP,
    "getattr": _NO_REFLECTION,
    "globals": _NO_REFLECTION,
    "hasattr": _NO_REFLECTION,
    "hash": "compute it from the fields",
    "hex": _MESSAGE,
    "id": "use `address_of(place).address`",
    "input": "read from a device register",
    "int": "say the width: `u64(value)`, or `truncate(u64, value)` for the low bits",
    "issubclass": _NO_REFLECTION,
    "iter": _LOOP,
    "list": _NO_HEAP,
    "locals": _NO_REFLECTION,
    "map": _LOOP,
    "memoryview": "`a[i:j]` gives a Slice, which copies nothing",
    "next": _LOOP,
    "object": "declare a class under @struct",
    "oct": _MESSAGE,
    "open": "there are no files on target; at module level, which runs at build time, open() works",
    "ord": "write the number, or index `utf8(text)`",
    "pow": "write a loop, or a shift for powers of two; at module level `**` works",
    "print": 'call a console function with a parameter of type Format, as in `log(f"cpu {index}")`',
    "quit": "call `panic(...)` to stop, or return to the caller",
    "repr": _MESSAGE,
    "round": "the dialect has integers only",
    "set": "use the bits of a word, or an `Array[bool]`",
    "setattr": _NO_REFLECTION,
    "sorted": "write the sort over an Array, in place",
    "str": _MESSAGE,
    "sum": _LOOP,
    "super": "call the base's method by its class: `Base.method(self)`",
    "tuple": "write the tuple with its elements: `(a, b)`",
    "type": _NO_REFLECTION,
    "vars": _NO_REFLECTION,
    "zip": "loop over `range(len(first))` and index both",
}
"""Builtin function -> what to do instead; each completes "help: ..."."""

LANGUAGE_DECORATORS = (
    "assembly_block",
    "cold",
    "export",
    "extern",
    "inline",
    "no_builtins",
    "no_inline",
    "section",
    "staticmethod",
)
"""Decorators that a compiled function may carry."""

OTHER_DECORATORS: dict[str, str] = {
    "abstractmethod": "calls are resolved at build time: write the method in each struct",
    "cache": "compute a table at module level with `constant([...])`",
    "classmethod": "use `@staticmethod` and name the class",
    "contextmanager": "write a struct with `__enter__` and `__exit__` and use it in `with`",
    "lru_cache": "compute a table at module level with `constant([...])`",
    "overload": "give the parameter a TypeVar: the function is specialised for each type",
    "override": "leave it out: calls are resolved by the type of the reference",
    "property": "write a method and call it",
}
"""Well-known decorators of Python -> what to do instead."""
