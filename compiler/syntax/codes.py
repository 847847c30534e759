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
    # Names and modules
    "E0201": "name that is not defined",
    "E0202": "module that cannot be imported",
    "E0203": "entry that is not a function",
    "E0204": "attribute that does not exist",
    # Types
    "E0301": "type that does not fit its place",
    "E0302": "number that does not fit its type",
    "E0303": "integers without a common type",
    "E0304": "condition that is not a bool",
    "E0305": "operation that a type does not have",
    "E0306": "annotation that is not a type of the dialect",
    "E0307": "value that must be known at build time",
    "E0308": "arguments that do not match the parameters",
    "E0309": "method that is not called",
    "E0310": "call of what cannot be called",
    "E0311": "use of a value that may be None",
    "E0312": "result that is ignored",
    "E0313": "use of a value that may be an error",
    "E0314": "generic function without its types",
    "E0315": "shift count",
    "E0316": "constant expression that fails",
    "E0321": "distinct types mixed",
    "E0322": "iteration over what cannot be iterated",
    "E0323": "indexing of what cannot be indexed, or by what is no index",
    "E0324": "constant index out of range",
    "E0326": "local of a type that locals cannot have",
    # Control flow and locals
    "E0401": "local that may not be assigned yet",
    "E0402": "local assigned with two types",
    "E0403": "assignment to a loop variable or compile-time parameter",
    "E0404": "loop variable used after its loop",
    "E0405": "return that does not match the result type",
    "E0406": "break or continue outside a loop",
    "E0407": "with over what is no resource",
    # Structs, memory, pointers
    "E0501": "optional or fallible struct used before it is tested",
    "E0502": "struct stored without a copy",
    "E0503": "second name for a struct of its own",
    "E0504": "reference to the stack that would outlive it",
    "E0505": "local that changes between struct and reference",
    "E0506": "reference into a packed struct",
    "E0507": "write to a read-only table",
    "E0509": "fields of a constructor call",
    "E0510": "assignment to what cannot be assigned",
    "E0511": "direct access to an atomic",
    # Build time and placement
    "E0601": "module-level code that failed",
    "E0602": "static object that is not placed",
    "E0603": "initial value that does not fit its type",
    "E0604": "static_assert that failed",
    "E0605": "build-time object used as a value",
    "E0608": "assembly block",
    "E0609": "function without source",
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
