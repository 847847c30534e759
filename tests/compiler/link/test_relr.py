"""The RELR encoding: decoding gives back every address, and the size is what the format promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.link.relr import PADDING, decode, encode

ADDRESSES = st.sets(
    st.integers(0, 2000).map(lambda n: 0x40000000 + 8 * n) | st.integers(0, 1 << 60).map(lambda n: 8 * n)
)


@given(ADDRESSES)
def test_decoding_gives_back_the_addresses(addresses: set[int]) -> None:
    words = encode(addresses)
    assert list(decode(words)) == sorted(addresses)
    assert list(decode([*words, PADDING])) == sorted(addresses) if words else words == []


def test_neighbouring_pointers_share_words() -> None:
    assert encode([0x1000]) == [0x1000]
    assert encode([0x1000, 0x1008, 0x1018]) == [0x1000, 0b1011]
    assert len(encode(range(0x1000, 0x1000 + 8 * 64, 8))) == 2
    assert len(encode(range(0x1000, 0x1000 + 8 * 65, 8))) == 3


def test_a_table_has_to_start_with_an_address() -> None:
    with pytest.raises(ValueError, match="starts with the bitmap 0x3"):
        list(decode([3]))
