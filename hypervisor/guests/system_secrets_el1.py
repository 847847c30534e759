"""Secrets in the system registers of EL1 that each partition has for itself."""

from __future__ import annotations

from compiler.language import SystemRegister, export, u64
from hypervisor.guests.secrets import secret

FIRST_NUMBER = 1 << 20


class TPIDRRO_EL0(SystemRegister):
    """Read-only for EL0."""


class FAR_EL1(SystemRegister):
    """Written by faults, of which the program has none."""


class ELR_EL1(SystemRegister):
    """The same."""


class SP_EL0(SystemRegister):
    """Not used at EL1 with SP_EL1."""


class CNTV_CVAL_EL0(SystemRegister):
    """The virtual timer, which is off."""


@export("plant_system_secrets")
def plant_system_secrets(owner: u64) -> None:
    """Write them."""
    TPIDRRO_EL0.write(secret(owner, FIRST_NUMBER))
    FAR_EL1.write(secret(owner, FIRST_NUMBER + 1))
    ELR_EL1.write(secret(owner, FIRST_NUMBER + 2))
    SP_EL0.write(secret(owner, FIRST_NUMBER + 3))
    CNTV_CVAL_EL0.write(secret(owner, FIRST_NUMBER + 4))


@export("count_system_differences")
def count_system_differences(owner: u64) -> u64:
    """How many of them are not what was written."""
    count = u64(TPIDRRO_EL0.read().raw != secret(owner, FIRST_NUMBER))
    count += u64(FAR_EL1.read().raw != secret(owner, FIRST_NUMBER + 1))
    count += u64(ELR_EL1.read().raw != secret(owner, FIRST_NUMBER + 2))
    count += u64(SP_EL0.read().raw != secret(owner, FIRST_NUMBER + 3))
    return count + u64(CNTV_CVAL_EL0.read().raw != secret(owner, FIRST_NUMBER + 4))


@export("conduit_is_supervisor_call")
def conduit_is_supervisor_call() -> bool:
    """At EL1 the conduit is HVC."""
    return False
