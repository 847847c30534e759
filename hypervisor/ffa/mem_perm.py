"""FFA_MEM_PERM_GET and _SET: a partition at EL0 asks for and changes what its pages may be used for (DEN0140).

Stage 1 with E2H and stage 2 without: the partition's address space, whatever translates with it.
"""

from __future__ import annotations

from compiler.language import cold, no_inline, u32, u64
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message
from hypervisor.ffa.protocol import VERSION_1_3
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Access, Ownership, access_of, ownership_of, permissions_mask
from hypervisor.memory.page_table import common_leaf, protect_range
from hypervisor.memory.pages import PAGE_SIZE, MapError

NO_ACCESS = 0
READ_EXECUTE = 3
READ_WRITE = 5
READ_ONLY = 7
"""Permissions in registers: bits 1 and 0 are 1 for read-write and 3 for read-only, bit 2 forbids execution."""


@cold
def handle_get(caller: Vcpu, base: u64, further_count: u32, reply: Message) -> FfaError | None:
    """Permissions of a page in w2, and in w3 how many of the pages behind it, at most `further_count`, have the same.

    Callers before FF-A 1.3 ask for one page.
    """
    partition = partition_of(caller)
    asked = u64(further_count) + 1 if partition.version >= VERSION_1_3 else 1
    space = partition.memory
    if base & (PAGE_SIZE - 1) != 0 or not is_inside(space, base, asked):
        return FfaError.INVALID_PARAMETERS
    if caller.kind != PartitionKind.EL0:
        return FfaError.DENIED
    permissions = permissions_at(space, base)
    if permissions == NO_ACCESS:
        return FfaError.INVALID_PARAMETERS
    count: u64 = 1
    while count < asked and permissions_at(space, base + count * PAGE_SIZE) == permissions:
        count += 1
    reply.succeed(permissions)
    reply.x3 = count - 1
    return None


@cold
def handle_set(caller: Vcpu, base: u64, page_count: u32, permissions: u32, reply: Message) -> FfaError | None:
    """Change the permissions of pages that the partition owns and that have the same ones so far."""
    if caller.kind != PartitionKind.EL0:
        return FfaError.DENIED
    space = partition_of(caller).memory
    if base & (PAGE_SIZE - 1) != 0 or page_count == 0 or not is_inside(space, base, page_count):
        return FfaError.INVALID_PARAMETERS
    wanted = access_for(permissions)
    if wanted is None:
        return FfaError.INVALID_PARAMETERS
    error = check_pages(space, base, page_count, wanted)
    if isinstance(error, FfaError):
        return error
    changed = protect_range(space, base, page_count * PAGE_SIZE, wanted)
    if isinstance(changed, MapError):
        return FfaError.NO_MEMORY if changed == MapError.NO_PAGES else FfaError.INVALID_PARAMETERS
    reply.succeed(0)
    return None


def is_inside(space: AddressSpace, base: u64, page_count: u64) -> bool:
    """Whether the pages lie in the address space."""
    size = space.input_size()
    return base < size and page_count <= (size - base) // PAGE_SIZE


@no_inline
def permissions_at(space: AddressSpace, address: u64) -> u32:
    """Permissions of a page, NO_ACCESS where nothing is mapped."""
    leaf = common_leaf(space, address, PAGE_SIZE)
    if isinstance(leaf, MapError):
        return NO_ACCESS
    access = access_of(space.regime, leaf)
    return NO_ACCESS if access is None else permissions_of(access)


def permissions_of(access: Access) -> u32:
    """How a call names an access."""
    match access:
        case Access.READ_ONLY | Access.DEVICE_READ_ONLY:
            return READ_ONLY
        case Access.READ_WRITE | Access.DEVICE:
            return READ_WRITE
        case Access.READ_EXECUTE | Access.READ_WRITE_EXECUTE:
            return READ_EXECUTE


def access_for(permissions: u32) -> Access | None:
    """The access that a call names; pages are never writable and executable, and never without any access."""
    match permissions:
        case 3:
            return Access.READ_EXECUTE
        case 5:
            return Access.READ_WRITE
        case 7:
            return Access.READ_ONLY
        case _:
            return None


def check_pages(space: AddressSpace, base: u64, page_count: u64, wanted: Access) -> FfaError | None:
    """All are mapped, the partition's own, and the same but for their permissions; devices are not executed."""
    common: u64 = 0
    for index in range(page_count):
        leaf = common_leaf(space, base + index * PAGE_SIZE, PAGE_SIZE)
        if isinstance(leaf, MapError):
            return FfaError.INVALID_PARAMETERS
        access = access_of(space.regime, leaf)
        if access is None or (is_device(access) and wanted == Access.READ_EXECUTE):
            return FfaError.INVALID_PARAMETERS
        attributes = leaf & ~permissions_mask(space.regime)
        if index == 0:
            common = attributes
        if attributes != common or not is_owner(ownership_of(leaf)):
            return FfaError.INVALID_PARAMETERS
    return None


def is_device(access: Access) -> bool:
    """Whether the memory is a device's."""
    return access == Access.DEVICE or access == Access.DEVICE_READ_ONLY


def is_owner(ownership: Ownership) -> bool:
    """Whether the partition decides about the page: not about its RX and TX buffers, nor what it borrowed."""
    return ownership == Ownership.OWNED or ownership == Ownership.SHARED
