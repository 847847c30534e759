"""System instructions: MSR, MRS, SYS and its named forms, barriers, BTI, SME state; encoded from the register table.

Keystone knows few of these names, drops some silently and has no S-EL2 or VHE registers, so none goes through it.
"""

import difflib
import re
from collections.abc import Callable

from compiler.asm.forms import Form, Match, Mismatch
from compiler.asm.operands import Immediate, Operand, Word, describe_operand
from compiler.asm.registers import Register
from compiler.language.register_table import INSTRUCTIONS, encoding_of, find_instruction, find_register, similar_names

Result = Match | list[Mismatch]

# PSTATE fields that MSR writes with an immediate: op1, op2, highest value (Arm ARM, MSR (immediate)).
_PSTATE_FIELDS = {
    "spsel": (0, 5, 1),
    "daifset": (3, 6, 15),
    "daifclr": (3, 7, 15),
    "pan": (0, 4, 1),
    "uao": (0, 3, 1),
    "dit": (3, 2, 1),
    "ssbs": (3, 1, 1),
    "tco": (3, 4, 1),
    "allint": (1, 0, 1),
}

BARRIER_OPTIONS = {
    "oshld": 1,
    "oshst": 2,
    "osh": 3,
    "nshld": 5,
    "nshst": 6,
    "nsh": 7,
    "ishld": 9,
    "ishst": 10,
    "ish": 11,
    "ld": 13,
    "st": 14,
    "sy": 15,
}
"""The options of DSB and DMB, with their CRm."""

_NXS_OPTIONS = {"oshnxs": 0, "nshnxs": 1, "ishnxs": 2, "synxs": 3}
_BTI_TARGETS = {"": 32, "c": 34, "j": 36, "jc": 38}
_SME_STATES = {"": 3, "sm": 1, "za": 2}
_CONTROL_REGISTER = re.compile(r"c(\d|1[0-5])")
_NZCV, _SPSEL = encoding_of("NZCV"), encoding_of("SPSel")
_WRITES_MEMORY = frozenset(["ZVA", "GVA", "GZVA"])


def _form(mnemonic: str, *effects: str) -> Form:
    return Form(mnemonic, (), frozenset(effects), frozenset(), frozenset(), "")


def _fail(operand: int, message: str, code: str = "A103") -> list[Mismatch]:
    return [Mismatch(1, code, operand, message)]


def _done(mnemonic: str, operands: tuple[Operand, ...], word: int, *effects: str) -> Match:
    return Match(_form(mnemonic, *effects), operands, word=word)


def _transfer_register(operand: Operand) -> Register | None:
    fits = isinstance(operand, Register) and operand.bank == "x" and not operand.stack
    return operand if fits and isinstance(operand, Register) else None


