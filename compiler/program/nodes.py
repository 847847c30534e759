"""Expressions and statements of the typed program.

Operands are evaluated left to right, each exactly once. An expression's `type` is a value type; addresses are of type
POINTER. Every node that can trap carries the span that the trap reports. Invariants that the front end guarantees:
operand types of a Binary/Compare are equal (shift counts are U64); a Local is assigned before it is read on every
path; Break and Continue stand inside a Loop; a function whose result is not VOID returns or traps on every path.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from compiler.program.types import BOOL, POINTER, SLICE, U64, Tuple, ValueType

if TYPE_CHECKING:
    from compiler.program.program import Function, StackSlot, StaticObject, Table


@dataclass(frozen=True)
class Span:
    """A stretch of source. Lines count from 1, columns from 1; the end column is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


class TrapKind(Enum):
    """Why a run-time check stops the program; the value is the code in trap tables, the text what reports say."""

    OVERFLOW = (1, "arithmetic overflow")
    CONVERSION = (2, "value does not fit the type converted to")
    SHIFT = (3, "shift count not below the width")
    DIVIDE = (4, "division by zero")
    BOUNDS = (5, "index out of bounds")
    SLICE = (6, "slice bounds out of order or out of range")
    NULL = (7, "pointer is null or misaligned")
    ASSERT = (8, "assertion failed")
    MATCH = (9, "value is none of the cases")
    UNREACHABLE = (10, "unreachable code reached")
    PANIC = (11, "panic")
    ALIGNMENT = (12, "misaligned access")

    @property
    def code(self) -> int:
        """Number in trap tables."""
        return self.value[0]

    @property
    def text(self) -> str:
        """Words of a report."""
        return self.value[1]


class BinaryOp(Enum):
    """Arithmetic of two operands. Division and modulo round towards minus infinity, as in Python."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    FLOOR_DIV = "//"
    MOD = "%"
    AND = "&"
    OR = "|"
    XOR = "^"
    SHL = "<<"
    SHR = ">>"
    ROTATE_LEFT = "rotate_left"
    ROTATE_RIGHT = "rotate_right"
    MULTIPLY_HIGH = "multiply_high"
    MIN = "min"
    MAX = "max"


class Overflow(Enum):
    """What ADD, SUB, MUL, SHL do when the result does not fit.

    TRAP also covers division by zero, MIN // -1, and shift counts (SHIFT trap) of SHL and SHR; WRAP keeps the shift
    count trap. SATURATE holds the result at the bound (ADD, SUB). PROVEN: the front end proved that nothing can happen
    (a back end may state so to LLVM as nuw/nsw).
    """

    TRAP = "trap"
    WRAP = "wrap"
    SATURATE = "saturate"
    PROVEN = "proven"


class UnaryOp(Enum):
    """NEGATE traps on overflow (for unsigned: unless zero); INVERT flips every bit of the width."""

    NEGATE = "-"
    WRAPPING_NEGATE = "wrapping_neg"
    INVERT = "~"
    NOT = "not"
    LEADING_ZEROS = "leading_zeros"
    TRAILING_ZEROS = "trailing_zeros"
    COUNT_ONES = "count_ones"
    BYTE_SWAP = "byte_swap"
    REVERSE_BITS = "reverse_bits"


class CompareOp(Enum):
    """Comparisons; signedness is that of the operand type. Also of pointers and bools (EQ, NE)."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


class Conversion(Enum):
    """How an operand becomes another type."""

    WIDEN = "widen"  # lossless: zero- or sign-extends by the operand's signedness
    TRUNCATE = "truncate"  # low bits, also same width with the other sign
    CHECKED = "checked"  # traps (CONVERSION) unless the value fits
    BOOL_TO_INT = "bool to int"
    INT_TO_BOOL = "int to bool"  # non-zero
    POINTER_TO_INT = "pointer to int"  # to U64
    INT_TO_POINTER = "int to pointer"  # from U64, no check


@dataclass(frozen=True, eq=False)
class Local:
    """A variable that holds a value; each source variable is one Local (temporaries have `source_name` None)."""

    name: str
    type: ValueType
    source_name: str | None = None
    source_type: str = ""


@dataclass(frozen=True, eq=False)
class Constant:
    """An int, bool or null pointer."""

    type: ValueType
    value: int


@dataclass(frozen=True, eq=False)
class ReadLocal:
    """Value of a local."""

    local: Local

    @property
    def type(self) -> ValueType:
        return self.local.type


