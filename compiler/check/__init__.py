"""The front end: from dialect modules to the typed program.

`check_program` imports the modules of the entries, checks every function that they reach and gives a `Program`,
or raises `CompileErrors` with everything that is wrong. `check_source` does the same for source text.
"""

from compiler.check.program import check_program, check_source

__all__ = ["check_program", "check_source"]
