"""Every assembly block of every image: its words against those of GNU as, and its schedule on both cores."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.asm import AssembledBlock, BlockSource, ResolveError, SymbolReference, assemble
from compiler.asm.schedule import IN_ORDER, OUT_OF_ORDER, schedule
from compiler.check import check_program
from compiler.driver.images import all_images
from tests.compiler.asm.gnu_as import compare_with_gnu_as
from tests.tools import debian_tool

_ROOT = Path(__file__).parents[3]


def _assembled(name: str, text: str, file: str, first_line: int, bindings: Mapping[str, int | str]) -> AssembledBlock:
    def resolve(binding: str) -> int | SymbolReference:
        if binding not in bindings:
            raise ResolveError(f"{binding} is unknown")
        value = bindings[binding]
        return SymbolReference(value) if isinstance(value, str) else value

    return assemble(BlockSource(name, text, file, first_line), resolve)


@pytest.fixture(scope="module")
def blocks() -> dict[str, AssembledBlock]:
    """The blocks of all images for the default platform, by symbol; images share some of them."""
    result: dict[str, AssembledBlock] = {}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TANTALUM_PLATFORM", "qemu")
        for image in all_images():
            program = check_program([], name=image.name, modules=image.entry_modules)
            for function in program.functions:
                text = function.assembly
                if text is not None and function.symbol not in result:
                    result[function.symbol] = _assembled(
                        function.symbol, text.text, text.file, text.first_line, text.bindings
                    )
    return result


def test_words_match_gnu_as(blocks: dict[str, AssembledBlock]) -> None:
    assert {"_start", "exception_vectors"} <= blocks.keys()
    for assembled in blocks.values():
        compare_with_gnu_as(assembled)


@pytest.mark.parametrize("cpu", [IN_ORDER, OUT_OF_ORDER])
def test_schedules_have_a_row_for_every_instruction(blocks: dict[str, AssembledBlock], cpu: str) -> None:
    debian_tool("llvm-mca")
    for assembled in blocks.values():
        rows = schedule(assembled, cpu).rows
        assert [row.offset for row in rows] == [line.offset for line in assembled.instructions]
