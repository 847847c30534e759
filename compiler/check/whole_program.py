"""Checks of the program as a whole, on the typed program: what no function shows by itself.

Recursion (so that the stack is bounded), the order in which locks are taken through calls, extern functions that
nothing defines. Each is a function from the program to diagnostics and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from compiler.check.lock_order import check_lock_order
from compiler.program import nodes
from compiler.program.nodes import Span
from compiler.program.program import Function, Program
from compiler.program.walk import walk
from compiler.syntax.diagnostics import Diagnostic, DiagnosticSink, Note

_BRANCH_AND_LINK = re.compile(r"^\s*bl\s+\{([^{}]+)\}", re.MULTILINE)


@dataclass(frozen=True)
class CallSite:
    """A call: who calls whom, where."""

    caller: Function
    callee: Function
    span: Span


CallGraph = dict[Function, list[CallSite]]


def check_whole_program(program: Program, defined_symbols: Collection[str] | None = None) -> list[Diagnostic]:
    """Every finding of the checks here, in order.

    `defined_symbols`: what else is linked, for an image; None when the object is linked by somebody else.
    """
    sink = DiagnosticSink()
    check_recursion(program, sink)
    if not sink.has_errors:
        check_lock_order(program, sink)
    if defined_symbols is not None:
        check_externs(program, defined_symbols, sink)
    return list(sink.diagnostics)


def call_graph(program: Program) -> CallGraph:
    """The calls of each function in source order; a call through a table counts for each function of the table."""
    symbols = {function.symbol: function for function in program.functions}
    return {function: list(_calls(function, symbols)) for function in program.functions}


def _calls(function: Function, symbols: dict[str, Function]) -> Iterator[CallSite]:
    for node in walk(function.body):
        if isinstance(node, nodes.Call):
            yield CallSite(function, node.function, node.span)
        elif isinstance(node, nodes.TableCall):
            for target in node.table.functions:
                yield CallSite(function, target, node.span)
    if function.assembly is not None:
        for name in _BRANCH_AND_LINK.findall(function.assembly.text):
            target_symbol = function.assembly.bindings.get(name)
            if isinstance(target_symbol, str) and target_symbol in symbols:
                yield CallSite(function, symbols[target_symbol], function.span)


def check_recursion(program: Program, sink: DiagnosticSink) -> None:
    """Report each cycle of calls once, with its call sites."""
    graph = call_graph(program)
    for group in _cyclic_groups(graph):
        cycle = _shortest_cycle(graph, group)
        names = [f"`{site.caller.source_name}`" for site in cycle]
        first = cycle[0]
        if len(cycle) == 1:
            message = f"{names[0]} calls itself, so the stack it needs has no bound"
        else:
            chain = ", which calls ".join([*names[1:], names[0]])
            message = f"{names[0]} calls {chain}: the stack they need has no bound"
        notes = [
            Note(f"`{site.caller.source_name}` calls `{site.callee.source_name}` here", site.span) for site in cycle[1:]
        ]
        sink.error("E0701", message, first.span, notes=notes, fix="write a loop, with an Array as its stack if needed")


def _cyclic_groups(graph: CallGraph) -> list[list[Function]]:
    """Strongly connected functions that contain a cycle, in program order (Tarjan's algorithm, without recursion)."""
    index: dict[Function, int] = {}
    low: dict[Function, int] = {}
    stack: list[Function] = []
    on_stack: set[Function] = set()
    groups: list[list[Function]] = []
    for root in graph:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(graph[root]))]
        while work:
            function, sites = work[-1]
            callee = next((site.callee for site in sites if site.callee not in index or site.callee in on_stack), None)
            if callee is None:
                work.pop()
                if work:
                    caller = work[-1][0]
                    low[caller] = min(low[caller], low[function])
                if low[function] == index[function]:
                    groups.append(_pop_group(function, stack, on_stack))
            elif callee in on_stack:
                low[function] = min(low[function], index[callee])
            else:
                index[callee] = low[callee] = len(index)
                stack.append(callee)
                on_stack.add(callee)
                work.append((callee, iter(graph.get(callee, []))))
    cyclic = [group for group in groups if len(group) > 1 or any(site.callee is group[0] for site in graph[group[0]])]
    order = {function: position for position, function in enumerate(graph)}
    return sorted((sorted(group, key=order.__getitem__) for group in cyclic), key=lambda group: order[group[0]])


def _pop_group(root: Function, stack: list[Function], on_stack: set[Function]) -> list[Function]:
    group: list[Function] = []
    while not group or group[-1] is not root:
        group.append(stack.pop())
        on_stack.discard(group[-1])
    return group


def _shortest_cycle(graph: CallGraph, group: list[Function]) -> list[CallSite]:
    """The shortest cycle through the first function of a strongly connected group."""
    start = group[0]
    members = set(group)
    reached: dict[Function, list[CallSite]] = {start: []}
    queue = [start]
    for function in queue:
        for site in graph[function]:
            path = [*reached[function], site]
            if site.callee is start:
                return path
            if site.callee in members and site.callee not in reached:
                reached[site.callee] = path
                queue.append(site.callee)
    raise AssertionError("a strongly connected group has a cycle through each of its functions")


def check_externs(program: Program, defined_symbols: Collection[str], sink: DiagnosticSink) -> None:
    """Report calls of extern functions that the image does not contain."""
    reported: set[Function] = set()
    for sites in call_graph(program).values():
        for site in sites:
            callee = site.callee
            if callee.extern and callee.symbol not in defined_symbols and callee not in reported:
                reported.add(callee)
                sink.error(
                    "E0705",
                    f"nothing in the image defines `{callee.symbol}`",
                    site.span,
                    notes=[Note(f"`{callee.source_name}` is declared extern here", callee.span)],
                    fix=f'export a function under that name: `@export("{callee.symbol}")`',
                )
