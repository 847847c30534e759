"""What is printed when a vCPU faults: where, why, and what its tables say about the address."""

from __future__ import annotations

from compiler.language import u64
from hypervisor.arch.aarch64.registers import ELR_EL2, ESR_EL2, FAR_EL2, HCR_EL2, HPFAR_EL2
from hypervisor.arch.aarch64.walk import walk
from hypervisor.core.partition import Partition, PartitionKind, name_of
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.memory.descriptors import Descriptor, Stage2Descriptor
from hypervisor.memory.linear_map import LINEAR_MAP
from runtime.console import log
from runtime.syndrome import ExceptionClass, describe_abort, describe_class, is_abort

PAGE_BITS = 12
PAGE_OFFSET_MASK = 0xFFF
WRITE_ACCESS = 2
"""Bit of S2AP that allows writing."""


def report(vcpu: Vcpu, kind: ExceptionClass | None) -> None:
    """Print the report; the exception's registers are still in the CPU, x0 to x30 in the context."""
    partition = partition_of(vcpu)
    context = vcpu.context
    syndrome = ESR_EL2.read().raw
    program_counter = ELR_EL2.read().raw
    log(f"{name_of(partition)} vCPU {vcpu.index}: stopped at pc {program_counter:#x}, esr {syndrome:#x}")
    if kind is None:
        log("  cause: exception of an unlisted class")
    else:
        log(f"  cause: {describe_class(kind)}")
        if is_abort(kind):
            _report_address(partition, syndrome)
    log(f"  x0 {context.x[0]:#x} x1 {context.x[1]:#x} x2 {context.x[2]:#x} x3 {context.x[3]:#x}")
    log(f"  x4 {context.x[4]:#x} x5 {context.x[5]:#x} x6 {context.x[6]:#x} x7 {context.x[7]:#x}")
    log(f"  x29 {context.x[29]:#x} x30 {context.x[30]:#x}")


def report_injected(vcpu: Vcpu) -> None:
    """Tell, in one line, of an access that a guest at EL1 gets an external abort for."""
    address = FAR_EL2.read().raw
    program_counter = ELR_EL2.read().raw
    name = name_of(partition_of(vcpu))
    log(f"{name} vCPU {vcpu.index}: no memory at {address:#x} ({intermediate_address():#x}), pc {program_counter:#x}")


def _report_address(partition: Partition, syndrome: u64) -> None:
    address = FAR_EL2.read().raw
    reason = describe_abort(syndrome)
    if partition.kind == PartitionKind.EL0:
        log(f"  address {address:#x}: {reason}; {_describe_mapping(partition, address)}")
    else:
        log(f"  address {address:#x}: {reason}, intermediate address {intermediate_address():#x}")


def intermediate_address() -> u64:
    """What a guest's address was translated to before stage 2 refused it; of a refused permission it may be stale."""
    return HPFAR_EL2.read().FIPA << PAGE_BITS | FAR_EL2.read().raw & PAGE_OFFSET_MASK


def _describe_mapping(partition: Partition, address: u64) -> str:
    """What the partition may do at an address, by its table."""
    space = partition.memory
    if address >= space.input_size():
        return "the partition has no memory there"
    leaf = walk(space.root.raw, address, LINEAR_MAP.offset, space.first_level)
    if leaf == 0:
        return "the partition has no memory there"
    if leaf & Descriptor.EXECUTE_NEVER == 0:
        return "the partition may read and execute there"
    if HCR_EL2.read().E2H:
        is_writable = not Descriptor(leaf).READ_ONLY
    else:
        is_writable = Stage2Descriptor(leaf).ACCESS & WRITE_ACCESS != 0
    return "the partition may read and write there" if is_writable else "the partition may only read there"
