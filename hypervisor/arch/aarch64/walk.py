"""The page-table walk in software: what an input address translates to.

Used for reports and self-tests; follows tables as `memory/address_space.py` lays them out. Takes no lock: who needs to
know what holds after a change that is going on uses `page_table.query`.
"""

from __future__ import annotations

from compiler.language import Ptr, VirtAddr, assembly_block, u64
from hypervisor.memory.address_space import ADDRESS_MASK, ENTRY_SIZE, INDEX_MASK, TABLE_POINTER, is_table, level_shift
from hypervisor.memory.descriptors import Descriptor


@assembly_block(
    """
    in x0 = root, x1 = address, x2 = table_offset, x3 = first_level
    out x0
    clobber x4, x5, nzcv
    begin
        lsr     x4, x1, #30                         // a root's index is not masked: its tables lie side by side
        cbnz    x3, 1f
        lsr     x4, x1, #39                         // level 0: bits 47 to 39
        add     x5, x0, x2
        ldr     x0, [x5, x4, lsl #3]
        and     x5, x0, #{TABLE_POINTER}
        cmp     x5, #{TABLE_POINTER}                // a table, or else a block or nothing
        b.ne    2f
        and     x0, x0, #{ADDRESS_MASK}
        ubfx    x4, x1, #30, #9                     // level 1: bits 38 to 30
    1:  add     x5, x0, x2
        ldr     x0, [x5, x4, lsl #3]
        and     x5, x0, #{TABLE_POINTER}
        cmp     x5, #{TABLE_POINTER}
        b.ne    2f
        ubfx    x4, x1, #21, #9                     // level 2: bits 29 to 21
        and     x5, x0, #{ADDRESS_MASK}
        add     x5, x5, x2
        ldr     x0, [x5, x4, lsl #3]
        and     x5, x0, #{TABLE_POINTER}
        cmp     x5, #{TABLE_POINTER}
        b.ne    2f
        ubfx    x4, x1, #12, #9                     // level 3: bits 20 to 12
        and     x5, x0, #{ADDRESS_MASK}
        add     x5, x5, x2
        ldr     x0, [x5, x4, lsl #3]
    2:  tst     x0, #{Descriptor.VALID}
        csel    x0, x0, xzr, ne
        ret
    """,
    uses=(TABLE_POINTER,),
)
def walk(root: u64, address: u64, table_offset: u64, first_level: u64) -> u64:
    """The leaf descriptor that translates `address`, which is in range, or 0 where nothing does.

    `root` is the physical address of the root, a table of level 0 or tables of level 1; `table_offset` turns
    physical addresses of tables into the hypervisor's.
    """
    level: u64 = 0 if first_level == 0 else 1
    place = root + (address >> level_shift(level)) * ENTRY_SIZE
    entry = _entry(place, table_offset)
    while is_table(entry, level):
        level += 1
        index = (address >> level_shift(level)) & INDEX_MASK
        entry = _entry((entry & ADDRESS_MASK) + index * ENTRY_SIZE, table_offset)
    return entry if Descriptor(entry).VALID else 0


def _entry(place: u64, table_offset: u64) -> u64:
    return Ptr[u64].at(VirtAddr(place + table_offset)).value
