"""Each construct of Python is accepted or gets its own diagnostic, at the right place."""

import ast

import pytest

from compiler.syntax.diagnostics import DiagnosticSink
from compiler.syntax.source import SourceFile
from compiler.syntax.subset import MAX_DEPTH, check_signature, check_struct_body, check_subset

ACCEPTED = '''
@export("entry")
def entry(a: u64, b: u64 = 4, *, flag: bool = False) -> u64:
    """What it does."""
    x: u8 = 5
    y: u64
    y = a // b % 3 + (PAGE_SIZE ** 2) + int_of(a)
    first, second = pair(a, b=2)
    point.x, table[1] = pair(a)
    y += table[a] ^ ~x
    if a < b <= 10 and not flag or (n := count()) != 0:
        pass
    elif a is None or state is State.RUNNING or a not in (3, 4):
        return 1 if flag else 2
    while True:
        break
    for index, item in enumerate(table[1:3]):
        continue
    with lock, other.held() as held:
        log(f"{a:#x} {b}", level=2)
    match state:
        case State.A | State.B if flag:
            pass
        case FfaError():
            pass
        case -1 | True as seen:
            pass
        case other_state:
            pass
    assert a != 0, "a is not zero"
    static_assert(PAGE_SIZE / 2 == 2048, "half" + " a page")
    for _ in range(0, a, 2):
        _ = f()
    return y
'''

REJECTED = [
    ("E0101", "def g() -> None: pass", "def g"),
    ("E0102", "class A: pass", "class A"),
    ("E0103", "x = lambda: 1", "lambda: 1"),
    ("E0104", "x = [y for y in a]", "[y for y in a]"),
    ("E0104", "f(y for y in a)", "(y for y in a)"),
    ("E0105", "yield 1", "yield 1"),
    ("E0106", "async with a: pass", "async"),
    ("E0107", "try:\n        pass\n    finally:\n        pass", "try"),
    ("E0108", "raise ValueError", "raise ValueError"),
    ("E0109", "global x", "global x"),
    ("E0110", "del a", "del a"),
    ("E0111", "f(*a)", "*a"),
    ("E0111", "f(**a)", "**a"),
    ("E0112", "x = [1]", "[1]"),
    ("E0112", "x = {1}", "{1}"),
    ("E0112", "x = {1: 2}", "{1: 2}"),
    ("E0113", "x = a / 2", "a / 2"),
    ("E0114", "x = 2 ** a", "2 ** a"),
    ("E0115", "x = a @ a", "a @ a"),
    ("E0116", "x = a is 5", "5"),
    ("E0116", "x = a is not True", "True"),
    ("E0117", "x = a in [1, 2]", "[1, 2]"),
    ("E0117", "x = a in range(3)", "range(3)"),
    ("E0118", "for i in range(2):\n        pass\n    else:\n        a = 2", "a = 2"),
    ("E0118", "while a:\n        pass\n    else:\n        a = 2", "a = 2"),
    ("E0119", "import os", "import os"),
    ("E0120", 'x = "a" + a', '"a" + a'),
    ("E0120", 'x = "{}".format(a)', '"{}".format'),
    ("E0121", "print(a)", "print"),
    ("E0122", "x = 1.5", "1.5"),
    ("E0123", 'x = b"a"', 'b"a"'),
    ("E0124", "x = a[::2]", "2"),
    ("E0124", "x = a[1, 2]", "1, 2"),
    ("E0125", "x, *y = a", "*y"),
    ("E0126", "match a:\n        case [x, y]:\n            pass", "[x, y]"),
    ("E0126", "match a:\n        case P(x=1):\n            pass", "P(x=1)"),
    ("E0126", "match a:\n        case {}:\n            pass", "{}"),
    ("E0127", "x = y = 1", "x = y = 1"),
    ("E0127", "x, (y, z) = a", "(y, z)"),
    ("E0127", "a.x: u8 = 1", "a.x"),
    ("E0128", "a == 1", "a == 1"),
    ("E0128", "a", "a"),
    ("E0129", 'x = f"{a}"', 'f"{a}"'),
    ("E0129", 'f(f"{a!r}")', "a"),
    ("E0130", "x = ...", "..."),
    ("E0134", "assert a, f(a)", "f(a)"),
    ("E0135", 'f("\\ud800")', '"\\ud800"'),
]

STRUCTS = [
    ("E0133", "def __init__(self) -> None: pass"),
    ("E0133", "def __add__(self, other: u64) -> u64: return other"),
    ("E0133", "x = 5"),
    ("E0133", "print(1)"),
    ("E0130", "..."),
]


def findings(body: str) -> tuple[list[str], str]:
    source = SourceFile("m.py", f"def f(a: u64) -> None:\n    pass\n    {body}\n")
    function = ast.parse(source.text).body[0]
    assert isinstance(function, ast.FunctionDef)
    sink = DiagnosticSink()
    assert (not check_subset(function, sink, source)) == (not sink.diagnostics)
    codes = [found.code for found in sink.diagnostics]
    if not codes:
        return codes, ""
    span = sink.diagnostics[0].span
    assert span is not None and sink.diagnostics[0].fix
    return codes, source.lines[span.line - 1][span.column - 1 : span.end_column - 1]


def test_the_dialect_is_accepted() -> None:
    source = SourceFile("m.py", ACCEPTED)
    function = ast.parse(ACCEPTED).body[0]
    assert isinstance(function, ast.FunctionDef)
    sink = DiagnosticSink()
    assert not check_subset(function, sink, source), sink.diagnostics


@pytest.mark.parametrize(("code", "body", "marked"), REJECTED)
def test_rejected(code: str, body: str, marked: str) -> None:
    codes, place = findings(body)
    assert (codes, place) == ([code], marked)


def test_names_of_the_module_may_shadow_the_library() -> None:
    source = SourceFile("m.py", "def f(a: u64) -> u64:\n    return sum(a)\n")
    function = ast.parse(source.text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert check_subset(function, DiagnosticSink(), source) == {function.body[0]}
    assert not check_subset(function, DiagnosticSink(), source, {"sum"})


def test_heads_of_functions() -> None:
    source = SourceFile("m.py", "@cache\nasync def f() -> None: pass\n@property\ndef g(a, *b: u64): pass\n")
    sink = DiagnosticSink()
    for node in ast.parse(source.text).body:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        assert not check_signature(node, sink, source)
    assert [found.code for found in sink.diagnostics] == ["E0132", "E0106", "E0132", "E0131", "E0131", "E0111"]


@pytest.mark.parametrize(("code", "member"), STRUCTS)
def test_struct_bodies(code: str, member: str) -> None:
    source = SourceFile(
        "m.py", f'class A:\n    """Doc."""\n    x: u64 = 1\n    {member}\n    def m(self) -> None: pass\n'
    )
    cls = ast.parse(source.text).body[0]
    assert isinstance(cls, ast.ClassDef)
    sink = DiagnosticSink()
    assert not check_struct_body(cls, sink, source)
    assert [found.code for found in sink.diagnostics] == [code]


def test_deep_nesting_is_reported_not_suffered() -> None:
    assert findings("x = " + " + ".join(["a"] * (MAX_DEPTH - 10)))[0] == []
    assert findings("x = " + " + ".join(["a"] * (MAX_DEPTH + 10)))[0] == ["E0136"]
    chain = "if a == 0:\n        pass\n" + "".join(f"    elif a == {n}:\n        pass\n" for n in range(1, 200))
    assert findings(chain)[0] == ["E0136"]
