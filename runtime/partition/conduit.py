"""How a guest calls the hypervisor: two functions that the conduit's own module provides.

A program's image has exactly one of `runtime.partition.supervisor_call` (EL0) and `runtime.partition.hypervisor_call`
(EL1) among its entry modules; everything else is the same source for both.
"""

from __future__ import annotations

from compiler.language import Ptr, extern, u64, unreachable
from hypervisor.ffa.message import MessageRegisters
from runtime.partition.message import LongMessage


@extern("ffa_call")
def ffa_call(_x0: u64, _x1: u64, _x2: u64, _x3: u64, _x4: u64, _x5: u64, _x6: u64, _x7: u64) -> MessageRegisters:
    """A call with eight registers, and its result."""
    unreachable()


@extern("ffa_call_long")
def ffa_call_long(_message: Ptr[LongMessage]) -> None:
    """A call with x0 to x17 of `message`, which becomes its result."""
    unreachable()