def _mrs(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    if len(operands) != 2:
        return _fail(0, "it takes mrs Xt, REGISTER")
    transfer = _transfer_register(operands[0])
    if transfer is None:
        return _fail(0, f"{describe_operand(operands[0])} stands where Xt is needed")
    return _register_access(mnemonic, operands, operands[1], 1, transfer, reading=True)


def _msr(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    if len(operands) != 2:
        return _fail(0, "it takes msr REGISTER, Xt or msr FIELD, #imm")
    if isinstance(operands[1], Immediate):
        return _msr_immediate(mnemonic, operands, operands[0], operands[1].value)
    transfer = _transfer_register(operands[1])
    if transfer is None:
        return _fail(1, f"{describe_operand(operands[1])} stands where Xt is needed")
    return _register_access(mnemonic, operands, operands[0], 0, transfer, reading=False)


def _register_access(
    mnemonic: str, operands: tuple[Operand, ...], name: Operand, index: int, transfer: Register, *, reading: bool
) -> Result:
    register = find_register(name.text) if isinstance(name, Word) else None
    if register is None:
        text = describe_operand(name)
        near = [match for match in similar_names(text) if " " not in match]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        return _fail(index, f"{text} is no system register{hint}", "A107")
    if not (register.readable if reading else register.writable):
        return _fail(index, f"{register.name} is {'write' if reading else 'read'}-only", "A107")
    word = (0xD5200000 if reading else 0xD5000000) | register.encoding.instruction_bits | transfer.number
    match = _done(mnemonic, operands, word)
    if transfer.resource is not None:
        (match.writes if reading else match.reads).add(transfer.resource)
    if register.encoding == _NZCV:
        (match.reads if reading else match.writes).add("nzcv")
    if register.name in ("RNDR", "RNDRRS"):
        match.writes.add("nzcv")  # DDI 0487, D23.2.148: Z tells that there was no number
    if register.encoding == _SPSEL and not reading:
        match.writes.add("sp")
    return match


def _msr_immediate(mnemonic: str, operands: tuple[Operand, ...], name: Operand, value: int) -> Result:
    text = name.text.lower() if isinstance(name, Word) else describe_operand(name)
    if text not in _PSTATE_FIELDS:
        known = ", ".join(sorted(_PSTATE_FIELDS))
        return _fail(0, f"{describe_operand(name)} cannot be written with an immediate; these can: {known}", "A107")
    op1, op2, highest = _PSTATE_FIELDS[text]
    if not 0 <= value <= highest:
        return _fail(1, f"#{value} is out of range: {text} takes 0 to {highest}", "A104")
    match = _done(mnemonic, operands, 0xD500401F | op1 << 16 | value << 8 | op2 << 5)
    if text == "spsel":
        match.writes.add("sp")
    return match


def _named_sys(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    operation = operands[0] if operands else None
    if not isinstance(operation, Word):
        return _fail(0, f"it takes {mnemonic} OPERATION")
    known = find_instruction(mnemonic, operation.text)
    if known is None:
        names = [i.operation.lower() for i in INSTRUCTIONS.values() if i.group == mnemonic.upper()]
        near = difflib.get_close_matches(operation.text.lower(), names, n=3, cutoff=0.6)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        return _fail(0, f"{operation.text} is no operation of {mnemonic}{hint}", "A107")
    wanted = 2 if known.takes_register else 1
    if len(operands) != wanted:
        takes = "takes a register Xt" if known.takes_register else "takes no register"
        return _fail(min(1, len(operands) - 1), f"{known.name.lower()} {takes}")
    transfer = Register("x", 31) if wanted == 1 else _transfer_register(operands[1])
    if transfer is None:
        return _fail(1, f"{describe_operand(operands[1])} stands where Xt is needed")
    effects = ("system", "store") if known.operation in _WRITES_MEMORY else ("system",)
    match = _done(mnemonic, operands, 0xD5000000 | known.encoding.instruction_bits | transfer.number, *effects)
    if transfer.resource is not None:
        match.reads.add(transfer.resource)
    return match


def _sys(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    """`sys #op1, Cn, Cm, #op2{, Xt}` and `sysl Xt, #op1, Cn, Cm, #op2`."""
    reading = mnemonic == "sysl"
    shape = f"it takes {'sysl Xt, #op1, Cn, Cm, #op2' if reading else 'sys #op1, Cn, Cm, #op2{, Xt}'}"
    transfer_index = 0 if reading else 4
    if len(operands) not in ((5,) if reading else (4, 5)):
        return _fail(0, shape)
    fields = operands[1:] if reading else operands[:4]
    transfer = _transfer_register(operands[transfer_index]) if len(operands) == 5 else Register("x", 31)
    op1, crn, crm, op2 = fields
    numbers = [_CONTROL_REGISTER.fullmatch(str(word)) if isinstance(word, Word) else None for word in (crn, crm)]
    if transfer is None or not isinstance(op1, Immediate) or not isinstance(op2, Immediate):
        return _fail(0, shape)
    if numbers[0] is None or numbers[1] is None:
        return _fail(0, shape)
    if not (0 <= op1.value <= 7 and 0 <= op2.value <= 7):
        return _fail(0, "op1 and op2 are 0 to 7", "A104")
    bits = op1.value << 16 | int(numbers[0][1]) << 12 | int(numbers[1][1]) << 8 | op2.value << 5
    word = (0xD5280000 if reading else 0xD5080000) | bits | transfer.number
    match = _done(mnemonic, operands, word, "system")
    if transfer.resource is not None:
        (match.writes if reading else match.reads).add(transfer.resource)
    return match


def _barrier(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    base = {"dsb": 0xD503309F, "dmb": 0xD50330BF, "isb": 0xD50330DF}[mnemonic]
    if not operands and mnemonic == "isb":
        return _done(mnemonic, operands, base | 15 << 8, "barrier")
    if len(operands) != 1:
        return _fail(0, f"it takes {mnemonic} OPTION, such as {mnemonic} ish")
    option = operands[0]
    if isinstance(option, Immediate):
        if not 0 <= option.value <= 15:
            return _fail(0, f"#{option.value} is out of range: the option is 0 to 15", "A104")
        return _done(mnemonic, operands, base | option.value << 8, "barrier")
    name = str(option)
    if mnemonic == "dsb" and name in _NXS_OPTIONS:
        return _done(mnemonic, operands, 0xD503323F | _NXS_OPTIONS[name] << 10, "barrier")
    options = {"sy": 15} if mnemonic == "isb" else BARRIER_OPTIONS
    if not isinstance(option, Word) or name not in options:
        return _fail(0, f"{describe_operand(option)} is no option of {mnemonic}; it takes {', '.join(options)}")
    return _done(mnemonic, operands, base | options[name] << 8, "barrier")


def _option_word(operands: tuple[Operand, ...], options: dict[str, int]) -> int | str:
    """The number of the only operand's word, or what is wrong."""
    name = str(operands[0]) if operands else ""
    if len(operands) > 1 or name not in options:
        return f"it takes {', '.join(option for option in options if option)}" + (
            " or nothing" if "" in options else ""
        )
    return options[name]


def _bti(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    number = _option_word(operands, _BTI_TARGETS)
    return _fail(0, number) if isinstance(number, str) else _done(mnemonic, operands, 0xD503201F | number << 5)


def _csync(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    number = _option_word(operands, {"csync": 17 if mnemonic == "psb" else 18})
    if isinstance(number, str):
        return _fail(0, number)
    return _done(mnemonic, operands, 0xD503201F | number << 5, "barrier")


def _sme(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    number = _option_word(operands, _SME_STATES)
    if isinstance(number, str):
        return _fail(0, number)
    match = _done(mnemonic, operands, 0xD503407F | (number << 1 | (mnemonic == "smstart")) << 8)
    match.writes |= {*(f"v{n}" for n in range(32)), *(f"p{n}" for n in range(16)), "ffr"} if number & 1 else set()
    return match


_ENCODERS: dict[str, Callable[[str, tuple[Operand, ...]], Result]] = {
    "mrs": _mrs,
    "msr": _msr,
    "sys": _sys,
    "sysl": _sys,
    "bti": _bti,
    "psb": _csync,
    "tsb": _csync,
    "smstart": _sme,
    "smstop": _sme,
    **dict.fromkeys(["dsb", "dmb", "isb"], _barrier),
    **dict.fromkeys(["tlbi", "at", "dc", "ic", "cfp", "dvp", "cpp"], _named_sys),
}

SYSTEM_MNEMONICS = frozenset(_ENCODERS)


def match_system(mnemonic: str, operands: tuple[Operand, ...]) -> Result:
    """The encoded match of a mnemonic of `SYSTEM_MNEMONICS`, or why it does not fit."""
    return _ENCODERS[mnemonic](mnemonic, operands)
