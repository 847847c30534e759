"""Structs whose layout depends on a version: sizes, conversion by field, specialisation by class."""

from __future__ import annotations

import pytest

from compiler.check import check_source
from compiler.host import Interpreter
from compiler.syntax.diagnostics import CompileErrors

SOURCE = """
from __future__ import annotations
from compiler.language import *

@struct
class Entry:
    id: u16
    count: u16 = 1
    properties: u32 = 0
    uuid: Array[u8] = since(0x10001, array(16))
    version: u32 = since(0x10003, 7)

EntryV10 = version_of(Entry, 0x10000)
EntryV11 = version_of(Entry, 0x10001)
static_assert(size_of(EntryV10) == 8 and size_of(EntryV11) == 24 and size_of(Entry) == 28, "layouts of FF-A 1.0 to 1.3")

def write(kind: Const[type[Entry]], out: Slice[u8], entry: Entry) -> u64:
    made = zeroed(kind)
    copy_fields(made, entry)
    data = bytes_of(made)
    for i in range(len(data)):
        out[i] = data[i]
    return len(data)

def written(out: Slice[u8], version: u32) -> u64:
    entry = Entry(id=0x8001, properties=0x1F)
    entry.uuid[3] = 9
    if version == 0x10000:
        return write(EntryV10, out, entry)
    if version < 0x10003:
        return write(EntryV11, out, entry)
    return write(Entry, out, entry)
"""

HEAD = "018001001f000000"
UUID = "00000009" + "00" * 12


@pytest.mark.parametrize(
    ("version", "content"),
    [(0x10000, HEAD), (0x10001, HEAD + UUID), (0x10002, HEAD + UUID), (0x10003, HEAD + UUID + "07000000")],
)
def test_each_version_has_its_layout(version: int, content: str) -> None:
    engine = Interpreter(check_source(SOURCE, ["written"]))
    out = bytearray(32)
    size = engine.call("written", out, version)
    assert out[:size].hex() == content
    assert not any(out[size:])


def test_fields_of_different_types_are_not_copied() -> None:
    other = "@struct\nclass Other:\n    id: u32 = 0\n\ndef bad(a: Entry, b: Other) -> None:\n    copy_fields(a, b)\n"
    with pytest.raises(CompileErrors) as caught:
        check_source(SOURCE + other, ["bad"])
    assert caught.value.diagnostics[0].message == "`id` is u16 in Entry and u32 in Other"


def test_a_class_parameter_takes_a_class() -> None:
    with pytest.raises(CompileErrors) as caught:
        check_source(SOURCE + "def bad(out: Slice[u8], e: Entry) -> u64:\n    return write(5, out, e)\n", ["bad"])
    assert caught.value.diagnostics[0].message == "expected a class, found 5"
