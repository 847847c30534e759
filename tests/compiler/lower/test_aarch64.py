"""Hardware operations against GNU as, and what an object for an image may and must contain."""

from __future__ import annotations

import re
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from compiler.check import check_source
from compiler.language import types as written
from compiler.language.register_table import INSTRUCTIONS, REGISTERS
from compiler.lower import LowerError, Optimisation, TargetOptions, decode_table, lower
from compiler.lower.aarch64 import BARRIER_OPTIONS, HINTS
from compiler.lower.options import CPUS, FEATURES
from compiler.program.nodes import (
    Access,
    AtomicUpdate,
    Barrier,
    BinaryOp,
    CopyMemory,
    Evaluate,
    Hint,
    LinkerAddress,
    Load,
    RegisterRead,
    RegisterWrite,
    SlotAddress,
    Statement,
    StaticAddress,
    Store,
    SystemOperation,
    Trap,
    TrapKind,
)
from compiler.program.program import AssemblyText, Function, Program, StackSlot, StaticObject
from compiler.program.types import POINTER, U32, U64, VOID
from tests.compiler.lower.programs import SPAN, at, binary, call, function, give, local, number, program, read
from tests.tools import debian_tool


def _words(program_: Program, symbol: str, options: TargetOptions | None = None) -> list[int]:
    """The instruction words of a function."""
    elf = ELFFile(BytesIO(lower(program_, options or TargetOptions()).object))
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    entry = (table.get_symbol_by_name(symbol) or [])[0]
    start, size = entry["st_value"], entry["st_size"]
    data = elf.get_section(entry["st_shndx"]).data()[start : start + size]
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, size, 4)]


def _system_words(program_: Program, optimisation: Optimisation) -> list[int]:
    """The system instructions (MRS, MSR, SYS, barriers, hints) of the function `all`."""
    words = _words(program_, "all", TargetOptions(optimisation=optimisation))
    return [word for word in words if word >> 22 == 0b1101010100]


def _assembled(lines: list[str], folder: Path) -> list[int]:
    """What GNU as makes of instructions."""
    source, output, raw = folder / "x.s", folder / "x.o", folder / "x.bin"
    source.write_text(".arch armv9-a+rng+memtag+sme\n" + "\n".join(lines) + "\n")
    subprocess.run([debian_tool("aarch64-linux-gnu-as"), "-o", str(output), str(source)], check=True)
    copy = [debian_tool("aarch64-linux-gnu-objcopy"), "-O", "binary", "-j", ".text", str(output), str(raw)]
    subprocess.run(copy, check=True)
    data = raw.read_bytes()
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]


def _symbols(object_bytes: bytes) -> dict[str, tuple[str, str]]:
    """Name -> (binding, section index) of an object's symbols."""
    table = ELFFile(BytesIO(object_bytes)).get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    return {symbol.name: (symbol["st_info"]["bind"], str(symbol["st_shndx"])) for symbol in table.iter_symbols()}


@pytest.mark.parametrize("optimisation", list(Optimisation))
def test_every_readable_and_writable_register_has_its_encoding(optimisation: Optimisation) -> None:
    value = local("value")
    reads = [Evaluate(RegisterRead(name), SPAN) for name, known in REGISTERS.items() if known.readable]
    writes = [RegisterWrite(name, read(value), SPAN) for name, known in REGISTERS.items() if known.writable]
    moves = _system_words(program(function("all", [value], VOID, [*reads, *writes], exported=True)), optimisation)
    readable = [known.encoding.instruction_bits for known in REGISTERS.values() if known.readable]
    writable = [known.encoding.instruction_bits for known in REGISTERS.values() if known.writable]
    assert [word & 0x3FFFE0 for word in moves] == [1 << 21 | bits for bits in readable] + writable


