"""The registers of an FF-A call or of its result: x0 to x17.

A fresh one is all zeros, so what a call does not use is zero. Calls that use x0 to x7 alone go by `Message` of
`hypervisor/ffa/message.py`.
"""

from __future__ import annotations

from compiler.language import Array, array, struct, u64

REGISTER_COUNT = 18


@struct
class LongMessage:
    """x0 to x17."""

    x: Array[u64] = array(REGISTER_COUNT)
