"""What relocatable objects of different back ends agree on with the linker, beyond ELF itself."""

INLINE_LIST_SECTION = ".tantalum.inline"
"""Not loaded, in objects alone: the symbol names of the inline assembly blocks, each ended by a zero byte."""
