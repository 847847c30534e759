"""One function for each construct that random statements do not reach, with random widths and numbers."""

from __future__ import annotations

from random import Random

from compiler.language.types import IntType
from tests.differential.scope import INTEGERS

_UNSIGNED = tuple(kind for kind in INTEGERS if not kind.signed)

_GENERIC = """
T = TypeVar("T", u8, u16, u32, u64, i8, i16, i32, i64)


def blend(first: T, second: T, count: Const[u32]) -> T:
    total = first
    for step in range(count):
        total = wrapping_add(rotate_left(total, step), second)
    return total


def rare_generic(a: {first}, b: {second}) -> {second}:
    return blend(truncate({second}, blend(a, {literal}, {count})), b, {other})
"""

_TABLE = """
def table_add(a: {first}, b: {second}) -> {first}:
    return wrapping_add(a, truncate({first}, b))


def table_mix(a: {first}, b: {second}) -> {first}:
    return rotate_right(a, {count}) ^ truncate({first}, b)


def table_trap(a: {first}, b: {second}) -> {first}:
    return a + {first}(b)


OPERATIONS: FunctionTable[Callable[[{first}, {second}], {first}]] = function_table([table_add, table_mix, table_trap])


def rare_table(index: u64, a: {first}, b: {second}) -> {first}:
    return OPERATIONS[index & 3](a, b)
"""

_POINTERS = """
@struct
class Node:
    value: {first}
    count: {second}
    numbers: Array[{first}] = array({length})

    def total(self) -> {first}:
        result = self.value
        for number in self.numbers:
            result = wrapping_add(result, number)
        return result

    def push(self, value: {first}) -> bool:
        if self.count >= {length}:
            return False
        self.numbers[self.count] = value
        self.count += 1
        return True

    @staticmethod
    def starting(value: {first}) -> "Value[Node]":
        return Node(value=value, count=0)


@struct
class Labelled(Node):
    label: u8


def bump(place: Ptr[{first}], amount: {first}) -> {first}:
    old = place.value
    place.value = wrapping_add(old, amount)
    return old


def rare_pointers(node: Node, values: Slice[{first}], amount: {first}) -> {first}:
    old = bump(address_of(node.value), amount)
    for value in values:
        if not node.push(value):
            break
    fresh = Node.starting(old)
    fresh.count = node.count
    node.numbers[{index}] = fresh.total()
    pointer = address_of(node.numbers[{index}])
    pointer.value = wrapping_sub(pointer.value, amount)
    return wrapping_add(node.total(), fresh.value)


def rare_inherited(node: Labelled, amount: {first}) -> bool:
    node.label = truncate(u8, amount)
    return node.push(amount)
"""

_WORDS = '''
class Word(Bits, base={word}):
    READY = bit(0)
    LEVEL = bits(4, 2)
    TOP = bits({top}, {middle})


class PageCount(Distinct, base={second}):
    """A number of pages."""


def rare_bits(raw: {word}, level: {word}) -> {word}:
    word = Word(raw)
    changed = word.replace(LEVEL=level & 7, READY=not word.READY)
    if changed.TOP > level:
        return Word.make(LEVEL=level).raw | Word.READY
    return changed.raw | Word.TOP({top_value})


def rare_distinct(pages: PageCount, address: PhysAddr, size: u64) -> u64:
    end = address + size
    low = address.align_down(0x1000)
    if end.is_aligned(0x1000) and pages > PageCount(3):
        return end - low
    if low == end:
        return u64(pages.raw)
    return end.align_up(0x1000) - low


def rare_decode(raw: u8) -> u64:
    mode = Mode.decode(raw)
    if mode is None:
        return 99
    return u64(mode.value)
'''

