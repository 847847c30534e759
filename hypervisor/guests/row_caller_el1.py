"""What `conformance.py` is when it is linked for EL1, unless it is the primary."""

from __future__ import annotations

from compiler.language import export, u64
from hypervisor.guests.setup_rows import Kind


@export("kind_of_image")
def kind_of_image() -> u64:
    """A guest at EL1."""
    return Kind.EL1.value
