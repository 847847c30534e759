"""The table of trap numbers and its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from compiler.lower import LowerError, TrapSite, TrapTable, decode_table, encode_table
from compiler.program.nodes import Span, TrapKind

SITES = some.builds(
    TrapSite,
    some.sampled_from(TrapKind),
    some.builds(Span, some.text(max_size=20), some.integers(0, 1 << 17), some.just(1), some.just(1), some.just(2)),
    some.text(max_size=20),
)


@given(some.lists(SITES, max_size=30))
def test_what_is_encoded_is_decoded(sites: list[TrapSite]) -> None:
    table = TrapTable()
    numbers = {table.number_of(site): site for site in sites}
    assert numbers == dict(table.sites)
    reports = decode_table(encode_table(table))
    assert list(reports) == sorted(numbers)
    for number, site in numbers.items():
        report = reports[number]
        assert (report.kind, report.file, report.line) == (site.kind, site.span.file, min(site.span.line, 0xFFFF))
        assert report.message == (site.message or site.kind.text)


def test_the_bytes_are_those_of_the_description() -> None:
    table = TrapTable()
    table.number_of(TrapSite(TrapKind.OVERFLOW, Span("a.py", 3, 1, 3, 2)))
    table.number_of(TrapSite(TrapKind.PANIC, Span("a.py", 0x104, 1, 3, 2), "no"))
    kept = table.keep([2])
    assert encode_table(kept).hex(" ") == (
        "01 00 00 00 10 00 00 00 02 00 00 00 04 01 05 00 0b 02 00 6e 6f 04 00 61 2e 70 79"
    )
    assert encode_table(kept, with_places=False).hex(" ") == "01 00 00 00 0c 00 00 00 02 00 00 00 0b 02 00 6e 6f"
    assert kept.count_by_kind() == {TrapKind.PANIC: 1}


def test_numbers_run_out_with_an_error() -> None:
    table = TrapTable()
    for line in range(0xFFFF):
        table.number_of(TrapSite(TrapKind.BOUNDS, Span("a.py", line, 1, line, 2)))
    with pytest.raises(LowerError, match="more than 65535 run-time checks"):
        table.number_of(TrapSite(TrapKind.BOUNDS, Span("a.py", 0xFFFF, 1, 1, 2)))