@pytest.mark.parametrize("optimisation", list(Optimisation))
def test_every_system_instruction_has_its_encoding(optimisation: Optimisation) -> None:
    value = local("value")
    body: list[Statement] = [
        SystemOperation(
            known.group.lower(), known.operation.lower(), read(value) if known.takes_register else None, SPAN
        )
        for known in INSTRUCTIONS.values()
    ]
    words = _system_words(program(function("all", [value], VOID, body, exported=True)), optimisation)
    assert [word & ~31 for word in words] == [
        0xD5000000 | known.encoding.instruction_bits for known in INSTRUCTIONS.values()
    ]
    without_register = [
        word & 31 for word, known in zip(words, INSTRUCTIONS.values(), strict=True) if not known.takes_register
    ]
    assert set(without_register) == {31}


@pytest.mark.parametrize("optimisation", list(Optimisation))
def test_barriers_and_hints_are_what_gnu_as_makes_of_them(optimisation: Optimisation, tmp_path: Path) -> None:
    body: list[Statement] = [Barrier("isb", "sy", SPAN)]
    lines = ["isb"]
    for instruction in ("dsb", "dmb"):
        for option in BARRIER_OPTIONS:
            body.append(Barrier(instruction, option, SPAN))
            lines.append(f"{instruction} {option}")
    for name in HINTS:
        body.append(Hint(name, SPAN))
        lines.append(name)
    words = _system_words(program(function("all", [], VOID, body, exported=True)), optimisation)
    assert words == _assembled(lines, tmp_path)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (Evaluate(RegisterRead("HCR_EL9"), SPAN), "no system register is named 'HCR_EL9'; did you mean HCR_EL2"),
        (Evaluate(RegisterRead("ICC_EOIR1_EL1"), SPAN), "system register ICC_EOIR1_EL1 cannot be read"),
        (RegisterWrite("MIDR_EL1", number(0), SPAN), "system register MIDR_EL1 cannot be written"),
        (SystemOperation("tlbi", "vae9", number(0), SPAN), "no instruction tlbi vae9"),
        (SystemOperation("tlbi", "vae2is", None, SPAN), "TLBI VAE2IS needs a value"),
        (SystemOperation("tlbi", "alle2", number(1), SPAN), "TLBI ALLE2 takes no value"),
        (Barrier("isb", "ish", SPAN), "no barrier isb ish"),
        (Barrier("dsb", "everything", SPAN), "no barrier dsb everything"),
        (Hint("sleep", SPAN), "no hint is named 'sleep'; one of nop"),
        (Evaluate(Load(number(8, POINTER), U64, 8, ordering="release"), SPAN), "an atomic load cannot have"),
        (Store(number(8, POINTER), number(8), 8, SPAN, ordering="acquire"), "an atomic store cannot have"),
        (Evaluate(AtomicUpdate("nand", number(8, POINTER), number(1), U64, "acquire"), SPAN), "no atomic update nand"),
        (Evaluate(LinkerAddress("llvm.trap"), SPAN), "'llvm.trap': names that begin with 'llvm.' are LLVM's own"),
        (Evaluate(LinkerAddress("a\nb"), SPAN), "cannot be the name of a symbol"),
    ],
)  # fmt: skip
def test_what_llvm_would_abort_on_is_an_error(statement: Statement, message: str) -> None:
    with pytest.raises(LowerError, match=re.escape(message)):
        lower(program(function("bad", [], VOID, [statement], exported=True)), TargetOptions())


def test_names_and_sizes_that_cannot_be_placed_are_errors() -> None:
    def rejected(message: str, *functions: Function, static: StaticObject | None = None) -> None:
        whole = program(*functions)
        whole.statics += [static] if static is not None else []
        with pytest.raises(LowerError, match=re.escape(message)):
            lower(whole, TargetOptions())

    one = function("one", [], VOID, [], exported=True)
    rejected("symbol 'one' is defined twice, first at tests/sample.py:1", one, function("one", [], VOID, []))
    rejected("names that begin with 'llvm.'", function("llvm.memcpy", [], VOID, [], exported=True))
    big = function("big", [], VOID, [], exported=True)
    big.slots.append(StackSlot("table", 1 << 24, 8, "table"))
    rejected("table takes 16777216 bytes of stack, more than 1048576; make it a static object", big)
    badly_placed = function("placed", [], VOID, [], exported=True)
    badly_placed.section = 'a"b'
    rejected("cannot be the name of a section", badly_placed)
    odd = StaticObject("s", "s", "sample", written.U64, 8, 3, True, bytes(8))
    rejected("alignment 3 is not a power of two", one, static=odd)
    with pytest.raises(LowerError, match="CPU 'z80' is not known"):
        lower(program(one), TargetOptions(cpu="z80"))
    with pytest.raises(LowerError, match="CPU feature 'sve' is not known"):
        lower(program(one), TargetOptions(features=("sve",)))


