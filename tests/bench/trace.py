"""Follows the instructions that an image executes under QEMU, one by one, and sorts them by kind.

QEMU translates one instruction at a time (-singlestep) and names each before it executes it (-d exec,nochain), on
its standard error; what lies outside the given range is not logged. Counts are exact: an entry that QEMU takes back
("Stopped execution") is taken back here.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from threading import Timer

from compiler.driver.errors import ToolError

TIMEOUT_SECONDS = 120
CONSOLE_SHOWN = 2000
_ENTRY = re.compile(r"^Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/")
_TAKEN_BACK = "Stopped execution"


class Kind(Enum):
    """What an instruction costs a CPU, roughly."""

    PLAIN = "plain"
    MEMORY = "load/store"
    SYSTEM = "system"
    BARRIER = "barrier"
    TLB = "TLB"


Counts = Counter[Kind]


def kind_of(word: int) -> Kind:
    """The kind of an A64 instruction, by its encoding (DDI 0487, C4.1)."""
    if word >> 25 & 0b0101 == 0b0100:
        return Kind.MEMORY
    if word >> 22 != 0b1101010100:
        return Kind.PLAIN
    op0, crn = word >> 19 & 3, word >> 12 & 15
    if op0 == 0:
        return {3: Kind.BARRIER, 4: Kind.SYSTEM}.get(crn, Kind.PLAIN)  # 2: hints
    if op0 == 1:
        return Kind.TLB if crn in (8, 9) else Kind.SYSTEM
    return Kind.SYSTEM


def addresses(log: Iterable[str]) -> Iterator[int]:
    """The addresses of the instructions of a log, in the order of execution."""
    pending: int | None = None
    for line in log:
        found = _ENTRY.match(line)
        if found:
            if pending is not None:
                yield pending
            pending = int(found[1], 16)
        elif line.startswith(_TAKEN_BACK):
            pending = None
    if pending is not None:
        yield pending


def visits(executed: Iterable[int], entry: int) -> list[list[int]]:
    """What was executed from each entry into the image up to the next; what comes before the first is left out."""
    found: list[list[int]] = []
    for address in executed:
        if address == entry:
            found.append([])
        if found:
            found[-1].append(address)
    return found


def follow(command: Sequence[str], start: int, size_bytes: int) -> list[int]:
    """Run QEMU and give the addresses that it executed in the range; ToolError when the image ends in an error."""
    options = ["-singlestep", "-d", "exec,nochain", "-dfilter", f"{start:#x}+{size_bytes:#x}"]
    with tempfile.TemporaryFile() as console:
        with subprocess.Popen(
            [*command, *options], stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.PIPE
        ) as process:
            watchdog = Timer(TIMEOUT_SECONDS, process.kill)
            watchdog.start()
            assert process.stderr is not None
            executed = list(addresses(line.decode(errors="replace") for line in process.stderr))
            watchdog.cancel()
        console.seek(0)
        text = console.read().decode(errors="replace")
    if process.returncode != 0:
        raise ToolError(
            "B114",
            f"the measured image ended with status {process.returncode}; its console said\n{text[-CONSOLE_SHOWN:]}",
            where="bench ffa",
            fix="run it by itself: ./build.py run --image measure",
            status=1,
        )
    return executed
