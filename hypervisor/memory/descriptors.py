"""Translation table descriptors: the words that the MMU reads, and the state of ownership that software keeps in them.

VMSAv8-64, 4 KiB granule (DDI 0487, D8.3). The attribute word of each kind of access in each translation regime is
computed here, once, when the image is built.

A leaf keeps two software bits beside the valid bit: V, owner and exclusive tell the state of a page in memory sharing
(see `Ownership`). An invalid leaf that is owned keeps address and attributes, so that it can be made valid again. An
entry that is zero is nothing.
"""

from __future__ import annotations

from compiler.language import Array, Bits, EnumU8, bit, bits, constant, no_inline, u8, u64

NORMAL = 0
DEVICE = 1
"""Indices into MAIR_EL2."""
MAIR = 0x00FF
"""Attribute 0: normal memory, write-back, allocating. Attribute 1: Device-nGnRnE."""

INNER_SHAREABLE = 3
STAGE_2_NORMAL = 0xF
"""MemAttr of stage 2: normal memory, inner and outer write-back. Device memory is 0, Device-nGnRnE."""
STAGE_2_READ = 1
STAGE_2_READ_WRITE = 3


class Descriptor(Bits, base=u64):
    """A stage 1 descriptor (DDI 0487, D8.3.1)."""

    VALID = bit(0)
    TABLE = bit(1)
    """At levels 0 to 2: points to a table. At level 3: set in every page."""
    ATTRIBUTES = bits(4, 2)
    NON_SECURE = bit(5)
    """Secure world only: the output address is a non-secure one."""
    USER = bit(6)
    READ_ONLY = bit(7)
    SHAREABILITY = bits(9, 8)
    ACCESSED = bit(10)
    NOT_GLOBAL = bit(11)
    ADDRESS = bits(47, 12)
    GUARDED = bit(50)
    PRIVILEGED_EXECUTE_NEVER = bit(53)
    EXECUTE_NEVER = bit(54)
    OWNER = bit(56)
    EXCLUSIVE = bit(57)
    """Software's own, at both stages; the MMU ignores them."""


class Stage2Descriptor(Bits, base=u64):
    """A stage 2 descriptor; what is not here is as in `Descriptor` (DDI 0487, D8.3.2)."""

    MEMORY = bits(5, 2)
    ACCESS = bits(7, 6)
    SHAREABILITY = bits(9, 8)
    ACCESSED = bit(10)
    EXECUTE_NEVER = bit(54)


class Access(EnumU8):
    """What may be done with memory. Only guests' RAM at stage 2 may be both writable and executable."""

    READ_ONLY = 0
    READ_WRITE = 1
    READ_EXECUTE = 2
    DEVICE = 3
    READ_WRITE_EXECUTE = 4
    """Stage 2 only: the guest's own stage 1 says more."""
    DEVICE_READ_ONLY = 5


class Regime(EnumU8):
    """Who translates with a table."""

    EL2 = 0
    """The hypervisor, E2H = 0: no privilege levels, bit 6 is reserved as one."""
    EL2_HOST = 1
    """The hypervisor, E2H = 1: it shares the regime with EL0."""
    EL0_HOST = 2
    """A partition at EL0, E2H = 1."""
    STAGE_2 = 3
    """A guest at EL1, or a partition at EL0 with E2H = 0."""


class Ownership(EnumU8):
    """A page as its address space has it (FF-A memory management, DEN0140): who owns it, who else sees it."""

    NOTHING = 0
    """Not mapped, and not this partition's."""
    OWNED = 1
    """Owner, exclusive access."""
    SHARED = 2
    """Owner, others have access too."""
    LENT = 3
    """Owner without access."""
    BORROWED = 4
    """Another's page, exclusive access."""
    BORROWED_SHARED = 5
    """Another's page, shared access."""


STATE_MASK = Descriptor.VALID | Descriptor.OWNER | Descriptor.EXCLUSIVE
_STATE_BITS = {
    Ownership.NOTHING: 0,
    Ownership.OWNED: Descriptor.VALID | Descriptor.OWNER | Descriptor.EXCLUSIVE,
    Ownership.SHARED: Descriptor.VALID | Descriptor.OWNER,
    Ownership.LENT: Descriptor.OWNER,
    Ownership.BORROWED: Descriptor.VALID | Descriptor.EXCLUSIVE,
    Ownership.BORROWED_SHARED: Descriptor.VALID,
}
STATE_BITS: Array[u64] = constant([int(_STATE_BITS[state]) for state in Ownership])


