"""Exceptions of partitions that are not calls: a wait is resumed, anything else ends the partition, with a report."""

from __future__ import annotations

from compiler.language import export, string_at, truncate, u16, u64
from hypervisor.arch.aarch64.registers import ELR_EL2, ESR_EL2, FAR_EL2, HCR_EL2
from hypervisor.arch.aarch64.walk import walk
from hypervisor.core.partition import Partition, name_of, partition_of
from hypervisor.core.partition_image import ImageHeader, find_check, put_location
from hypervisor.core.scheduler import current_vcpu
from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa.abort import abort_partition
from hypervisor.ffa.message import Message, MessageRegisters, registers_of
from hypervisor.memory.descriptors import Descriptor, Stage2Descriptor
from hypervisor.memory.linear_map import LINEAR_MAP
from runtime.console import log
from runtime.syndrome import ExceptionClass, class_of, describe_abort, describe_class, is_abort
from runtime.text import TextBuffer

INSTRUCTION_SIZE = 4


@export("handle_exception")
def handle_exception() -> MessageRegisters:
    """Serve an exception whose registers the vectors saved; x0 to x7 for the vCPU that runs next."""
    vcpu = current_vcpu()
    reply = Message()
    syndrome = ESR_EL2.read().raw
    kind = class_of(syndrome)
    if kind is not None and kind == ExceptionClass.WFX:
        _skip_wait(vcpu, reply)
    else:
        _report(partition_of(vcpu), syndrome, kind)
        abort_partition(vcpu, reply)
    return registers_of(reply)


def _skip_wait(vcpu: Vcpu, reply: Message) -> None:
    """WFI and WFE are hints: go on behind the instruction."""
    ELR_EL2.write(ELR_EL2.read().raw + INSTRUCTION_SIZE)
    reply.load(vcpu.context.x)


def _report(partition: Partition, syndrome: u64, kind: ExceptionClass | None) -> None:
    context = partition.vcpu.context
    program_counter = ELR_EL2.read().raw
    log(f"partition {name_of(partition)}: stopped at pc {program_counter:#x}, esr {syndrome:#x}")
    image = partition.image
    if image is not None:
        _report_location(image.value, program_counter)
    if kind is None:
        log("  cause: exception of an unlisted class")
    elif kind == ExceptionClass.BREAKPOINT and image is not None:
        _report_check(image.value, truncate(u16, syndrome))
    else:
        log(f"  cause: {describe_class(kind)}")
    if kind is not None and is_abort(kind):
        address = FAR_EL2.read().raw
        log(f"  address {address:#x}: {describe_abort(syndrome)}; {_describe_mapping(partition, address)}")
    log(f"  x0 {context.x[0]:#x} x1 {context.x[1]:#x} x2 {context.x[2]:#x} x3 {context.x[3]:#x}")
    log(f"  x4 {context.x[4]:#x} x5 {context.x[5]:#x} x6 {context.x[6]:#x} x7 {context.x[7]:#x}")
    log(f"  x29 {context.x[29]:#x} x30 {context.x[30]:#x}")


def _report_location(image: ImageHeader, address: u64) -> None:
    buffer = TextBuffer()
    put_location(buffer, image, address)
    log(f"  at{string_at(buffer.written())}")


def _report_check(image: ImageHeader, number: u16) -> None:
    check = find_check(image, number)
    if check is None:
        log(f"  cause: brk {number:#x}")
    else:
        log(f"  cause: {check.message}, in {check.file}:{check.line}")


def _describe_mapping(partition: Partition, address: u64) -> str:
    """What the partition may do at an address of its own, by its table."""
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


WRITE_ACCESS = 2
"""Bit of S2AP that allows writing."""
