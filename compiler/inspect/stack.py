"""The worst-case stack of each entry, computed from the machine code of a linked image.

Each function's instructions are walked along their control flow with the depth of the stack at each; the call graph
follows from direct branches and from what the caller says of indirect ones. Invariants: the bound holds for every
path; what cannot be bounded (recursion, unknown targets, stack that grows by a register) is an error that names the
place. An exception taken inside an entry has its own entry and bound: whoever sizes a stack adds the handler's.
A call of a function from which no return is reachable ends a path.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from compiler.inspect.executable import Executable
from compiler.inspect.machine import (
    Flow,
    StackAction,
    control_flow,
    stack_effect,
    written_registers,
)

ANY_SITE = "*"
_INSTRUCTION_BYTES = 4
_CALL_CLOBBERED = range(19)
_CHAIN_MAX = 200
"""Calls followed to learn whether they come back; beyond, they are taken to"""

CODES: Mapping[str, str] = {
    "STK001": "Functions call each other in a cycle.",
    "STK002": "An indirect call has no known targets.",
    "STK003": "The stack grows by an amount that is not a constant.",
    "STK004": "The stack pointer is replaced in a function that is not declared to do so.",
    "STK005": "The stack's depth at an instruction depends on how control came there.",
    "STK006": "An entry or a call target is not in the image's code.",
    "STK007": "A stack is smaller than what the code may use of it.",
}


@dataclass(frozen=True, slots=True)
class StackProblem:
    """Why there is no bound: `code` is a key of `CODES`; `found` holds one fact per line."""

    code: str
    message: str
    found: tuple[str, ...]
    fix: str

    def render(self) -> str:
        """The problem as text."""
        facts = [f"  = found: {fact}" for fact in self.found]
        return "\n".join([f"error[{self.code}]: {self.message}", *facts, f"  = help: {self.fix}"])


class StackError(Exception):
    """Every reason why some entry has no bound."""

    def __init__(self, problems: Sequence[StackProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in problems))


@dataclass(frozen=True, slots=True)
class Frame:
    """A function on the worst path, and the bytes of its own that are in use when it calls the next."""

    function: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StackBound:
    """The most stack that `entry` and all it calls can use, and the path that does."""

    entry: str
    size_bytes: int
    path: tuple[Frame, ...]


@dataclass(slots=True)
class _Call:
    """A call with `depth` bytes of the caller's in use."""

    target: int
    depth: int


@dataclass(slots=True)
class _Function:
    """What the walk of a function found. `deepest` is its own use; `returns`: whether it may come back."""

    address: int
    name: str
    deepest: int = 0
    returns: bool = False
    calls: list[_Call] = field(default_factory=list[_Call])


_Known = tuple[int, bool, int]
"""A register, whether it holds a copy of SP (else a constant), and the bytes in use at that SP (else its value)"""


@dataclass(frozen=True, slots=True)
class _State:
    """Bytes in use, and what is known of registers, sorted by register."""

    depth: int
    known: tuple[_Known, ...] = ()

    def copy_of_sp(self, register: int) -> int | None:
        return next((value for number, is_copy, value in self.known if number == register and is_copy), None)

    def constant(self, register: int) -> int | None:
        return next((value for number, is_copy, value in self.known if number == register and not is_copy), None)

    def without(self, registers: Collection[int]) -> _State:
        if not any(number in registers for number, _, _ in self.known):
            return self
        return _State(self.depth, tuple(entry for entry in self.known if entry[0] not in registers))

    def holding(self, register: int, value: int, *, is_copy: bool) -> _State:
        others = [entry for entry in self.known if entry[0] != register]
        return _State(self.depth, tuple(sorted([*others, (register, is_copy, value)])))

    def moved(self, amount: int) -> _State:
        """SP rises by `amount`; popping what a caller pushed leaves 0 bytes of this function's own."""
        return _State(max(self.depth - amount, 0), self.known)