@dataclass(frozen=True, eq=False)
class StaticAddress:
    """Address of a static object plus `offset` bytes."""

    object: StaticObject
    offset: int = 0
    type: ValueType = POINTER


@dataclass(frozen=True, eq=False)
class LinkerAddress:
    """Address of a symbol that the linker script defines."""

    symbol: str
    type: ValueType = POINTER


@dataclass(frozen=True, eq=False)
class FunctionAddress:
    """Address of a function (as an integer-like pointer, e.g. for an entry point register)."""

    function: Function
    type: ValueType = POINTER


@dataclass(frozen=True, eq=False)
class SlotAddress:
    """Address of a stack slot of this function. A slot's bytes are undefined until written."""

    slot: StackSlot
    type: ValueType = POINTER


@dataclass(frozen=True, eq=False)
class Unary:
    """One operand; result has the operand's type (counts too)."""

    op: UnaryOp
    operand: Expression
    type: ValueType
    span: Span


@dataclass(frozen=True, eq=False)
class Binary:
    """Two operands of `type`."""

    op: BinaryOp
    left: Expression
    right: Expression
    type: ValueType
    overflow: Overflow
    span: Span


@dataclass(frozen=True, eq=False)
class CheckedBinary:
    """ADD, SUB, MUL as checked_*: Tuple((value modulo 2**width, BOOL fits))."""

    op: BinaryOp
    left: Expression
    right: Expression
    type: Tuple
    span: Span


@dataclass(frozen=True, eq=False)
class Compare:
    """Two operands of one type, gives BOOL."""

    op: CompareOp
    left: Expression
    right: Expression
    type: ValueType = BOOL


@dataclass(frozen=True, eq=False)
class Logical:
    """Short-circuit `and` / `or` of BOOLs."""

    is_and: bool
    left: Expression
    right: Expression
    type: ValueType = BOOL


@dataclass(frozen=True, eq=False)
class Conditional:
    """`when_true if condition else when_false`; only the chosen one is evaluated."""

    condition: Expression
    when_true: Expression
    when_false: Expression
    type: ValueType


@dataclass(frozen=True, eq=False)
class Convert:
    """A conversion to `type`."""

    kind: Conversion
    operand: Expression
    type: ValueType
    span: Span


class Access(Enum):
    """Kind of a memory access; device accesses are single, volatile, never merged, and simulated on the host."""

    PLAIN = "plain"
    VOLATILE = "volatile"
    DEVICE = "device"


@dataclass(frozen=True, eq=False)
class Load:
    """A scalar from memory. `align`: guaranteed bytes. `ordering`: None, or an atomic ordering (Ordering.value)."""

    address: Expression
    type: ValueType
    align: int
    access: Access = Access.PLAIN
    ordering: str | None = None
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class Offset:
    """Address plus a constant number of bytes (a field)."""

    base: Expression
    bytes: int
    type: ValueType = POINTER


@dataclass(frozen=True, eq=False)
class Element:
    """Address of element `index` (U64) of a run of `count` (U64 expression) elements of `stride` bytes at `base`.

    Traps (BOUNDS) unless index < count; `count` None means that no check is wanted or it was proven.
    """

    base: Expression
    index: Expression
    count: Expression | None
    stride: int
    span: Span
    type: ValueType = POINTER


@dataclass(frozen=True, eq=False)
class Subslice:
    """`base[start:stop]` as SLICE; traps (SLICE) unless start <= stop <= count."""

    slice: Expression
    start: Expression
    stop: Expression
    stride: int
    span: Span
    type: ValueType = SLICE


@dataclass(frozen=True, eq=False)
class MakeTuple:
    """A tuple from its elements."""

    elements: tuple[Expression, ...]
    type: Tuple


@dataclass(frozen=True, eq=False)
class TupleElement:
    """One element of a tuple."""

    operand: Expression
    index: int
    type: ValueType


@dataclass(frozen=True, eq=False)
class Call:
    """A direct call; argument types are those of the callee's parameters."""

    function: Function
    arguments: tuple[Expression, ...]
    type: ValueType
    span: Span


@dataclass(frozen=True, eq=False)
class TableCall:
    """A call through a function table; traps (BOUNDS) when `index` (U64) is out of range."""

    table: Table
    index: Expression
    arguments: tuple[Expression, ...]
    type: ValueType
    span: Span


@dataclass(frozen=True, eq=False)
class RegisterRead:
    """MRS of a 64-bit system register. `name` is the register table's name."""

    name: str
    type: ValueType = U64


