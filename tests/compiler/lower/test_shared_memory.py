"""Bytes that somebody else can change are read once: what is checked is what is used."""

from __future__ import annotations

import re

from compiler.check import check_source
from compiler.lower import TargetOptions, lower

SOURCE = """
from compiler.language import Array, UntrustedBytes, VirtAddr, array, export, u8, u64

@export("take")
def take(address: VirtAddr) -> u64:
    header: Array[u8] = array(4)
    if not UntrustedBytes.at(address, 4096).copy_in(0, header[0:4]):
        return 0
    if header[0] > 8:
        return 0
    return u64(header[0]) + header[0]
"""


def test_what_was_copied_in_is_read_once() -> None:
    ir = lower(check_source(SOURCE, ["take"]), TargetOptions(), want_llvm=True).llvm_ir
    assert not re.search(r"= load (?!volatile)|call void @llvm\.memcpy[^\n]*i1 false", ir), ir
    widths = [int(width) for width in re.findall(r"= load volatile i(\d+), ", ir)]
    assert sum(widths) == 8 * 4, ir