_SHARED = """
@struct
class Shared:
    ticket: Atomic[{unsigned}] = Atomic(0)
    owner: u32 = 0


shared: Shared = static(Shared())


def rare_atomics(amount: {unsigned}, expected: {unsigned}) -> {unsigned}:
    old = shared.ticket.fetch_add(amount)
    if shared.ticket.compare_exchange(expected, {literal_unsigned}):
        shared.owner = 1
    shared.ticket.fetch_or(amount & 5)
    shared.ticket.fetch_and(~expected)
    return wrapping_sub(old, shared.ticket.exchange(amount, Ordering.SEQ_CST)) ^ shared.ticket.load()


def rare_with(count: {first}, limit: {first}) -> u32:
    index: {first} = 0
    while index < limit:
        index += 1
        with gate as held:
            if index == count:
                return held.depth * 100 + held.entries
            if index > {literal_small}:
                break
    return gate.depth


def pair_of(a: {first}, b: {second}) -> tuple[{second}, {first}]:
    return b, a


def rare_tuple(a: {first}, b: {second}) -> tuple[{first}, {second}, bool]:
    left, right = pair_of(a, b)
    right, left = right, left
    return right, wrapping_neg(left), right == a


def rare_untrusted(data: UntrustedBytes, offset: u64, target: Slice[u8]) -> bool:
    if not data.copy_in(offset, target):
        return False
    if len(target) > 1:
        target[0] = target[1]
    return data.zero(offset, 1) and data.copy_out(offset, target[:1])


def rare_bytes(values: Slice[u8], number: {first}) -> u64:
    node = Node(value=number, count={literal_small})
    raw = bytes_of(node)
    total: u64 = 0
    for index in range(min(len(raw), {first_size})):
        total = wrapping_add(total << 1 & 0xFFFFFFFF, u64(raw[index]))
    for text in utf8("bytes of a string"):
        total = wrapping_add(total, u64(text))
    part = values[len(values) // 2 :]
    return total ^ len(part)
"""

_TEXTS = """
def rare_format(number: {first}, word: {word}, flag: bool, address: PhysAddr, text: str) -> Value[TextBuffer]:
    buffer = TextBuffer()
    render(buffer, f"{{number}}/{{word:#x}} {{flag}} {{address}} {{text}} {{number:5}}")
    render(buffer, f"{{word:0{width}x}} {{{literal_small}}}")
    if len(utf8(text)) == {literal_small}:
        render(buffer, "plain text")
    return buffer


def nearest(node: Node | None, other: Node) -> Node:
    if node is not None and node.value < other.value:
        return node
    return other


def rare_references(node: Node, other: Node, use: bool, amount: {first}) -> {first}:
    chosen = nearest(node if use else None, other)
    chosen.value = wrapping_add(chosen.value, amount)
    swapped = copy(node)
    swapped.numbers[{index}] = chosen.value
    return wrapping_sub(swapped.total(), node.total())


@struct
class CpuState:
    calls: u32
    last: {first}


cpu_states: PerCpu[CpuState] = per_cpu(CpuState(calls=0, last=0), count=3)


def rare_per_cpu(index: u64, amount: {first}) -> u32:
    mine = cpu_states.this()
    mine.calls += 1
    mine.last = amount
    other = cpu_states.of(index % 4)
    other.calls = saturating_add(other.calls, {literal_small})
    return mine.calls


def classified(amount: {first}) -> str:
    match amount:
        case 0:
            return "none"
        case 1 | {second_case} if amount != 1:
            return "some"
        case _:
            return "many"


def rare_text(amount: {first}, other: {first}) -> str:
    chosen = classified(amount)
    return chosen if len(utf8(chosen)) == len(utf8(classified(other))) else "different"
"""


_TEMPLATES = (_GENERIC, _TABLE, _POINTERS, _WORDS, _SHARED, _TEXTS)


def rare_functions(random: Random) -> tuple[list[str], tuple[str, ...]]:
    """Lines, and the names of the functions to call."""
    first, second = random.choice(INTEGERS), random.choice(INTEGERS)
    unsigned, word = random.choice(_UNSIGNED), random.choice(_UNSIGNED)
    length = random.randrange(1, 6)
    middle = random.randrange(5, word.bits)
    top = random.randrange(middle, word.bits)
    numbers = {
        "first": first.name,
        "second": random.choice(_UNSIGNED).name if second.signed else second.name,
        "unsigned": unsigned.name,
        "word": word.name,
        "literal": _literal(random, first),
        "literal_unsigned": _literal(random, unsigned),
        "literal_small": random.randrange(1, 7),
        "count": random.randrange(1, 6),
        "other": random.randrange(0, 4),
        "length": length,
        "index": random.randrange(length),
        "top": top,
        "middle": middle,
        "top_value": random.randrange(1 << (top - middle + 1)),
        "first_size": first.size,
        "second_case": random.randrange(2, 100),
        "width": random.randrange(1, 20),
    }
    text = "\n".join(template.format(**numbers) for template in _TEMPLATES)
    names = tuple(line.split("(")[0].removeprefix("def ") for line in text.splitlines() if line.startswith("def rare_"))
    return text.splitlines(), names


def _literal(random: Random, kind: IntType) -> int:
    return random.randrange(1, kind.highest)
