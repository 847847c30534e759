"""Host execution: dialect functions run on the developer's machine, over simulated memory, registers and devices.

`Interpreter(program)` re-emits each function as Python code (for reading, stepping and unit tests) and
`Native(program)` (in compiler.host.native, since it needs LLVM) runs it as host machine code, for fuzzing and property
tests. Both are a `Session`.
"""

from compiler.host.faults import HostError, HostFault, TrapError
from compiler.host.interpreter import Interpreter
from compiler.host.session import Session

__all__ = ["HostError", "HostFault", "Interpreter", "Session", "TrapError"]
