"""Every word decoded back with capstone and compared with the statement that made it.

Both sides become `(mnemonic, operands)` with aliases undone, numbers reduced to the operation's width and system
names replaced by their fields; they must be equal. A difference is a defect of the compiler and is reported as such.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Protocol, cast

import capstone

from compiler.asm.addressing import CONDITIONS
from compiler.asm.forms import Match
from compiler.asm.system import BARRIER_OPTIONS
from compiler.language.register_table import find_instruction, find_register

Token = str | int
Operands = tuple[tuple[Token, ...], ...]
Instruction = tuple[str, Operands]


class _Capstone(Protocol):
    def disasm_lite(self, code: bytes, offset: int) -> Iterator[tuple[int, int, str, str]]: ...


@cache
def _capstone() -> _Capstone:
    engine: object = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    return cast(_Capstone, engine)


def decode(word: int, address: int) -> str | None:
    """Capstone's text for a word, or None where it knows none."""
    for _, _, mnemonic, operands in _capstone().disasm_lite(word.to_bytes(4, "little"), address):
        return f"{mnemonic} {operands}".strip()
    return None


_TOKEN = re.compile(r"-?0x[0-9a-f]+|-?\d+(?![\w.])|[a-z_.][\w.]*|[\[\]!]")
_CONDITION_ALIASES = {"hs": "cs", "lo": "cc"}
_HINTS = {
    "nop": 0,
    "yield": 1,
    "wfe": 2,
    "wfi": 3,
    "sev": 4,
    "sevl": 5,
    "dgh": 6,
    "xpaclri": 7,
    "pacia1716": 8,
    "pacib1716": 10,
    "autia1716": 12,
    "autib1716": 14,
    "esb": 16,
    "csdb": 20,
    "clearbhb": 22,
    "paciaz": 24,
    "paciasp": 25,
    "pacibz": 26,
    "pacibsp": 27,
    "autiaz": 28,
    "autiasp": 29,
    "autibz": 30,
    "autibsp": 31,
    "psb csync": 17,
    "tsb csync": 18,
    "bti": 32,
    "bti c": 34,
    "bti j": 36,
    "bti jc": 38,
}


def _split(text: str) -> Instruction:
    """The mnemonic and the tokens of each operand; a memory operand is one operand."""
    mnemonic, _, rest = text.lower().partition(" ")
    operands: list[tuple[Token, ...]] = []
    depth, start = 0, 0
    for index, character in enumerate(rest + ","):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            tokens = tuple(_number(token) for token in _TOKEN.findall(rest[start:index]))
            if tokens:
                operands.append(tokens)
            start = index + 1
    return mnemonic, tuple(operands)


def _number(token: str) -> Token:
    """Numbers as signed 64-bit integers; capstone shows the zero of MOVI with leading zeros."""
    if not token.lstrip("-")[0].isdecimal():
        return token
    value = int(token, 16 if token.startswith("00") else 0)
    return value - (1 << 64) if value >= 1 << 63 else value


def _zero(register: Token) -> tuple[Token, ...]:
    return ("wzr" if str(register).startswith("w") else "xzr",)


def _width(register: Token) -> int:
    return 32 if str(register).startswith("w") else 64


def _invert(condition: Token) -> tuple[Token, ...]:
    flipped = CONDITIONS[str(condition)] ^ 1
    return (next(name for name, number in CONDITIONS.items() if number == flipped),)


