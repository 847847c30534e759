"""What is wrong with an initrd or a manifest: a rule that is broken, the place, and what was found there.

`Rule` says which rule, RULE_TEXTS what there is to say about it; the readers note place and values in PROBLEM as they
go, so that an error needs no more than a call of `fail`. A message names file, node, property, what was found and what
to do. In a text `%x` is the number found, `%y` the first limit and `%z` the second one, in hexadecimal, `%X`, `%Y` and
`%Z` the same in decimal; `%s` is the text found, in quotes, `%w` the one wanted, `%r` what to do about a damaged tree.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    ErrorEnum,
    Slice,
    Value,
    array,
    cold,
    constant,
    no_inline,
    static,
    static_assert,
    string_at,
    struct,
    u8,
    u64,
    utf8,
)
from hypervisor.boot.fdt import (
    COMPATIBLE_VERSION_AT,
    DEPTH_MAX,
    VERSION_AT,
    Cursor,
    Fdt,
    FdtError,
    Step,
    advance,
    number_at,
    open_tree,
)
from runtime.console import log
from runtime.text import SPACE, TextBuffer

PATH_COUNT_MAX = 4
ESCAPE = ord("%")
FOUND_ESCAPE = ord("x")
LIMIT_ESCAPE = ord("y")
LOWER_CASE = 0x20
"""Bit that tells letters, and so hexadecimal from decimal."""
TEXT_ESCAPE = ord("s")
WANTED_ESCAPE = ord("w")
REPAIR_ESCAPE = ord("r")
QUESTION = ord("?")
TILDE = ord("~")
QUOTE = ord('"')
SLASH = ord("/")


class Rule(ErrorEnum):
    """The rules that can be broken. The first ones are FdtError's, in its order."""

    TREE_TRUNCATED = -1
    TREE_MAGIC = -2
    TREE_VERSION = -3
    TREE_BLOCKS = -4
    TREE_TOKEN = -5
    TREE_NAME = -6
    TREE_VALUE = -7
    TREE_NESTING = -8
    TREE_DEPTH = -9
    ARCHIVE_MAGIC = -10
    ARCHIVE_TRUNCATED = -11
    ARCHIVE_NUMBER = -12
    ARCHIVE_NAME = -13
    NO_FILE = -14
    NO_NODE = -15
    MISSING = -16
    TWICE = -17
    NOT_NUMBER = -18
    OUT_OF_RANGE = -19
    ONLY = -20
    NOT_FLAG = -21
    NOT_TEXT = -22
    TEXT_LONG = -23
    NOT_CELLS = -24
    TOO_MANY = -25
    WRONG_TEXT = -26
    PARTITION_NUMBER = -27
    PARTITION_GAP = -28
    PARTITION_TWICE = -29
    NOT_LOADED_HERE = -30
    FILE_ABSENT = -31
    FILE_EMPTY = -32
    FILE_LARGE = -33
    NOT_PAGES = -34
    LEVEL = -35
    LEVELS_DIFFER = -36
    ONE_VCPU = -37
    UUID_NIL = -38
    UUID_TWICE = -39
    UUID_TEXT = -40
    METHOD_BITS = -41
    METHOD_VERSION = -42
    METHOD_COUNT = -43
    SERVICES_TWICE = -44
    NOT_UNIQUE = -45
    ONE_OF_TWO = -46
    ATTRIBUTES = -47
    OVERLAP = -48
    MISSING_TEXT = -49
    ENTRYPOINT = -50


