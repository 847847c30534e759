"""The wrapper that runs blocks in Unicorn: general state, simulated system registers, events, calls, endings."""

import pytest

from compiler.asm import AssembledBlock, BlockSource, ResolveError, SymbolReference, assemble
from tests.emulated.blocks import BlockFault, Machine, run_block, run_code


def _resolve(text: str) -> SymbolReference:
    if text in ("handle", "table"):
        return SymbolReference(text)
    raise ResolveError("unknown")


def _block(text: str) -> AssembledBlock:
    return assemble(BlockSource("sample", text, "sample.py", 1), _resolve)


def test_registers_flags_and_memory_after_a_loop() -> None:
    block = _block("""
        in x0 = words, x1 = count
        out x0
        clobber x1, x2, x3, nzcv
        begin
            mov     x2, #0
        1:  ldr     x3, [x0], #8
            add     x2, x2, x3
            subs    x1, x1, #1
            b.ne    1b
            mov     x0, x2
            ret
    """)
    memory = b"".join(value.to_bytes(8, "little") for value in (1, 2, 39))
    after = run_block(block, Machine({"x0": 0x1000, "x1": 3}, {0x1000: memory}))
    assert (after.ending, after.registers["x0"], after.registers["nzcv"]) == ("ret", 42, 0b0110)


def test_system_registers_are_simulated_and_sys_instructions_recorded() -> None:
    block = _block("""
        naked
        in x0, x30
        clobber x1, memory
        begin
            msr     VTTBR_EL2, x0
            mrs     x1, ESR_EL2
            str     x1, [x0]
            msr     daifset, #2
            tlbi    vae2is, x0
            tlbi    alle2
            dsb     ish
            isb
            eret
    """)
    machine = Machine({"x0": 0x2000}, {0x2000: bytes(8)}, {"ESR_EL2": 0x5A000000})
    after = run_block(block, machine)
    assert after.ending == "eret"
    assert after.system["VTTBR_EL2"] == 0x2000
    assert after.memory[0x2000] == (0x5A000000).to_bytes(8, "little")
    assert after.events == ["msr daifset #2", "tlbi vae2is 0x2000", "tlbi alle2"]


def test_calls_run_their_stand_ins_and_addresses_are_linked() -> None:
    block = _block("""
        out x0
        call handle, table
        clobber caller_saved
        begin
            stp     x29, x30, [sp, #-16]!
            adrp    x0, {table}
            ldr     x0, [x0, :lo12:{table}]
            bl      handle
            ldp     x29, x30, [sp], #16
            ret
    """)

    def handle(machine: Machine) -> None:
        machine.registers["x0"] += 1

    machine = Machine(memory={0x51238: (41).to_bytes(8, "little")})
    after = run_block(block, machine, calls={"handle": handle}, symbols={"table": 0x51238})
    assert (after.ending, after.registers["x0"]) == ("ret", 42)


def test_endings_and_faults() -> None:
    assert run_code(bytes.fromhex("00 8c 35 d4"), Machine()).ending == "brk #0xac60"
    assert run_code(bytes(4), Machine()).ending == "udf #0x0"
    assert run_code(bytes.fromhex("03 00 00 d4"), Machine()).ending == "smc"
    with pytest.raises(BlockFault, match="UC_ERR_READ_UNMAPPED"):
        run_code(bytes.fromhex("00 00 40 f9"), Machine())
    with pytest.raises(BlockFault, match="no end within 10 instructions"):
        run_code(bytes.fromhex("00 00 00 14"), Machine(), limit=10)
    with pytest.raises(BlockFault, match="ESR_EL2 is read, but the machine has no value for it"):
        run_code(bytes.fromhex("00 52 3c d5"), Machine())
