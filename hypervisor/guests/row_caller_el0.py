"""What `conformance.py` is when it is linked for EL0."""

from __future__ import annotations

from compiler.language import export, u64
from hypervisor.guests.setup_rows import Kind


@export("kind_of_image")
def kind_of_image() -> u64:
    """A partition at EL0."""
    return Kind.EL0.value
