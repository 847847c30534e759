"""A byte ring buffer with free-running indices, as consoles and mailboxes use."""

from __future__ import annotations

from compiler.language import Array, Slice, array, export, struct, u8, u32, u64, wrapping_add, wrapping_sub

CAPACITY = 256


@struct
class Ring:
    """`head` counts bytes put in, `tail` bytes taken out, both modulo 2**32."""

    head: u32 = 0
    tail: u32 = 0
    data: Array[u8] = array(CAPACITY)

    def put(self, byte: u8) -> bool:
        """Append a byte; False when full."""
        if wrapping_sub(self.head, self.tail) == CAPACITY:
            return False
        self.data[self.head % CAPACITY] = byte
        self.head = wrapping_add(self.head, 1)
        return True

    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return self.head == self.tail

    def take(self) -> u8:
        """Remove the oldest byte; the ring must not be empty."""
        byte = self.data[self.tail % CAPACITY]
        self.tail = wrapping_add(self.tail, 1)
        return byte


@export("ring_write")
def ring_write(ring: Ring, source: Slice[u8]) -> u64:
    """Put bytes until the ring is full; how many went in."""
    count: u64 = 0
    for byte in source:
        if not ring.put(byte):
            break
        count += 1
    return count


@export("ring_read")
def ring_read(ring: Ring, target: Slice[u8]) -> u64:
    """Take bytes until the ring is empty or `target` is full; how many came out."""
    count: u64 = 0
    while count < len(target) and not ring.is_empty():
        target[count] = ring.take()
        count += 1
    return count
