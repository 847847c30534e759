"""Spin locks, and the order in which they may be taken.

A lock may be taken while locks of lower rank are held; the compiler rejects any other order. All ranks stand here.
"""

from __future__ import annotations

from compiler.language import Atomic, Ordering, lock_rank, no_inline, spin_hint, struct, u32

TX_BUFFER_RANK = 2
RX_BUFFER_RANK = 4
NOTIFICATIONS_RANK = 6
ADDRESS_SPACE_RANK = 8
PAGE_POOL_RANK = 10
IDENTIFIERS_RANK = 12
CONSOLE_RANK = 90
"""The last: anything may be logged at any time."""


@struct
class TicketLock:
    """First come, first served. Zero-filled it is free."""

    next_ticket: Atomic[u32] = Atomic(0)
    now_serving: Atomic[u32] = Atomic(0)

    @no_inline
    def __enter__(self) -> None:
        ticket = self.next_ticket.fetch_add(1, Ordering.RELAXED)
        while self.now_serving.load(Ordering.ACQUIRE) != ticket:
            spin_hint()

    @no_inline
    def __exit__(self, _kind: object, _error: object, _trace: object) -> None:
        self.now_serving.fetch_add(1, Ordering.RELEASE)


@lock_rank(CONSOLE_RANK)
@struct
class ConsoleLock(TicketLock):
    """Keeps the lines of several CPUs apart."""
