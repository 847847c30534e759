"""The hypervisor's locks; their order is in `runtime/locks.py`."""

from __future__ import annotations

from compiler.language import lock_rank, struct
from runtime.locks import PAGE_POOL_RANK, TicketLock


@lock_rank(PAGE_POOL_RANK)
@struct
class PagePoolLock(TicketLock):
    """Guards the page pool's bitmap."""
