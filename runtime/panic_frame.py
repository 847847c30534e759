"""The registers of a CPU at the moment of an exception that ends everything."""

from __future__ import annotations

from compiler.language import Array, array, struct, u64


@struct(align=64)
class PanicFrame:
    """Filled in by the exception vectors, read by the report."""

    x: Array[u64] = array(31)
    stack_pointer: u64 = 0
    program_counter: u64 = 0
    processor_state: u64 = 0
    syndrome: u64 = 0
    """ESR."""
    fault_address: u64 = 0
    """FAR."""
    vector: u64 = 0
    """Which of the 16 vectors was taken."""
    depth: u64 = 0
    """How many panics this CPU has been through: more than one when the report itself failed."""