def stack_bounds(
    image: Executable,
    entries: Sequence[str],
    *,
    indirect_targets: Mapping[str, Collection[str]] | None = None,
    stack_switches: Collection[str] = (),
) -> tuple[StackBound, ...]:
    """The bound of each entry, in the order given.

    `indirect_targets` gives the functions that an indirect call or jump may reach, by its source line ("path:line"), by
    the symbol of the function it is in, or for all others under `ANY_SITE`. `stack_switches` names functions that may
    put another stack into SP; from there on the depth counts from 0. Raises `StackError`.
    """
    analysis = _Analysis(image, indirect_targets or {}, frozenset(stack_switches))
    bounds: list[StackBound] = []
    for entry in entries:
        address = analysis.address_of(entry)
        if address is None:
            analysis.problem("STK006", f"the entry {entry} is not a function of the image", (), "check its name")
            continue
        size_bytes, path = analysis.bound(address)
        bounds.append(StackBound(entry, size_bytes, path))
    if analysis.problems:
        raise StackError(analysis.problems)
    return tuple(bounds)


def frame_sizes(image: Executable, *, stack_switches: Collection[str] = ()) -> dict[str, int]:
    """The bytes that each function uses itself. Raises `StackError` where that is not constant."""
    analysis = _Analysis(image, {ANY_SITE: ()}, frozenset(stack_switches))
    sizes = {function.name: analysis.walk(function.address).deepest for function in image.functions}
    if analysis.problems:
        raise StackError(analysis.problems)
    return sizes


class _Analysis:
    def __init__(
        self, image: Executable, indirect_targets: Mapping[str, Collection[str]], stack_switches: frozenset[str]
    ) -> None:
        self._image, self._indirect, self._switches = image, indirect_targets, stack_switches
        self._addresses = {name: address for address, name in image.symbols}
        self._addresses |= {function.name: function.address for function in image.functions}
        self._starts = [function.address for function in image.functions]
        self._walked: dict[int, _Function] = {}
        self._in_progress: list[int] = []
        self._bounds: dict[int, tuple[int, tuple[Frame, ...]]] = {}
        self.problems: list[StackProblem] = []

    def problem(self, code: str, message: str, found: Sequence[str], fix: str) -> None:
        """Records a problem once."""
        problem = StackProblem(code, message, tuple(found), fix)
        if problem not in self.problems:
            self.problems.append(problem)

    def address_of(self, name: str) -> int | None:
        """The address of a symbol in code."""
        address = self._addresses.get(name)
        return address if address is not None and self._code(address) is not None else None

    def bound(self, entry: int) -> tuple[int, tuple[Frame, ...]]:
        """The deepest use of `entry` and everything below it; an explicit stack replaces recursion of our own."""
        active: dict[int, None] = {}
        work = [(entry, False)]
        while work:
            address, is_done = work.pop()
            if is_done:
                del active[address]
                self._bounds[address] = self._deepest(self.walk(address))
            elif address not in self._bounds:
                active[address] = None
                work.append((address, True))
                for call in self.walk(address).calls:
                    if call.target in active:
                        self._report_cycle(list(active), call.target)
                    elif call.target not in self._bounds:
                        work.append((call.target, False))
        return self._bounds[entry]

    def _deepest(self, function: _Function) -> tuple[int, tuple[Frame, ...]]:
        best: tuple[int, tuple[Frame, ...]] = (function.deepest, (Frame(function.name, function.deepest),))
        for call in function.calls:
            below = self._bounds.get(call.target)
            if below is not None and call.depth + below[0] > best[0]:
                best = (call.depth + below[0], (Frame(function.name, call.depth), *below[1]))
        return best

    def _report_cycle(self, active: list[int], target: int) -> None:
        names = [self._name(address) for address in active[active.index(target) :]]
        cycle = " -> ".join([*names, names[0]])
        fix = "write it as a loop: the stack of a recursion has no bound"
        self.problem("STK001", f"{names[0]} is recursive", (cycle,), fix)

    # One function.

    def walk(self, address: int) -> _Function:
        """Walks the function at `address`."""
        if address not in self._walked:
            self._in_progress.append(address)
            self._walked[address] = _Walk(self, address).run()
            self._in_progress.pop()
        return self._walked[address]

    def returns(self, address: int) -> bool:
        """Whether a call of `address` may come back; in a cycle of calls it may."""
        if address in self._in_progress or len(self._in_progress) > _CHAIN_MAX:
            return True
        return self.walk(address).returns

    def region(self, address: int) -> tuple[int, int, bytes]:
        """Start, end and bytes of the function at `address`; of code without a symbol, up to the next function."""
        index = bisect_right(self._starts, address)
        if index:
            function = self._image.functions[index - 1]
            if address < function.end:
                return function.address, function.end, function.code
        section = self._code(address)
        assert section is not None
        start, data = section
        end = min([start + len(data), *self._starts[index : index + 1]])
        return address, end, data[address - start : end - start]

    def _code(self, address: int) -> tuple[int, bytes] | None:
        """Start and bytes of the executable section that holds `address`."""
        for section in self._image.sections:
            if section.kind == "code" and section.address <= address < section.address + len(section.data):
                return section.address, section.data
        return None

    def is_code(self, address: int) -> bool:
        """Whether `address` is in an executable section."""
        return self._code(address) is not None

    def may_switch_stack(self, name: str) -> bool:
        """Whether the function, or the one that the place is in, is declared to replace SP."""
        return name.partition("+")[0] in self._switches

    def _name(self, address: int) -> str:
        return self._image.place(address) or f"{address:#x}"

    def name(self, address: int) -> str:
        """`symbol` or `symbol+offset`."""
        return self._name(address)

    def site(self, address: int) -> str:
        """`symbol+offset at path:line`."""
        row = self._image.lines.find(address)
        return self._name(address) + (f" at {row.path}:{row.line}" if row is not None else "")

    def targets_of(self, address: int, function: str) -> Collection[str] | None:
        """What the indirect branch at `address` may reach, or None if nobody said."""
        keys = [*self._keys(address, function), ANY_SITE]
        return next((self._indirect[key] for key in keys if key in self._indirect), None)

    def names_targets(self, address: int, function: str) -> bool:
        """Whether somebody said what this indirect branch, rather than any, may reach."""
        return any(key in self._indirect for key in self._keys(address, function))

    def _keys(self, address: int, function: str) -> list[str]:
        row = self._image.lines.find(address)
        return [f"{row.path}:{row.line}", function] if row is not None else [function]


