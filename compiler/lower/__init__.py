"""Lowering: the typed program becomes LLVM IR, and that an object file or code in this process.

`lower` is a pure function of the program and the options: the same input gives the same bytes. It may end the process
where LLVM does; callers that must survive run it in a child process (its result can be pickled).
"""

from __future__ import annotations

from compiler.lower.errors import LowerError
from compiler.lower.options import HostOptions, Optimisation, TargetOptions
from compiler.lower.target import LoweredObject, lower
from compiler.lower.traps import TrapSite, TrapTable, decode_table, encode_table

__all__ = [
    "HostOptions",
    "LowerError",
    "LoweredObject",
    "Optimisation",
    "TargetOptions",
    "TrapSite",
    "TrapTable",
    "decode_table",
    "encode_table",
    "lower",
]
