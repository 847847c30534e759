"""Generated programs do the same under CPython, as native code of the host, and for AArch64 at O0 and O2.

A case is one call: its result, what became of its arguments and of static objects, or the kind and line of its trap.
`TANTALUM_CASES` sets how many run, `TANTALUM_SEED` the first seed. Odd seeds are compiled as images are (pointer
authentication, branch targets, strict alignment) and with LSE atomics.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from compiler.check import check_source
from tests.differential.conftest import CASES, SEED
from tests.differential.generator import generate
from tests.differential.ways import LIKE_IMAGES, PLAIN, argument_rows, four_ways, mismatches

_CASES_PER_PROGRAM = 400
_PROGRAM_COUNT = (CASES + _CASES_PER_PROGRAM - 1) // _CASES_PER_PROGRAM


@pytest.mark.parametrize("seed", range(SEED, SEED + _PROGRAM_COUNT))
def test_generated_program(seed: int, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    generated = generate(seed)
    source = tmp_path / f"seed_{seed}.py"
    source.write_text(generated.source)
    program = check_source(generated.source, generated.entries)
    random = Random(seed)
    rows_per_function = _CASES_PER_PROGRAM // len(program.entries) + 1
    ways = four_ways(program, LIKE_IMAGES if seed % 2 else PLAIN)
    found: list[str] = []
    for function in program.entries:
        found += mismatches(ways, function, argument_rows(random, function, rows_per_function))
    record_property("generated cases", rows_per_function * len(program.entries))
    for session in ways.values():
        session.close()
    assert not found, f"seed {seed}, source in {source}, {len(found)} mismatches:\n" + "\n".join(found[:3])
