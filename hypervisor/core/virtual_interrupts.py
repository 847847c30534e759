"""The virtual interrupts of a vCPU: which it has enabled, and which are pending, oldest first.

There is no virtual GIC: a guest enables, takes and sends interrupts by paravirtual calls. `posted` is open to every
CPU; all else belongs to the CPU that owns the vCPU, which collects what was posted before it looks at the queue.
"""

from __future__ import annotations

from compiler.language import Array, Atomic, EnumU8, Ordering, array, static_assert, struct, u8, u64

INTERRUPT_COUNT = 64
"""Numbers below this one fit the words of `VirtualInterrupts`."""
QUEUE_SIZE = 4


class VirtualInterrupt(EnumU8):
    """The interrupts that exist: numbers are those of Hafnium."""

    TIMER = 3
    """The guest's own virtual timer has fired."""
    MANAGED_EXIT = 4
    NOTIFICATION = 5
    """A notification is pending."""
    IPI = 9
    """Another vCPU of the partition sent it."""


static_assert(len(VirtualInterrupt) == QUEUE_SIZE, "each of them fits the queue once, and is not in it twice")
KNOWN = sum(1 << interrupt.value for interrupt in VirtualInterrupt)


class Line(EnumU8):
    """What a pending interrupt asserts."""

    IRQ = 0
    FIQ = 1


@struct
class VirtualInterrupts:
    """Zero-filled: nothing enabled, nothing pending."""

    posted: Atomic[u64] = Atomic(0)
    """A bit for each interrupt that somebody made pending and the owner has not collected."""
    enabled: u64 = 0
    fast: u64 = 0
    """Those that assert FIQ."""
    pending: u64 = 0
    """Those in the queue."""
    queue: Array[u8] = array(QUEUE_SIZE)
    queue_size: u64 = 0

    def post(self, interrupt: VirtualInterrupt) -> None:
        """Make an interrupt pending."""
        self.posted.fetch_or(1 << u64(interrupt.value), Ordering.RELEASE)

    def reset(self) -> None:
        """Nothing enabled, nothing pending."""
        self.posted.store(0, Ordering.RELAXED)
        self.enabled = 0
        self.fast = 0
        self.pending = 0
        self.queue_size = 0

    def collect(self) -> None:
        """Queue what was posted; what is pending already stays where it is."""
        posted = self.posted.exchange(0, Ordering.ACQUIRE) & ~self.pending
        if posted == 0:
            return
        for number in range(INTERRUPT_COUNT):
            if posted >> number & 1 != 0:
                self.queue[self.queue_size] = u8(number)
                self.queue_size += 1
        self.pending |= posted

    def enable(self, number: u64, is_enabled: bool, line: Line) -> None:
        """Let an interrupt be seen, or not; it can be pending all the same."""
        bit: u64 = 1 << number
        self.enabled = self.enabled | bit if is_enabled else self.enabled & ~bit
        self.fast = self.fast | bit if line == Line.FIQ else self.fast & ~bit

    def is_enabled(self, interrupt: VirtualInterrupt) -> bool:
        """Whether an interrupt may be seen."""
        return self.enabled >> u64(interrupt.value) & 1 != 0

    def has_pending(self) -> bool:
        """Whether an enabled interrupt is in the queue."""
        return self.pending & self.enabled != 0

    def asserts(self, line: Line) -> bool:
        """Whether one that is enabled asserts the line."""
        wanted = self.fast if line == Line.FIQ else ~self.fast
        return self.pending & self.enabled & wanted != 0

    def take(self) -> u64 | None:
        """The oldest that is enabled; it is no longer pending."""
        for position in range(self.queue_size):
            number = self.queue[position]
            if self.enabled >> number & 1 != 0:
                self._remove(position)
                return number
        return None

    def cancel(self, interrupt: VirtualInterrupt) -> None:
        """The interrupt's reason is gone."""
        self.collect()
        for position in range(self.queue_size):
            if self.queue[position] == interrupt.value:
                self._remove(position)
                return

    def _remove(self, position: u64) -> None:
        """Close the gap in the queue."""
        self.pending &= ~(1 << u64(self.queue[position]))
        for later in range(position + 1, self.queue_size):
            self.queue[later - 1] = self.queue[later]
        self.queue_size -= 1
