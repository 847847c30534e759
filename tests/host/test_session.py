"""What the host API gives and takes, in every engine: each kind of argument and result, views, static objects."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compiler.check import check_source
from compiler.host import HostError, HostFault, Interpreter, Session
from compiler.host.native import Native
from compiler.language import PhysAddr, i16, u32
from compiler.lower import TargetOptions
from compiler.program.program import Program
from tests.emulated.session import Emulated

SOURCE = """from compiler.language import *


class Colour(EnumU8):
    RED = 1
    BLUE = 2


class Problem(ErrorEnum):
    BUSY = -1


class Word(Bits, base=u32):
    READY = bit(0)
    LEVEL = bits(7, 4)


class PageCount(Distinct, base=u32):
    pass


@struct
class Inner:
    flag: bool
    numbers: Array[u16] = array(3)


@struct
class Record:
    id: u64
    colour: Colour
    word: Word
    pages: PageCount
    inner: Inner
    next: "Ptr[Record] | None" = None
    limit: "u8 | None" = None
    ticket: Atomic[u32] = Atomic(7)


@struct
class Holder:
    numbers: Slice[u32]
    text: str


records: Array[Record] = static(array(2))
CPUS: PerCpu[Inner] = per_cpu(Inner(flag=True), count=3)


def scalars(flag: bool, colour: Colour, word: Word, pages: PageCount, address: PhysAddr) -> tuple[bool, Colour, u64]:
    total = u64(word.LEVEL) + u64(pages.raw) + (address - PhysAddr(0x1000))
    return not flag, Colour.BLUE if colour == Colour.RED else Colour.RED, total


def doubled(word: Word, pages: PageCount, address: PhysAddr) -> PageCount:
    return PageCount(pages.raw * 2)


def raised(word: Word) -> Word:
    return word.replace(LEVEL=word.LEVEL + 1)


def later(address: PhysAddr) -> PhysAddr:
    return address + 0x10


def double_all(values: Slice[i16], extra: Slice[u8]) -> u64:
    for index in range(len(values)):
        values[index] = values[index] * 2
    for index in range(len(extra)):
        extra[index] = extra[index] ^ 0xFF
    return len(values) + len(extra)


def length(text: str, data: UntrustedBytes) -> u64:
    return len(utf8(text)) * 100 + len(data)


def half(number: u32) -> u32 | None:
    if number % 2 == 1:
        return None
    return number // 2


def limited(number: u32 | None) -> u32:
    return 0 if number is None else number + 1


def claim(number: u32) -> u32 | Problem:
    if number == 0:
        return Problem.BUSY
    return number - 1


def try_claim(number: u32) -> Problem | None:
    if number == 0:
        return Problem.BUSY
    return None


def touch(record: Record) -> None:
    record.id += 1
    record.inner.numbers[1] = 500
    record.inner.flag = True
    record.limit = 9
    record.ticket.fetch_add(1)


def chain(record: Record | None) -> u64:
    total: u64 = 0
    if record is None:
        return total
    total = record.id
    after = record.next
    if after is not None:
        total += after.value.id
    return total


def find(id: u64) -> Record | None:
    for record in records:
        if record.id == id:
            return record
    return None


def make(number: u16) -> Value[Inner]:
    return Inner(flag=number > 2)


def make_some(number: u16) -> Value[Inner] | None:
    if number == 0:
        return None
    return Inner(flag=True)


def make_or_fail(number: u16) -> Value[Inner] | Problem:
    if number == 0:
        return Problem.BUSY
    return Inner(flag=False)


def store(index: u64, record: Record) -> None:
    records[index] = copy(record)


def first(holder: Holder) -> u32:
    return holder.numbers[0]


def per_cpu_flag(cpu: u64) -> bool:
    CPUS.of(cpu).flag = not CPUS.of(cpu).flag
    return CPUS.of(cpu).flag