_TEXTS = {
    Rule.TREE_TRUNCATED: "ends early, at offset %x%r",
    Rule.TREE_MAGIC: "begins with %x, not with 0xd00dfeed of a device tree%r",
    Rule.TREE_VERSION: "has version %X, compatible with %Y; needed is 17, compatible with 16 or 17%r",
    Rule.TREE_BLOCKS: "has a block that is misaligned or outside its %X bytes%r",
    Rule.TREE_TOKEN: "has an unknown token before offset %x%r",
    Rule.TREE_NAME: "has a name without end before offset %x%r",
    Rule.TREE_VALUE: "has a value without end before offset %x%r",
    Rule.TREE_NESTING: "has nodes that are not nested before offset %x%r",
    Rule.TREE_DEPTH: "has nodes deeper than %Y%r",
    Rule.ARCHIVE_MAGIC: "has no cpio header at offset %x; pack it with ./build.py image or cpio -o",
    Rule.ARCHIVE_TRUNCATED: "ends early, in the entry at offset %x; copy it whole, with its trailer",
    Rule.ARCHIVE_NUMBER: "has no number in the header at offset %x; pack it again",
    Rule.ARCHIVE_NAME: "has a bad name in the entry at offset %x; pack it again",
    Rule.NO_FILE: "has no file %w; add it",
    Rule.NO_NODE: "has no node %w; add it",
    Rule.MISSING: "is missing; add it",
    Rule.TWICE: "is given twice; keep one",
    Rule.NOT_NUMBER: "has %X bytes; write a number of 4 or 8",
    Rule.OUT_OF_RANGE: "is %x; give %y to %z",
    Rule.ONLY: "is %x; give %y",
    Rule.NOT_FLAG: "has a value of %X bytes; a flag has none, write its name alone",
    Rule.NOT_TEXT: "has %X bytes that are no text; write one in quotes",
    Rule.TEXT_LONG: "has %X characters; shorten it to %Y",
    Rule.NOT_CELLS: "has %X bytes; give a multiple of %Y",
    Rule.TOO_MANY: "has %X entries; give at most %Y",
    Rule.WRONG_TEXT: "is %s; it has to name %w",
    Rule.PARTITION_NUMBER: "is none of vm1 to vm16; number partitions so",
    Rule.PARTITION_GAP: "has vm%X but no vm%Y; number partitions without gaps",
    Rule.PARTITION_TWICE: "is there twice; keep one",
    Rule.NOT_LOADED_HERE: "is missing; add it, as partitions are loaded from the initrd",
    Rule.FILE_ABSENT: "is %s, which the initrd does not have; add the file or correct the name",
    Rule.FILE_EMPTY: "is %s, a file of no bytes; pack the right one",
    Rule.FILE_LARGE: "is %s of %x bytes, but mem_size leaves %y; raise mem_size to %z",
    Rule.NOT_PAGES: "is %x, not a multiple of 4096; round it up to %y",
    Rule.LEVEL: "is %X; give 0 for EL1 or 6 for EL0",
    Rule.LEVELS_DIFFER: "is %X, but %Y in manifest.dtb; make them equal",
    Rule.ONE_VCPU: "is %X, but partitions at EL0 have one vCPU; give 1",
    Rule.UUID_NIL: "has the nil UUID as entry %X; give the service one",
    Rule.UUID_TWICE: "has entry %X again as entry %Y; give each service its own UUID",
    Rule.UUID_TEXT: "is %s; write 8-4-4-4-12 hexadecimal digits",
    Rule.METHOD_BITS: "is %x; give bits of %y",
    Rule.METHOD_VERSION: "is %x, but bits 9 and 10 need FF-A 1.2; raise ffa-version to %y or clear them",
    Rule.METHOD_COUNT: "has %X entries for %Y UUIDs; give one, or one for each",
    Rule.SERVICES_TWICE: "is given beside a node services; keep one of them",
    Rule.NOT_UNIQUE: "is %x, as in vm%Y; give each partition its own",
    Rule.ONE_OF_TWO: "or load-address-relative-offset: there are %X; give one",
    Rule.ATTRIBUTES: "is %x; give %w, plus 8 for non-secure",
    Rule.OVERLAP: "begins a region at %x that overlaps one of vm%Y at %z; move it",
    Rule.MISSING_TEXT: "is missing; let it name %w",
    Rule.ENTRYPOINT: "is %x; give a multiple of 4 below the image's size %y",
}
static_assert(sorted(-rule.value for rule in Rule) == list(range(1, len(_TEXTS) + 1)), "each rule has a text")
static_assert(
    all(Rule(error.value).name.startswith("TREE_") for error in FdtError if error.value >= FdtError.TOO_DEEP.value),
    "errors of trees come first",
)
RULE_TEXTS: Array[str] = constant([_TEXTS[Rule(-number)] for number in range(1, len(_TEXTS) + 1)])


@struct
class Problem:
    """The place that is being read, and what was found there. Texts of files are bytes that need not be UTF-8."""

    file: str = ""
    tree: str = ""
    """The tree that the nodes' names are in."""
    node_names: Array[u64] = array(PATH_COUNT_MAX)
    node_sizes: Array[u64] = array(PATH_COUNT_MAX)
    depth: u64 = 0
    """How many nodes of the path are given; 0: the file as a whole."""
    property: str = ""
    text: str = ""
    wanted: str = ""
    found: u64 = 0
    limit: u64 = 0
    other: u64 = 0


PROBLEM: Problem = static(Problem())
REPAIR = "; compile it again with dtc"


def enter_file(name: Slice[u8], content: Slice[u8]) -> None:
    """What follows is about this file."""
    PROBLEM.file = string_at(name)
    PROBLEM.tree = string_at(content)
    PROBLEM.depth = 0


@no_inline
def fail(rule: Rule, name: str, found: u64 = 0, limit: u64 = 0, other: u64 = 0) -> Rule:
    """Note what was found of the property called `name`, or of the node when that is empty; gives the rule."""
    PROBLEM.property = name
    PROBLEM.found = found
    PROBLEM.limit = limit
    PROBLEM.other = other
    return rule


