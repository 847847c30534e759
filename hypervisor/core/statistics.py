"""Counts of what a vCPU did, for the summary at the end of a run. The CPU that owns the vCPU writes them."""

from __future__ import annotations

from compiler.language import offset_of, static_assert, struct, u64


@struct
class Counts:
    """Since start-up."""

    requests: u64 = 0
    """Direct requests of it that were delivered."""
    calls: u64 = 0
    """FF-A calls, of any kind."""
    errors: u64 = 0
    """Calls that were answered with FFA_ERROR."""
    responses: u64 = 0
    """Direct responses of it that were delivered."""

    def add(self, other: Counts) -> None:
        """Make a sum."""
        self.requests += other.requests
        self.calls += other.calls
        self.errors += other.errors
        self.responses += other.responses


static_assert(offset_of(Counts, "calls") == offset_of(Counts, "requests") + 8, "short paths count in pairs")
static_assert(offset_of(Counts, "errors") == offset_of(Counts, "calls") + 8, "short paths count in pairs")
