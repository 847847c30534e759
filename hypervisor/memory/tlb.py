"""Forgetting translations on every CPU: by address, by address space, and all.

Each operation makes earlier changes of tables visible to walks, invalidates, and returns when no CPU can still use what
is invalidated (DSB ISH). With E2H set:

- entries of EL2&0 are reached by the forms for EL1 while TGE is set: QEMU 7.2 ignores VAE2IS and VALE2IS;
- entries of EL1&0 are reached by the same forms while TGE is clear.

HCR_EL2 and VTTBR_EL2 are changed for that and put back. Erratum CVE-2025-10263, on several of Arm's cores: another CPU
may go on with an old translation after TLBI and DSB; doing both once more ends that. `errata.repeat_tlb_invalidation`
of platform.toml says whether to.
"""

from __future__ import annotations

from compiler.language import dsb, isb, tlbi, u64
from hypervisor.arch.aarch64 import features
from hypervisor.arch.aarch64.registers import HCR_EL2, VTTBR_EL2
from hypervisor.memory.address_space import IDENTIFIER_SHIFT, AddressSpace
from hypervisor.memory.descriptors import Regime
from hypervisor.memory.linear_map import LINEAR_MAP
from hypervisor.platform import PLATFORM

PASS_COUNT = 2 if PLATFORM.repeat_tlb_invalidation else 1
ADDRESS_COUNT_MAX = 64
"""With more addresses than this, everything of the address space is invalidated instead."""
PAGE_SHIFT = 12
PAGE_NUMBER_MASK = (1 << 44) - 1
"""Bits of the operand that hold the address."""


def invalidate_range(space: AddressSpace, start: u64, end: u64, step: u64) -> None:
    """Forget what translates the input addresses from `start` to `end`, whose leaves cover `step` bytes or more.

    Also forgets the tables on the way to them.
    """
    if (end - start) // step > ADDRESS_COUNT_MAX:
        invalidate_space(space)
        return
    dsb("ishst")
    configuration, translation = _enter(space)
    for _ in range(PASS_COUNT):
        address = start
        while address < end:
            _invalidate_address(space, address)
            address += step
        dsb("ish")
        if space.regime == Regime.STAGE_2:
            tlbi("vmalle1is")  # entries that combine both stages are not found by the intermediate address
            dsb("ish")
    _leave(configuration, translation)


def invalidate_space(space: AddressSpace) -> None:
    """Forget everything that an address space's tables say."""
    dsb("ishst")
    configuration, translation = _enter(space)
    for _ in range(PASS_COUNT):
        match space.regime:
            case Regime.EL2 | Regime.EL2_HOST:
                tlbi("alle2is")
            case Regime.EL0_HOST:
                tlbi("aside1is", space.identifier << IDENTIFIER_SHIFT)
            case Regime.STAGE_2:
                tlbi("vmalls12e1is")
        dsb("ish")
    _leave(configuration, translation)


def invalidate_all() -> None:
    """Forget everything about partitions, and with E2H about the hypervisor."""
    dsb("ishst")
    for _ in range(PASS_COUNT):
        tlbi("alle1is")
        if features.in_host_mode():
            tlbi("alle2is")
        dsb("ish")
    isb()


def _invalidate_address(space: AddressSpace, address: u64) -> None:
    page = address >> PAGE_SHIFT
    match space.regime:
        case Regime.EL2:
            tlbi("vae2is", page)
        case Regime.EL2_HOST:
            tlbi("vaae1is", ((address + LINEAR_MAP.offset) >> PAGE_SHIFT) & PAGE_NUMBER_MASK)
        case Regime.EL0_HOST:
            tlbi("vae1is", page | space.identifier << IDENTIFIER_SHIFT)
        case Regime.STAGE_2:
            tlbi("ipas2e1is", page)


def _enter(space: AddressSpace) -> tuple[u64, u64]:
    """Make the forms used here mean this address space; the registers that `_leave` puts back."""
    configuration = HCR_EL2.read().raw
    translation = VTTBR_EL2.read().raw
    if space.regime == Regime.EL2:
        return configuration, translation
    wanted = configuration
    if space.regime == Regime.STAGE_2:
        VTTBR_EL2.write(space.translation())
        if configuration & HCR_EL2.E2H != 0:
            wanted &= ~HCR_EL2.TGE
    else:
        wanted |= HCR_EL2.TGE
    HCR_EL2.write(wanted)
    isb()
    return configuration, translation


def _leave(configuration: u64, translation: u64) -> None:
    HCR_EL2.write(configuration)
    VTTBR_EL2.write(translation)
    isb()
