"""Programs that the compiler rejects, with the exact text of what it says."""

import pytest

from tests.compiler.reject.cases import FOLDER, Case, cases, shown

CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rejected(case: Case) -> None:
    assert shown(case.source) == case.expected


def test_every_case_is_read_and_has_its_own_name() -> None:
    headings = sum(text.count("\n## ") for text in (file.read_text() for file in FOLDER.glob("*.md")))
    assert len(CASES) == headings >= 100
    assert len({str(case) for case in CASES}) == len(CASES)
    assert [str(case) for case in CASES if not case.expected.startswith(("error[", "warning["))] == []
