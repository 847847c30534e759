"""The codes of diagnostics: one table from code to title; docs/errors/CODE.md explains each.

The first digits say which part of the rules was broken: E01 the subset of Python, E02 names and modules, E03 types,
E04 control flow and locals, E05 structs, memory and pointers, E06 build time, placement and assembly blocks, E07 the
program as a whole. W codes are warnings. A code is never reused for another meaning.
"""

from __future__ import annotations

TITLES: dict[str, str] = {
    # The subset of Python (compiler.syntax.subset)
    "E0100": "not valid Python",
    "E0101": "function inside a function",
    "E0102": "class inside a function",
    "E0103": "lambda",
    "E0104": "comprehension or generator expression",
    "E0105": "generator",
    "E0106": "async code",
    "E0107": "exception handling",
    "E0108": "raise",
    "E0109": "global or nonlocal",
    "E0110": "del",
    "E0111": "variable number of arguments",
    "E0112": "list, dict or set display",
    "E0113": "true division",
    "E0114": "power",
    "E0115": "matrix multiplication",
    "E0116": "identity of numbers",
    "E0117": "membership test",
    "E0118": "else of a loop",
    "E0119": "import inside a function",
    "E0120": "string operation",
    "E0121": "function of Python's library",
    "E0122": "floating-point or complex number",
    "E0123": "bytes literal",
    "E0124": "index that is neither a number nor a plain slice",
    "E0125": "starred expression",
    "E0126": "pattern that is not supported",
    "E0127": "assignment target that is not supported",
    "E0128": "expression statement without effect",
    "E0129": "f-string that is not a message",
    "E0130": "use of ...",
    "E0131": "parameter or result without a type",
    "E0132": "decorator that is not of the dialect",
    "E0133": "statement or method that a struct cannot have",
    "E0134": "message that is not a literal",
    "E0135": "string that is not valid Unicode",
    "E0136": "code nested too deeply",
    # The program as a whole (compiler.check.whole_program)
    "E0701": "recursion",
    "E0702": "locks taken out of order",
    "E0703": "functions of a table differ",
    "E0704": "NoReturn function that returns",
    "E0705": "extern function that nothing defines",
    # Warnings
    "W0701": "check that always fails",
}


def title(code: str) -> str:
    """What the code stands for in a few words."""
    return TITLES[code]
