"""Makes wrong programs out of right ones: source text changed at random inside functions, structs and annotations.

Module-level statements stay as they are, since the compiler runs them; only definitions are changed. A seed gives the
same text for ever.
"""

from __future__ import annotations

import ast
import io
import random
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

from tests.compiler.reject import cases

ROOT = Path(__file__).parents[2]
_WORDS = (
    *("if", "else", "while", "for", "in", "is", "not", "and", "or", "return", "with", "as", "match", "case", "pass"),
    *("break", "continue", "None", "True", "False", "lambda", "yield", "await", "del", "try", "raise", "assert"),
    *("u8", "u32", "u64", "i64", "bool", "str", "Ptr", "Slice", "Array", "Value", "copy", "array", "zeroed", "len"),
    *("range", "enumerate", "reversed", "min", "max", "truncate", "wrapping_add", "checked_add", "address_of", "panic"),
    *("size_of", "static_assert", "isinstance", "PhysAddr", "utf8", "bytes_of", "slice_of", "cpu_index", "dsb", "self"),
    *("0", "1", "2", "63", "64", "255", "256", "0xFFFF_FFFF_FFFF_FFFF", "18446744073709551616", "-1", "1.5", '"text"'),
    *("(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "==", "!=", "<", ">=", "+", "-", "*", "**", "//", "/", "%"),
    *("<<", ">>", "&", "|", "^", "~", ":=", "->", "@", "...", "*=", "<<=", 'f"{x}"', "b''", "\n", "    ", ";"),
)


def corpus() -> list[str]:
    """Programs to start from: examples of the documentation, hypervisor, runtime, kernels, and rejected ones."""
    pages = [*sorted((ROOT / "docs" / "errors").glob("[EW]*.md")), ROOT / "docs" / "language.md"]
    texts: list[str] = []
    for page in pages:
        if page.exists():
            texts += re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    for folder in ("hypervisor", "runtime", "tests/bench/kernels"):
        texts += [file.read_text(encoding="utf-8") for file in sorted((ROOT / folder).rglob("*.py"))]
    texts += [case.source for case in cases.cases()][::4]
    return [text for text in texts if entries(text)]


def entries(text: str) -> list[str]:
    """What to compile of a program: `main`, or every function of the file."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return cases.entries(text)
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("main")] or names


def mutate(source: str, others: list[str], seed: int) -> str:
    """`source` with one to five changes inside its definitions."""
    choose = random.Random(seed)
    changes: list[Callable[[str, random.Random], str]] = [
        _change_tokens,
        _change_kind,
        _change_kind,
        _swap_expressions,
        _swap_expressions,
        lambda text, rng: _graft(text, rng.choice(others), rng),
        _drop_statement,
        _repeat_characters,
    ]
    text = source
    for _ in range(choose.choice((1, 1, 1, 2, 3, 5))):
        text = choose.choice(changes)(text, choose)
    return text


def _definitions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Definitions that are compiled and not run: those that module-level statements do not use."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = {node.name: node for node in tree.body if isinstance(node, kinds)}
    pending: list[ast.AST] = [node for node in tree.body if not isinstance(node, kinds)]
    while pending:
        for part in ast.walk(pending.pop()):
            if isinstance(part, ast.Name) and part.id in found and isinstance(found[part.id], ast.FunctionDef):
                pending.append(found.pop(part.id))
    return list(found.values())


def _definition_lines(text: str) -> list[tuple[int, int]]:
    """First and last line (from 1) of each definition that may be changed, without its decorators."""
    try:
        nodes = _definitions(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        return []
    spans = [(node.lineno, node.end_lineno or node.lineno) for node in nodes]
    return [span for span in spans if span[1] <= text.count("\n") + 1]


def _change_tokens(text: str, rng: random.Random) -> str:
    spans = _definition_lines(text)
    if not spans:
        return text
    first, last = rng.choice(spans)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    last = min(last, text.count("\n") + 1)
    inside = [token for token in tokens if first <= token.start[0] <= last and token.string.strip()]
    if len(inside) < 3:
        return text
    token = rng.choice(inside[2:])
    replacement = rng.choice(("", f"{token.string} {token.string}", rng.choice(_WORDS), rng.choice(inside).string))
    lines = text.split("\n")
    line = lines[token.start[0] - 1]
    if token.start[0] == token.end[0]:
        lines[token.start[0] - 1] = line[: token.start[1]] + replacement + line[token.end[1] :]
    return "\n".join(lines)


_ALIKE = (
    ("+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"),
    ("==", "!=", "<", "<=", ">", ">="),
    ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"),
    ("and", "or"),
    ("True", "False"),
    ("+=", "-=", "*=", "//=", "%=", "&=", "|=", "^=", "<<=", ">>="),
    ("wrapping_add", "wrapping_sub", "saturating_add", "saturating_sub", "rotate_left", "min", "max"),
    ("0", "1", "2", "7", "8", "31", "63", "255", "4096", "0x8000_0000", "0xFFFF_FFFF_FFFF_FFFF"),
)


def _change_kind(text: str, rng: random.Random) -> str:
    """An operator, number or type changed to another of its kind, which often gives a valid program."""
    spans = _definition_lines(text)
    places = [
        (number, found.start(), found.group(), group)
        for first, last in spans
        for number in range(first - 1, last)
        for found in re.finditer(r"[A-Za-z_]\w*|\d\w*|[^\w\s()\[\]{}.,:'\"]+", text.split("\n")[number])
        for group in _ALIKE
        if found.group() in group or (group[0] == "0" and found.group().isdigit())
    ]
    if not places:
        return text
    number, column, old, group = rng.choice(places)
    lines = text.split("\n")
    lines[number] = lines[number][:column] + rng.choice(group) + lines[number][column + len(old) :]
    return "\n".join(lines)


def _expressions(tree: ast.Module) -> list[ast.expr]:
    bodies = [statement for node in _definitions(tree) for statement in node.body]
    return [part for body in bodies for part in ast.walk(body) if isinstance(part, ast.expr) and _has_place(part)]


def _has_place(node: ast.expr) -> bool:
    return node.lineno == node.end_lineno and node.end_col_offset is not None


def _replaced(text: str, node: ast.expr, by: str) -> str:
    lines = text.split("\n")
    if node.lineno > len(lines):
        return text
    line = lines[node.lineno - 1].encode()
    assert node.end_col_offset is not None
    lines[node.lineno - 1] = (line[: node.col_offset] + by.encode() + line[node.end_col_offset :]).decode(
        errors="ignore"
    )
    return "\n".join(lines)


def _swap_expressions(text: str, rng: random.Random) -> str:
    return _graft(text, text, rng)


def _graft(text: str, other: str, rng: random.Random) -> str:
    """An expression of `other` in the place of one of `text`."""
    try:
        targets, sources = _expressions(ast.parse(text)), _expressions(ast.parse(other))
    except (SyntaxError, ValueError):
        return text
    if not targets or not sources:
        return text
    try:
        grafted = ast.unparse(rng.choice(sources))
    except RecursionError:
        return text
    return _replaced(text, rng.choice(targets), grafted.replace("\n", " "))


def _drop_statement(text: str, rng: random.Random) -> str:
    spans = _definition_lines(text)
    if not spans:
        return text
    first, last = rng.choice(spans)
    lines = text.split("\n")
    if last > first:
        del lines[rng.randrange(first, last)]
    return "\n".join(lines)


def _repeat_characters(text: str, rng: random.Random) -> str:
    """A stretch of a definition many times over, or a strange character in it."""
    spans = _definition_lines(text)
    if not spans:
        return text
    first, last = rng.choice(spans)
    lines = text.split("\n")
    number = rng.randrange(first, last) if last > first else first - 1
    line = lines[number]
    at = rng.randrange(len(line) + 1)
    extra = rng.choice(("(", "-", "~", "not ", "1 + ", "[0]", "é", "\t", "\0", "\u202e", "日", "\\", "#", "\r", "\x0c"))
    lines[number] = line[:at] + extra * rng.choice((1, 1, 3, 90, 400)) + line[at:]
    return "\n".join(lines)
