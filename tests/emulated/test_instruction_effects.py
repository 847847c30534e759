"""What the instruction tables say an instruction reads and writes, against what it does in Unicorn.

Each instruction runs twice from states that differ only in registers that it does not read by the tables: what it
writes must come out the same, and nothing else may change. (Capstone's own access lists are no oracle: its version 5
has CMP write its first operand, and lists nothing at all for newer extensions.)
"""

import random

from compiler.asm.diagnostics import Reporter
from compiler.asm.encoder import encode
from compiler.asm.evaluate import Evaluator, Labels
from compiler.asm.forms import Match, match_forms
from compiler.asm.operands import Immediate, Memory, SymbolReference
from compiler.asm.registers import Register
from compiler.asm.syntax import parse_line
from tests.compiler.asm.corpus import table_instructions
from tests.emulated.blocks import BlockFault, Machine, run_code

_SEED = 31
_MEMORY_BASE, _MEMORY_BYTES = 0x10000000, 0x30000
_MIDDLE = _MEMORY_BASE + 0x10000
_GENERAL = [f"x{number}" for number in range(31)]

# Left out, by the start of the mnemonic: what Unicorn's CPU lacks or has off at EL1 (memory tagging, limited ordering,
# SVE, PACGA), and what depends on more than the state (waiting, pointer authentication of an address).
_LEFT_OUT = (
    *("ldg", "stg", "stz", "st2g", "irg", "gmi", "addg", "subg", "subp", "ldlar", "stllr", "pacga", "ldraa", "ldrab"),
    *("rdvl", "addvl", "addpl", "rdffr", "wrffr", "setffr", "axflag", "xaflag"),
    *("wfe", "wfi", "yield", "hint", "hlt"),
)


def _matched(text: str) -> Match:
    statement = parse_line(text).statement
    assert statement is not None
    evaluator = Evaluator(SymbolReference, Reporter("corpus"), Labels(), {"symbol": "symbol"})
    match = match_forms(statement.mnemonic, evaluator.operands(statement.operands, 1, 0, {}))
    assert isinstance(match, Match), text
    return match


def _is_testable(match: Match) -> bool:
    name = match.form.mnemonic
    control = match.form.effects & {"jump", "branch", "call", "ret", "end", "conduit"}
    banks = {operand.bank for operand in match.operands if isinstance(operand, Register)}
    # STXR without a monitor of its own and SVE transfers are the rest that one step cannot show.
    exclusive = name.startswith(("stxr", "stlxr", "stxp", "stlxp"))
    return (
        not control
        and not match.target_kind
        and not exclusive
        and not banks & {"z", "p"}
        and not name.startswith(_LEFT_OUT)
    )


def _state(match: Match, generator: random.Random) -> dict[str, int]:
    registers = {name: generator.getrandbits(64) for name in _GENERAL}
    registers |= {f"q{number}": generator.getrandbits(128) for number in range(32)}
    registers |= {"sp": _MIDDLE, "nzcv": generator.getrandbits(4)}
    for operand in match.operands:
        if isinstance(operand, Memory):
            registers["sp" if operand.base.stack else operand.base.name] = _MIDDLE
            if isinstance(operand.offset, Register) and not operand.offset.is_zero:
                registers[f"x{operand.offset.number}"] = generator.randrange(0, 0x400, 16)
            if isinstance(operand.offset, Immediate) and match.form.mnemonic.startswith(("ldap", "stlu")):
                # Ordered accesses must not cross 16 bytes.
                registers["sp" if operand.base.stack else operand.base.name] = _MIDDLE - operand.offset.value
    return registers


def _resource(name: str) -> str:
    return "v" + name[1:] if name.startswith("q") else name


def _run(word: int, registers: dict[str, int]) -> Machine:
    code = word.to_bytes(4, "little") + (0xD4200000).to_bytes(4, "little")
    memory = random.Random(_SEED).randbytes(_MEMORY_BYTES)
    return run_code(code, Machine(dict(registers), {_MEMORY_BASE: memory}), limit=4)


def test_instructions_read_and_write_what_the_tables_say() -> None:
    generator = random.Random(_SEED)
    tested: set[str] = set()
    for text in table_instructions(_SEED, per_form=1):
        match = _matched(text)
        if not _is_testable(match):
            continue
        tested.add(match.form.mnemonic)
        word = encode(match)
        first = _state(match, generator)
        second = {
            name: value
            if _resource(name) in match.reads or name == "sp"
            else generator.getrandbits(4 if name == "nzcv" else 64)
            for name, value in first.items()
        }
        try:
            after_first, after_second = _run(word, first), _run(word, second)
        except BlockFault as fault:
            raise AssertionError(f"`{text}`: {fault}") from None
        for name in first:
            if _resource(name) in match.writes:
                same = after_first.registers[name] == after_second.registers[name]
                assert same, f"`{text}`: {name} depends on a register that the tables do not list as read"
            else:
                kept = after_first.registers[name] == first[name]
                assert kept, f"`{text}`: {name} changes, which the tables do not list"
        changes_memory = after_first.memory[_MEMORY_BASE] != random.Random(_SEED).randbytes(_MEMORY_BYTES)
        assert not changes_memory or "store" in match.form.effects, f"`{text}` writes memory"
        assert after_first.memory == after_second.memory, f"`{text}`: memory depends on a register not listed"
    assert len(tested) > 300
