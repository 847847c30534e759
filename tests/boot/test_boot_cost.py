"""What a boot costs: instructions from the image's first to the primary's first, counted in QEMU's log of each."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.boot.contract_guests import Contract

IMAGE_BASE = 0x4000_1000
PRIMARY_BASE = 0x4028_0000
ADDRESS_MASK = (1 << 39) - 1
"""The hypervisor runs at physical addresses, or in the upper half that far above them."""
MIB = 1 << 20
EXECUTED = re.compile(rb"Trace \d+: 0x\w+ \[\w+/(\w+)/")


def instruction_count(contract: Contract, cpu: str) -> int:
    """Boot one CPU, one instruction at a time."""
    log = contract.folder / "executed"
    command = [*contract.command(cpu), "-singlestep", "-d", "exec,nochain", "-D", str(log)]
    subprocess.run(command, cwd=contract.folder, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    count = 0
    with log.open("rb") as lines:
        for line in lines:
            found = EXECUTED.match(line)
            address = int(found[1], 16) & ADDRESS_MASK if found is not None else 0
            if address == PRIMARY_BASE:
                return count
            if count > 0 or address == IMAGE_BASE:
                count += 1
    pytest.fail("the primary was not entered")


@pytest.mark.parametrize("cpu", ["max", "cortex-a57"])
@pytest.mark.parametrize(("secondary_count", "at_most"), [(0, 200_000), (3, 500_000)])
def test_the_primary_is_soon_entered(tmp_path: Path, cpu: str, secondary_count: int, at_most: int) -> None:
    contract = Contract(tmp_path, memory_sizes=[MIB] * secondary_count)
    contract.make()
    count = instruction_count(contract, cpu)
    print(f"{count} instructions, {secondary_count} secondaries, {cpu}")
    assert 10_000 < count <= at_most
