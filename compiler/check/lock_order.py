"""Lock order: no lock is taken while one of the same or a higher rank is held, whatever the path of calls.

Each function is summed up once, callees first (there is no recursion): which ranked locks it may take, with the calls
that lead there, and which it leaves held or lets go. Within a function the held locks follow structured control
flow; where paths meet, a lock held on either counts as held.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from compiler.program import nodes
from compiler.program.nodes import Expression, Span, Statement
from compiler.program.program import Function, Program
from compiler.program.walk import blocks, operands, walk
from compiler.syntax.diagnostics import DiagnosticSink, Note


@dataclass(frozen=True)
class Lock:
    """A lock class with its rank; `site` is where it is taken."""

    name: str
    rank: int
    site: Span


@dataclass(frozen=True)
class Acquisition:
    """A lock that a function may take: the site, and the calls from the function down to it."""

    lock: Lock
    calls: tuple[tuple[str, Span], ...] = ()
    """(name of the callee, call site), outermost first."""


@dataclass
class Summary:
    """What calling a function does to locks."""

    takes: list[Acquisition] = field(default_factory=list[Acquisition])
    keeps: frozenset[Lock] = frozenset()
    """Held when it returns, taken inside."""
    drops: frozenset[str] = frozenset()
    """Lock classes that it releases for its caller."""


def check_lock_order(program: Program, sink: DiagnosticSink) -> None:
    """Report each acquisition out of order once. The program must be free of recursion."""
    if not any(function.acquires for function in program.functions):
        return
    summaries: dict[Function, Summary] = {}
    for function in program.functions:
        _summarise(function, summaries, sink)


def _summarise(root: Function, summaries: dict[Function, Summary], sink: DiagnosticSink) -> None:
    """Compute the summary of `root`, its callees first."""
    pending = [root]
    while pending:
        function = pending[-1]
        missing = [callee for callee in _callees(function) if callee not in summaries]
        if missing and function not in summaries:
            pending += missing
            continue
        pending.pop()
        if function not in summaries:
            summaries[function] = _LockWalker(function, summaries, sink).summary()


def _callees(function: Function) -> list[Function]:
    found: list[Function] = []
    for node in walk(function.body):
        if isinstance(node, nodes.Call):
            found.append(node.function)
        elif isinstance(node, nodes.TableCall):
            found += node.table.functions
    return found


Held = frozenset[Lock]


class _LockWalker:
    """Follows the held locks through one function. `held` None: this point is not reached."""

    def __init__(self, function: Function, summaries: dict[Function, Summary], sink: DiagnosticSink) -> None:
        self.function = function
        self.summaries = summaries
        self.sink = sink
        self.held: Held | None = frozenset()
        self.result = Summary()
        self.returned: list[Held] = []
        self.breaks: list[list[Held]] = []
        self.continues: list[list[Held]] = []

    def summary(self) -> Summary:
        """Walk the body."""
        if self.function.acquires is not None:
            name, rank = self.function.acquires
            lock = Lock(name, rank, self.function.span)
            return Summary([Acquisition(lock)], frozenset([lock]))
        if self.function.releases is not None:
            return Summary(drops=frozenset([self.function.releases[0]]))
        self._block(self.function.body)
        if self.held is not None:
            self.returned.append(self.held)
        self.result.keeps = frozenset().union(*self.returned)
        return self.result

    def _block(self, statements: tuple[Statement, ...]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: Statement) -> None:
        if isinstance(node, nodes.Loop):
            self._loop(node)
            return
        for operand in operands(node):
            self._expression(operand)
        match node:
            case nodes.If() | nodes.Switch():
                before = self.held
                after: Held | None = None
                for block in blocks(node):
                    self.held = before
                    self._block(block)
                    after = _join(after, self.held)
                self.held = after
            case nodes.Return():
                self._leave(self.returned)
            case nodes.Break():
                self._leave(self.breaks[-1])
            case nodes.Continue():
                self._leave(self.continues[-1])
            case nodes.Trap():
                self.held = None
            case nodes.Evaluate(expression=nodes.Call(function=function)) if function.no_return:
                self.held = None
            case _:
                pass

    def _leave(self, states: list[Held]) -> None:
        if self.held is not None:
            states.append(self.held)
        self.held = None

    def _loop(self, node: nodes.Loop) -> None:
        """Walk until the locks held at the head no longer change; they only grow, so twice is mostly enough."""
        head = self.held
        while True:
            self.held = head
            self.breaks.append([])
            self.continues.append([])
            if node.condition is not None:
                self._expression(node.condition)
            exits = [] if node.condition is None or self.held is None else [self.held]
            self._block(node.body)
            for state in self.continues.pop():
                self.held = _join(self.held, state)
            self._block(node.step)
            exits += self.breaks.pop()
            again = _join(head, self.held)
            if again == head:
                break
            head = again
        self.held = None
        for state in exits:
            self.held = _join(self.held, state)

    def _expression(self, node: Expression) -> None:
        if isinstance(node, nodes.Sequence):
            self._block(node.statements)
        if isinstance(node, nodes.Conditional | nodes.Logical):
            first, *others = operands(node)
            self._expression(first)
            before = self.held
            after = before if isinstance(node, nodes.Logical) else None
            for operand in others:
                self.held = before
                self._expression(operand)
                after = _join(after, self.held)
            self.held = after
            return
        for operand in operands(node):
            self._expression(operand)
        if isinstance(node, nodes.Call):
            self._call(node.function, node.span)
        elif isinstance(node, nodes.TableCall):
            before = self.held
            after = None if node.table.functions else before
            for target in node.table.functions:
                self.held = before
                self._call(target, node.span)
                after = _join(after, self.held)
            self.held = after

    def _call(self, callee: Function, site: Span) -> None:
        effect = self.summaries.get(callee)
        if effect is None or self.held is None:
            return
        is_direct = callee.acquires is not None
        for taken in effect.takes:
            if is_direct:
                acquisition = Acquisition(Lock(taken.lock.name, taken.lock.rank, site))
            else:
                acquisition = Acquisition(taken.lock, ((callee.source_name, site), *taken.calls))
            self._take(acquisition)
        kept = {Lock(lock.name, lock.rank, site) if is_direct else lock for lock in effect.keeps}
        self.result.drops |= effect.drops - {lock.name for lock in self.held}
        self.held = frozenset(lock for lock in self.held if lock.name not in effect.drops) | kept

    def _take(self, acquisition: Acquisition) -> None:
        taken = acquisition.lock
        known = {(entry.lock.name, entry.lock.rank) for entry in self.result.takes}
        if (taken.name, taken.rank) not in known:
            self.result.takes.append(acquisition)
        for held in sorted(self.held or (), key=lambda lock: (lock.rank, lock.site.file, lock.site.line)):
            if taken.rank <= held.rank:
                self._report(held, acquisition)

    def _report(self, held: Lock, acquisition: Acquisition) -> None:
        taken = acquisition.lock
        one, other = _shown(taken), _shown(held)
        notes = [Note(f"{other} is taken here", held.site)]
        place = taken.site
        if acquisition.calls:
            place = acquisition.calls[0][1]
            notes += [Note(f"which calls `{name}` here", span) for name, span in acquisition.calls[1:]]
            notes.append(Note(f"{one} is taken here", taken.site))
        through = f" by the call of `{acquisition.calls[0][0]}`" if acquisition.calls else ""
        rank = f"{other} of the same rank" if taken.rank == held.rank else f"{other} (rank {held.rank})"
        reason = f"{one} (rank {taken.rank}) is taken{through} while {rank} is held"
        if taken.name == held.name:
            fix = f"release the first {other} before taking another"
        elif taken.rank == held.rank:
            fix = f"release {other} first, or give the two locks different ranks"
        else:
            fix = f"take {one} before {other}, or release {other} first"
        self.sink.error("E0702", reason, place, notes=notes, fix=fix)


def _shown(lock: Lock) -> str:
    return f"`{lock.name.rpartition('.')[2]}`"


def _join(first: Held | None, second: Held | None) -> Held | None:
    if first is None or second is None:
        return second if first is None else first
    return first | second
