"""Translation table descriptors: the words that the MMU reads.

VMSAv8-64, 4 KiB granule (DDI 0487, D8.3). The attribute word of each kind of access in each translation regime is
computed here, once, when the image is built.
"""

from __future__ import annotations

from compiler.language import Array, Bits, EnumU8, bit, bits, constant, u64

NORMAL = 0
DEVICE = 1
"""Indices into MAIR_EL2."""
MAIR = 0x00FF
"""Attribute 0: normal memory, write-back, allocating. Attribute 1: Device-nGnRnE."""

INNER_SHAREABLE = 3
STAGE_2_NORMAL = 0xF
"""MemAttr of stage 2: normal memory, inner and outer write-back."""
STAGE_2_READ = 1
STAGE_2_READ_WRITE = 3


class Descriptor(Bits, base=u64):
    """A stage 1 descriptor (DDI 0487, D8.3.1)."""

    VALID = bit(0)
    TABLE = bit(1)
    """At levels 1 and 2: points to a table. At level 3: set in every page."""
    ATTRIBUTES = bits(4, 2)
    USER = bit(6)
    READ_ONLY = bit(7)
    SHAREABILITY = bits(9, 8)
    ACCESSED = bit(10)
    NOT_GLOBAL = bit(11)
    ADDRESS = bits(47, 12)
    GUARDED = bit(50)
    PRIVILEGED_EXECUTE_NEVER = bit(53)
    EXECUTE_NEVER = bit(54)


class Stage2Descriptor(Bits, base=u64):
    """A stage 2 descriptor; what is not here is as in `Descriptor` (DDI 0487, D8.3.2)."""

    MEMORY = bits(5, 2)
    ACCESS = bits(7, 6)
    SHAREABILITY = bits(9, 8)
    ACCESSED = bit(10)
    EXECUTE_NEVER = bit(54)


class Access(EnumU8):
    """What may be done with memory. No kind is both writable and executable."""

    READ_ONLY = 0
    READ_WRITE = 1
    READ_EXECUTE = 2
    DEVICE = 3


class Regime(EnumU8):
    """Who translates with a table."""

    EL2 = 0
    """The hypervisor, E2H = 0: no privilege levels, bit 6 is reserved as one."""
    EL2_HOST = 1
    """The hypervisor, E2H = 1: it shares the regime with EL0."""
    EL0_HOST = 2
    """A partition at EL0, E2H = 1."""
    STAGE_2 = 3
    """A partition at EL0, E2H = 0."""


def _stage_1(access: Access, regime: Regime) -> int:
    device = access is Access.DEVICE
    word = Descriptor.ACCESSED | Descriptor.ATTRIBUTES(DEVICE if device else NORMAL)
    if not device:
        word |= Descriptor.SHAREABILITY(INNER_SHAREABLE)
    if access in (Access.READ_ONLY, Access.READ_EXECUTE):
        word |= Descriptor.READ_ONLY
    executable = access is Access.READ_EXECUTE
    if regime is Regime.EL2:
        return word | Descriptor.USER | (0 if executable else Descriptor.EXECUTE_NEVER)
    if regime is Regime.EL2_HOST:
        return word | Descriptor.EXECUTE_NEVER | (0 if executable else Descriptor.PRIVILEGED_EXECUTE_NEVER)
    word |= Descriptor.USER | Descriptor.NOT_GLOBAL | Descriptor.PRIVILEGED_EXECUTE_NEVER
    return word | (0 if executable else Descriptor.EXECUTE_NEVER)


def _stage_2(access: Access) -> int:
    word = Stage2Descriptor.ACCESSED | Stage2Descriptor.SHAREABILITY(INNER_SHAREABLE)
    if access is not Access.DEVICE:
        word |= Stage2Descriptor.MEMORY(STAGE_2_NORMAL)
    writable = access in (Access.READ_WRITE, Access.DEVICE)
    word |= Stage2Descriptor.ACCESS(STAGE_2_READ_WRITE if writable else STAGE_2_READ)
    return word | (0 if access is Access.READ_EXECUTE else Stage2Descriptor.EXECUTE_NEVER)


def _attributes(regime: Regime, access: Access) -> int:
    return _stage_2(access) if regime is Regime.STAGE_2 else _stage_1(access, regime)


ATTRIBUTES: Array[u64] = constant([_attributes(regime, access) for regime in Regime for access in Access])


def attributes(regime: Regime, access: Access) -> u64:
    """Everything of a leaf descriptor but its address, level and valid bit."""
    return ATTRIBUTES[u64(regime.value) * 4 + access.value]