@dataclass(frozen=True, eq=False)
class AtomicUpdate:
    """Read-modify-write, gives the old value; `op`: exchange, add, sub, and, or. Addition wraps."""

    op: str
    address: Expression
    value: Expression
    type: ValueType
    ordering: str


@dataclass(frozen=True, eq=False)
class CompareExchange:
    """Strong compare-and-exchange, gives BOOL: whether it stored."""

    address: Expression
    expected: Expression
    desired: Expression
    ordering: str
    type: ValueType = BOOL


@dataclass(frozen=True, eq=False)
class Sequence:
    """Statements, then a value."""

    statements: tuple[Statement, ...]
    value: Expression

    @property
    def type(self) -> ValueType:
        return self.value.type


Expression = (
    Constant
    | ReadLocal
    | StaticAddress
    | LinkerAddress
    | FunctionAddress
    | SlotAddress
    | Unary
    | Binary
    | CheckedBinary
    | Compare
    | Logical
    | Conditional
    | Convert
    | Load
    | Offset
    | Element
    | Subslice
    | MakeTuple
    | TupleElement
    | Call
    | TableCall
    | RegisterRead
    | AtomicUpdate
    | CompareExchange
    | Sequence
)


@dataclass(frozen=True, eq=False)
class Assign:
    """Give a local a value."""

    local: Local
    value: Expression
    span: Span


@dataclass(frozen=True, eq=False)
class Store:
    """A scalar to memory."""

    address: Expression
    value: Expression
    align: int
    span: Span
    access: Access = Access.PLAIN
    ordering: str | None = None


@dataclass(frozen=True, eq=False)
class CopyMemory:
    """Copy `size` (U64) bytes; the ranges do not overlap unless they are equal, or `may_overlap`.

    Somebody else may access a range that `is_shared` at the same time: it is read or written here and nowhere else.
    """

    destination: Expression
    source: Expression
    size: Expression
    align: int
    span: Span
    may_overlap: bool = False
    is_shared: bool = False


@dataclass(frozen=True, eq=False)
class FillMemory:
    """Set `size` (U64) bytes to `byte` (U8)."""

    destination: Expression
    byte: Expression
    size: Expression
    align: int
    span: Span


@dataclass(frozen=True, eq=False)
class Evaluate:
    """Evaluate for effect."""

    expression: Expression
    span: Span


@dataclass(frozen=True, eq=False)
class If:
    """Two-way choice."""

    condition: Expression
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, eq=False)
class Loop:
    """While `condition` (None: for ever): body, then step. Continue goes to step; Break leaves."""

    condition: Expression | None
    body: tuple[Statement, ...]
    step: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, eq=False)
class Break:
    """Leave the innermost loop."""

    span: Span


@dataclass(frozen=True, eq=False)
class Continue:
    """Go to the step of the innermost loop."""

    span: Span


@dataclass(frozen=True, eq=False)
class Return:
    """Leave the function."""

    value: Expression | None
    span: Span


@dataclass(frozen=True, eq=False)
class SwitchCase:
    """Values that choose a body. `span`: the pattern, where it has a line of its own."""

    values: tuple[int, ...]
    body: tuple[Statement, ...]
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class Switch:
    """Choose by an integer; `default` is taken when no case has the value."""

    subject: Expression
    cases: tuple[SwitchCase, ...]
    default: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, eq=False)
class Trap:
    """Stop with a report: kind, span, and the message of an assert or panic."""

    kind: TrapKind
    span: Span
    message: str = ""


@dataclass(frozen=True, eq=False)
class RegisterWrite:
    """MSR of a 64-bit system register."""

    name: str
    value: Expression
    span: Span


@dataclass(frozen=True, eq=False)
class SystemOperation:
    """`instruction` is "tlbi", "at", "dc" or "ic"; `operation` its lower-case name; `value` U64 or None."""

    instruction: str
    operation: str
    value: Expression | None
    span: Span


@dataclass(frozen=True, eq=False)
class Barrier:
    """`instruction` is "isb", "dsb" or "dmb"; `option` e.g. "ish" ("sy" for isb)."""

    instruction: str
    option: str
    span: Span


@dataclass(frozen=True, eq=False)
class Hint:
    """wfi, wfe, sev, yield."""

    name: str
    span: Span


Statement = (
    Assign
    | Store
    | CopyMemory
    | FillMemory
    | Evaluate
    | If
    | Loop
    | Break
    | Continue
    | Return
    | Switch
    | Trap
    | RegisterWrite
    | SystemOperation
    | Barrier
    | Hint
)
