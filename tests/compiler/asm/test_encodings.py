"""The words of blocks against GNU as: every form with generated operands, every system name, every register."""

from compiler.asm import AssembledBlock, BlockSource, SymbolReference, assemble
from tests.compiler.asm.corpus import system_instructions, table_instructions
from tests.compiler.asm.gnu_as import gnu_words

_SEED = 4711

# Declares every register, so that a block may hold any sequence of instructions.
_HEADER = """
naked
in x0..x30, nzcv, v0..v31, p0..p15, ffr
clobber x0..x30, nzcv, v0..v31, p0..p15, ffr, memory
"""


def _corpus_block(lines: list[str]) -> AssembledBlock:
    """One block of all lines; each is reachable through a table of labels, whatever control flow stands before it."""
    labels = [f"at{number}: {line}\n brk #0" for number, line in enumerate(lines)]
    exported = "\n".join(f"global at{number}" for number in range(len(lines)))
    uses_symbol = "call symbol\n" if any("symbol" in line for line in lines) else ""
    text = _HEADER + uses_symbol + exported + "\nbegin\n" + "\n".join(labels) + "\n"
    return assemble(BlockSource("corpus", text, "corpus.py", 1), SymbolReference)


def _compare(lines: list[str]) -> None:
    ours = _corpus_block(lines).words[::2]
    theirs, messages = gnu_words(lines)
    assert theirs, messages
    different = [
        f"{line}: {own:#010x}, GNU as {other:#010x}"
        for line, own, other in zip(lines, ours, theirs, strict=True)
        if own != other
    ]
    assert not different, "\n".join(different)


def test_generated_instructions_of_every_form_match_gnu_as() -> None:
    lines = list(table_instructions(_SEED, per_form=5))
    assert len(lines) > 3000
    _compare(lines)


def test_system_instructions_match_gnu_as() -> None:
    lines = list(system_instructions())
    assert len(lines) > 1400
    _compare(lines)
