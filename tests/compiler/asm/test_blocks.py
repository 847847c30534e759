"""Assembled blocks: code against GNU as, relocations, layout, line tables, what the header declares, frame rows."""

import pytest

from compiler.asm import AsmErrors, BlockSource, Relocation, RelocationType, parse_header
from compiler.asm.block import FrameRow
from tests.compiler.asm.gnu_as import compare_with_gnu_as
from tests.compiler.asm.support import block, words

_SWITCH = """
    in      x0 = vcpu, x1 = message     // the parameters of the twin
    out     x0 = result
    clobber caller_saved, memory
    call    handle, table
    begin
entry:
        paciasp
        stp     x29, x30, [sp, #-0x20]!
        stp     x19, x20, [sp, #16]
        mov     x19, x0
        ldr     x20, [x19, #{Vcpu.x19} + 8 * 2]
        msr     VSTTBR_EL2, x20
        tlbi    vmalls12e1is
        dsb     ish
        cbz     x1, 1f
        adrp    x4, {table}
        add     x4, x4, :lo12:{table} + 8
        ldr     x4, [x4, :lo12:{table}]
1:      bl      handle
        tbnz    x0, #{TGE} >> 27, done
        swpal   x0, x1, [x19]
        mov     x0, #{PAGE_SIZE} - 1
done:   ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #0x20
        retaa
"""

_VECTORS = """
    naked
    in      x0..x30
    clobber x0, x1, x30, memory, sp
    section ".text.vectors" align 2048
    global  from_lower, unexpected
    call    panic
    begin
        .repeat i, 16
        .slot   0x80 * i
        stp     x0, x1, [sp, #{Vcpu.x19}]
        mov     x1, #i
        b       common
        .end
common:
        mrs     x0, ESR_EL2
        lsr     x0, x0, #26
        cmp     x0, #0x16
        b.ne    unexpected
from_lower:
        eret
        sb
unexpected:
        bl      {panic}
        brk     #0
        .balign 8
offsets:
        .word   common - offsets, from_lower - ., 0xcafe
        .quad   {panic}, offsets
        .word   {panic} - .
        .byte   1, 0xff, 'A'
        .asciz  "EL2\\n"
"""


def test_a_function_block_matches_gnu_as_and_carries_its_relocations() -> None:
    switch = block(_SWITCH, "switch")
    compare_with_gnu_as(switch)
    assert switch.relocations == (
        Relocation(0x24, RelocationType.ADR_PREL_PG_HI21, "core.table", 0),
        Relocation(0x28, RelocationType.ADD_ABS_LO12_NC, "core.table", 8),
        Relocation(0x2C, RelocationType.LDST64_ABS_LO12_NC, "core.table", 0),
        Relocation(0x30, RelocationType.CALL26, "core.handle", 0),
    )
    assert switch.calls == ("core.handle", "core.table")
    assert [(declared.resource, declared.name) for declared in switch.inputs] == [("x0", "vcpu"), ("x1", "message")]
    assert switch.stack_bytes == 0x20
    assert switch.lines[:2] == ((0, 8), (4, 9))
    assert switch.labels == {"entry": 0, "done": 0x40}
    assert [line.text for line in switch.instructions[9:14]] == [
        "adrp x4, core.table",
        "add x4, x4, :lo12:core.table+0x8",
        "ldr x4, [x4, :lo12:core.table]",
        "bl core.handle",
        "tbnz x0, #0x1, done",
    ]


def test_frame_rows_follow_the_stack_and_the_saved_registers() -> None:
    assert block(_SWITCH).frame_rows == (
        FrameRow(0x00, 0, (), False),
        FrameRow(0x04, 0, (), True),
        FrameRow(0x08, 0x20, ((29, -0x20), (30, -0x18)), True),
        FrameRow(0x0C, 0x20, ((19, -0x10), (20, -0x08), (29, -0x20), (30, -0x18)), True),
        FrameRow(0x48, 0, (), True),
    )


def test_vectors_fill_their_slots_and_data_has_its_relocations() -> None:
    vectors = block(_VECTORS.replace("clobber x0, x1, x30, memory, sp", "clobber caller_saved, x30, memory"), "vectors")
    compare_with_gnu_as(vectors)
    assert (vectors.section, vectors.alignment) == (".text.vectors", 2048)
    assert [vectors.words[0x20 * slot + 1] for slot in range(16)] == words("mov x1, #0\nbrk #0", _MOVES)[:1] + [
        0xD2800001 | slot << 5 for slot in range(1, 16)
    ]
    assert vectors.words[3:0x20] == (0,) * 0x1D
    offsets = vectors.labels["offsets"]
    common, lower = vectors.labels["common"], vectors.labels["from_lower"]
    data = vectors.code[offsets:]
    assert data[:12] == b"".join(
        (n % (1 << 32)).to_bytes(4, "little") for n in (common - offsets, lower - offsets, 0xCAFE)
    )
    assert data[32:] == b"\x01\xffAEL2\n\0"
    assert [relocation for relocation in vectors.relocations if relocation.offset >= offsets] == [
        Relocation(offsets + 12, RelocationType.ABS64, "panic", 0),
        Relocation(offsets + 20, RelocationType.ABS64, "", offsets),
        Relocation(offsets + 28, RelocationType.PREL32, "panic", 0),
    ]
    assert vectors.exports == {"from_lower": lower, "unexpected": vectors.labels["unexpected"]}


_MOVES = "naked\nclobber x1"


def test_inline_blocks_have_their_instruction_and_a_function_form() -> None:
    barrier = block("inline\nclobber memory\nbegin\n dsb ish")
    assert barrier.inline_word == 0xD5033B9F
    assert barrier.words == (barrier.inline_word, 0xD65F03C0)


def test_numeric_labels_repeats_and_alignment() -> None:
    looped = block("""in x0
        out x0
        clobber x1
        align 16
        begin
        mov x1, #3
        .balign 16
    1:  .repeat i, 2
        sub x1, x1, #1 + i
        cbz x1, 2f
        .end
        b 1b
    2:  add x0, x0, #1
        ret""")
    compare_with_gnu_as(looped)
    assert looped.words[1:4] == (0xD503201F,) * 3
    assert [line.text for line in looped.instructions][-3] == "b .L10"


def test_registers_saved_in_other_registers_and_swapped_flags_are_understood() -> None:
    compare_with_gnu_as(
        block(
            """in x0
            out x0
            clobber x9, x10, nzcv
            begin
            mov x9, x19
            mov x10, x30
            mov x19, x0
            mrs x0, NZCV
            cmp x19, #1
            msr NZCV, x0
            csel x0, x19, xzr, ne
            mov x30, x10
            mov x19, x9
            ret""".replace("mrs x0, NZCV\n            cmp x19, #1", "cmp x19, #1\n            mrs x0, NZCV")
        )
    )


def test_vector_registers_saved_and_restored() -> None:
    saved = block("""clobber v0
        begin
        stp d8, d9, [sp, #-16]!
        movi v0.2d, #0
        fmov d8, d0
        ldp d8, d9, [sp], #16
        ret""")
    compare_with_gnu_as(saved)


def test_header_alone_for_signatures() -> None:
    header = parse_header(BlockSource("switch", _SWITCH, "sample.py", 1))
    assert [declared.name for declared in header.inputs] == ["vcpu", "message"]
    assert list(header.calls) == ["handle", "table"]
    with pytest.raises(AsmErrors):
        parse_header(BlockSource("switch", "in x0, q\nbegin", "sample.py", 1))
