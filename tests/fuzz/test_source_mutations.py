"""Mutated source files end in diagnostics or in a program: never in a traceback, an assertion, a hang, a dead process.

`TANTALUM_MUTATIONS` sets how many files are tried (5,000 for the full run), `TANTALUM_SEED` where to begin.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fuzz.mutations import corpus, mutate

COUNT = int(os.environ.get("TANTALUM_MUTATIONS", "400"))
FIRST_SEED = int(os.environ.get("TANTALUM_SEED", "0"))
PARTS = 4
BATCH = 100
LIMIT_SECONDS = 60
"""For a batch; a single file takes milliseconds."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """How a file ended."""

    seed: int
    source: str
    text: str


def compile_batch(sources: list[tuple[int, str]]) -> list[Outcome]:
    """Compile in a child; where it dies or hangs, that file failed and a new child goes on behind it."""
    outcomes: list[Outcome] = []
    rest = sources
    while rest:
        said, reason = run_child([source for _, source in rest])
        finished = [text for _, text in said if text is not None]
        outcomes += [Outcome(seed, source, text) for (seed, source), text in zip(rest, finished, strict=False)]
        if reason is not None:
            seed, source = rest[min(len(finished), len(rest) - 1)]
            outcomes.append(Outcome(seed, source, reason))
            finished.append(reason)
        rest = rest[len(finished) :]
    return outcomes


def run_child(sources: list[str]) -> tuple[list[tuple[int, str | None]], str | None]:
    """What the child says, and how it died if it did."""
    command = [sys.executable, "-m", "tests.fuzz.child"]
    reason: str | None = None
    try:
        done = subprocess.run(
            command, input=json.dumps(sources).encode(), capture_output=True, cwd=ROOT, timeout=LIMIT_SECONDS
        )
        output = done.stdout
        if done.returncode:
            reason = f"the compiler's process ended with status {done.returncode}: {done.stderr.decode()[-2000:]}"
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        reason = f"not finished after {LIMIT_SECONDS} seconds"
    return [tuple(json.loads(line)) for line in output.decode().splitlines()], reason


def mutated_sources(part: int) -> list[tuple[int, str]]:
    programs = corpus()
    seeds = range(FIRST_SEED + part, FIRST_SEED + COUNT, PARTS)
    return [(seed, mutate(random.Random(seed).choice(programs), programs, seed)) for seed in seeds]


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_files(part: int) -> None:
    sources = mutated_sources(part)
    outcomes: list[Outcome] = []
    for start in range(0, len(sources), BATCH):
        outcomes += compile_batch(sources[start : start + BATCH])
    failures = [found for found in outcomes if found.text not in ("accepted", "rejected")]
    counts = Counter(found.text if found.text in ("accepted", "rejected") else "failed" for found in outcomes)
    print(f"seeds {FIRST_SEED} to {FIRST_SEED + COUNT - 1}: {dict(counts)}")
    shown = "\n\n".join(f"seed {found.seed}\n{found.source}\n{found.text}" for found in failures[:5])
    assert not failures, f"{len(failures)} of {len(outcomes)} files\n{shown}"
    assert counts["rejected"] and counts["accepted"]
