"""Mutated and random block texts never give anything but a block or AsmErrors: no traceback, no killed process."""

import random

from compiler.asm import AsmErrors, AssembledBlock, write_object
from tests.compiler.asm.corpus import table_instructions
from tests.compiler.asm.support import block

_SEED, _ROUNDS = 99, 1500
_PIECES = [
    *("x0", "x30", "x31", "sp", "wzr", "w5", "q3", "v0.2d", "p0", "{Vcpu.x19}", "{", "}", "{handle}", "{nothing}"),
    *("#", "#0", "#-1", "#0xffffffffffffffff", "#4096", "[", "]", "!", ",", ":", ":lo12:", "=", "1f", "1b", "1:"),
    *("lsl #12", "uxtw", "mul vl", ".", ".word", ".repeat i, 3", ".end", ".slot 0x80", ".balign 16", ".skip", "'", '"'),
    *("in x1", "out x9", "clobber x19", "call handle", "naked", "inline", "stack 16", "align 64", "begin", "//", "\n"),
    *("ldr", "stp", "b.eq", "msr", "tlbi", "b", "adrp", "((((", "~~~~", "<< 64", "* 9", "\t", "\x00", "é", "\r\n"),
]


def _mutate(generator: random.Random, text: str) -> str:
    for _ in range(generator.randrange(1, 6)):
        at, end = sorted(generator.randrange(len(text) + 1) for _ in range(2))
        choice = generator.random()
        if choice < 0.4:
            text = text[:at] + " " + generator.choice(_PIECES) + " " + text[at:]
        elif choice < 0.6:
            text = text[:at] + text[min(end, at + 12) :]
        elif choice < 0.8:
            text = text[:at] + chr(generator.randrange(32, 127)) + text[at + 1 :]
        else:
            lines = text.split("\n")
            line = generator.randrange(len(lines))
            lines.insert(generator.randrange(len(lines) + 1), lines[line])
            text = "\n".join(lines)
    return text


def _assemble(text: str) -> AssembledBlock | None:
    try:
        assembled = block(text)
    except AsmErrors as faults:
        assert faults.errors, text
        assert not [error for error in faults.errors if error.code == "A901"], f"{faults}\n{text}"
        return None
    assert write_object([assembled])
    return assembled


def test_mutated_blocks() -> None:
    generator = random.Random(_SEED)
    corpus = list(table_instructions(_SEED, per_form=1))
    accepted = 0
    for _ in range(_ROUNDS):
        header = generator.choice(
            ["naked\nin x0..x30\nclobber x0..x30, memory", "in x0\nout x0\nclobber memory", "inline"]
        )
        body = "\n".join(generator.choice(corpus) for _ in range(6))
        accepted += _assemble(_mutate(generator, f"{header}\nbegin\n1: {body}\nret")) is not None
    assert accepted < _ROUNDS


def test_random_pieces() -> None:
    generator = random.Random(_SEED)
    for _ in range(_ROUNDS):
        text = " ".join(generator.choice(_PIECES) for _ in range(generator.randrange(1, 30)))
        _assemble("begin\n" + text)
        _assemble(text)


def test_hostile_sizes_and_depths() -> None:
    for text in (
        "begin\n" + "(" * 390,
        "begin\n.word " + "-" * 380 + "1",
        "begin\n" + ".repeat i, 4096\n" * 20 + "nop\n" + ".end\n" * 20,
        "begin\n" + "".join(f".repeat i{n}, 4096\n" for n in range(7)) + "nop\n" + ".end\n" * 7,
        "begin\n.skip 0xffffffffffffffff\nret",
        "begin\n.slot 0xfffffff0\nret",
        "begin\n" + "a" * 5000,
        "stack " + "9" * 20 + "\nbegin\nret",
        "align 0xffff0000\nbegin\nret",
        "begin\n" + "\n".join(f"x{n}: b x{n}" for n in range(40)),
    ):
        assert _assemble(text) is None
