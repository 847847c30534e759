"""Static objects, tables, per-CPU objects, pointers, slices of them, untrusted bytes."""

from __future__ import annotations

from compiler.language import VirtAddr
from compiler.program.nodes import TrapKind
from tests.compiler.check.accepted import Running, accept, run

STATICS = """
class Kind(EnumU16):
    A = 3

class Id(Distinct, base=u8):
    pass

@struct
class Region:
    name: str
    size: u32
    kind: Kind = Kind.A
    id: Id = Id(9)
    ok: bool = True
    limit: u16 | None = None
    next: Ptr[Region] | None = None
    bytes: Slice[u8] = b"xy"
    words: Array[u16] = array(2)

tail: Region = static(Region(name="tail", size=2, words=[7, 8]), section=".special", align=64)
head: Region = static(Region(name="head", size=1, limit=5, next=address_of(tail)))
REGIONS: Array[Region] = constant([Region(name="a", size=10), Region(name="bc", size=20)])
SQUARES: Array[u32] = constant([n * n for n in range(16)], align=32)
counter: u64 = static(41)
"""


def test_static_objects_hold_their_build_time_values() -> None:
    source = (
        STATICS
        + """
def main() -> u64:
    following = head.next
    limit = head.limit
    if following is None or limit is None or not head.ok or head.kind is not Kind.A or head.id != Id(9):
        return 0
    total: u64 = limit
    for region in REGIONS:
        total += region.size + len(region.name)
    return total * 10000 + following.value.words[1] * 100 + following.value.bytes[1] + counter + SQUARES[3]
"""
    )
    assert run(source) == (5 + 10 + 1 + 20 + 2) * 10000 + 800 + ord("y") + 41 + 9


def test_placement_and_layout_of_static_objects() -> None:
    program = accept(STATICS + "def main() -> u32:\n    return tail.size + head.size + SQUARES[1]\n")
    statics = {item.symbol: item for item in program.statics}
    tail, head, squares = (statics[f"program.{name}"] for name in ("tail", "head", "SQUARES"))
    assert (tail.section, tail.align, tail.mutable) == (".special", 64, True)
    assert (squares.mutable, squares.align, squares.data[:12]) == (False, 32, b"\0\0\0\0\1\0\0\0\4\0\0\0")
    assert [(r.target, r.addend) for r in head.relocations if r.target == "program.tail"] == [("program.tail", 0)]
    assert head.span is not None
    assert head.span.line == 23


def test_scalars_in_memory_change_through_pointers() -> None:
    source = """
        total: u64 = static(5)

        def main() -> u64:
            where = address_of(total)
            where.value += 3
            words = slice_of(where, 1)
            words[0] *= 2
            return total
    """
    assert run(source) == 16


def test_pointers() -> None:
    source = """
        @struct
        class Node:
            value: u32 = 0
            next: Ptr[Node] | None = None

        nodes: Array[Node] = static(array(4))

        def link() -> Ptr[Node]:
            for i in range(3):
                nodes[i].next = address_of(nodes[i + 1])
                nodes[i].value = u32(i) + 1
            nodes[3].value = 100
            return address_of(nodes[0])

        def main() -> u64:
            total: u64 = 0
            current: Ptr[Node] | None = link()
            while current is not None:
                total += current.value.value
                current = current.value.next
            first = link()
            second = first.offset(1)
            raw = second.cast(u32)
            if second.address - first.address != size_of(Node) or first == second:
                return 0
            return total * 100 + raw[0] * 10 + raw.value + first[2].value
    """
    assert run(source) == 10600 + 20 + 2 + 3


def test_a_pointer_from_a_number_is_checked() -> None:
    source = """
        word: u64 = static(0x11223344)

        def main(offset: u64) -> u32:
            return Ptr[u32].at(address_of(word).address + offset).value

        def null(address: VirtAddr) -> u8:
            return Ptr[u8].at(address).value
    """
    program = Running(source, "main", "null")
    assert program(0) == 0x11223344
    assert program.trap(2) == (TrapKind.NULL, 5)
    assert program.trap(VirtAddr(0), entry="null") == (TrapKind.NULL, 8)


def test_bytes_and_text() -> None:
    source = """
        @struct
        class Pair:
            a: u16 = 0x0201
            b: u16 = 0x0403

        def main() -> u64:
            pair = Pair()
            total: u64 = 0
            for byte in bytes_of(pair):
                total = total * 10 + byte
            text = string_at(utf8("abc")[1:])
            return total * 1000 + utf8(text)[0] + len(text)
    """
    assert run(source) == 1234000 + ord("b") + 2


def test_per_cpu_objects() -> None:
    source = """
        @struct
        class Cpu:
            id: u8 = 3
            ticks: u64 = 7

        cpus: PerCpu[Cpu] = per_cpu(Cpu(), count=4, align=64)

        def main(i: u64) -> u64:
            cpus.this().ticks += 1
            cpus.of(i).id = 9
            return cpus.of(2).ticks * 100 + cpus.of(0).id * 10 + cpu_index()
    """
    program = Running(source)
    program.machine.registers["TPIDR_EL2"] = 2
    assert program(0) == 892
    assert program.trap(4) == (TrapKind.BOUNDS, 11)
    (cpus,) = (item for item in program.program.statics if item.source_name == "cpus")
    assert (cpus.size, cpus.align) == (256, 64)


def test_untrusted_bytes_are_copied_within_their_bounds() -> None:
    source = """
        buffer: Array[u8] = static(array(16))

        def main(offset: u64, size: u64) -> u64:
            theirs = UntrustedBytes.at(address_of(buffer[0]).address, len(buffer))
            mine: Array[u8] = array(4)
            mine[0] = 5
            if not theirs.copy_out(offset, mine):
                return 100
            copied: Array[u8] = array(4)
            if not theirs.copy_in(offset, copied) or not theirs.zero(offset, size):
                return 200
            return u64(copied[0]) * 10 + buffer[offset] + len(theirs)
    """
    program = Running(source)
    assert program(12, 4) == 66
    assert [program(13, 0), program(1 << 63, 0), program((1 << 64) - 1, 0)] == [100, 100, 100]
    assert program(12, 5) == 200


def test_function_tables() -> None:
    source = """
        from collections.abc import Callable

        def add(x: u64, y: u64) -> u64:
            return x + y

        def multiply(x: u64, y: u64) -> u64:
            return x * y

        HANDLERS: FunctionTable[Callable[[u64, u64], u64]] = function_table([add, multiply])

        def main(i: u64) -> u64:
            return HANDLERS[i](6, 7) + len(HANDLERS)
    """
    program = Running(source)
    assert [program(0), program(1)] == [15, 44]
    assert program.trap(2) == (TrapKind.BOUNDS, 13)
    assert [table.symbol for table in program.program.tables] == ["program.HANDLERS"]


def test_linker_symbols_and_function_addresses() -> None:
    source = """
        START = linker_symbol("__text_start")

        def work() -> None:
            pass

        def main() -> u64:
            return START.address().raw + u64(address_of(work).address.raw != 0)
    """
    program = accept(source)
    assert [function.source_name for function in program.functions] == ["main", "work"]