def _bit_field(mnemonic: str, ops: Operands) -> Instruction | None:
    """Shifts by immediates, extensions and bit-field moves as SBFM, BFM or UBFM with immr and imms."""
    width = _width(ops[0][0]) if ops else 64
    numbers = [int(op[0]) for op in ops[1:] if isinstance(op[0], int)]
    source = ops[1:2]
    base = "sbfm" if mnemonic.startswith(("s", "asr")) else "bfm" if mnemonic.startswith("bf") else "ubfm"
    if mnemonic in ("sxtb", "sxth", "sxtw", "uxtb", "uxth") and len(ops) == 2:
        rotate, last = 0, {"b": 7, "h": 15, "w": 31}[mnemonic[-1]]
    elif mnemonic in ("lsl", "lsr", "asr") and len(numbers) == 1:
        amount = numbers[0]
        rotate, last = (-amount % width, width - 1 - amount) if mnemonic == "lsl" else (amount, width - 1)
    elif mnemonic in ("ubfx", "sbfx", "bfxil"):
        rotate, last = numbers[0], numbers[0] + numbers[1] - 1
    elif mnemonic in ("ubfiz", "sbfiz", "bfi", "bfc"):
        rotate, last = -numbers[0] % width, numbers[1] - 1
        source = (_zero(ops[0][0]),) if mnemonic == "bfc" else source
    else:
        return None
    number = re.sub(r"^[wx]", "", str(source[0][0]))
    return base, (ops[0], (number,), (rotate,), (last,))


def _move_alias(mnemonic: str, ops: Operands, zero: tuple[Token, ...]) -> Instruction | None:
    """Moves between registers as ORR or ADD; moves of immediates as `mov` of the whole value."""
    modulus = 1 << (32 if zero == ("wzr",) else 64)
    if mnemonic == "mov":
        target, source = ops
        value = source[0]
        if isinstance(value, int):
            return "mov", (target, (value % modulus,))
        if "sp" in str(target[0]) + value:
            return "add", (target, source, (0,))
        return "orr", (target, zero, source)
    if mnemonic in ("movz", "movn"):
        target, (number, *_), *shift = ops
        value = int(number) << (int(shift[0][1]) if shift else 0)
        return "mov", (target, ((value if mnemonic == "movz" else ~value) % modulus,))
    if mnemonic == "orr" and len(ops) == 3 and ops[1] == zero and isinstance(ops[2][0], int):
        return "mov", (ops[0], (ops[2][0] % modulus,))
    return None


def _data_alias(mnemonic: str, ops: Operands) -> Instruction:
    """Aliases of arithmetic, logical, multiply and select instructions undone."""
    if not ops:
        return mnemonic, ops
    zero = _zero(ops[0][0])
    if mnemonic in ("cmp", "cmn", "tst"):
        return {"cmp": "subs", "cmn": "adds", "tst": "ands"}[mnemonic], (zero, *ops)
    if mnemonic in ("neg", "negs", "ngc", "ngcs", "mvn"):
        base = {"neg": "sub", "negs": "subs", "ngc": "sbc", "ngcs": "sbcs", "mvn": "orn"}[mnemonic]
        return base, (ops[0], zero, *ops[1:])
    moved = _move_alias(mnemonic, ops, zero)
    if moved is not None:
        return moved
    if mnemonic in ("mul", "mneg"):
        return "madd" if mnemonic == "mul" else "msub", (*ops, zero)
    if mnemonic in ("smull", "umull", "smnegl", "umnegl"):
        return mnemonic[0] + ("msubl" if "neg" in mnemonic else "maddl"), (*ops, zero)
    if mnemonic in ("cset", "csetm"):
        return "csinc" if mnemonic == "cset" else "csinv", (ops[0], zero, zero, _invert(ops[1][0]))
    if mnemonic in ("cinc", "cinv", "cneg"):
        base = {"cinc": "csinc", "cinv": "csinv", "cneg": "csneg"}[mnemonic]
        return base, (ops[0], ops[1], ops[1], _invert(ops[2][0]))
    if mnemonic == "ror" and isinstance(ops[2][0], int):
        return "extr", (ops[0], ops[1], ops[1], ops[2])
    return mnemonic, ops


