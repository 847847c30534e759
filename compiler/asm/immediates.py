"""The kinds of immediates of instruction forms: which values each accepts, and how errors describe them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Integers from `low` to `high`, both included, that are multiples of `multiple`."""

    low: int
    high: int
    multiple: int = 1

    def accepts(self, value: int) -> bool:
        return self.low <= value <= self.high and value % self.multiple == 0

    def __str__(self) -> str:
        text = f"{self.low}" if self.low == self.high else f"{_number(self.low)} to {_number(self.high)}"
        return text if self.multiple == 1 else f"{text} in steps of {self.multiple}"


def _number(value: int) -> str:
    return str(value) if -1024 < value < 1024 else f"-{-value:#x}" if value < 0 else f"{value:#x}"


_RANGES: dict[str, Range] = {
    "u4": Range(0, 15),
    "u5": Range(0, 31),
    "u6": Range(0, 63),
    "u7": Range(0, 127),
    "u16": Range(0, 0xFFFF),
    "s6": Range(-32, 31),
    "nzcv": Range(0, 15),
    "u6x16": Range(0, 1008, 16),
    "zero": Range(0, 0),
}


def is_logical_immediate(value: int, width: int) -> bool:
    """Whether AND, ORR and EOR can encode `value`: a rotated run of ones, repeated (Arm ARM, DecodeBitMasks)."""
    mask = (1 << width) - 1
    value &= mask
    if value in (0, mask):
        return False
    size = width
    while size > 2:
        half = size // 2
        if value & ((1 << half) - 1) != (value >> half) & ((1 << half) - 1):
            break
        size = half
        value &= (1 << size) - 1
    element = value & ((1 << size) - 1)
    rotated = (element >> 1) | ((element & 1) << (size - 1))
    return (element ^ rotated).bit_count() == 2


def is_move_immediate(value: int, width: int) -> bool:
    """Whether a single MOVZ, MOVN or ORR makes `value`."""
    mask = (1 << width) - 1
    value &= mask
    shifts = range(0, width, 16)
    if any(value & ~(0xFFFF << shift) & mask == 0 for shift in shifts):
        return True
    inverted = value ^ mask
    if any(inverted & ~(0xFFFF << shift) & mask == 0 for shift in shifts):
        return True
    return is_logical_immediate(value, width)


def fault(kind: str, value: int, width: int) -> str:
    """Why an immediate of this kind may not be `value` in an instruction of 32 or 64 bits; empty where it may."""
    if kind in ("shift", "lsb", "bit"):
        allowed = Range(0, width - 1)
    elif kind == "width":
        allowed = Range(1, width)
    elif kind == "addsub":
        if 0 <= value <= 0xFFF or (value & 0xFFF == 0 and 0 <= value <= 0xFFF000):
            return ""
        return "the instruction holds 0 to 0xfff, or a multiple of 0x1000 up to 0xfff000"
    elif kind in ("logical", "mov"):
        if not -(1 << (width - 1)) <= value < 1 << width:
            return f"the instruction holds {width} bits"
        if kind == "logical":
            encodable = is_logical_immediate(value, width)
            return "" if encodable else "it is no repeated, rotated run of ones, as a logical immediate must be"
        return "" if is_move_immediate(value, width) else "a single movz, movn or orr cannot make it"
    else:
        allowed = _RANGES[kind]
    return "" if allowed.accepts(value) else f"the instruction holds {allowed}"


def bits_of(kind: str, value: int) -> int:
    """The encoding field of an accepted value, before it is cut to the field's width."""
    return value // _RANGES[kind].multiple
