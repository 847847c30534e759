"""Layout of structs: what a packed struct refuses to hold."""

import pytest

from compiler.language import Array, array, struct, u8, u16, u32
from compiler.language.errors import BuildError
from compiler.language.types import StructType, type_of


@struct
class Natural:
    number: u32


@struct(packed=True)
class Misaligned:
    first: u8
    inner: Natural


@struct(packed=True, align=4)
class Aligned:
    first: u32
    inner: Natural
    last: u8


@struct(packed=True)
class MisalignedArray:
    first: u8
    numbers: Array[u16] = array(2)


def test_a_packed_struct_refuses_misaligned_structs_and_arrays() -> None:
    with pytest.raises(BuildError, match=r"Misaligned\.inner: Natural needs an alignment of 4, but stands at offset 1"):
        _ = type_of(Misaligned).size
    with pytest.raises(BuildError, match=r"MisalignedArray\.numbers: .* needs an alignment of 2"):
        _ = type_of(MisalignedArray).size


def test_a_packed_struct_holds_what_stands_aligned() -> None:
    kind = type_of(Aligned)
    assert isinstance(kind, StructType)
    assert (kind.fields["inner"].offset, kind.fields["last"].offset, kind.size, kind.align) == (4, 8, 12, 4)
