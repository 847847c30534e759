"""Host execution: dialect functions run on the developer's machine, over simulated memory, registers and devices.

`Interpreter(program)` re-emits each function as Python code (for reading, stepping and unit tests) and
`Native(program)` runs it as host machine code (for fuzzing and property tests). Both are a `Session`.
"""