def _memory_alias(mnemonic: str, ops: Operands) -> Instruction:
    """LDUR for LDR at offsets that only LDUR encodes; ST<op> as LD<op> into the zero register; offset 0 dropped."""
    if not any("[" in op for op in ops):
        return mnemonic, ops
    ops = tuple(_without_zero(op) for op in ops)
    atomic = re.fullmatch(r"st(add|clr|eor|set|smax|smin|umax|umin)(l?[bh]?)", mnemonic)
    if atomic:
        return f"ld{atomic[1]}{atomic[2]}", (ops[0], _zero(ops[0][0]), ops[1])
    size = _access_size(mnemonic, ops)
    memory = ops[-1]
    if size and len(memory) == 4 and isinstance(memory[2], int) and (memory[2] < 0 or memory[2] % size):
        return mnemonic.replace("ldr", "ldur").replace("str", "stur").replace("prfm", "prfum"), ops
    return mnemonic, ops


def _without_zero(op: tuple[Token, ...]) -> tuple[Token, ...]:
    if op[0] == "[" and len(op) == 4 and op[2] == 0:
        return ("[", op[1], "]")
    if op[0] == "[" and op[-1] == "]" and len(op) == 6 and op[4] == 0:
        return (*op[:4], "]") if op[3] != "lsl" else (*op[:3], "]")
    if op[0] == "[" and op[-1] == "]" and len(op) == 6 and op[4] == "mul" and op[3] == 0:
        return op
    return op


def _access_size(mnemonic: str, ops: Operands) -> int:
    if mnemonic == "prfm":
        return 8
    if re.fullmatch(r"(ldr|str)(s?[bhw])?", mnemonic) is None:
        return 0
    if mnemonic[-1] in "bhw":
        return {"b": 1, "h": 2, "w": 4}[mnemonic[-1]]
    return {"w": 4, "x": 8, "b": 1, "h": 2, "s": 4, "d": 8, "q": 16}.get(str(ops[0][0])[0], 0)


def _system(mnemonic: str, ops: Operands) -> Instruction | None:
    """MSR, MRS and SYS with the encoding in place of names; barrier options and hints by number."""
    if mnemonic in ("msr", "mrs") and len(ops) == 2:
        at = 0 if mnemonic == "msr" else 1
        name = str(ops[at][0])
        register = find_register(name)
        if register is not None and not isinstance(ops[1 - at][0], int):
            fields = (register.encoding.llvm_name,)
            return mnemonic, ((fields, ops[1]) if at == 0 else (ops[0], fields))
    if mnemonic in ("tlbi", "at", "dc", "ic", "cfp", "dvp", "cpp") and ops:
        known = find_instruction(mnemonic, str(ops[0][0]))
        if known is not None:
            transfer = ops[1] if len(ops) > 1 else ("xzr",)
            return "sys", ((known.encoding.llvm_name,), transfer)
    if mnemonic == "sys" and len(ops) >= 4:
        crn, crm = str(ops[1][0])[1:], str(ops[2][0])[1:]
        transfer = ops[4] if len(ops) > 4 else ("xzr",)
        return "sys", ((f"1:{ops[0][0]}:{crn}:{crm}:{ops[3][0]}",), transfer)
    if mnemonic in ("dsb", "dmb", "isb"):
        option = ops[0][0] if ops else 15
        return mnemonic, ((BARRIER_OPTIONS.get(str(option), option),),)
    if mnemonic in ("ssbb", "pssbb"):
        return "dsb", ((0 if mnemonic == "ssbb" else 4,),)
    hint = " ".join([mnemonic, *(str(op[0]) for op in ops)])
    if hint in _HINTS:
        return "hint", ((_HINTS[hint],),)
    return None


