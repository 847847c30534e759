"""Faulty blocks and the exact text of their errors; each error class of the block language is here."""

# ruff: noqa: E501 (errors are quoted as they are printed)

import pytest

from tests.compiler.asm.support import errors

CASES: dict[str, tuple[str, str]] = {
    "syntax": (
        """in x0
out x0
begin
 add x0, x0,, #1
 ldr x0, [x0
 ret""",
        """sample.py:4:13: error[A001]: unexpected ','
sample.py:5:13: error[A001]: unexpected end of line""",
    ),
    "header": (
        """in x0 = a, y
foo
stack
align 24
naked inline
clobber x9..x3
section ""
begin
 ret""",
        """sample.py:1:12: error[A102]: y is not a register
  fix: name x0..x30, sp, nzcv, v0..v31, p0..p15 or ffr
sample.py:2:1: error[A002]: unexpected 'foo' in the header
  fix: a header line starts with one of in, out, clobber, call, global, section, align, stack, naked, inline, begin
sample.py:3:1: error[A002]: stack is followed by a number of bytes
sample.py:4:1: error[A002]: alignment 24 is not a power of two between 4 and 0x10000 bytes
sample.py:5:1: error[A002]: naked is followed by nothing
sample.py:6:9: error[A002]: x9..x3 is not a range of registers
sample.py:7:1: error[A002]: the section name is empty""",
    ),
    "header twice": (
        """in x0, x0
out x1
clobber x1
align 8
align 16
call handle, handle
naked
inline
begin
 ret""",
        """sample.py:1:1: error[A310]: an inline block may not refer to symbols
sample.py:1:8: error[A002]: x0 is listed twice after in
sample.py:3:9: error[A002]: x1 is an output and a clobber
  fix: an output needs no clobber
sample.py:5:1: error[A002]: align comes twice in the header
sample.py:6:6: error[A306]: call handle is declared, but the block never uses it
  fix: remove it from the call line
sample.py:6:14: error[A002]: handle is listed twice after call
sample.py:9:0: error[A002]: a block is naked or inline, not both
sample.py:10:2: error[A310]: an inline block may not contain ret""",
    ),
    "no begin": (
        """in x0
 ret""",
        """sample.py:1:1: error[A003]: block sample has no line `begin`
  fix: end the header with begin
sample.py:2:2: error[A002]: unexpected 'ret' in the header
  fix: a header line starts with one of in, out, clobber, call, global, section, align, stack, naked, inline, begin""",
    ),
    "empty": (
        """begin
 // nothing""",
        """sample.py:1:1: error[A003]: block sample has no instructions""",
    ),
    "unknown mnemonic": (
        """in x0
out x0
begin
 addd x0, x0, #1
 zzz
 ret""",
        """sample.py:4:2: error[A101]: addd is no known instruction
  fix: did you mean add or madd or adds?
sample.py:5:2: error[A101]: zzz is no known instruction
  fix: docs/assembly.md lists the instructions""",
    ),
    "unknown register": (
        """in x0
out x0
begin
 add x0, x31, #1
 mov x0, w44
 ret""",
        """sample.py:4:10: error[A102]: x31 is not a register
sample.py:5:10: error[A102]: w44 is not a register""",
    ),
    "operands": (
        """in x0
out x0
begin
 add x0, x0, w1
 ldr x0, [x0, w0, lsl #3]
 ret x0, x1
 csel x0, x0, x0, foo
 ret""",
        """sample.py:4:14: error[A103]: `add`: w1 is not of the form #imm
  note: closest: add Rn|SP, Rn|SP, #imm{, lsl #0 or #12}; add Rn, Rn, Rn{, lsl, lsr or asr #amount}; add Xn|SP, Xn|SP, Wn{, uxtb, uxth, uxtw, sxtb, sxth or sxtw #amount}; add Xn|SP, Xn|SP, Xn{, lsl, uxtx or sxtx #amount}
sample.py:5:11: error[A103]: `ldr`: lsl does not go with the index w0: it takes uxtw or sxtw
  note: closest: ldr Xn, [Xn, #imm], [Xn, #imm]!, [Xn], #imm or [Xn, Xm]; ldr Rn, label; ldr Wn, [Xn, #imm], [Xn, #imm]!, [Xn], #imm or [Xn, Xm]; ldr Bn, [Xn, #imm], [Xn, #imm]!, [Xn], #imm or [Xn, Xm]
sample.py:6:10: error[A103]: `ret`: these operands fit no form
  note: closest: ret Xn; ret
sample.py:7:19: error[A103]: `csel`: foo is not a condition here
  note: closest: csel Rn, Rn, Rn, cond""",
    ),
    "immediate": (
        """in x0
out x0
begin
 add x0, x0, #4097
 and x0, x0, #0x1234
 mov x0, #0x12345678
 ldr x0, [x0, #32768]
 tbz x0, #64, 1f
1: lsl x0, x0, #64
 movz x0, #1, lsl #8
 ubfx x0, x0, #60, #8
 ret""",
        """sample.py:4:15: error[A104]: `add`: #0x1001 is out of range: the instruction holds 0 to 0xfff, or a multiple of 0x1000 up to 0xfff000
sample.py:5:15: error[A104]: `and`: #0x1234 is out of range: it is no repeated, rotated run of ones, as a logical immediate must be
sample.py:6:11: error[A104]: `mov`: #0x12345678 is out of range: a single movz, movn or orr cannot make it
sample.py:7:11: error[A104]: `ldr`: offset #32768 is out of range: the instruction holds 0 to 0x7ff8 in steps of 8 or -256 to 255
sample.py:8:11: error[A104]: `tbz`: #0x40 is out of range: the instruction holds 0 to 63
sample.py:9:17: error[A104]: `lsl`: #0x40 is out of range: the instruction holds 0 to 63
sample.py:10:15: error[A104]: `movz`: #8 is out of range: lsl takes a multiple of 16 below 64 here
sample.py:11:21: error[A104]: `ubfx`: #0x8 is out of range: bits 60 to 67 do not fit 64 bits""",
    ),
    "unpredictable": (
        """in x0
out x0
clobber x2, memory
begin
 ldp x2, x2, [x0]
 ldr x0, [x0], #8
 stxr w2, x2, [x0]
 casp x2, x4, x2, x3, [x0]
 ret""",
        """sample.py:5:10: error[A103]: `ldp`: x2 is loaded twice: unpredictable
sample.py:6:6: error[A103]: `ldr`: x0 is transferred and written back: unpredictable
sample.py:7:7: error[A103]: `stxr`: the status register w2 is also stored or the base: unpredictable
sample.py:8:11: error[A103]: `casp`: x4 is not the second of an even and odd pair""",
    ),
    "binding": (
        """in x0
out x0
begin
 ldr x0, [x0, #{Vcpu.x20}]
 mov x0, #{handle}
 add x0, x0, #{Vcpu.x19} << 70
 ret""",
        """sample.py:4:16: error[A105]: {Vcpu.x20} cannot be evaluated: name 'Vcpu.x20' is not defined
sample.py:5:11: error[A103]: a number is needed here, not an address
sample.py:5:11: error[A305]: handle is used but not declared
  fix: add it to the header: call handle
sample.py:6:15: error[A104]: a shift by 70 is not between 0 and 63""",
    ),
    "directives": (
        """begin
 .align 4
 .foo
 .balign 64
 .word
 .byte 256
 .repeat i
 .end
 .asciz "a\\q"
 .skip -1
 ret""",
        """sample.py:2:2: error[A108]: .align is no directive
  fix: use .balign BYTES
sample.py:3:2: error[A106]: .foo is no directive
  fix: the directives are .ascii, .asciz, .balign, .byte, .end, .hword, .quad, .repeat, .skip, .slot, .word
sample.py:4:2: error[A205]: .balign 64 is not a power of two up to the block's alignment, 4
  fix: give the block the alignment: align 64
sample.py:5:2: error[A106]: .word needs at least one value
sample.py:6:8: error[A104]: `.byte`: 0x100 does not fit 1 bytes
sample.py:7:2: error[A106]: it takes .repeat NAME, COUNT
sample.py:9:9: error[A106]: \\q is no escape; these are: \\n \\r \\t \\0 \\\\ \\"
sample.py:10:9: error[A106]: a number that is not negative is needed here
sample.py:11:2: error[A205]: an instruction stands at no multiple of 4
  fix: put .balign 4 before it""",
    ),
    "system": (
        """out x0
begin
 mrs x0, ESR_EL4
 mrs x0, ICC_EOIR1_EL1
 msr MIDR_EL1, x0
 tlbi vae2iss, x0
 tlbi alle2, x0
 msr daifset, #16
 msr foo, #1
 dsb full
 bti q
 ret""",
        """sample.py:3:10: error[A107]: `mrs`: ESR_EL4 is no system register; did you mean ESR_EL3 or ESR_EL2 or ESR_EL1?
sample.py:4:10: error[A107]: `mrs`: ICC_EOIR1_EL1 is write-only
sample.py:5:6: error[A107]: `msr`: MIDR_EL1 is read-only
sample.py:6:7: error[A107]: `tlbi`: vae2iss is no operation of tlbi; did you mean vae2is or vae2isnxs or vale2is?
sample.py:7:14: error[A103]: `tlbi`: tlbi alle2 takes no register
sample.py:8:16: error[A104]: `msr`: #16 is out of range: daifset takes 0 to 15
sample.py:9:6: error[A107]: `msr`: foo cannot be written with an immediate; these can: allint, daifclr, daifset, dit, pan, spsel, ssbs, tco, uao
sample.py:10:6: error[A103]: `dsb`: full is no option of dsb; it takes oshld, oshst, osh, nshld, nshst, nsh, ishld, ishst, ish, ld, st, sy
sample.py:11:6: error[A103]: `bti`: it takes c, j, jc or nothing""",
    ),
    "literal pool": (
        """out x0
begin
 ldr x0, =0x1234
 add x0, x0, :got:{table}
 ret""",
        """sample.py:3:11: error[A108]: a block has no literal pool
  fix: load a constant with mov and movk, an address with adrp and add :lo12:
sample.py:4:14: error[A108]: :got: is not supported
  fix: use adrp and :lo12:""",
    ),
    "labels": (
        """begin
a: nop
a: nop
x3: nop
 b nowhere
 cbz x0, 1f
 b 2b
 ret""",
        """sample.py:3:1: error[A202]: label a is already defined in line 2
sample.py:4:1: error[A203]: label x3 has the name of a register
  fix: give the label another name
sample.py:5:4: error[A201]: nowhere is neither a label of the block nor declared by a call line
  fix: define the label, write {nowhere} for a value of the program, or declare it: call nowhere
sample.py:6:10: error[A201]: no label 1: stands after this line
sample.py:7:4: error[A201]: no label 2: stands before this line""",
    ),
    "slot": (
        """align 2048
naked
begin
 .repeat i, 40
 nop
 .end
 eret
 .slot 0x80
 eret
 .slot 0x102
 eret""",
        """sample.py:8:2: error[A205]: slot 0x80 cannot start here: the code before it ends at 0xa4
  fix: shorten the code before it by 36 bytes, or branch to code outside the slot
sample.py:10:2: error[A205]: slot 0x102 is not a multiple of 4""",
    ),
    "branch range": (
        """in x0
begin
 tbz x0, #1, far
 .skip 0x8000
far: ret""",
        """sample.py:3:2: error[A204]: `tbz`: the target is 32772 bytes away, and the instruction reaches 32768 bytes""",
    ),
    "read": (
        """out x0
begin
 add x0, x1, x2
 ret""",
        """sample.py:3:2: error[A301]: `add x0, x1, x2` reads x1, which is neither an input nor written before on every path
  fix: declare it: in x1; or write it first
sample.py:3:2: error[A301]: `add x0, x1, x2` reads x2, which is neither an input nor written before on every path
  fix: declare it: in x2; or write it first""",
    ),
    "read on one path": (
        """in x0
out x0
clobber x9
begin
 cbz x0, 1f
 mov x9, #1
1: mov x0, x9
 ret""",
        """sample.py:7:4: error[A301]: `mov x0, x9` reads x9, which is neither an input nor written before on every path
  fix: declare it: in x9; or write it first""",
    ),
    "read flags": (
        """out x0
begin
 cset x0, eq
 ret""",
        """sample.py:3:2: error[A301]: `cset x0, eq` reads nzcv, which is neither an input nor written before on every path
  fix: declare it: in nzcv; or write it first""",
    ),
    "read callee-saved": (
        """out x0
begin
 add x0, x19, #1
 ret""",
        """sample.py:3:2: error[A301]: `add x0, x19, #0x1` reads x19, which is neither an input nor written before on every path
  fix: declare it: in x19; or write it first""",
    ),
    "write": (
        """in x0
begin
 mov x9, x0
 cmp x0, #1
 str x0, [x0]
 ret""",
        """sample.py:3:2: error[A302]: `mov x9, x0` changes x9, which the header does not declare
  fix: add to out or clobber: x9
sample.py:4:2: error[A302]: `cmp x0, #0x1` changes nzcv, which the header does not declare
  fix: add to out or clobber: nzcv
sample.py:5:2: error[A302]: `str x0, [x0]` changes memory, which the header does not declare
  fix: add: clobber memory""",
    ),
    "callee-saved": (
        """in x1
begin
 mov x19, x1
 ret""",
        """sample.py:4:2: error[A303]: x19 does not hold the entry value when the block leaves here
  note: AAPCS64: a function returns with x19 to x30, sp and the low halves of v8 to v15 as they were
  fix: save on the stack and restore before leaving; or mark the block naked if it is no function""",
    ),
    "callee-saved on one path": (
        """in x1
begin
 str x19, [sp, #-16]!
 mov x19, x1
 cbz x1, 1f
 ldr x19, [sp], #16
 ret
1: add sp, sp, #16
 ret""",
        """sample.py:9:2: error[A303]: x19 does not hold the entry value when the block leaves here
  note: AAPCS64: a function returns with x19 to x30, sp and the low halves of v8 to v15 as they were
  fix: save on the stack and restore before leaving; or mark the block naked if it is no function""",
    ),
    "callee-saved clobber": (
        """in x1
clobber x19
begin
 mov x19, x1
 ret""",
        """sample.py:2:9: error[A303]: clobber x19: a function may not change it
  note: AAPCS64: a function returns with x19 to x30, sp and the low halves of v8 to v15 as they were
  fix: save and restore it without declaring it; or mark the block naked
sample.py:5:2: error[A303]: x19 does not hold the entry value when the block leaves here
  note: AAPCS64: a function returns with x19 to x30, sp and the low halves of v8 to v15 as they were
  fix: save on the stack and restore before leaving; or mark the block naked if it is no function""",
    ),
    "output": (
        """in x0
out x1, x2
begin
 cbz x0, 1f
 mov x1, #1
1: ret""",
        """sample.py:2:9: error[A304]: out x2 is declared, but the block never writes it
  fix: remove it from the out line
sample.py:6:4: error[A304]: output x1, x2 is not written on every path to this return
  fix: write it on all paths, or drop it from out""",
    ),
    "undeclared symbols": (
        """begin
 b handle
""",
        """sample.py:2:4: error[A201]: handle is neither a label of the block nor declared by a call line
  fix: define the label, write {handle} for a value of the program, or declare it: call handle""",
    ),
    "undeclared bound symbol": (
        """begin
 b {handle}
""",
        """sample.py:2:4: error[A305]: handle is used but not declared
  fix: add it to the header: call handle""",
    ),
    "call": (
        """call handle
begin
 bl handle
 ret""",
        """sample.py:3:2: error[A302]: `bl core.handle` may change every caller-saved register, which the header does not declare
  fix: add: clobber caller_saved
sample.py:4:2: error[A303]: x30 does not hold the entry value when the block leaves here
  note: AAPCS64: a function returns with x19 to x30, sp and the low halves of v8 to v15 as they were
  fix: save on the stack and restore before leaving; or mark the block naked if it is no function""",
    ),
    "unused": (
        """in x3
clobber x9, memory
call table
global start
begin
 ret""",
        """sample.py:3:6: error[A306]: call table is declared, but the block never uses it
  fix: remove it from the call line
sample.py:4:8: error[A201]: global start is no label of the block""",
    ),
    "unused only": (
        """in x3
clobber x9, x10..x12, memory
begin
 ret""",
        """sample.py:1:4: error[A306]: in x3 is declared, but the block never reads it
  fix: remove it from the in line
sample.py:2:9: error[A306]: clobber x9 is declared, but the block never changes it
  fix: remove it from the clobber line
sample.py:2:13: error[A306]: clobber x10..x12 is declared, but the block never changes it
  fix: remove it from the clobber line
sample.py:2:23: error[A306]: clobber memory is declared, but the block never changes it
  fix: remove it from the clobber line""",
    ),
    "falls off": (
        """in x0
begin
 cbz x0, 1f
 ret
1: nop""",
        """sample.py:5:4: error[A307]: control runs past `nop` out of the block's code
  fix: end the path with ret, b, br, eret, brk or udf""",
    ),
    "into data": (
        """begin
 nop
 .word 1""",
        """sample.py:2:2: error[A307]: control runs past `nop` out of the block's code
  fix: end the path with ret, b, br, eret, brk or udf""",
    ),
    "unreachable": (
        """begin
 ret
 mov x0, x1
 ret""",
        """sample.py:3:2: error[A302]: `mov x0, x1` changes x0, which the header does not declare
  fix: add to out or clobber: x0
sample.py:3:2: error[A308]: no path leads to `mov x0, x1`
  fix: remove it, branch to it, or list its label after global""",
    ),
    "stack": (
        """stack 0x20
begin
 sub sp, sp, #24
 add sp, sp, #24
 ret""",
        """sample.py:3:2: error[A309]: `sub sp, sp, #0x18` moves sp by -24 bytes, not a multiple of 16
  fix: keep sp 16-byte aligned
sample.py:4:2: error[A309]: `add sp, sp, #0x18` moves sp by 24 bytes, not a multiple of 16
  fix: keep sp 16-byte aligned""",
    ),
    "stack size": (
        """stack 0x20
begin
 sub sp, sp, #16
 add sp, sp, #16
 ret""",
        """sample.py:1:1: error[A309]: stack 0x20 is declared, but the block moves sp by 0x10 bytes
  fix: write: stack 0x10""",
    ),
    "inline": (
        """inline
in x0
call handle
clobber memory
begin
 str x0, [sp, #-16]!
 add sp, sp, #16
 ret
""",
        """sample.py:1:1: error[A310]: an inline block may not refer to symbols
sample.py:3:6: error[A306]: call handle is declared, but the block never uses it
  fix: remove it from the call line
sample.py:7:2: error[A310]: an inline block is one instruction, this one has 2
  fix: leave out `inline` and end it with ret: then it is called
sample.py:8:2: error[A310]: an inline block may not contain ret""",
    ),
    "inline with the link register": (
        """inline
in x30
out x0
begin
 mov x0, x30
""",
        """sample.py:1:1: error[A310]: an inline block may not use x30: only a call would set it""",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_errors_of_a_faulty_block(name: str) -> None:
    text, expected = CASES[name]
    assert errors(text) == expected
