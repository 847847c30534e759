"""Bindings of assembly blocks: offsets, numbers, symbols, and what becomes part of the program by being named."""

from __future__ import annotations

import pytest

from compiler.check import check_source
from compiler.syntax.diagnostics import CompileErrors
from tests.compiler.check.accepted import accept, find

BLOCK = '''
class Kind(EnumU32):
    SVC = 0x15

@struct
class Inner:
    a: u32 = 0
    x: Array[u64] = array(31)

@struct
class Vcpu:
    id: u64 = 0
    inner: Inner = Inner()

STACK = linker_symbol("__stack_top")
vcpu: Vcpu = static(Vcpu())
LIMIT = 12

def handle(x: u64) -> u64:
    return x

@assembly_block(
    """
    in x0 = x
    out x0
    call handle, vcpu                // used below
    begin
        ldr  x1, [x0, #{Vcpu.inner.x[3]}]
        ldr  x1, [x0, #{Inner.x[2] + LIMIT}]
        cmp  x1, #{Kind.SVC.value}
        mov  x2, #{size_of(Vcpu) * 2 - LIMIT}
        and  x2, x2, #{~(LIMIT - 1)}
        adrp x3, {STACK}
        adrp x4, {vcpu}
        bl   handle
    """
)
def main(x: u64) -> u64:
    return handle(x)
'''


def test_bindings() -> None:
    program = accept(BLOCK)
    assembly = find(program).assembly
    assert assembly is not None
    assert dict(assembly.bindings) == {
        "handle": "program.handle",
        "vcpu": "program.vcpu",
        "Vcpu.inner.x[3]": 40,
        "Inner.x[2] + LIMIT": 36,
        "Kind.SVC.value": 0x15,
        "size_of(Vcpu) * 2 - LIMIT": 516,
        "~(LIMIT - 1)": -12,
        "STACK": "__stack_top",
    }
    assert assembly.file == "program.py"
    assert assembly.text.splitlines()[1].strip() == "in x0 = x"
    assert [function.symbol for function in program.functions] == ["program.main", "program.handle"]
    assert [item.symbol for item in program.statics] == ["program.vcpu"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("{Vcpu.missing}", "Vcpu has no field 'missing'"),
        ("{LIMIT +}", "is not a Python expression"),
        ("{nowhere}", "`nowhere` is not defined in the module of the block"),
        ("{'text'}", "neither a number nor a symbol"),
        ("{Kind.SVC.value / 0}", "division by zero"),
    ],
)
def test_wrong_bindings_are_reported_where_they_stand(wrong: str, message: str) -> None:
    source = "from compiler.language import *\n" + BLOCK.replace("{STACK}", wrong)
    with pytest.raises(CompileErrors) as caught:
        check_source(source, ["main"])
    (found,) = caught.value.diagnostics
    assert found.code == "E0608"
    assert message in found.message
    assert found.span is not None
    line = source.splitlines()[found.span.line - 1]
    assert line[found.span.column - 1 : found.span.end_column - 1] == wrong[1:-1]
