"""Structs: references and fresh values, copies, methods, layout of what is stored, arrays and slices."""

from __future__ import annotations

from compiler.program import nodes
from compiler.program.nodes import TrapKind
from compiler.program.walk import walk
from tests.compiler.check.accepted import Running, accept, find, run

SHAPES = """
@struct
class Point:
    x: u64 = 0
    y: u32 = 5

    def sum(self) -> u64:
        return self.x + self.y

    def double(self) -> u64:
        return self.x * 2

    @staticmethod
    def at(x: u64) -> Value[Point]:
        return Point(x=x)

@struct
class Circle(Point):
    radius: u8 = 1
    centre: Point = Point(x=8)
    name: str = "round"
    marks: Array[u16] = array(3)
    next: Ptr[Circle] | None = None
    limit: u32 | None = None

circle: Circle = static(Circle(x=1, marks=array(3)))
"""


def shapes(body: str, parameters: str = "", result: str = "u64") -> str:
    """A program with the shapes above and a main."""
    lines = "\n".join("    " + line for line in body.strip().splitlines())
    return f"{SHAPES}\ndef main({parameters}) -> {result}:\n{lines}\n"


def test_a_reference_aliases_and_a_copy_does_not() -> None:
    body = """
centre = circle.centre
mine = copy(centre)
centre.x = 20
return circle.centre.x * 100 + mine.x
"""
    assert run(shapes(body)) == 2008


def test_constructors_take_defaults_and_store_copies() -> None:
    body = """
fresh = Circle(x=3, centre=Point.at(9), limit=None)
fresh.centre = copy(circle.centre)
fresh.centre = Point(y=u32(fresh.centre.x + 1), x=fresh.centre.y)
return fresh.centre.x * 1000 + fresh.centre.y * 10 + fresh.radius
"""
    assert run(shapes(body)) == 5000 + 90 + 1


def test_methods_and_inheritance() -> None:
    body = """
base: Point = circle
return circle.sum() + circle.double() + base.sum() + Point.at(7).sum() + Circle.at(0).sum()
"""
    assert run(shapes(body)) == 6 + 2 + 6 + 12 + 5


def test_rebinding_a_fresh_struct_copies() -> None:
    body = """
point = Point.at(1)
for i in range(3):
    point = Point(x=point.x * 2 + i)
return point.x
"""
    assert run(shapes(body)) == ((1 * 2) * 2 + 1) * 2 + 2


def test_optional_fields_of_every_form() -> None:
    body = """
circle.next = address_of(circle)
circle.limit = 77
following = circle.next
limit = circle.limit
if following is None or limit is None:
    return 0
circle.limit = None
return limit + following.value.x + len(circle.name) + (0 if circle.limit is None else 1000)
"""
    assert run(shapes(body)) == 77 + 1 + 5


def test_by_value_outcomes() -> None:
    source = (
        SHAPES
        + """
class Error(ErrorEnum):
    ZERO = -3

def find(x: u64) -> Value[Point] | None:
    if x == 0:
        return None
    return Point(x=x)

def require(x: u64) -> Value[Point] | Error:
    point = find(x)
    if point is None:
        return Error.ZERO
    return point

def forward(x: u64) -> Value[Point] | Error:
    return require(x)

def main(x: u64) -> i64:
    point = forward(x)
    if isinstance(point, Error):
        return point.value
    point.x += 1
    return i64(point.x)
"""
    )
    program = Running(source)
    assert [program(4), program(0)] == [5, -3]


def test_a_by_value_result_is_built_where_it_goes() -> None:
    program = accept(SHAPES + "def main() -> Value[Point]:\n    return Point.at(3)\n")
    body = find(program).body
    assert not [node for node in walk(body) if isinstance(node, nodes.CopyMemory)]
    assert find(program).slots == []


def test_field_access_is_an_offset_and_an_aligned_load() -> None:
    program = accept(SHAPES + "def main(point: Point) -> u32:\n    return point.y\n")
    (returned,) = find(program).body
    assert isinstance(returned, nodes.Return)
    assert isinstance(returned.value, nodes.Load)
    assert isinstance(returned.value.address, nodes.Offset)
    assert (returned.value.address.bytes, returned.value.align) == (8, 4)


def test_packed_fields_state_their_alignment() -> None:
    source = """
        @struct(packed=True)
        class Packed:
            tag: u8
            wide: u64
            small: u16

        def main(p: Packed) -> u64:
            return p.wide + p.small
    """
    loads = [node.align for node in walk(find(accept(source)).body) if isinstance(node, nodes.Load)]
    assert loads == [1, 1]


def test_arrays_and_slices_are_bounds_checked() -> None:
    source = """
        def fill(run: Slice[u8], value: u8) -> u64:
            for i in range(len(run)):
                run[i] = value
            return len(run)

        def main(i: u64, start: u64, stop: u64) -> u64:
            data: Array[u8] = array(8)
            fill(data[start:stop], 3)
            fill(data[:2], 1)
            part = data[start:]
            data[i] += 1
            total: u64 = 0
            for byte in data:
                total += byte
            return total * 100 + len(part)
    """
    program = Running(source)
    assert program(0, 4, 6) == (1 + 1 + 3 + 3 + 1) * 100 + 4
    assert program.trap(8, 4, 6) == (TrapKind.BOUNDS, 12)
    assert program.trap(0, 6, 4) == (TrapKind.SLICE, 9)
    assert program.trap(0, 4, 9) == (TrapKind.SLICE, 9)


def test_a_constant_index_needs_no_check() -> None:
    source = "def main() -> u8:\n    data: Array[u8] = array(8)\n    data[7] = 5\n    return data[7]\n"
    assert not [node for node in walk(find(accept(source)).body) if isinstance(node, nodes.Element)]
    assert run(source) == 5


def test_nested_arrays() -> None:
    source = """
        @struct
        class Grid:
            rows: Array[Array[u16]] = array(3, of=array(4))

        grid: Grid = static(Grid())

        def main(i: u64) -> u64:
            grid.rows[i][3] = 9
            row = grid.rows[i]
            return row[3] + grid.rows[2][0]
    """
    assert run(source, 1) == 9


def test_the_right_side_is_evaluated_before_the_place() -> None:
    source = """
        def divide(x: u8) -> u8:
            return 10 // x

        def main(i: u64, x: u8) -> u64:
            data: Array[u8] = array(2)
            data[i] = divide(x)
            return data[i]
    """
    program = Running(source)
    assert program(1, 2) == 5
    assert program.trap(2, 0) == (TrapKind.DIVIDE, 3)
    assert program.trap(2, 1) == (TrapKind.BOUNDS, 7)


def test_arguments_by_name_are_evaluated_in_the_order_of_the_source() -> None:
    source = """
        @struct
        class Trace:
            text: u64 = 0

            def note(self, digit: u64) -> u64:
                self.text = self.text * 10 + digit
                return digit

        def combine(first: u64, second: u64, third: u64 = 3) -> u64:
            return first * 100 + second * 10 + third

        def main() -> u64:
            trace = Trace()
            value = combine(second=trace.note(2), first=trace.note(1))
            return trace.text * 1000 + value
    """
    assert run(source) == 21123
