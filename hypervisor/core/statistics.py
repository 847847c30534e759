"""Counts of what happened, for the summary at the end of a run. Any CPU adds to them at any time."""

from __future__ import annotations

from compiler.language import Atomic, static, struct, u64


@struct
class Statistics:
    """Since start-up."""

    calls: Atomic[u64] = Atomic(0)
    """FF-A calls, of any kind."""
    errors: Atomic[u64] = Atomic(0)
    """Calls that were answered with FFA_ERROR."""
    requests: Atomic[u64] = Atomic(0)
    """Direct requests delivered."""
    responses: Atomic[u64] = Atomic(0)
    """Direct responses delivered."""


STATISTICS: Statistics = static(Statistics(), align=64)
