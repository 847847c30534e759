"""The hypervisor's locks; their order is in `runtime/locks.py`."""

from __future__ import annotations

from compiler.language import lock_rank, struct
from runtime.locks import ADDRESS_SPACE_RANK, IDENTIFIERS_RANK, PAGE_POOL_RANK, TicketLock


@lock_rank(ADDRESS_SPACE_RANK)
@struct
class AddressSpaceLock(TicketLock):
    """Guards the translation tables of one address space."""


@lock_rank(PAGE_POOL_RANK)
@struct
class PagePoolLock(TicketLock):
    """Guards the page pool's bitmaps."""


@lock_rank(IDENTIFIERS_RANK)
@struct
class IdentifiersLock(TicketLock):
    """Guards the numbers of address spaces."""