def test_declarations_of_one_extern_must_agree() -> None:
    first = function("outside", [local("a")], U64, [])
    second = function("outside", [local("a", U32)], U64, [])
    first.extern = second.extern = True
    entry = function("entry", [], U64, [give(call(first, number(1)))], exported=True)
    with pytest.raises(LowerError, match=r"declared with other types than at tests/sample\.py:1"):
        lower(program(entry, first, second), TargetOptions())


def test_llvm_knows_every_cpu_and_feature(capfd: pytest.CaptureFixture[str]) -> None:
    entry = function("entry", [], U64, [give(number(1))], exported=True)
    for cpu in sorted(CPUS):
        lower(program(entry), TargetOptions(cpu=cpu))
    for feature in sorted(FEATURES):
        lower(program(entry), TargetOptions(features=(feature,)))
    assert capfd.readouterr().err == ""


def _image_like() -> Program:
    """Code that reaches for a table, an extern, a block, linker symbols, memory functions, devices and atomics."""
    outside = function("outside", [local("a")], U64, [])
    outside.extern = True
    block = function("sample.block", [local("a")], U64, [give(number(0))])
    block.assembly = AssemblyText(
        "", "tests/sample.py", 1, {"handler": "sample.handler", "table": "sample.table", "n": 3}
    )
    handler = function("sample.handler", [local("a")], U64, [give(number(3))])
    table = StaticObject("sample.table", "table", "sample", written.U64, 64, 64, True, bytes(64), section=".tables")
    private = StaticObject("sample.private", "private", "sample", written.U64, 8, 8, True, b"\x05" + bytes(7))
    value, size = local("value"), local("size")
    slot = StackSlot("buffer", 64, 16)
    body: list[Statement] = [
        Store(StaticAddress(table), read(value), 8, SPAN),
        Store(SlotAddress(slot), read(value), 8, SPAN),
        CopyMemory(StaticAddress(table), SlotAddress(slot), read(size), 8, SPAN),
        Store(LinkerAddress("__device"), number(1, U32), 4, SPAN, Access.DEVICE),
        Evaluate(AtomicUpdate("add", StaticAddress(private), number(1), U64, "acq_rel"), SPAN),
        give(binary(BinaryOp.ADD, call(outside, read(value)), call(block, Load(StaticAddress(private), U64, 8)))),
    ]
    entry = function("entry", [value, size], U64, body, exported=True)
    entry.slots.append(slot)
    whole = program(entry, outside, block, handler)
    whole.statics += [table, private]
    return whole


@pytest.mark.parametrize("optimisation", list(Optimisation))
def test_an_object_needs_nothing_that_an_image_lacks(optimisation: Optimisation, tmp_path: Path) -> None:
    lowered = lower(_image_like(), TargetOptions(optimisation=optimisation, stack_protector=True, pac=True, bti=True))
    symbols = _symbols(lowered.object)
    undefined = {name for name, (_, section) in symbols.items() if section == "SHN_UNDEF" and name}
    assert undefined == {"outside", "sample.block", "__device", "memcpy"}
    visible = {name for name, (bind, section) in symbols.items() if bind == "STB_GLOBAL" and section != "SHN_UNDEF"}
    guard = {"__stack_chk_guard", "__stack_chk_fail"}
    assert visible == {"entry", "sample.handler", "sample.table", "__trap_table", *guard}
    path = tmp_path / "x.o"
    path.write_bytes(lowered.object)
    listing = subprocess.run(
        [debian_tool("aarch64-linux-gnu-objdump"), "-dr", str(path)], check=True, capture_output=True, text=True
    ).stdout
    assert "GOT" not in listing
    assert not re.search(
        r"\b[vqdsh][0-9]+\b(?!>)", "\n".join(re.findall(r"\t(?:ldr|str|ldp|stp|mov|fmov)\t.*", listing))
    )
    assert not re.search(r"\tblr?\tx|\tblr\b", listing)
    assert "paciasp" in listing and "autiasp" in listing
    assert not re.search(r"\b(ldadd|cas|swp|retaa)", listing)


