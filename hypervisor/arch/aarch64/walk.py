"""The page-table walk in software: what an input address translates to.

Used for reports and self-tests; follows tables of three levels from level 1, as `memory/page_table.py` makes them.
"""

from __future__ import annotations

from compiler.language import Ptr, VirtAddr, assembly_block, u64
from hypervisor.memory.descriptors import Descriptor
from hypervisor.memory.page_table import ADDRESS_MASK, FIRST_LEVEL, LAST_LEVEL, PageTable, entry_index


@assembly_block(
    """
    in x0 = root, x1 = address, x2 = table_offset
    out x0
    clobber x3, x4, nzcv
    begin
        ubfx    x3, x1, #30, #9                     // level 1: bits 38 to 30
        add     x4, x0, x2
        ldr     x0, [x4, x3, lsl #3]
        and     x4, x0, #3
        cmp     x4, #3                              // a table, or else a block or nothing
        b.ne    2f
        ubfx    x3, x1, #21, #9                     // level 2: bits 29 to 21
        and     x4, x0, #{ADDRESS_MASK}
        add     x4, x4, x2
        ldr     x0, [x4, x3, lsl #3]
        and     x4, x0, #3
        cmp     x4, #3
        b.ne    2f
        ubfx    x3, x1, #12, #9                     // level 3: bits 20 to 12
        and     x4, x0, #{ADDRESS_MASK}
        add     x4, x4, x2
        ldr     x0, [x4, x3, lsl #3]
    2:  tst     x0, #{Descriptor.VALID}
        csel    x0, x0, xzr, ne
        ret
    """
)
def walk(root: u64, address: u64, table_offset: u64) -> u64:
    """The leaf descriptor that translates `address`, or 0 where nothing does.

    `root` is the physical address of the level 1 table; `table_offset` turns physical addresses of tables into the
    hypervisor's.
    """
    table_address = root
    for level in range(FIRST_LEVEL, LAST_LEVEL + 1):
        table = Ptr[PageTable].at(VirtAddr(table_address + table_offset)).value
        entry = Descriptor(table.entries[entry_index(address, level)])
        if not entry.VALID:
            return 0
        if level == LAST_LEVEL or not entry.TABLE:
            return entry.raw
        table_address = entry.raw & ADDRESS_MASK
    return 0
