"""The instruction trace: kinds against mnemonics, logs with entries that QEMU takes back, visits."""

import pytest

from tests.bench.trace import Kind, addresses, kind_of, visits
from tests.compiler.asm.gnu_as import gnu_words

TEXTS = {
    Kind.PLAIN: ["add x0, x1, x2", "b .", "eret", "svc #0", "paciasp", "bti c", "csel x0, x1, x2, eq", "cbz x0, ."],
    Kind.MEMORY: ["ldp x0, x1, [sp]", "strb w0, [x1]", "stlrb w0, [x1]", "ldaxr x0, [x1]", "casa w0, w1, [x2]"],
    Kind.SYSTEM: ["mrs x0, esr_el2", "msr hcr_el2, x0", "msr daifset, #2", "dc zva, x0", "at s1e1r, x0"],
    Kind.BARRIER: ["isb", "dsb ish", "dmb ishld"],
    Kind.TLB: ["tlbi vmalls12e1is", "tlbi vae2, x0"],
}


@pytest.mark.parametrize("kind", Kind)
def test_kinds_of_instructions(kind: Kind) -> None:
    words, messages = gnu_words(TEXTS[kind])
    assert len(words) == len(TEXTS[kind]), messages
    assert [kind_of(word) for word in words] == [kind] * len(words)


def test_entries_that_are_taken_back_do_not_count() -> None:
    log = [
        "Trace 0: 0x7f01 [0000000000200408/ffffff8040205044/00000231/ff020201] start\n",
        "Trace 0: 0x7f02 [0000000000200408/ffffff8040205048/00000231/ff020201] \n",
        "Stopped execution of TB chain before 0x7f02 [ffffff8040205048] \n",
        "something else\n",
        "Trace 0: 0x7f02 [0000000000200408/ffffff8040205048/00000231/ff020201] \n",
    ]
    assert list(addresses(log)) == [0xFFFF_FF80_4020_5044, 0xFFFF_FF80_4020_5048]


def test_visits_begin_at_the_entry() -> None:
    assert visits([1, 8, 9, 10, 8, 8, 12], entry=8) == [[8, 9, 10], [8], [8, 12]]
