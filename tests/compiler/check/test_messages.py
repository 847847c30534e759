"""Messages: the text with its placeholders, the values beside it, what becomes text at build time."""

from __future__ import annotations

import pytest

from tests.compiler.check.accepted import Running

SOURCE = """
class Level(EnumU8):
    HIGH = 4

NAME = "board"
BASE = PhysAddr(0x1000)

@struct
class Sink:
    text: Array[u8] = array(128)
    size: u64 = 0
    values: Array[u64] = array(8)
    count: u64 = 0

sink: Sink = static(Sink())

def log(message: Format) -> None:
    text = utf8(format_text(message))
    values = format_values(message)
    sink.size = len(text)
    sink.count = len(values)
    for i, byte in enumerate(text):
        sink.text[i] = byte
    for i, value in enumerate(values):
        sink.values[i] = value

def main(x: u64, small: i8, flag: bool, where: PhysAddr, level: Level, text: str) -> None:
    log({message})
"""


def shown(message: str) -> tuple[bytes, list[int]]:
    """Text and values that a message gives."""
    from compiler.language import PhysAddr

    program = Running(SOURCE.replace("{message}", message))
    level = next(kind for name, kind in program.program.functions[0].signature.parameters if name == "level")
    program(255, -2, True, PhysAddr(0x8000), next(iter(level.cls)), "txt")  # type: ignore[attr-defined]
    sink = program.machine.static("program.sink")
    return bytes(sink.text)[: sink.size], list(sink.values)[: sink.count]


@pytest.mark.parametrize(
    ("message", "text", "values"),
    [
        ('"plain"', b"plain", []),
        ('f"x={x}"', b"x=\x01\x00", [255]),
        ('f"{x:5} {x:05d}"', b"\x01\x05 \x01\x85", [255, 255]),
        ('f"{x:x} {x:08x} {x:#x} {x:#018x}"', b"\x04\x00 \x04\x88 \x03\x00 \x03\x90", [255] * 4),
        ('f"{x:c}"', b"\x06\x00", [255]),
        ('f"{small}"', b"\x02\x00", [(1 << 64) - 2]),
        ('f"{flag} {level}"', b"\x07\x00 \x01\x00", [1, 4]),
        ('f"{where} {where:x}"', b"\x03\x00 \x04\x00", [0x8000, 0x8000]),
        ('f"{NAME}: {BASE} {12:#x} {True} {Level.HIGH} {x}"', b"board: 0x1000 0xc true 4 \x01\x00", [255]),
    ],
)
def test_placeholders(message: str, text: bytes, values: list[int]) -> None:
    assert shown(message) == (text, values)


def test_a_string_takes_two_values() -> None:
    text, values = shown('f"<{text}>"')
    assert text == b"<\x05\x00>"
    assert values[1] == 3
