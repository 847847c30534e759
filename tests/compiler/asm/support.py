"""What the tests of assembly blocks share: a resolver over a small program, and shortcuts to assemble text."""

from compiler.asm import AsmErrors, AssembledBlock, BlockSource, ResolveError, SymbolReference, assemble

NUMBERS = {"Vcpu.x19": 0x98, "Vcpu.x21": 0xA8, "sizeof(Vcpu)": 0x340, "PAGE_SIZE": 0x1000, "TGE": 1 << 27}
SYMBOLS = {"handle": "core.handle", "table": "core.table", "panic": "panic"}


def resolve(text: str) -> int | SymbolReference:
    """Bindings of a small imaginary program."""
    if text in NUMBERS:
        return NUMBERS[text]
    if text in SYMBOLS:
        return SymbolReference(SYMBOLS[text])
    raise ResolveError(f"name '{text}' is not defined")


def block(text: str, name: str = "sample") -> AssembledBlock:
    """The block of a text whose first line is line 1 of sample.py."""
    return assemble(BlockSource(name, text, "sample.py", 1), resolve)


def words(body: str, header: str = "naked") -> list[int]:
    """The words of instructions."""
    return list(block(f"{header}\nbegin\n{body}").words)


def errors(text: str) -> str:
    """The text of all errors of a faulty block; empty for a block without."""
    try:
        block(text)
    except AsmErrors as faults:
        return str(faults)
    return ""
