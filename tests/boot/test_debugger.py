"""What gdb-multiarch shows of the hypervisor and of a partition, both in the image that QEMU runs."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from compiler.cli.run import debugger_hint
from compiler.driver import runner
from compiler.driver.images import alias_offset, find_image
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import BuildResult, Inputs
from compiler.driver.stages import Profile, Target
from tests.boot.machine import hypervisor, partition, platform
from tests.tools import debian_tool

IMAGE = find_image("hypervisor")
CONSOLE_LOG = Path("hypervisor", "ffa", "console_log.py")
PING = Path("hypervisor", "partitions", "ping.py")


def place(file: Path, text: str) -> str:
    """`name.py:LINE` of the only line that holds a text."""
    (line,) = [number for number, line in enumerate((ROOT / file).read_text().splitlines(), 1) if text in line]
    return f"{file.name}:{line}"


def gdb(cpu: str | None, *commands: str) -> str:
    """Debug a run from its first instruction, as `run --gdb` says, of images without optimisation, which keep all
    arguments; return what gdb prints."""
    elf = hypervisor(Profile.DEBUG)
    qemu = runner.run_command(platform(), elf, elf, runner.RunOptions(cpu=cpu, gdb=True))
    qemu[qemu.index(f"tcp::{runner.GDB_PORT}")] = "stdio"
    qemu[qemu.index("-serial") + 1] = "null"
    qemu[0] = debian_tool(qemu[0])
    partitions = [partition(name, Profile.DEBUG) for name in IMAGE.partitions]
    attach = runner.gdb_command(elf, alias_offset(IMAGE), partitions)
    attach[attach.index(f"target remote :{runner.GDB_PORT}")] = f"target remote | {shlex.join(qemu)}"
    attach[0] = debian_tool(attach[0])
    arguments = [part for command in (*commands, "kill") for part in ("-ex", command)]
    command = [*attach, "-q", "-nx", "-batch", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    ).stdout


@pytest.mark.parametrize("cpu", [None, "cortex-a72"])
def test_a_breakpoint_in_a_handler_shows_line_callers_and_arguments(cpu: str | None) -> None:
    said = gdb(
        cpu, f"break {place(CONSOLE_LOG, 'return _print(caller, endpoint, call.x1')}", "continue", "bt", "info args"
    )
    assert re.search(
        r"Breakpoint 1(\.\d)?, handle_64 \(caller=\.\.\., endpoint=\.\.\., call=\.\.\., reply=\.\.\.\)", said
    )
    assert "    return _print(caller, endpoint, call.x1, " in said
    assert re.search(r"#1 .* in dispatch \(caller=.*\) at hypervisor/ffa/dispatch\.py:\d+", said)
    assert re.search(r"#2 .* in handle_call \(x0=3288334474, x1=5, .*\) at hypervisor/ffa/dispatch\.py:\d+", said)
    assert re.search(r"#3 .*\.serve_exception \(\) at hypervisor/arch/aarch64/switch\.py:\d+", said)
    assert re.search(r"^call = (@0x\w+: )?\{x0 = 3288334474, x1 = 5, x2 = 521375147378, ", said, re.MULTILINE)
    assert re.search(r"^caller = (@0x\w+: )?\{.*index = ", said, re.MULTILINE)


@pytest.mark.parametrize("cpu", [None, "cortex-a72"])
def test_a_breakpoint_in_a_partition_shows_line_callers_and_arguments(cpu: str | None) -> None:
    said = gdb(cpu, f"break {place(PING, 'assert response.x3 == round_number')}", "continue", "bt", "print $cpsr & 0xf")
    assert re.search(r"Breakpoint 1, exchange \(own_id=3, round_number=0\) at hypervisor/partitions/ping\.py:\d+", said)
    assert '    assert response.x3 == round_number, "the response to another request"' in said
    assert re.search(r"#1 .* in partition_main \(\) at hypervisor/partitions/ping\.py:\d+", said)
    assert re.search(r"#2 .* in _start \(\) at runtime/partition/start\.py:\d+", said)
    assert "$1 = 0" in said  # EL0


def test_run_says_how_to_attach_and_with_all_symbols() -> None:
    target = Target(ROOT, IMAGE, platform(), Profile.RELEASE)
    elf = ROOT / "build" / "qemu" / "hypervisor.elf"
    result = BuildResult(target, Inputs({}, 0, {}), {"elf": elf}, {}, {}, (), up_to_date=True)
    assert debugger_hint(result) == (
        "waiting for a debugger; in another terminal, in the folder of build.py:\n"
        "  gdb-multiarch -ex 'set confirm off' -ex 'add-symbol-file build/qemu/hypervisor.elf -o 0xffffff8000000000' "
        "-ex 'add-symbol-file build/qemu/ping.elf' -ex 'add-symbol-file build/qemu/pong.elf' "
        "-ex 'target remote :1234' build/qemu/hypervisor.elf"
    )