def _ownership(valid: int, owner: int, exclusive: int) -> int:
    """The state by its three bits; the two combinations that are never written read as LENT and NOTHING."""
    if not valid:
        return int((Ownership.LENT if owner else Ownership.NOTHING).value)
    if owner:
        return int((Ownership.OWNED if exclusive else Ownership.SHARED).value)
    return int((Ownership.BORROWED if exclusive else Ownership.BORROWED_SHARED).value)


OWNERSHIP: Array[u8] = constant([_ownership(index & 1, index >> 1 & 1, index >> 2) for index in range(8)])
"""Ownership by valid | owner << 1 | exclusive << 2."""

STAGE_1_PERMISSIONS = (
    Descriptor.READ_ONLY | Descriptor.GUARDED | Descriptor.PRIVILEGED_EXECUTE_NEVER | Descriptor.EXECUTE_NEVER
)
STAGE_2_PERMISSIONS = Stage2Descriptor.ACCESS.mask | Stage2Descriptor.EXECUTE_NEVER
"""What a change of permissions replaces; the type of memory stays."""


def _stage_1(access: Access, regime: Regime) -> int:
    device = access in (Access.DEVICE, Access.DEVICE_READ_ONLY)
    word = Descriptor.ACCESSED | Descriptor.ATTRIBUTES(DEVICE if device else NORMAL)
    if not device:
        word |= Descriptor.SHAREABILITY(INNER_SHAREABLE)
    if access in (Access.READ_ONLY, Access.READ_EXECUTE, Access.DEVICE_READ_ONLY):
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
    if access not in (Access.DEVICE, Access.DEVICE_READ_ONLY):
        word |= Stage2Descriptor.MEMORY(STAGE_2_NORMAL)
    writable = access in (Access.READ_WRITE, Access.DEVICE, Access.READ_WRITE_EXECUTE)
    word |= Stage2Descriptor.ACCESS(STAGE_2_READ_WRITE if writable else STAGE_2_READ)
    executable = access in (Access.READ_EXECUTE, Access.READ_WRITE_EXECUTE)
    return word | (0 if executable else Stage2Descriptor.EXECUTE_NEVER)


def _attributes(regime: Regime, access: Access) -> int:
    return _stage_2(access) if regime is Regime.STAGE_2 else _stage_1(access, regime)


ACCESS_COUNT = len(Access)
ATTRIBUTES: Array[u64] = constant([_attributes(regime, access) for regime in Regime for access in Access])


def attributes(regime: Regime, access: Access) -> u64:
    """Everything of a leaf descriptor but its address, level and state of ownership."""
    return ATTRIBUTES[u64(regime.value) * ACCESS_COUNT + access.value]


@no_inline
def access_of(regime: Regime, leaf: u64) -> Access | None:
    """The access that a leaf gives, address and table bit left out; None if it is none of ours."""
    word = leaf & ~(STATE_MASK | Descriptor.GUARDED)
    for access in range(ACCESS_COUNT):
        if ATTRIBUTES[u64(regime.value) * ACCESS_COUNT + access] == word:
            return Access.decode(access)
    return None


def permissions_mask(regime: Regime) -> u64:
    """The fields of a leaf that say what may be done."""
    return STAGE_2_PERMISSIONS if regime == Regime.STAGE_2 else STAGE_1_PERMISSIONS


def state_bits(ownership: Ownership) -> u64:
    """How a leaf says its state, under STATE_MASK."""
    return STATE_BITS[ownership.value]


def ownership_of(leaf: u64) -> Ownership:
    """The state that a leaf, or an empty entry, says."""
    descriptor = Descriptor(leaf)
    index: u64 = 1 if descriptor.VALID else 0
    if descriptor.OWNER:
        index += 2
    if descriptor.EXCLUSIVE:
        index += 4
    found = Ownership.decode(OWNERSHIP[index])
    assert found is not None, "the table of states has members only"
    return found
