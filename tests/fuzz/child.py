"""Compiles programs in a process of its own and says how each ended; run as `python -m tests.fuzz.child`.

Reads a JSON list of sources from standard input; writes one line of JSON for each: its number when it begins, and
"accepted", "rejected" or the traceback when it ends. A hang or the end of the process shows in what is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import tempfile
import traceback

from compiler.check import check_source
from compiler.check.ranges import remove_proven_checks
from compiler.check.verify import verify
from compiler.lower import LowerError, TargetOptions, lower
from compiler.syntax.diagnostics import CompileErrors, Diagnostic
from compiler.syntax.render import render_json, render_text
from compiler.syntax.source import SourceFile, SourceTexts
from tests.fuzz.mutations import entries

MEMORY_BYTES = 3 << 30


def outcome(source: str) -> str:
    """How the compilation of a program ends."""
    try:
        program = check_source(source, entries(source))
        verify(program, "the front end")
        _show(remove_proven_checks(program).warnings, source)
        verify(program, "range analysis")
        with contextlib.suppress(LowerError):
            lower(program, TargetOptions())
    except CompileErrors as errors:
        _show(errors.diagnostics, source)
        return "rejected" if errors.diagnostics else "rejected without a reason"
    except BaseException:
        return traceback.format_exc()
    return "accepted"


def _show(found: tuple[Diagnostic, ...] | list[Diagnostic], source: str) -> None:
    texts = SourceTexts([SourceFile("program.py", source)])
    render_text(found, texts).encode(errors="strict")
    json.dumps(render_json(found, texts))


def main() -> None:
    """Compile everything that standard input holds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sources: list[str] = json.load(sys.stdin)
    report = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number, source in enumerate(sources):
            print(json.dumps([number, None]), file=report)
            print(json.dumps([number, outcome(source)]), file=report)


if __name__ == "__main__":
    main()
