"""Optionals, results, enumerations, distinct numbers: narrowing, wrapping, conversions."""

from __future__ import annotations

from tests.compiler.check.accepted import Running, run

HALVE = """
def halve(x: u32) -> u32 | None:
    if x % 2 == 1:
        return None
    return x // 2
"""


def test_narrowing_by_every_form_of_test() -> None:
    source = (
        HALVE
        + """
def main(x: u32) -> u32:
    a = halve(x)
    total: u32 = a if a is not None else 1000
    if a is None or a > 100:
        return total
    if (b := halve(a)) is not None and b != 3:
        total += b * 10
    c: u32 | None = None
    for i in range(a):
        if c is not None:
            total += c
        c = halve(u32(i))
    while c is None:
        c = 5
    return total + c
"""
    )
    program = Running(source)
    values: list[int] = []
    for x in (1, 6, 8, 300):
        a = x // 2 if x % 2 == 0 else None
        total = a if a is not None else 1000
        if a is None or a > 100:
            values.append(total)
            continue
        b = a // 2 if a % 2 == 0 else None
        if b is not None and b != 3:
            total += b * 10
        c = None
        for i in range(a):
            if c is not None:
                total += c
            c = i // 2 if i % 2 == 0 else None
        values.append(total + (5 if c is None else c))
    assert [program(x) for x in (1, 6, 8, 300)] == values


ERRORS = """
class Error(ErrorEnum):
    BAD = -1
    WORSE = -2

def check(x: i32) -> u64 | Error:
    if x < 0:
        return Error.BAD
    if x == 0:
        return Error.WORSE
    return u64(x)

def demand(x: i32) -> Error | None:
    value = check(x)
    if isinstance(value, Error):
        return value
    return None
"""


def test_results() -> None:
    source = (
        ERRORS
        + """
def main(x: i32) -> i64:
    if isinstance(value := check(x), Error):
        return value.value
    failure = demand(x - 5)
    if failure is not None:
        return -100 + i64(failure.value)
    if demand(x) is None and not isinstance(check(x), Error):
        _ = check(x)
        return i64(value)
    return 0
"""
    )
    program = Running(source)
    assert [program(x) for x in (-3, 0, 3, 5, 9)] == [-1, -2, -101, -102, 9]


def test_a_result_is_matched() -> None:
    source = (
        ERRORS
        + """
def main(x: i32) -> u64:
    value = check(x)
    match value:
        case Error():
            return 77 if value is Error.WORSE else 66
        case _:
            return value
"""
    )
    program = Running(source)
    assert [program(x) for x in (-3, 0, 3)] == [66, 77, 3]


def test_enumerations() -> None:
    source = """
        class Level(EnumI32):
            LOW = -5
            HIGH = 9

            def twice(self) -> i32:
                return self.value * 2

        DEFAULT = Level.HIGH

        def main(raw: i64) -> i64:
            level = Level.decode(raw)
            if level is None:
                level = DEFAULT
            if level != Level.HIGH:
                return level.twice() - 1000
            return i64(level.value) + Level.HIGH.value
    """
    program = Running(source)
    assert [program(x) for x in (-5, 9, 4, 1 << 40)] == [-1010, 18, 18, 18]


def test_distinct_numbers_and_addresses() -> None:
    source = """
        class PartitionId(Distinct, base=u16):
            def is_secure(self) -> bool:
                return self.raw & 0x8000 != 0

        BASE = PhysAddr(0x4000_0000)
        HYPERVISOR = PartitionId(0)

        def main(id: u32, offset: u64) -> u64:
            partition = PartitionId(id)
            if partition == HYPERVISOR or partition < PartitionId(5):
                return 1
            if partition.is_secure():
                return 2
            address = BASE + offset
            page = address.align_down(4096)
            if not page.is_aligned(4096) or address < page:
                return 3
            static_assert(BASE.align_up(0x1000) == BASE, "constants")
            return (address - page) * 1000 + (address.align_up(0x1000) - BASE) // 0x1000 + (BASE + 0x10).raw % 7
    """
    program = Running(source)
    remainder = 0x4000_0010 % 7
    assert [program(*x) for x in ((4, 0), (0x8001, 0), (9, 0x1234))] == [1, 2, 0x234 * 1000 + 2 + remainder]


def test_words_of_fields() -> None:
    source = """
        class Descriptor(Bits, base=u32):
            VALID = bit(0)
            KIND = bits(3, 1)
            FRAME = bits(31, 12)

        FLAGS = Descriptor.VALID | Descriptor.KIND(2)

        def main(frame: u64, kind: u8, on: bool) -> u32:
            word = Descriptor(FLAGS)
            word = word.replace(FRAME=frame, VALID=on)
            other = Descriptor.make(KIND=kind, VALID=word.VALID)
            if word.KIND != 2 or other.FRAME != 0:
                return 0
            return word.FRAME << 8 | other.raw | Descriptor.FRAME.mask & 0
    """
    assert run(source, 0x5, 3, True) == 0x507
