"""Instructions executed by kernels in the dialect, checks on and off, compared with C by clang -O2.

Both are compiled for the same CPU with general registers only and run on the same inputs in an emulator; results and
buffers must be equal. The rows are ratios dialect / C; the limits are on the geometric means.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from compiler.check import check_program
from compiler.check.ranges import remove_proven_checks
from compiler.cli.bench import Options, Row
from compiler.driver import debian
from compiler.driver.errors import ToolError
from compiler.link import link, load_script
from compiler.lower import lower
from compiler.lower.options import TargetOptions
from compiler.program.program import Program
from tests.bench.counting import Machine, Outcome
from tests.bench.workloads import Workload, workloads

ROOT = Path(__file__).resolve().parents[2]
KERNELS = Path(__file__).resolve().parent / "kernels"
BASE = 0x10000
LIMIT_UNCHECKED = 1.05
LIMIT_CHECKED = 1.20
CLANG_OPTIONS = (
    "--target=aarch64-linux-gnu",
    "-O2",
    "-mcpu=generic",
    "-mgeneral-regs-only",
    "-ffreestanding",
    "-fno-builtin",
)


@dataclass(frozen=True)
class Comparison:
    """Instructions of one workload under the three compilations."""

    workload: Workload
    c_count: int
    unchecked_count: int
    checked_count: int


def run(options: Options) -> list[Row]:
    """Compare every kernel; two rows each and the two geometric means."""
    rows: list[Row] = []
    comparisons = [compare(workload) for workload in workloads()]
    for found in comparisons:
        title = found.workload.title
        rows.append(Row(f"{title}: C", found.c_count, "instructions"))
        rows.append(Row(f"{title}: checks off", found.unchecked_count / found.c_count, "x C"))
        rows.append(Row(f"{title}: checks on", found.checked_count / found.c_count, "x C"))
    unchecked = [found.unchecked_count / found.c_count for found in comparisons]
    checked = [found.checked_count / found.c_count for found in comparisons]
    rows.append(Row("geometric mean, checks off", geometric_mean(unchecked), "x C", LIMIT_UNCHECKED))
    rows.append(Row("geometric mean, checks on", geometric_mean(checked), "x C", LIMIT_CHECKED))
    return rows


def compare(workload: Workload) -> Comparison:
    """Run one kernel's workload three times and insist on equal outcomes."""
    reference = Machine(compile_c(workload.kernel)).run(workload.steps)
    counts: list[int] = []
    for checks in (False, True):
        outcome = Machine(compile_dialect(workload.kernel, checks)).run(workload.steps)
        _insist_equal(workload, reference, outcome)
        counts.append(outcome.instruction_count)
    return Comparison(workload, reference.instruction_count, counts[0], counts[1])


def _insist_equal(workload: Workload, reference: Outcome, outcome: Outcome) -> None:
    different = [name for name, data in reference.buffers.items() if outcome.buffers[name] != data]
    if reference.results != outcome.results or different:
        raise ToolError(
            "B113",
            f"{workload.kernel}: the dialect's code and the C code disagree "
            f"(results {outcome.results} and {reference.results}, different buffers: {different or 'none'})",
            where="bench codegen",
            fix="this is a defect of the compiler or of the kernel's two versions; compare them",
            status=1,
        )


def checked_kernel(kernel: str) -> Program:
    """The kernel's typed program: the functions that its workload calls."""
    return check_program([f"tests.bench.kernels.{kernel}:{symbol}" for symbol in _entries(kernel)], name=kernel)


def compile_dialect(kernel: str, checks: bool) -> bytes:
    """Compile and link a dialect kernel; the ELF."""
    program = checked_kernel(kernel)
    remove_proven_checks(program)
    lowered = lower(program, TargetOptions(checks=checks))
    return _link(kernel, lowered.object)


def compile_c(kernel: str) -> bytes:
    """Compile and link a C kernel with Debian's clang; the ELF."""
    debian.require(["test"], "bench codegen")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, f"{kernel}.o")
        command = ["clang", *CLANG_OPTIONS, "-c", str(KERNELS / f"{kernel}.c"), "-o", str(target)]
        subprocess.run(command, check=True)
        return _link(kernel, target.read_bytes())


def _link(kernel: str, object_bytes: bytes) -> bytes:
    script = load_script(ROOT / "linker_scripts" / "program.ld")
    symbols = {"PROGRAM_BASE": BASE, "STACK_SIZE": 0}
    entries = _entries(kernel)
    return link([(f"{kernel}.o", object_bytes)], script, symbols=symbols, entry=entries[0], keep=entries).elf


def _entries(kernel: str) -> list[str]:
    return sorted({step.symbol for workload in workloads() if workload.kernel == kernel for step in workload.steps})


def geometric_mean(ratios: list[float]) -> float:
    """The n-th root of the product."""
    return math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios))
