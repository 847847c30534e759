"""Data-flow checks: what a block says it reads, writes, saves and calls, against what its instructions do.

Every register holds an abstract value on every path: undefined, defined, the entry value of some register, a signed
entry value (pointer authentication), or the stack pointer at a known distance from its value at entry. Stack slots
hold values too, so that saving and restoring a callee-saved register is proved, not believed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from compiler.asm.block import FrameRow
from compiler.asm.diagnostics import Place, Reporter
from compiler.asm.forms import Match
from compiler.asm.header import BlockHeader
from compiler.asm.operands import Immediate, Memory
from compiler.asm.registers import (
    ARGUMENT_REGISTERS,
    CALLEE_SAVED,
    CALLER_SAVED,
    RESOURCE_ORDER,
    SMCCC_REGISTERS,
    Register,
    describe,
)

AbstractValue = tuple[str, ...] | tuple[str, int, int]
UNDEFINED: AbstractValue = ("undefined",)
DEFINED: AbstractValue = ("defined",)


def _entry(register: str) -> AbstractValue:
    return ("entry", register)


def _signed(register: str) -> AbstractValue:
    return ("signed", register)


@dataclass(slots=True)
class Step:
    """One instruction in the block's control flow.

    `next` and `target` are indices of steps; `misses` tells that its target is in the block but no instruction.
    """

    offset: int
    place: Place
    text: str
    match: Match
    next: int | None
    target: int | None
    external_target: bool
    misses: bool

    def has(self, effect: str) -> bool:
        return effect in self.match.form.effects

    @property
    def mnemonic(self) -> str:
        return self.match.form.mnemonic

    @property
    def calls_outside(self) -> bool:
        return self.has("call") and self.target is None

    @property
    def leaves(self) -> bool:
        """Control may leave the block here, back to a caller or on to another function."""
        return self.has("ret") or (self.external_target and (self.has("jump") or self.has("branch")))


@dataclass(slots=True)
class State:
    """Abstract values of registers and of stack slots, by base number and offset from the base."""

    registers: dict[str, AbstractValue]
    slots: dict[tuple[int, int], tuple[AbstractValue, int]] = field(
        default_factory=dict[tuple[int, int], tuple[AbstractValue, int]]
    )

    def copy(self) -> "State":
        return State(dict(self.registers), dict(self.slots))

    def stack(self) -> tuple[int, int] | None:
        """The base number of the stack pointer and its distance from it, in bytes; None where unknown."""
        return _stack_of(self.registers["sp"])


def _stack_of(value: AbstractValue) -> tuple[int, int] | None:
    if value[0] == "stack" and len(value) == 3:
        base, distance = value[1], value[2]
        if isinstance(base, int) and isinstance(distance, int):
            return base, distance
    return None


def _join(left: State, right: State) -> State:
    registers = {
        name: value if value == right.registers[name] else _weaker(value, right.registers[name])
        for name, value in left.registers.items()
    }
    slots = {key: value for key, value in left.slots.items() if right.slots.get(key) == value}
    return State(registers, slots)


def _weaker(left: AbstractValue, right: AbstractValue) -> AbstractValue:
    return UNDEFINED if UNDEFINED in (left, right) else DEFINED


_PRESERVED = CALLEE_SAVED | {f"v{n}" for n in range(8, 16)}
_SIGNING = frozenset(["paciasp", "pacibsp", "paciaz", "pacibz"])
_AUTHENTICATING = frozenset(["autiasp", "autibsp", "autiaz", "autibz", "xpaclri"])
_AUTHENTICATED_RETURNS = frozenset(["retaa", "retab"])
_MAY_BE_UNREACHABLE = frozenset(["sb", "ssbb", "pssbb", "dsb", "isb", "nop", "brk", "udf", "csdb"])
_SIZE_OF_BANK = {"w": 4, "x": 8, "b": 1, "h": 2, "s": 4, "d": 8, "q": 16}


class DataFlow:
    """Runs the checks over the steps of one block."""

    def __init__(self, header: BlockHeader, steps: list[Step], entries: list[int], reporter: Reporter) -> None:
        self._header = header
        self._steps = steps
        self._entries = entries
        self._reporter = reporter
        self._states: dict[int, State] = {}
        self._inputs = header.input_resources
        self._outputs = header.output_resources
        self.stack_bytes = 0

    def run(self) -> None:
        if not self._steps:
            return
        self._solve()
        for index, step in enumerate(self._steps):
            state = self._states.get(index)
            if state is not None:
                self._check_reads(step, state)
                self._check_stack(index, step, state)
                if step.leaves or (self._header.inline and self._reaches_end(step)):
                    self._check_exit(step, state if step.leaves else self._after(index))
                if self._reaches_end(step) and not self._header.inline:
                    self._reporter.error(
                        "A307",
                        step.place,
                        f"control runs past `{step.text}` out of the block's code",
                        fix="end the path with ret, b, br, eret, brk or udf",
                    )
        self._check_reachable()
        self._check_writes()
        self._check_unused()
        self._check_outputs()

    def frame_rows(self) -> tuple[FrameRow, ...]:
        """How to find the caller's frame, where that changes; offsets at which the stack is unknown are left out."""
        rows: list[FrameRow] = []
        for index, step in enumerate(self._steps):
            state = self._states.get(index)
            stack = state.stack() if state is not None else None
            if state is None or stack is None or stack[0] != 0:
                continue
            # A slot below the stack pointer is free again: its register has been restored.
            saved = sorted(
                (int(str(value[1])[1:]), key[1])
                for key, (value, _) in state.slots.items()
                if value[0] in ("entry", "signed")
                and str(value[1]).startswith("x")
                and key[0] == 0
                and stack[1] <= key[1] < 0
                and key[1] % 8 == 0
            )
            row = FrameRow(step.offset, -stack[1], tuple(dict(saved).items()), _is_signed(state))
            if not rows or row.without_offset != rows[-1].without_offset:
                rows.append(row)
        return tuple(rows)

    # Solving

    def _initial(self) -> State:
        registers: dict[str, AbstractValue] = {}
        for name in RESOURCE_ORDER:
            known = name in self._inputs or (not self._header.naked and name in _PRESERVED)
            registers[name] = _entry(name) if known else UNDEFINED
        registers["sp"] = ("stack", 0, 0)
        return State(registers)

    def _solve(self) -> None:
        pending = list(dict.fromkeys(self._entries))
        for index in pending:
            self._states[index] = self._initial()
        while pending:
            index = pending.pop()
            after = self._after(index)
            for successor in self._successors(self._steps[index]):
                present = self._states.get(successor)
                joined = after if present is None else _join(present, after)
                if present is None or joined != present:
                    self._states[successor] = joined.copy() if joined is after else joined
                    pending.append(successor)

    def _falls_through(self, step: Step) -> bool:
        return not (step.has("end") or step.has("ret") or step.has("jump"))

    def _reaches_end(self, step: Step) -> bool:
        """Control may run past the last instruction, or into padding or data."""
        return step.misses or (self._falls_through(step) and step.next is None)

    def _successors(self, step: Step) -> Iterator[int]:
        if self._falls_through(step) and step.next is not None:
            yield step.next
        if step.target is not None:
            yield step.target

    def _after(self, index: int) -> State:
        step, state = self._steps[index], self._states[index].copy()
        registers = state.registers
        copied = self._copied(step, state)
        self._store_to_stack(step, state)
        loaded = self._load_from_stack(step, state)
        for name in step.match.writes:
            registers[name] = DEFINED
        registers.update(copied)
        registers.update(loaded)
        if "sp" in step.match.writes and "sp" not in copied:
            registers["sp"] = ("stack", index + 1, 0)
        self._move_base(step, registers, self._states[index])
        if step.calls_outside:
            self._call(registers)
        elif step.has("conduit"):
            registers.update(dict.fromkeys(SMCCC_REGISTERS, DEFINED))
        self._sign(step, registers, self._states[index])
        return state

    def _copied(self, step: Step, state: State) -> dict[str, AbstractValue]:
        """MOV between X registers and ADD or SUB of a constant to the stack pointer keep what they know."""
        operands = step.match.operands
        if len(operands) < 2 or not all(isinstance(operand, Register) for operand in operands[:2]):
            return {}
        target, source = operands[:2]
        assert isinstance(target, Register) and isinstance(source, Register)
        if target.bank != "x" or source.bank != "x" or target.resource is None or source.resource is None:
            return {}
        value = state.registers[source.resource]
        if step.mnemonic == "mov":
            # An undefined source has been reported once; what is computed from it is not reported again.
            return {target.resource: DEFINED if value == UNDEFINED else value}
        stack = _stack_of(value)
        amount = operands[2] if len(operands) >= 3 else None
        if step.mnemonic in ("add", "sub") and stack is not None and isinstance(amount, Immediate):
            bytes_added = _shifted(operands[2:]) * (1 if step.mnemonic == "add" else -1)
            return {target.resource: ("stack", stack[0], stack[1] + bytes_added)}
        return {}

    def _move_base(self, step: Step, registers: dict[str, AbstractValue], before: State) -> None:
        memory = _memory_of(step)
        if memory is None or not memory.writes_base or memory.base.resource is None:
            return
        stack = _stack_of(before.registers[memory.base.resource])
        if stack is not None and isinstance(memory.offset, Immediate):
            registers[memory.base.resource] = ("stack", stack[0], stack[1] + memory.offset.value)

    def _accesses(self, step: Step, state: State) -> Iterator[tuple[Register, tuple[int, int], int]]:
        """The registers that a load or store moves, with their stack slots and sizes, where the slot is known."""
        memory = _memory_of(step)
        if memory is None or memory.base.resource is None or memory.displacement is None:
            return
        stack = _stack_of(state.registers[memory.base.resource])
        if stack is None or step.mnemonic not in ("ldr", "str", "ldp", "stp", "ldur", "stur", "stnp", "ldnp"):
            return
        place = stack[1] + memory.displacement
        for operand in step.match.operands:
            if isinstance(operand, Register):
                size = _SIZE_OF_BANK.get(operand.bank, 0)
                yield operand, (stack[0], place), size
                place += size

    def _store_to_stack(self, step: Step, state: State) -> None:
        if not step.has("store"):
            return
        for register, slot, size in self._accesses(step, state):
            for key in [key for key in state.slots if key[0] == slot[0] and key[1] < slot[1] + size]:
                if key[1] + state.slots[key][1] > slot[1]:
                    del state.slots[key]
            whole = register.bank in "xdq" and register.resource is not None
            value = state.registers[register.resource] if whole and register.resource else DEFINED
            state.slots[slot] = (value, size)

    def _load_from_stack(self, step: Step, state: State) -> dict[str, AbstractValue]:
        loaded: dict[str, AbstractValue] = {}
        if step.has("store"):
            return loaded
        for register, slot, size in self._accesses(step, state):
            value, stored_size = state.slots.get(slot, (DEFINED, 0))
            if register.resource is not None:
                loaded[register.resource] = value if stored_size == size else DEFINED
        return loaded

    def _call(self, registers: dict[str, AbstractValue]) -> None:
        """After a call of an AAPCS64 function x0 to x7 may hold results; other caller-saved registers are lost."""
        for name in CALLER_SAVED:
            registers[name] = DEFINED if name in ARGUMENT_REGISTERS and name != "x8" else UNDEFINED
        registers["x30"] = DEFINED

    def _sign(self, step: Step, registers: dict[str, AbstractValue], before: State) -> None:
        value = before.registers["x30"]
        if step.mnemonic in _SIGNING and value == _entry("x30"):
            registers["x30"] = _signed("x30")
        elif step.mnemonic in _AUTHENTICATING and value == _signed("x30"):
            registers["x30"] = _entry("x30")

    # Checks

    def _check_reads(self, step: Step, state: State) -> None:
        saved = _saved_registers(step)
        for name in sorted(step.match.reads, key=lambda name: RESOURCE_ORDER[name]):
            value = state.registers[name]
            own_entry = value == _entry(name) and name not in self._inputs
            allowed = name in saved or (name == "x30" and (step.has("ret") or name in step.match.form.uses))
            if value == UNDEFINED or (own_entry and not allowed):
                self._reporter.error(
                    "A301",
                    step.place,
                    f"`{step.text}` reads {name}, which is neither an input nor written before on every path",
                    fix=f"declare it: in {name}; or write it first",
                )

    def _check_stack(self, index: int, step: Step, state: State) -> None:
        stack = state.stack()
        after = self._after(index).stack()
        if after is not None:
            self.stack_bytes = max(self.stack_bytes, -after[1])
        if stack is not None and after is not None and stack[0] == after[0] and (after[1] - stack[1]) % 16:
            self._reporter.error(
                "A309",
                step.place,
                f"`{step.text}` moves sp by {after[1] - stack[1]} bytes, not a multiple of 16",
                fix="keep sp 16-byte aligned",
            )

    def _check_exit(self, step: Step, state: State) -> None:
        lost = [name for name in sorted(self._outputs) if state.registers[name] == UNDEFINED]
        if lost and not step.external_target:
            self._reporter.error(
                "A304",
                step.place,
                f"output {', '.join(lost)} is not written on every path to this return",
                fix="write it on all paths, or drop it from out",
            )
        if self._header.naked:
            return
        expected: dict[str, AbstractValue] = {name: _entry(name) for name in _PRESERVED}
        expected["sp"] = ("stack", 0, 0)
        if step.mnemonic in _AUTHENTICATED_RETURNS:
            expected["x30"] = _signed("x30")
        changed = {name for name, value in expected.items() if state.registers[name] != value}
        if changed:
            self._reporter.error(
                "A303",
                step.place,
                f"{describe(changed)} {'do' if len(changed) > 1 else 'does'} not hold the entry value when the "
                f"block leaves here",
                note="AAPCS64: a function returns with x19 to x30, sp and the low halves of v8 to v15 as they were",
                fix="save on the stack and restore before leaving; or mark the block naked if it is no function",
            )

    def _check_reachable(self) -> None:
        in_run = False
        for index, step in enumerate(self._steps):
            reached = index in self._states
            harmless = step.mnemonic in _MAY_BE_UNREACHABLE or step.target == index
            if not reached and not harmless and not in_run:
                self._reporter.error(
                    "A308",
                    step.place,
                    f"no path leads to `{step.text}`",
                    fix="remove it, branch to it, or list its label after global",
                )
            in_run = not reached and (in_run or not harmless)

    def _changed_by(self, step: Step) -> set[str]:
        changed = set(step.match.writes)
        if step.calls_outside:
            changed |= CALLER_SAVED | {"x30"}
        if step.has("call"):
            changed.add("x30")
        if step.has("conduit"):
            changed |= SMCCC_REGISTERS
        return changed

    def _check_writes(self) -> None:
        allowed = self._outputs | self._header.clobbers
        if not self._header.naked:
            allowed = allowed | _PRESERVED
            declared = self._header.clobbers & _PRESERVED
            if declared:
                self._reporter.error(
                    "A303",
                    self._header.declared["clobber"][0].place,
                    f"clobber {describe(declared)}: a function may not change it",
                    note="AAPCS64: a function returns with x19 to x30, sp and the low halves of v8 to v15 as they were",
                    fix="save and restore it without declaring it; or mark the block naked",
                )
        allowed = allowed | {"sp"}
        reported: set[str] = set()
        for index, step in enumerate(self._steps):
            undeclared = self._changed_by(step) - allowed - reported
            if undeclared:
                reported |= undeclared
                by_call = step.calls_outside and len(undeclared) > 1
                self._reporter.error(
                    "A302",
                    step.place,
                    f"`{step.text}` changes {describe(undeclared)}, which the header does not declare"
                    if not by_call
                    else f"`{step.text}` may change every caller-saved register, which the header does not declare",
                    fix="add: clobber caller_saved" + (", x30" if "x30" in undeclared else "")
                    if by_call
                    else f"add to out or clobber: {describe(undeclared)}",
                )
            if self._changes_memory(index) and "memory" not in allowed and "memory" not in reported:
                reported.add("memory")
                self._reporter.error(
                    "A302",
                    step.place,
                    f"`{step.text}` changes memory, which the header does not declare",
                    fix="add: clobber memory",
                )

    def _changes_memory(self, index: int) -> bool:
        """Whether a step writes memory other than the block's own stack frame."""
        step = self._steps[index]
        memory = _memory_of(step)
        if not step.has("store") or (memory is not None and memory.base.resource is None):
            return step.has("store")
        state = self._states.get(index)
        if memory is None or state is None or memory.base.resource is None:
            return True
        stack = _stack_of(state.registers[memory.base.resource])
        distance = memory.displacement
        if memory.mode == "pre" and stack is not None and distance is not None:
            return stack[1] + distance >= 0
        return stack is None or distance is None or stack[1] + distance >= 0

    def _check_unused(self) -> None:
        read: set[str] = set(self._outputs)
        changed: set[str] = set()
        for step in self._steps:
            read |= step.match.reads
            changed |= self._changed_by(step)
            if step.calls_outside or (step.external_target and step.leaves):
                read |= ARGUMENT_REGISTERS
            if step.has("conduit"):
                read |= SMCCC_REGISTERS
            if step.mnemonic.startswith(("eret", "br")) and self._header.naked:
                read |= self._inputs
            if any(step.has(effect) for effect in ("store", "conduit", "system", "barrier")) or step.calls_outside:
                changed.add("memory")
        for word, used, verb in (("in", read, "reads"), ("clobber", changed, "changes")):
            for item in self._header.declared.get(word, []):
                if item.resources and not item.resources & used:
                    self._reporter.error(
                        "A306",
                        item.place,
                        f"{word} {item.text} is declared, but the block never {verb} it",
                        fix=f"remove it from the {word} line",
                    )

    def _check_outputs(self) -> None:
        changed: set[str] = set(self._inputs)
        for step in self._steps:
            changed |= self._changed_by(step)
            if step.external_target:
                changed |= ARGUMENT_REGISTERS
        for item in self._header.declared.get("out", []):
            if item.resources and not item.resources & changed:
                self._reporter.error(
                    "A304",
                    item.place,
                    f"out {item.text} is declared, but the block never writes it",
                    fix="remove it from the out line",
                )


def _is_signed(state: State) -> bool:
    signed = _signed("x30")
    return state.registers["x30"] == signed or any(value == signed for value, _ in state.slots.values())


def _memory_of(step: Step) -> Memory | None:
    return next((operand for operand in step.match.operands if isinstance(operand, Memory)), None)


def _shifted(operands: tuple[object, ...]) -> int:
    """The number of `#1` or `#1, lsl #12`."""
    amount = operands[0]
    assert isinstance(amount, Immediate)
    shift = getattr(operands[1], "amount", 0) if len(operands) > 1 else 0
    return amount.value << (shift or 0)


def _saved_registers(step: Step) -> set[str]:
    """Registers that a step only puts away: transferred by a store, or copied by MOV."""
    plain_move = step.mnemonic == "mov"
    if not (plain_move or step.mnemonic in ("str", "stp", "stur", "stnp")):
        return set()
    sources = step.match.operands[1:] if plain_move else step.match.operands
    return {operand.resource for operand in sources if isinstance(operand, Register) and operand.resource}