LIBRARY_SHAPES = """
from compiler.language import Ptr, export, struct, u8, u64

@struct
class Key:
    a: u64
    b: u64
    c: u64
    d: u64

@export("length")
def length(text: Ptr[u8]) -> u64:
    count: u64 = 0
    while text[count] != 0:
        count += 1
    return count

@export("same")
def same(left: Key, right: Key) -> bool:
    return left.a == right.a and left.b == right.b and left.c == right.c and left.d == right.d

@export("find")
def find(text: Ptr[u8], byte: u8, size: u64) -> u64:
    for i in range(size):
        if text[i] == byte:
            return i
    return size
"""


def test_loops_do_not_become_calls_of_library_functions() -> None:
    lowered = lower(check_source(LIBRARY_SHAPES, ["length", "same", "find"]), TargetOptions())
    assert {name for name, (_, section) in _symbols(lowered.object).items() if section == "SHN_UNDEF" and name} == set()


def test_lse_replaces_loops_when_asked() -> None:
    lowered = lower(_image_like(), TargetOptions(lse=True), want_assembly=True)
    assert "ldadd" in lowered.assembly


def test_a_cpu_changes_the_schedule_but_not_the_instruction_set() -> None:
    lowered = lower(_image_like(), TargetOptions(cpu="neoverse-v2"), want_assembly=True)
    assert "ldaxr" in lowered.assembly
    assert not re.search(r"\b(ldadd|ldapr)", lowered.assembly)


def test_strict_alignment_splits_what_may_be_misaligned() -> None:
    address = local("address", POINTER)
    entry = function("entry", [address], U64, [give(Load(read(address), U64, 1))], exported=True)
    assert len(_words(program(entry), "entry")) == 2
    assert len(_words(program(entry), "entry", TargetOptions(strict_align=True))) > 8


def test_the_object_holds_the_table_of_the_checks_left() -> None:
    a, b = local("a"), local("b")
    proven = binary(BinaryOp.AND, read(a), number(7))
    body: list[Statement] = [
        Evaluate(binary(BinaryOp.ADD, proven, number(1), line=5), at(5)),
        give(binary(BinaryOp.FLOOR_DIV, read(a), read(b), line=6)),
    ]
    stop = function("stop", [], VOID, [Trap(TrapKind.PANIC, at(9), "out of pages")], exported=True)
    lowered = lower(program(function("entry", [a, b], U64, body, exported=True), stop), TargetOptions())
    elf = ELFFile(BytesIO(lowered.object))
    section = elf.get_section_by_name(".rodata.traps")
    assert section is not None and section["sh_addralign"] == 8
    reports = decode_table(section.data())
    found = {(report.kind, report.file, report.line, report.message) for report in reports.values()}
    assert found == {
        (TrapKind.DIVIDE, "tests/sample.py", 6, "division by zero"),
        (TrapKind.PANIC, "tests/sample.py", 9, "out of pages"),
    }
    assert set(reports) == set(lowered.traps.sites)
    assert lowered.checks_before == {TrapKind.OVERFLOW: 1, TrapKind.DIVIDE: 1, TrapKind.PANIC: 1}
    assert lowered.checks_left == {TrapKind.DIVIDE: 1, TrapKind.PANIC: 1}
    assert 0xD4200000 | min(reports) << 5 in _words(
        program(function("entry", [a, b], U64, body, exported=True), stop), "entry"
    )


def test_the_same_program_gives_the_same_bytes() -> None:
    assert lower(_image_like(), TargetOptions()).object == lower(_image_like(), TargetOptions()).object
