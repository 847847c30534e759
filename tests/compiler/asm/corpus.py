"""Instructions generated from the form tables: every form, with seeded random registers and immediates.

Each line is text that both the block assembler and GNU as accept, so that their words can be compared.
"""

import random
from collections.abc import Iterator

from compiler.asm.addressing import ADDRESSING, CONDITIONS, PREFETCH, MemoryRule
from compiler.asm.forms import Form, OperandSpec, all_forms
from compiler.asm.immediates import Range, is_logical_immediate, is_move_immediate
from compiler.asm.system import BARRIER_OPTIONS
from compiler.language.register_table import INSTRUCTIONS, REGISTERS

_FIXED = {
    "u4": Range(0, 15),
    "u5": Range(0, 31),
    "u6": Range(0, 63),
    "u7": Range(40, 127),
    "u16": Range(0, 0xFFFF),
    "s6": Range(-32, 31),
    "nzcv": Range(0, 15),
    "u6x16": Range(0, 1008, 16),
    "zero": Range(0, 0),
    "addsub": Range(0, 4095),
}


class Generator:
    """Makes one random instruction of a form at a time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._bank = "x"
        self._used: list[int] = []

    def statement(self, form: Form) -> str:
        """The text of an instruction of this form; branch targets are `.` and a small distance."""
        self._bank, self._used = self._random.choice("xw"), []
        width = 32 if any(spec.kind == "W" for spec in form.specs[:1]) else 64
        if any(spec.kind == "R" for spec in form.specs):
            width = 64 if self._bank == "x" else 32
        stack = all(not spec.stack or spec.letter in "dn" for spec in form.specs)
        force_stack = form.mnemonic == "mov" and all(spec.stack for spec in form.specs if spec.sort == "r")
        parts: list[str] = []
        low = 0
        for index, spec in enumerate(form.specs):
            if spec.sort == "r":
                text = self._register(spec, force_stack and index == 0 and stack)
                parts.append(text)
            elif spec.sort == "#":
                low, text = self._immediate(spec.kind, width, low)
                parts.append(text)
            else:
                text = self._other(spec, width, form)
                if text:
                    parts.append(text)
        return f"{form.mnemonic} {', '.join(parts)}".rstrip()

    def _register(self, spec: OperandSpec, stack: bool) -> str:
        bank = self._bank if spec.kind == "R" else spec.kind[0].lower()
        if spec.letter.isupper():
            return f"{bank}{self._used[-2 if spec.letter == 'T' and len(self._used) > 2 else -1] + 1}"
        if stack:
            return "sp" if bank == "x" else "wsp"
        highest = 15 if bank == "p" else 30 if bank in "xw" else 31
        number = self._random.choice([n for n in range(highest + 1) if n not in self._used])
        if spec.letter in "st" and bank in "xw":
            number = self._random.choice([n for n in range(0, 28, 2) if n not in self._used])
        self._used.append(number)
        if bank in "xw" and number == 30 and not spec.stack:
            return f"{bank}zr" if self._random.random() < 0.5 and spec.letter in "dma" else f"{bank}30"
        suffix = {"V2d": ".2d", "Pb": ".b"}.get(spec.kind, "")
        return f"{bank}{number}{suffix}"

    def _immediate(self, kind: str, width: int, low: int) -> tuple[int, str]:
        if kind in ("shift", "lsb", "bit"):
            value = self._random.randrange(width)
        elif kind == "width":
            value = self._random.randrange(1, width - low + 1)
        elif kind in ("logical", "mov"):
            value = self._logical(width) if kind == "logical" or self._random.random() < 0.3 else self._move(width)
        else:
            value = self._in_range(_FIXED[kind])
        return value, f"#{value:#x}" if value >= 0 else f"#-{-value:#x}"

    def _in_range(self, allowed: Range) -> int:
        edge = self._random.random()
        if edge < 0.2:
            return allowed.low
        if edge < 0.4:
            return allowed.high
        return self._random.randrange(allowed.low, allowed.high + 1, allowed.multiple)

    def _logical(self, width: int) -> int:
        size = self._random.choice([s for s in (2, 4, 8, 16, 32, 64) if s <= width])
        ones = self._random.randrange(1, size)
        element, turn = (1 << ones) - 1, self._random.randrange(size)
        element = (element << turn | element >> (size - turn)) & ((1 << size) - 1)
        value = sum(element << shift for shift in range(0, width, size))
        assert is_logical_immediate(value, width)
        return value

    def _move(self, width: int) -> int:
        value = self._random.randrange(0x10000) << self._random.randrange(0, width, 16)
        if self._random.random() < 0.4:
            value ^= (1 << width) - 1
        assert is_move_immediate(value, width)
        return value

    def _other(self, spec: OperandSpec, width: int, form: Form) -> str:
        if spec.sort == "[":
            return self._memory(spec, ADDRESSING[spec.kind])
        if spec.sort == "@":
            return {"lo12": ":lo12:symbol", "page": "symbol"}.get(spec.kind, ".+0x40")
        if spec.sort == "$":
            if spec.kind == "prefetch":
                return self._random.choice(sorted(PREFETCH))
            return self._random.choice([name for name, number in CONDITIONS.items() if number < 14])
        return self._modifier(spec.kind, width, form)

    def _modifier(self, kind: str, width: int, form: Form) -> str:
        required = kind.startswith("extend")
        if not required and self._random.random() < 0.4:
            return ""
        amount = self._random.randrange(1, 5)
        if kind == "lsl12":
            return "lsl #12"
        if kind == "lsl16":
            return f"lsl #{self._random.randrange(0, width, 16)}"
        if kind == "extendx":
            return self._random.choice([f"sxtx #{amount}", "sxtx", "uxtx", f"uxtx #{amount}"])
        if required:
            word = self._random.choice(["uxtb", "uxth", "uxtw", "sxtb", "sxth", "sxtw"])
            return word if self._random.random() < 0.3 else f"{word} #{amount}"
        words = ["lsl", "lsr", "asr"] + (["ror"] if kind == "shift" else [])
        return f"{self._random.choice(words)} #{self._random.randrange(width)}"

    def _memory(self, spec: OperandSpec, rule: MemoryRule) -> str:
        mode = self._random.choice(sorted(rule.modes))
        # Only plain offsets from sp: writing back an offset that is no multiple of 16 is an error of its own.
        stack = ["sp", "sp"] if mode == "offset" else []
        base = self._random.choice([f"x{n}" for n in range(29) if n not in self._used] + stack)
        if rule.register and mode == "offset" and self._random.random() < 0.4:
            return self._indexed(base, rule)
        allowed = rule.offset if mode == "offset" else rule.indexed
        if mode == "offset" and rule.unscaled is not None and self._random.random() < 0.3:
            allowed = rule.unscaled
        assert allowed is not None
        value = self._in_range(allowed)
        if mode == "post":
            return f"[{base}], #{value}"
        if spec.kind == "base" or (value == 0 and mode == "offset"):
            return f"[{base}]"
        if rule.vector:
            return f"[{base}, #{value}, mul vl]"
        return f"[{base}, #{value}]" + ("!" if mode == "pre" else "")

    def _indexed(self, base: str, rule: MemoryRule) -> str:
        scale = rule.size.bit_length() - 1
        number = self._random.choice([n for n in range(29) if n not in self._used])
        word = self._random.choice(["", "lsl", "sxtx", "uxtw", "sxtw"])
        if not word or (word == "lsl" and not scale):
            return f"[{base}, x{number}]"
        bank = "w" if word.endswith("w") else "x"
        amount = f" #{scale}" if word == "lsl" or (scale and self._random.random() < 0.5) else ""
        return f"[{base}, {bank}{number}, {word}{amount}]"


def table_instructions(seed: int, per_form: int) -> Iterator[str]:
    """`per_form` instructions of every form of the tables."""
    generator = Generator(seed)
    for forms in all_forms().values():
        for form in forms:
            for _ in range(per_form):
                yield generator.statement(form)


def system_instructions() -> Iterator[str]:
    """Every register, SYS instruction and option that GNU as 2.40 knows by the same name."""
    for number, register in enumerate(REGISTERS.values()):
        generic = register.encoding.generic_name
        if register.readable:
            yield f"mrs x{number % 31}, {generic}"
        if register.writable:
            yield f"msr {generic}, x{number % 31}"
    for number, instruction in enumerate(INSTRUCTIONS.values()):
        encoding = instruction.encoding
        operands = f"#{encoding.op1}, C{encoding.crn}, C{encoding.crm}, #{encoding.op2}"
        yield f"sys {operands}" + (f", x{number % 31}" if instruction.takes_register else "")
    yield "sysl x5, #3, C7, C1, #2"
    for option in [*BARRIER_OPTIONS, "#0", "#4"]:
        yield f"dsb {option}"
        yield f"dmb {option}"
    yield from ("isb", "isb sy", "isb #3", "dsb oshnxs", "dsb nshnxs", "dsb ishnxs", "dsb synxs")
    yield from ("bti", "bti c", "bti j", "bti jc", "psb csync", "tsb csync")
    yield from ("smstart", "smstart sm", "smstart za", "smstop", "smstop sm", "smstop za")
    for field in ("daifset", "daifclr"):
        yield from (f"msr {field}, #{value}" for value in range(16))
    for field in ("spsel", "pan", "uao", "dit", "ssbs", "tco"):
        yield from (f"msr {field}, #{value}" for value in range(2))