@no_inline
def fail_text(rule: Rule, name: str, text: Slice[u8], found: u64 = 0, limit: u64 = 0, other: u64 = 0) -> Rule:
    """`fail`, with a text that was found."""
    PROBLEM.text = string_at(text)
    return fail(rule, name, found, limit, other)


@no_inline
def fail_wanted(rule: Rule, name: str, wanted: str, found: u64 = 0) -> Rule:
    """`fail`, with a text that is missing."""
    PROBLEM.wanted = wanted
    return fail(rule, name, found)


@no_inline
def fail_tree(error: FdtError, position: u64) -> Rule:
    """A tree is damaged; its nodes are no help then."""
    PROBLEM.depth = 0
    found = position
    limit: u64 = DEPTH_MAX
    if error == FdtError.BAD_MAGIC:
        found = number_at(utf8(PROBLEM.tree), 0)
    elif error == FdtError.BAD_VERSION:
        found = number_at(utf8(PROBLEM.tree), VERSION_AT)
        limit = number_at(utf8(PROBLEM.tree), COMPATIBLE_VERSION_AT)
    rule = Rule.decode(error.value)
    assert rule is not None and error.value >= FdtError.TOO_DEEP.value, "an error of editing"
    return fail(rule, "", found, limit)


def next_step(tree: Fdt, at: Cursor) -> Step | Rule:
    """Go on in a tree, and note which node that is in."""
    step = advance(tree, at)
    if isinstance(step, FdtError):
        return fail_tree(step, at.position)
    if step == Step.NODE and at.depth <= PATH_COUNT_MAX:
        PROBLEM.node_names[at.depth - 1] = at.name
        PROBLEM.node_sizes[at.depth - 1] = at.name_size
    if step != Step.PROPERTY:
        PROBLEM.depth = min(at.depth, PATH_COUNT_MAX)
    return step


def leave(tree: Fdt, at: Cursor, depth: u64) -> Rule | None:
    """Go on until no more than `depth` nodes are open."""
    while at.depth > depth:
        step = next_step(tree, at)
        if isinstance(step, Rule):
            return step
    return None


def next_child(tree: Fdt, at: Cursor, depth: u64) -> Step | Rule:
    """Leave the child of a node at `depth` that the cursor is in; the next one, or the node's end."""
    error = leave(tree, at, depth)
    return next_step(tree, at) if error is None else error


def open_file(name: Slice[u8], content: Slice[u8]) -> Value[Fdt] | Rule:
    """Begin to read a tree."""
    enter_file(name, content)
    tree = open_tree(content)
    if isinstance(tree, FdtError):
        return fail_tree(tree, len(content))
    return tree


def render_problem(buffer: TextBuffer, rule: Rule) -> None:
    """Append the message for `rule`, broken as PROBLEM tells."""
    _put(buffer, utf8(PROBLEM.file))
    _put(buffer, utf8(": "))
    for index in range(PROBLEM.depth):
        if index > 0 or PROBLEM.depth == 1:
            buffer.put(SLASH)
        name = PROBLEM.node_names[index]
        _put(buffer, utf8(PROBLEM.tree)[name : name + PROBLEM.node_sizes[index]])
    if PROBLEM.depth > 0:
        _put(buffer, utf8(": "))
    if len(utf8(PROBLEM.property)) > 0:
        _put(buffer, utf8(PROBLEM.property))
        buffer.put(SPACE)
    is_escape = False
    for byte in utf8(RULE_TEXTS[u64(-rule.value) - 1]):
        if is_escape:
            _put_value(buffer, byte)
        elif byte != ESCAPE:
            buffer.put(byte)
        is_escape = byte == ESCAPE


@cold
def report(rule: Rule) -> None:
    """Print the message for `rule`."""
    buffer = TextBuffer()
    render_problem(buffer, rule)
    log(f"{string_at(buffer.written())}")


def _put_value(buffer: TextBuffer, escape: u8) -> None:
    if escape == REPAIR_ESCAPE:
        _put(buffer, utf8(REPAIR))
    elif escape == WANTED_ESCAPE:
        _put(buffer, utf8(PROBLEM.wanted))
    elif escape == TEXT_ESCAPE:
        buffer.put(QUOTE)
        _put(buffer, utf8(PROBLEM.text))
        buffer.put(QUOTE)
    else:
        which = escape | LOWER_CASE
        value = PROBLEM.other
        if which == FOUND_ESCAPE:
            value = PROBLEM.found
        elif which == LIMIT_ESCAPE:
            value = PROBLEM.limit
        if escape == which:
            _put(buffer, utf8("0x"))
        buffer.put_number(value, 16 if escape == which else 10, 0)


@no_inline
def _put(buffer: TextBuffer, text: Slice[u8]) -> None:
    """Append text; whatever in a file could disturb a terminal is a question mark."""
    for byte in text:
        buffer.put(byte if SPACE <= byte <= TILDE else QUESTION)