"""


@pytest.fixture(scope="module", name="program")
def fixture_program() -> Program:
    names = [line.split("(")[0].removeprefix("def ") for line in SOURCE.splitlines() if line.startswith("def ")]
    return check_source(SOURCE, names, module="api")


def emulated(program: Program) -> Session:
    return Emulated(program, TargetOptions())


@pytest.fixture(params=[Interpreter, Native, emulated], ids=["cpython", "native", "aarch64"], name="session")
def fixture_session(request: pytest.FixtureRequest, program: Program) -> Iterator[Session]:
    engine: Callable[[Program], Session] = request.param
    with engine(program) as made:
        yield made


def kinds() -> dict[str, Any]:
    """The classes of the sample module by name."""
    return {name: found for name, found in vars(importlib.import_module("api")).items() if isinstance(found, type)}


def test_scalars_of_every_kind(session: Session) -> None:
    known = kinds()
    colour, word, pages = known["Colour"], known["Word"], known["PageCount"]
    red, blue = colour(1), colour(2)
    assert session.call("scalars", True, red, word(0x30), pages(4), PhysAddr(0x1010)) == (False, blue, 3 + 4 + 16)
    assert session.call("scalars", False, 2, 0x10, 0, 0x1000) == (True, red, 1)
    assert session.call("doubled", 0, pages(4), 0) == pages(8)
    assert session.call("raised", word(0x31)).raw == 0x41
    assert session.call("later", PhysAddr(0x40)) == PhysAddr(0x50)


def test_mutable_slices_are_copied_back(session: Session) -> None:
    numbers, data = [1, -2, 300], bytearray(b"\x00\x0f")
    assert session.call("double_all", numbers, data) == 5
    assert numbers == [2, -4, 600] and data == b"\xff\xf0"
    assert session.call("double_all", (1, 2), b"abc") == 5
    view = session.new_array(i16, [5, 6])
    assert session.call("double_all", view, b"") == 2 and list(view) == [10, 12]


def test_strings_and_untrusted_bytes(session: Session) -> None:
    assert session.call("length", "né", b"12345") == 305


def test_optionals_and_results(session: Session) -> None:
    busy = kinds()["Problem"](-1)
    assert (session.call("half", 6), session.call("half", 7), session.call("half", 0)) == (3, None, 0)
    assert (session.call("limited", None), session.call("limited", 4)) == (0, 5)
    assert (session.call("claim", 3), session.call("claim", 0), session.call("claim", 1)) == (2, busy, 0)
    assert (session.call("try_claim", 3), session.call("try_claim", 0)) == (None, busy)


def test_structs_are_views(session: Session) -> None:
    known = kinds()
    record = session.new(known["Record"], id=4, colour=known["Colour"](2), pages=known["PageCount"](3))
    assert (record.ticket, record.limit, record.next, record.inner.flag) == (7, None, None, False)
    session.call("touch", record)
    assert record.dict_() == {
        "id": 5,
        "colour": known["Colour"](2),
        "word": known["Word"](0),
        "pages": known["PageCount"](3),
        "inner": {"flag": True, "numbers": [0, 500, 0]},
        "next": None,
        "limit": 9,
        "ticket": 8,
    }
    record.inner.numbers[2] = 17
    record.inner = {"flag": False, "numbers": [1, 2, 3]}
    assert record.dict_()["inner"] == {"flag": False, "numbers": [1, 2, 3]}
    other = session.new(known["Record"], id=100, next=record)
    assert session.call("chain", other) == 105 and other.next.value == record
    assert session.call("chain", None) == 0
    with pytest.raises(AttributeError, match=r"Record has no field 'size'; it has id, colour"):
        _ = record.size
    with pytest.raises(HostError, match=r"300 does not fit in u8"):
        record.limit = 300


def test_build_time_structs_and_dicts_are_arguments(session: Session) -> None:
    holder = session.new(kinds()["Holder"], numbers=session.new_array(u32, [41]))
    assert session.call("first", holder) == 41
    session.call("store", 1, {"id": 77, "colour": 1})
    assert session.static("api.records")[1].id == 77
    found = session.call("find", 77)
    assert found.colour.name == "RED" and found == session.static("api.records")[1]
    assert session.call("find", 5) is None
    session.reset_statics()
    assert session.static("api.records")[1].id == 0 and session.changed_statics() == []


def test_structs_by_value_are_detached(session: Session) -> None:
    made = session.call("make", 5)
    assert made.flag and made.detached_
    made.numbers[0] = 9
    assert list(made.numbers) == [9, 0, 0]
    assert session.call("make_some", 0) is None and session.call("make_some", 1).flag
    assert session.call("make_or_fail", 0).name == "BUSY" and not session.call("make_or_fail", 1).flag


def test_per_cpu_objects_are_a_list(session: Session) -> None:
    assert [cpu.flag for cpu in session.static("api.CPUS")] == [True, True, True]
    assert session.call("per_cpu_flag", 1) is False
    assert [cpu.flag for cpu in session.static("api.CPUS")] == [True, False, True]


def test_wrong_uses_say_what_is_wrong(session: Session) -> None:
    with pytest.raises(HostError, match=r"half\(number: u32\) was called with 2 arguments"):
        session.call("half", 1, 2)
    with pytest.raises(HostError, match=r"no function 'halve'"):
        session.call("halve", 1)
    with pytest.raises(HostError, match=r"'x' is not a value of type u32"):
        session.call("half", "x")
    with pytest.raises(HostError, match=r"no static object 'api.record'"):
        session.static("api.record")
    with pytest.raises(HostFault):
        session.read(0x10, 1)