def _shifted_immediate(ops: Operands) -> Operands:
    """`#1, lsl #12` as one number; a shift by zero dropped; UXTX beside SP as LSL."""
    result = list(ops)
    if len(result) > 2 and isinstance(result[-2][0], int) and result[-1][0] == "lsl":
        amount = int(result.pop()[1])
        result[-1] = (int(result[-1][0]) << amount,)
    stack = any(op[0] in ("sp", "wsp") for op in result)
    if result and stack and result[-1][0] in ("uxtx", "uxtw", "lsl"):
        last = result[-1]
        natural = "uxtx" if any(op[0] == "sp" for op in result) else "uxtw"
        if last[0] in (natural, "lsl"):
            result[-1] = ("lsl", *last[1:])
    if result and len(result[-1]) == 2 and result[-1][1] == 0 and isinstance(result[-1][0], str):
        if result[-1][0] in ("lsl", "lsr", "asr", "ror"):
            result.pop()
        elif result[-1][0] != "[":
            result[-1] = (result[-1][0],)
    elif result and len(result) > 2 and result[-1] == ("lsl",):
        result.pop()
    return tuple(result)


_WIDE_NUMBERS = frozenset(["mov", "and", "orr", "eor", "ands", "subs", "adds", "add", "sub"])


def normalise(text: str) -> Instruction:
    """An instruction's text with aliases undone, so that two spellings of one instruction are equal."""
    mnemonic, ops = _split(text)
    if mnemonic.startswith("b."):
        return f"b.{_CONDITION_ALIASES.get(mnemonic[2:], mnemonic[2:])}", ops
    system = _system(mnemonic, ops)
    if system is not None:
        return system
    if mnemonic in ("tbz", "tbnz") and int(ops[1][0]) < 32:
        return mnemonic, ((str(ops[0][0]).replace("x", "w", 1),), *ops[1:])
    if mnemonic == "ret" and not ops:
        return "ret", (("x30",),)
    fields = _bit_field(mnemonic, ops) if ops else None
    if fields is not None:
        return fields
    if mnemonic in ("movz", "movn", "movk"):
        plain = tuple(op for op in ops if op not in (("lsl", 0),))
        return _data_alias(mnemonic, plain)
    ops = _shifted_immediate(ops) if not any("[" in op for op in ops) else ops
    mnemonic, ops = _data_alias(mnemonic, ops)
    mnemonic, ops = _memory_alias(mnemonic, ops)
    if mnemonic in _WIDE_NUMBERS and ops and isinstance(ops[-1][0], int):
        ops = (*ops[:-1], (ops[-1][0] % (1 << _width(ops[0][0])),))
    ops = tuple(tuple(_CONDITION_ALIASES.get(str(t), t) for t in op) if len(op) == 1 else op for op in ops)
    return re.sub(r"^(lsl|lsr|asr|ror)v$", r"\1", mnemonic), ops


def fields_of(word: int, pattern: str) -> dict[str, int] | None:
    """The fields of a word under an encoding pattern of `forms.py`; None where a fixed bit differs."""
    fields: dict[str, int] = {}
    for index, character in enumerate(pattern):
        bit = word >> (31 - index) & 1
        if character not in "01":
            fields[character] = fields.get(character, 0) << 1 | bit
        elif bit != int(character):
            return None
    return fields


def mismatch(text: str, word: int, address: int, match: Match) -> str:
    """How the decoded `word` at `address` differs from `text`; empty where they agree.

    A word that capstone 5 does not know is taken apart by the pattern that made it and compared with the fields of
    the match, where each field of an instruction must come back with all its bits.
    """
    decoded = decode(word, address)
    if decoded is not None:
        try:
            same = normalise(decoded) == normalise(text)
        except (LookupError, ValueError):
            same = False
        return "" if same else f"capstone reads `{decoded}`"
    fields = fields_of(word, match.form.encoding) if match.form.encoding else None
    if fields is None:
        return f"capstone does not know {word:#010x}"
    for letter, value in fields.items():
        width = match.form.encoding.count(letter)
        if match.fields[letter] not in (value, value - (1 << width)):
            return f"field {letter} holds {value:#x} instead of {match.fields[letter]:#x}"
    return ""
