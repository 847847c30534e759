"""GNU as as an oracle: what it makes of the same instructions."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from compiler.asm import AssembledBlock
from compiler.language.register_table import encoding_of
from tests.tools import debian_tool

_MARCH = "-march=armv8.8-a+rng+memtag+sve2+sme+profile+pauth+predres+sb+ssbs+flagm+ls64+mops"


def gnu_words(lines: Sequence[str]) -> tuple[list[int], str]:
    """The words GNU as makes of a text section, and its messages; no words where it rejects a line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.s").write_text("\n".join(lines) + "\n")
        command = [debian_tool("aarch64-linux-gnu-as"), _MARCH, "-o", "out.o", "in.s"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if run.returncode != 0:
            return [], run.stderr
        objcopy = debian_tool("aarch64-linux-gnu-objcopy")
        subprocess.run([objcopy, "-O", "binary", "-j", ".text", "out.o", "out.bin"], cwd=folder, check=True)
        code = (folder / "out.bin").read_bytes()
    return [int.from_bytes(code[i : i + 4], "little") for i in range(0, len(code), 4)], run.stderr


def _gnu_text(text: str) -> str:
    """A listing's text as GNU as 2.40 reads it: names that it lacks by number, targets as offsets from here."""
    mnemonic, _, rest = text.partition(" ")
    operands = rest.split(", ")
    if mnemonic in ("mrs", "msr") and not operands[1].startswith("#"):
        at = 1 if mnemonic == "mrs" else 0
        operands[at] = encoding_of(operands[at]).generic_name
    elif mnemonic in ("tlbi", "at", "dc", "ic", "cfp", "dvp", "cpp"):
        encoding = encoding_of(f"{mnemonic} {operands[0]}")
        numbers = f"#{encoding.op1}, C{encoding.crn}, C{encoding.crm}, #{encoding.op2}"
        return ", ".join([f"sys {numbers}", *operands[1:]])
    return f"{mnemonic} {', '.join(operands)}".rstrip()


def compare_with_gnu_as(block: AssembledBlock) -> None:
    """Assert that GNU as makes the block's words of its listing, relocated fields left zero by both."""
    names: dict[int, list[str]] = {}
    for name, label_offset in block.labels.items():
        names.setdefault(label_offset, []).append(name)
    lines: list[str] = []
    end = 0
    for instruction in block.instructions:
        offset = instruction.offset
        lines += [f".inst {word}" for word in block.words[end // 4 : offset // 4]]
        lines += [f"{name}:" for name in [f".L{offset:x}", *names.get(offset, [])]]
        lines.append(_gnu_text(instruction.text))
        end = offset + 4
    words, messages = gnu_words(lines)
    assert words, f"GNU as rejects block {block.name}:\n{messages}"
    for instruction in block.instructions:
        ours, theirs = block.words[instruction.offset // 4], words[instruction.offset // 4]
        assert ours == theirs, f"{block.file}:{instruction.line}: `{instruction.text}` is {ours:#x}, GNU as {theirs:#x}"
