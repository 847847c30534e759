"""System registers, system instructions, device registers, atomics."""

from __future__ import annotations

from compiler.program import nodes
from compiler.program.nodes import Access, TrapKind
from compiler.program.walk import walk
from tests.compiler.check.accepted import Running, accept, find, run

REGISTERS = """
class HCR_EL2(SystemRegister):
    TGE = bit(27)
    E2H = bit(34)
    VALUE = bits(7, 4)

class Hypervisor(SystemRegister, register="TPIDR_EL2"):
    INDEX = bits(63, 0)
"""


def test_system_registers() -> None:
    source = (
        REGISTERS
        + """
def main(value: u64) -> u64:
    HCR_EL2.write(HCR_EL2.E2H | HCR_EL2.TGE)
    HCR_EL2.modify(TGE=0, VALUE=value)
    Hypervisor.write(HCR_EL2.read().raw)
    word = HCR_EL2.read()
    HCR_EL2.write(word.replace(VALUE=1))
    return word.VALUE if word.E2H and not word.TGE else 100
"""
    )
    program = Running(source)
    assert program(9) == 9
    assert program.machine.registers["TPIDR_EL2"] == 1 << 34 | 9 << 4
    assert program.machine.registers["HCR_EL2"] == 1 << 34 | 1 << 4
    assert program.trap(16) == (TrapKind.CONVERSION, 12)


def test_instructions_happen_in_order() -> None:
    source = """
        def main(address: VirtAddr) -> None:
            dsb("ishst")
            tlbi("vae2is", address.raw >> 12)
            tlbi("alle2")
            dsb("ish")
            isb()
            dc("civac", address)
            wfe()
            sev()
            spin_hint()
    """
    statements = [type(node).__name__ for node in find(accept(source)).body]
    assert statements == [
        "Barrier",
        "SystemOperation",
        "SystemOperation",
        "Barrier",
        "Barrier",
        "SystemOperation",
        "Hint",
        "Hint",
        "Hint",
        "Return",
    ]


class Registers:
    """A device of memory that records every access."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, int, int]] = []

    def read(self, offset: int, width: int) -> int:
        """Its own offset."""
        self.log.append(("read", offset, width, 0))
        return offset

    def write(self, offset: int, width: int, value: int) -> None:
        """Recorded."""
        self.log.append(("write", offset, width, value))


DEVICE = """
class Flags(Bits, base=u32):
    READY = bit(4)
    COUNT = bits(3, 0)

class Device(MmioBlock):
    DATA = mmio_rw(u8, 0x0)
    FLAGS = mmio_ro(Flags, 0x10)
    CONTROL = mmio_rw(Flags, 0x20)
    QUEUE = mmio_wo(u16, 0x40, count=4, stride=8)

def main(base: VirtAddr, index: u64) -> u32:
    device = Device.at(base)
    device.DATA.write(65)
    device.QUEUE[1].write(7)
    device.QUEUE[index].write(u16(device.DATA.read()) + 9)
    device.CONTROL.write(Flags.make(COUNT=3))
    device.CONTROL.write(Flags.READY)
    return device.FLAGS.read().COUNT + (100 if device.FLAGS.read().READY else 0)
"""


def test_device_registers() -> None:
    program = Running(DEVICE)
    device = Registers()
    program.machine.device(0x9000000, 0x1000, device)
    from compiler.language import VirtAddr

    assert program(VirtAddr(0x9000000), 3) == 100
    assert device.log == [
        ("write", 0x0, 1, 65),
        ("write", 0x48, 2, 7),
        ("read", 0x0, 1, 0),
        ("write", 0x58, 2, 9),
        ("write", 0x20, 4, 3),
        ("write", 0x20, 4, 16),
        ("read", 0x10, 4, 0),
        ("read", 0x10, 4, 0),
    ]
    assert program.trap(VirtAddr(0x9000000), 4) == (TrapKind.BOUNDS, 16)


def test_device_accesses_are_marked() -> None:
    body = find(accept(DEVICE)).body
    accesses = [node.access for node in walk(body) if isinstance(node, nodes.Load | nodes.Store)]
    assert set(accesses) == {Access.DEVICE}


def test_atomics() -> None:
    source = """
        class State(EnumU8):
            IDLE = 1
            BUSY = 2

        @struct
        class Shared:
            count: Atomic[u32] = Atomic(5)
            state: Atomic[State] = Atomic(State.IDLE)
            flag: Atomic[bool] = Atomic(False)
            slots: Array[Atomic[u64]] = array(4)

        shared: Shared = static(Shared())

        def main() -> u64:
            before = shared.count.fetch_add(10)
            shared.count.fetch_sub(1, Ordering.RELAXED)
            shared.count.fetch_or(0x100, order=Ordering.SEQ_CST)
            shared.count.fetch_and(0xFF)
            shared.slots[2].store(7)
            shared.flag.store(True, Ordering.RELAXED)
            took = shared.state.compare_exchange(State.IDLE, State.BUSY)
            again = shared.state.compare_exchange(State.IDLE, State.BUSY, Ordering.ACQUIRE)
            old = shared.state.exchange(State.IDLE)
            if not took or again or old != State.BUSY or not shared.flag.load():
                return 0
            return u64(before) * 1000 + shared.count.load(Ordering.ACQUIRE) * 10 + shared.slots[2].load()
    """
    assert run(source) == 5000 + 140 + 7
    orderings = [node.ordering for node in walk(find(accept(source)).body) if isinstance(node, nodes.AtomicUpdate)]
    assert orderings == ["acq_rel", "monotonic", "seq_cst", "acq_rel", "acq_rel"]
