"""Atomic fields and lock ranks.

An `Atomic[u64]` is a field or element that is only reached through its methods, each with a memory ordering. A lock
is any struct with `__enter__` and `__exit__`, taken by `with`; `@lock_rank(n)` gives its place in the lock order, and
taking a lock while one of the same or a higher rank is held is a compile error.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, TypeVar

from compiler.language.errors import only_in_function

T = TypeVar("T")
C = TypeVar("C", bound=type[Any])
LOCK_RANK = "__tantalum_lock_rank__"


class Ordering(Enum):
    """Memory orderings; passed as literals."""

    RELAXED = "monotonic"
    ACQUIRE = "acquire"
    RELEASE = "release"
    ACQ_REL = "acq_rel"
    SEQ_CST = "seq_cst"


class Atomic(Generic[T]):
    """An integer, enum or distinct number that several CPUs change."""

    def __init__(self, value: T) -> None:
        self.initial = value

    def load(self, order: Ordering = Ordering.ACQUIRE) -> T:
        """The value; RELAXED, ACQUIRE or SEQ_CST."""
        raise only_in_function("Atomic.load", order)

    def store(self, value: T, order: Ordering = Ordering.RELEASE) -> None:
        """Replace the value; RELAXED, RELEASE or SEQ_CST."""
        raise only_in_function("Atomic.store", value, order)

    def exchange(self, value: T, order: Ordering = Ordering.ACQ_REL) -> T:
        """Replace the value and give the old one."""
        raise only_in_function("Atomic.exchange", value, order)

    def compare_exchange(self, expected: T, desired: T, order: Ordering = Ordering.ACQ_REL) -> bool:
        """Replace `expected` by `desired`; whether it did."""
        raise only_in_function("Atomic.compare_exchange", expected, desired, order)

    def fetch_add(self, amount: int, order: Ordering = Ordering.ACQ_REL) -> T:
        """Add modulo 2**width and give the old value."""
        raise only_in_function("Atomic.fetch_add", amount, order)

    def fetch_sub(self, amount: int, order: Ordering = Ordering.ACQ_REL) -> T:
        """Subtract modulo 2**width and give the old value."""
        raise only_in_function("Atomic.fetch_sub", amount, order)

    def fetch_or(self, mask: int, order: Ordering = Ordering.ACQ_REL) -> T:
        """Set bits and give the old value."""
        raise only_in_function("Atomic.fetch_or", mask, order)

    def fetch_and(self, mask: int, order: Ordering = Ordering.ACQ_REL) -> T:
        """Keep the bits of `mask` and give the old value."""
        raise only_in_function("Atomic.fetch_and", mask, order)


def lock_rank(rank: int) -> Callable[[C], C]:
    """Give a lock struct its place in the order: a lock may be taken while locks of lower rank are held."""

    def mark(cls: C) -> C:
        setattr(cls, LOCK_RANK, rank)
        return cls

    return mark
