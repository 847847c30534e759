"""Memory addressing modes, shifts, extensions and the words that operands may hold."""

from dataclasses import dataclass

from compiler.asm.immediates import Range
from compiler.asm.operands import Immediate, Memory, Modifier, PageOffset
from compiler.asm.registers import Register

CONDITIONS: dict[str, int] = {
    "eq": 0,
    "ne": 1,
    "cs": 2,
    "hs": 2,
    "cc": 3,
    "lo": 3,
    "mi": 4,
    "pl": 5,
    "vs": 6,
    "vc": 7,
    "hi": 8,
    "ls": 9,
    "ge": 10,
    "lt": 11,
    "gt": 12,
    "le": 13,
    "al": 14,
    "nv": 15,
}

PREFETCH = frozenset(
    f"{kind}l{level}{policy}" for kind in ("pld", "pli", "pst") for level in (1, 2, 3) for policy in ("keep", "strm")
)

EXTENSIONS = {
    "lsl12": ", lsl #0 or #12",
    "lsl16": ", lsl #0, #16, #32 or #48",
    "shift": ", lsl, lsr, asr or ror #amount",
    "ashift": ", lsl, lsr or asr #amount",
    "extend": ", extension #amount",
    "extendw": ", uxtb, uxth, uxtw, sxtb, sxth or sxtw #amount",
    "extendx": ", lsl, uxtx or sxtx #amount",
}
"""The optional modifiers of forms, and how messages show them."""


@dataclass(frozen=True, slots=True)
class ModifierRule:
    """Which shifts and extensions an optional modifier accepts, for operands of 32 or 64 bits."""

    kind: str
    width: int

    def fault(self, modifier: Modifier) -> tuple[str, bool]:
        """Why the modifier does not fit, and whether only its amount is at fault."""
        words = {
            "lsl12": ("lsl",),
            "lsl16": ("lsl",),
            "shift": ("lsl", "lsr", "asr", "ror"),
            "ashift": ("lsl", "lsr", "asr"),
            "extend": ("uxtb", "uxth", "uxtw", "sxtb", "sxth", "sxtw", "lsl"),
            "extendw": ("uxtb", "uxth", "uxtw", "sxtb", "sxth", "sxtw"),
            "extendx": ("uxtx", "sxtx", "lsl"),
        }[self.kind]
        if modifier.word not in words:
            return f"{modifier} stands where {EXTENSIONS[self.kind].removeprefix(', ')} is possible", False
        amount = modifier.amount or 0
        if self.kind == "lsl12":
            allowed, fits = "0 or 12", amount in (0, 12)
        elif self.kind == "lsl16":
            allowed, fits = f"a multiple of 16 below {self.width}", amount in range(0, self.width, 16)
        elif self.kind.startswith("extend"):
            allowed, fits = "0 to 4", 0 <= amount <= 4
        else:
            allowed, fits = f"0 to {self.width - 1}", 0 <= amount < self.width
        return ("", False) if fits else (f"#{amount} is out of range: {modifier.word} takes {allowed} here", True)


@dataclass(frozen=True, slots=True)
class MemoryRule:
    """One addressing kind: its modes, offset ranges in bytes, and the size of the access."""

    text: str
    modes: frozenset[str]
    size: int = 0
    offset: Range | None = None
    unscaled: Range | None = None
    indexed: Range | None = None
    register: bool = False
    vector: bool = False
    scale: int = 1


def _rules() -> dict[str, MemoryRule]:
    all_modes, plain = frozenset(["offset", "pre", "post"]), frozenset(["offset"])
    nine = Range(-256, 255)
    rules = {
        "base": MemoryRule("[Xn]", plain, offset=Range(0, 0)),
        "unscaled": MemoryRule("[Xn, #imm]", plain, offset=nine),
        "offset9": MemoryRule("[Xn, #imm]", plain, offset=nine),
        "vector9": MemoryRule("[Xn, #imm, mul vl]", plain, offset=nine, vector=True),
        "plain8": MemoryRule("[Xn, #imm] or [Xn, Xm]", plain, 8, Range(0, 32760, 8), register=True),
    }
    for size in (1, 2, 4, 8, 16):
        rules[f"any{size}"] = MemoryRule(
            "[Xn, #imm], [Xn, #imm]!, [Xn], #imm or [Xn, Xm]",
            all_modes,
            size,
            Range(0, 4095 * size, size),
            unscaled=nine,
            indexed=nine,
            register=True,
        )
    for size in (4, 8, 16):
        seven = Range(-64 * size, 63 * size, size)
        rules[f"pair{size}"] = MemoryRule(
            "[Xn, #imm], [Xn, #imm]! or [Xn], #imm", all_modes, size, seven, indexed=seven
        )
        rules[f"plain_pair{size}"] = MemoryRule("[Xn, #imm]", plain, size, seven)
    for bits, scale in ((9, 16), (7, 16), (10, 8)):
        allowed = Range(-scale << (bits - 1), (scale << (bits - 1)) - scale, scale)
        for mode, text in (("offset", "[Xn, #imm]"), ("pre", "[Xn, #imm]!"), ("post", "[Xn], #imm")):
            indexed = None if mode == "offset" else allowed
            rules[f"{mode}{bits}x{scale}"] = MemoryRule(
                text, frozenset([mode]), offset=allowed, indexed=indexed, scale=scale
            )
    return rules


ADDRESSING = _rules()
"""The addressing kinds of the instruction tables."""


def memory_fault(rule: MemoryRule, operand: Memory) -> tuple[str, bool]:
    """Why a memory operand does not fit, and whether only a number in it is at fault."""
    if operand.mode not in rule.modes:
        return f"{operand} stands where {rule.text} is needed", False
    if isinstance(operand.offset, Register):
        return _index_fault(rule, operand, operand.offset)
    is_vector = operand.modifier is not None and operand.modifier.word == "mul vl"
    if (operand.modifier is not None and not is_vector) or (
        rule.vector != is_vector and (is_vector or operand.offset is not None)
    ):
        return f"{operand} stands where {rule.text} is needed", False
    if isinstance(operand.offset, PageOffset):
        return ("", False) if rule.register and rule.size else ("this instruction takes no :lo12: offset", False)
    value = operand.offset.value if isinstance(operand.offset, Immediate) else 0
    allowed = rule.offset if operand.mode == "offset" else rule.indexed
    assert allowed is not None
    if allowed.accepts(value) or (operand.mode == "offset" and rule.unscaled and rule.unscaled.accepts(value)):
        return "", False
    also = f" or {rule.unscaled}" if operand.mode == "offset" and rule.unscaled else ""
    return f"offset #{value} is out of range: the instruction holds {allowed}{also}", True


def _index_fault(rule: MemoryRule, operand: Memory, index: Register) -> tuple[str, bool]:
    if not rule.register or operand.mode != "offset":
        return f"{operand} stands where {rule.text} is needed", False
    words = ("lsl", "sxtx") if index.bank == "x" else ("uxtw", "sxtw")
    if operand.modifier is None:
        return ("", False) if index.bank == "x" else (f"{index.name} as an index needs uxtw or sxtw", False)
    if operand.modifier.word not in words:
        return f"{operand.modifier.word} does not go with the index {index.name}: it takes {' or '.join(words)}", False
    scale = rule.size.bit_length() - 1
    if (operand.modifier.amount or 0) not in (0, scale):
        return f"#{operand.modifier.amount} is out of range: the index is shifted by 0 or {scale}", True
    return "", False
