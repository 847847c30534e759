"""Control flow: loops, match, with, early exits, and what is known of locals on each path."""

from __future__ import annotations

from compiler.program import nodes
from compiler.program.nodes import TrapKind
from compiler.program.walk import walk
from tests.compiler.check.accepted import Running, accept, find, run


def test_ranges() -> None:
    source = """
        def main(n: u8) -> u64:
            total: u64 = 0
            for i in range(n):
                total += i
            for i in range(250, 255, 2):
                total += i
            for i in reversed(range(2, n)):
                total = total * 2 + i
            for i in range(5, 0, -2):
                total += i
            return total
    """
    total = sum(range(6)) + sum(range(250, 255, 2))
    for i in reversed(range(2, 6)):
        total = total * 2 + i
    assert run(source, 6) == total + 9


def test_a_range_ends_at_the_top_of_its_type() -> None:
    source = """
        def main(stop: u8) -> u64:
            count: u64 = 0
            for _ in range(0, stop, 100):
                count += 1
            for _ in range(254, stop):
                count += 10
            return count
    """
    assert run(source, 255) == 13


def test_loops_within_loops_may_all_run_over_an_underscore() -> None:
    source = """
        def main(n: u8) -> u64:
            count: u64 = 0
            for _ in range(n):
                for _ in range(3):
                    count += 1
                for _ in range(2):
                    count += 10
            return count
    """
    assert run(source, 4) == 4 * 23


def test_bounds_are_evaluated_once() -> None:
    source = """
        def main(n: u64) -> u64:
            count: u64 = 0
            for _ in range(n):
                n += 1
                count += 1
            return count
    """
    assert run(source, 3) == 3


def test_iteration_over_arrays_slices_and_structs() -> None:
    source = """
        @struct
        class Cell:
            value: u64 = 1

        def main() -> u64:
            numbers: Array[u16] = array(5)
            for i in range(5):
                numbers[i] = u16(i)
            cells: Array[Cell] = array(3)
            for i, cell in enumerate(cells):
                cell.value = i + 10
            total: u64 = 0
            for number in numbers[1:4]:
                total += number
            for index, number in enumerate(numbers):
                total += index * number
            for cell in reversed(cells):
                total = total * 2 + cell.value
            return total
    """
    total = 1 + 2 + 3 + sum(i * i for i in range(5))
    for value in (12, 11, 10):
        total = total * 2 + value
    assert run(source) == total


def test_while_break_continue() -> None:
    source = """
        def main(n: u64) -> u64:
            total: u64 = 0
            while True:
                if n == 0:
                    break
                n -= 1
                if n % 2 == 0:
                    continue
                total += n
            return total
    """
    assert run(source, 10) == 1 + 3 + 5 + 7 + 9


def test_walrus_in_a_condition() -> None:
    assert (
        run("def main(n: u64) -> u64:\n    t: u64 = 0\n    while (n := n // 2) > 0:\n        t += n\n    return t", 20)
        == 18
    )


MATCH = """
class Colour(EnumU8):
    RED = 1
    GREEN = 2
    BLUE = 7

def main(raw: u64) -> u64:
    colour = Colour.decode(raw)
    if colour is None:
        return 100
    match colour:
        case Colour.RED | Colour.GREEN if raw > 1:
            return 20
        case Colour.RED | Colour.GREEN:
            return 10
        case Colour.BLUE:
            pass
    match raw:
        case 7 if colour is Colour.RED:
            return 1
        case 5 | 7 as number:
            return number
        case other:
            return other + 1000

def of_bool(flag: bool) -> u64:
    match flag:
        case True:
            return 1
        case False:
            return 0

def corrupt(where: Ptr[Colour]) -> u64:
    match where.value:
        case Colour.RED:
            return 1
        case Colour.GREEN | Colour.BLUE:
            return 2
"""


def test_match() -> None:
    program = Running(MATCH, "main", "of_bool")
    assert [program(raw) for raw in (1, 2, 7, 3, 263)] == [10, 20, 7, 100, 100]
    assert [program(flag, entry="of_bool") for flag in (True, False)] == [1, 0]


def test_a_match_without_guards_is_a_switch_that_traps_on_corrupt_values() -> None:
    switches = [n for n in walk(find(accept(MATCH, "corrupt"), "corrupt").body) if isinstance(n, nodes.Switch)]
    assert [case.values for case in switches[0].cases] == [(1,), (2, 7)]
    assert isinstance(switches[0].default[0], nodes.Trap)
    assert switches[0].default[0].kind is TrapKind.MATCH


def test_with_leaves_on_every_exit() -> None:
    source = """
        @lock_rank(3)
        @struct
        class Lock:
            held: u32 = 0
            taken: u32 = 0

            def __enter__(self) -> None:
                self.held += 1
                self.taken += 1

            def __exit__(self, *_exception: object) -> None:
                self.held -= 1

        lock: Lock = static(Lock())

        def inside(n: u64) -> u64:
            for i in range(10):
                with lock:
                    if i == n:
                        return lock.held
                    if i == 3:
                        continue
                    if i == 5:
                        break
            return lock.held

        def main(n: u64) -> u64:
            result = inside(n)
            assert lock.held == 0
            return result * 100 + lock.taken
    """
    program = Running(source)
    assert program(3) == 104
    assert program(30) == 4 + 6
    enter = find(program.program, "Lock.__enter__")
    assert enter.acquires == ("program.Lock", 3)
    assert find(program.program, "Lock.__exit__").releases == ("program.Lock", 3)


def test_with_as_binds_what_enter_gives() -> None:
    source = """
        @struct
        class Counter:
            value: u64 = 0

            def __enter__(self) -> Counter:
                self.value += 1
                return self

            def __exit__(self, *_exception: object) -> None:
                self.value += 10

        counter: Counter = static(Counter())

        def main() -> u64:
            with counter as inner:
                inner.value += 100
            return counter.value
    """
    assert run(source) == 111


def test_a_build_time_condition_leaves_the_other_branch_out() -> None:
    source = """
        HAS_FEATURE = False

        def main(x: u64) -> u64:
            if HAS_FEATURE:
                return no_such_name(x)
            elif not HAS_FEATURE and x > 5:
                return 1
            return 2 if not HAS_FEATURE else also_missing
    """
    program = Running(source)
    assert [program(6), program(5)] == [1, 2]


def test_assert_panic_unreachable() -> None:
    source = """
        def main(x: u64) -> u64:
            assert x != 1, "x is one"
            if x == 2:
                panic("two")
            if x == 3:
                unreachable()
            return x if x != 4 else panic("four")
    """
    program = Running(source)
    assert program(9) == 9
    assert [program.trap(x) for x in (1, 2, 3, 4)] == [
        (TrapKind.ASSERT, 3),
        (TrapKind.PANIC, 5),
        (TrapKind.UNREACHABLE, 7),
        (TrapKind.PANIC, 8),
    ]


def test_assigned_on_every_path() -> None:
    source = """
        def main(x: u64) -> u64:
            y: u64
            if x > 3:
                y = 1
            elif x > 2:
                panic("three")
            else:
                y = 2
            return y
    """
    assert run(source, 5) == 1


def test_tuples() -> None:
    source = """
        def swap(a: u64, b: u64) -> tuple[u64, u64]:
            return b, a

        def main(a: u64, b: u64) -> u64:
            a, b = swap(a, b)
            values: Array[u64] = array(2)
            values[0], values[1] = a, b
            values[0], values[1] = values[1], values[0]
            return values[0] * 100 + values[1] * 10 + swap(7, 8)[1]
    """
    assert run(source, 1, 2) == 127
