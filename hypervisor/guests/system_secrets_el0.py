"""A partition at EL0 can write no system register but TPIDR_EL0, which is among those of `secrets.py`."""

from __future__ import annotations

from compiler.language import export, u64


@export("plant_system_secrets")
def plant_system_secrets(_owner: u64) -> None:
    """Nothing to write."""


@export("count_system_differences")
def count_system_differences(_owner: u64) -> u64:
    """Nothing to compare."""
    return 0


@export("conduit_is_supervisor_call")
def conduit_is_supervisor_call() -> bool:
    """At EL0 the conduit is SVC."""
    return True
