"""The reader of archives against what Debian's cpio writes, and against everything that can be wrong with one."""

from __future__ import annotations

import functools
import struct
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.host import Interpreter
from compiler.host.native import Native
from compiler.language import types
from hypervisor.boot.cpio import CpioError, File
from tests.host.boot.machine import ENGINES, session
from tests.tools import debian_tool

Engine = type[Interpreter] | type[Native]
FILES = {"manifest.dtb": b"tree", "odd": b"12345", "empty": b"", "folder/kernel": bytes(range(256)) * 300}
FORMATS = ["bin", "odc", "newc", "crc"]


@functools.cache
def archive(form: str, prefix: str = "") -> bytes:
    """What Debian's cpio makes of FILES."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "folder").mkdir()
        for name, content in FILES.items():
            (Path(folder) / name).write_bytes(content)
        names = "".join(f"{prefix}{name}\n" for name in FILES)
        command = [debian_tool("cpio"), "--quiet", "-o", "-H", form]
        return subprocess.run(command, input=names.encode(), cwd=folder, capture_output=True, check=True).stdout


def swapped(data: bytes) -> bytes:
    """An archive of old binary format as a machine of the other byte order writes it: names and data are bytes."""
    result = bytearray()
    at = 0
    while at < len(data):
        header = struct.unpack_from("<13H", data, at)
        if header[0] != 0o070707:
            break
        size = (header[10] + 1) // 2 * 2 + ((header[11] << 16 | header[12]) + 1) // 2 * 2
        result += struct.pack(">13H", *header) + data[at + 26 : at + 26 + size]
        at += 26 + size
    return bytes(result)


ARCHIVES = {form: archive(form) for form in FORMATS} | {"swapped": swapped(archive("bin"))}


def listed(engine: Engine, data: bytes) -> dict[str, bytes]:
    s = session(engine)
    entries = s.new_array(types.INTEGERS["u64"], [0] * 64)
    count = s.call("list_archive", data, entries)
    rows = [[entries[4 * row + column] for column in range(4)] for row in range(count)]
    return {data[name : name + length].decode(): data[at : at + size] for name, length, at, size in rows}


def find(engine: Engine, data: bytes, name: str) -> bytes | CpioError:
    file = session(engine).new(File)
    error = session(engine).call("find_file", data, name.encode(), file)
    return error if error is not None else data[file.offset : file.offset + file.size_bytes]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", ARCHIVES)
def test_what_cpio_writes_is_read(engine: Engine, form: str) -> None:
    data = ARCHIVES[form]
    assert listed(engine, data) == FILES
    for name, content in FILES.items():
        assert find(engine, data, name) == content
    for name in ("", "manifest", "manifest.dtb2", "TRAILER!!!", "folder"):
        assert find(engine, data, name) is CpioError.NOT_FOUND


@pytest.mark.parametrize("form", FORMATS)
def test_names_may_begin_with_a_dot(form: str) -> None:
    assert find(Native, archive(form, "./"), "folder/kernel") == FILES["folder/kernel"]


def test_the_first_of_two_files_of_one_name_is_found() -> None:
    data = newc(("a", b"first"), ("a", b"second"), ("TRAILER!!!", b""))
    assert find(Native, data, "a") == b"first"


def newc(*files: tuple[str, bytes], size: str = "") -> bytes:
    data = b""
    for name, content in files:
        header = f"070701{'0' * 48}{size or f'{len(content):08x}'}{'0' * 32}{len(name) + 1:08x}{'0' * 8}".encode()
        data += header + name.encode() + bytes(-(len(header) + len(name)) % 4 or 4)
        data += content + bytes(-len(content) % 4)
    return data


BIN, ODC, NEWC = (ARCHIVES[form] for form in ("bin", "odc", "newc"))
DEFECTS = {
    "empty": (b"", CpioError.TRUNCATED),
    "shorter than a header": (BIN[:25], CpioError.TRUNCATED),
    "zeros": (bytes(512), CpioError.NOT_CPIO),
    "compressed": (b"\x1f\x8b\x08\x00" + bytes(60), CpioError.NOT_CPIO),
    "binary without trailer": (BIN[: BIN.index(b"TRAILER") - 26], CpioError.TRUNCATED),
    "odc without trailer": (ODC[: ODC.index(b"TRAILER") - 76], CpioError.TRUNCATED),
    "newc without trailer": (NEWC[: NEWC.index(b"TRAILER") - 110], CpioError.TRUNCATED),
    "odc header cut off": (ODC[:75], CpioError.TRUNCATED),
    "newc header cut off": (NEWC[:109], CpioError.TRUNCATED),
    "name cut off": (BIN[:30], CpioError.TRUNCATED),
    "data cut off": (BIN[: BIN.index(b"kernel") + 40], CpioError.TRUNCATED),
    "garbage between entries": (NEWC[:110] + NEWC[112:], CpioError.BAD_NAME),
    "size that is no number": (newc(("a", b"x"), size="0000000g"), CpioError.BAD_NUMBER),
    "size with a sign": (newc(("a", b"x"), size="-0000001"), CpioError.BAD_NUMBER),
    "size of 4 GiB": (newc(("a", b"x"), size="FFFFFFFF"), CpioError.TRUNCATED),
    "octal digit 8": (ODC[:65] + b"8" + ODC[66:], CpioError.BAD_NUMBER),
    "largest octal size": (ODC[:65] + b"7" * 11 + ODC[76:], CpioError.TRUNCATED),
    "no name": (BIN[:20] + b"\0\0" + BIN[22:], CpioError.BAD_NAME),
    "name too long": (BIN[:20] + b"\x01\x20" + BIN[22:], CpioError.BAD_NAME),
    "name without end": (BIN[:20] + b"\x05\0" + BIN[22:], CpioError.BAD_NAME),
    "second entry of no format": (newc(("a", b"1234")) + bytes(64), CpioError.NOT_CPIO),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_is_an_error(engine: Engine, defect: str) -> None:
    data, expected = DEFECTS[defect]
    assert find(engine, data, "absent") is expected


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(ARCHIVES)),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4),
    st.integers(0, 1000),
)
def test_damaged_archives_never_trap(form: str, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(newc(("a", b"1234"), ("manifest.dtb", b"12"), ("TRAILER!!!", b"")))
    if form != "newc":
        data = bytearray(ARCHIVES[form][:200] + ARCHIVES[form][-300:])
    for offset, value in changes:
        data[offset % len(data)] = value
    find(Interpreter, bytes(data[: len(data) - cut % len(data)]), "absent")