class _Walk:
    """Follows the control flow of one function from its first instruction."""

    def __init__(self, analysis: _Analysis, address: int) -> None:
        self._analysis = analysis
        self._start, self._end, self._bytes = analysis.region(address)
        self._entry = address
        self._result = _Function(address, analysis.name(address))
        self._states: dict[int, _State] = {}
        self._work: list[tuple[int, _State]] = [(address, _State(0))]
        self._computed_jumps: list[_State] = []

    def run(self) -> _Function:
        while self._work:
            while self._work:
                address, state = self._work.pop()
                self._follow(address, state)
            self._enter_jump_tables()
        return self._result

    def _follow(self, address: int, state: _State | None) -> None:
        """Walks straight on from `address` until control ends or nothing new is to be learned."""
        while state is not None and self._start <= address < self._end:
            state = self._merge(address, state)
            if state is None:
                return
            self._states[address] = state
            at = address - self._start
            word = int.from_bytes(self._bytes[at : at + _INSTRUCTION_BYTES], "little")
            flow, target = control_flow(word, address)
            if flow is Flow.NEXT:
                state = self._apply(address, word, state)
                self._result.deepest = max(self._result.deepest, state.depth)
            else:
                state = self._branch(flow, address, word, target, state)
            address += _INSTRUCTION_BYTES

    def _merge(self, address: int, state: _State) -> _State | None:
        """What holds at `address` on all paths so far, or None if that is known already; depths have to agree."""
        known = self._states.get(address)
        if known is None:
            return state
        if known.depth != state.depth:
            self._analysis.problem(
                "STK005",
                f"the stack of {self._result.name} is not balanced",
                (f"{self._analysis.site(address)}: {known.depth} and {state.depth} bytes in use",),
                "give every path to an instruction the same stack depth",
            )
            return None
        common = tuple(entry for entry in known.known if entry in state.known)
        return None if common == known.known else _State(known.depth, common)

    def _branch(self, flow: Flow, address: int, word: int, target: int, state: _State) -> _State | None:
        """Follows a branch; returns the state at the next instruction if control may come there."""
        match flow:
            case Flow.CONDITIONAL:
                self._jump(address, target, state)
                return state
            case Flow.JUMP:
                self._jump(address, target, state)
            case Flow.CALL:
                if self._call(address, target, state):
                    return state.without(_CALL_CLOBBERED)
            case Flow.INDIRECT_CALL:
                self._indirect(address, state)
                return state.without(_CALL_CLOBBERED)
            case Flow.INDIRECT_JUMP:
                is_named = self._analysis.names_targets(address, self._result.name)
                if not is_named and self._is_table_jump(address, word):
                    self._computed_jumps.append(state)
                else:
                    self._indirect(address, state)
                    self._result.returns = True
            case Flow.RETURN:
                self._result.returns = True
            case Flow.NEXT | Flow.END:
                pass
        return None

    def _apply(self, address: int, word: int, state: _State) -> _State:
        effect = stack_effect(word)
        register, amount = effect.register, effect.amount
        match effect.action:
            case StackAction.NONE:
                return state.without(written_registers(word)) if state.known else state
            case StackAction.MOVE:
                return state.without(written_registers(word)).moved(amount)
            case StackAction.ADD:
                count = state.constant(register)
                if count is not None:
                    return state.moved(count * amount)
                fix = "give arrays a constant size"
                self._problem("STK003", f"the stack of {self._result.name} grows by a register", address, fix)
                return state
            case StackAction.COPY:
                return state.holding(register, state.depth - amount, is_copy=True)
            case StackAction.RESTORE | StackAction.ALIGN:
                saved = state.copy_of_sp(register)
                if saved is None:
                    return self._switch(address, state)
                depth = saved - amount if effect.action is StackAction.RESTORE else saved + amount - 1
                return _State(max(depth, 0), state.known)
            case StackAction.CONSTANT:
                return state.holding(register, amount, is_copy=False)
            case StackAction.INSERT:
                old = state.constant(register)
                if old is None:
                    return state.without((register,))
                return state.holding(register, old & ~effect.mask | amount, is_copy=False)
            case StackAction.SWITCH:
                return self._switch(address, state)

    def _switch(self, address: int, state: _State) -> _State:
        if self._analysis.may_switch_stack(self._result.name):
            return _State(0)
        fix = f"declare {self._result.name} as a function that switches stacks, if that is meant"
        self._problem("STK004", f"{self._result.name} replaces the stack pointer", address, fix)
        return state

    def _problem(self, code: str, message: str, address: int, fix: str) -> None:
        self._analysis.problem(code, message, (self._analysis.site(address),), fix)

    def _jump(self, address: int, target: int, state: _State) -> None:
        is_inside = self._start <= target < self._end and (target != self._start or self._entry == self._start)
        if is_inside:
            self._work.append((target, state))
        elif self._call(address, target, state):
            self._result.returns = True

    def _call(self, address: int, target: int, state: _State) -> bool:
        """Notes a call (or a jump to another function); returns whether it may come back."""
        if not self._analysis.is_code(target):
            fix = "link it, or remove the call"
            self._problem("STK006", f"{self._result.name} calls {target:#x}, which is no code", address, fix)
            return True
        self._result.calls.append(_Call(target, state.depth))
        return self._analysis.returns(target)

    def _indirect(self, address: int, state: _State) -> None:
        targets = self._analysis.targets_of(address, self._result.name)
        if targets is None:
            fix = "call through a typed function table, or name the targets of this place"
            self._problem("STK002", f"{self._result.name} calls through a pointer", address, fix)
            return
        for name in sorted(targets):
            target = self._analysis.address_of(name)
            if target is None:
                fix = "name functions of the image"
                self._problem("STK006", f"the target {name} of an indirect call is not in the image", address, fix)
            else:
                self._result.calls.append(_Call(target, state.depth))

    def _is_table_jump(self, address: int, word: int) -> bool:
        """Whether `br xN` jumps to what `add xN, base, offset, ...` made: how compilers jump through a switch's table.

        Only what runs straight down to the jump is looked at.
        """
        register = word >> 5 & 31
        for before in range(address - _INSTRUCTION_BYTES, self._start - 1, -_INSTRUCTION_BYTES):
            at = before - self._start
            earlier = int.from_bytes(self._bytes[at : at + _INSTRUCTION_BYTES], "little")
            if before not in self._states or control_flow(earlier, before)[0] is not Flow.NEXT:
                return False
            if register in written_registers(earlier):
                # ADD (shifted or extended register), 64-bit, not setting flags.
                return earlier & 0xFF000000 == 0x8B000000
        return False

    def _enter_jump_tables(self) -> None:
        """Whatever code is not reached otherwise is a target of the function's table jumps, at their depth.

        Code that only a table reaches follows code that never falls through; what is reached both ways has been
        walked with the depth that all paths share.
        """
        if not self._computed_jumps:
            return
        unreached = range(self._start, self._end, _INSTRUCTION_BYTES)
        first = next((address for address in unreached if address not in self._states), None)
        if first is not None:
            self._work.append((first, self._computed_jumps[0].without(_CALL_CLOBBERED)))
