"""docs/manifests.md lists the properties that the readers' tables have, and its numbers are theirs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from hypervisor.boot import manifest, partition_manifest, plan, regions
from hypervisor.ffa.protocol import OWN_VERSION

TEXT = (Path(__file__).parents[3] / "docs" / "manifests.md").read_text(encoding="utf-8")
TABLES = [
    (manifest, "NODE_ROWS"),
    (manifest, "PARTITION_ROWS"),
    (partition_manifest, "ROOT_ROWS"),
    (regions, "REGION_ROWS"),
]


def names_of(table: object) -> list[str]:
    """The names of a table's rows."""
    rows: Any = cast(Any, table).value.elements
    return [row.name for row in rows]


def listed() -> list[list[str]]:
    """The names in each table of the page whose first column is a property."""
    sections = re.split(r"^\| property .*\n\|[-|]+\n", TEXT, flags=re.MULTILINE)[1:]
    return [
        re.findall(r"^\| `([^`]+)`", re.split(r"^(?!\|)", part, flags=re.MULTILINE)[0], re.MULTILINE)
        for part in sections
    ]


def test_every_property_is_listed() -> None:
    assert [sorted(names) for names in listed()] == [
        sorted(names_of(getattr(module, table))) for module, table in TABLES
    ]


def test_the_limits() -> None:
    assert f"up to `vm{plan.PARTITION_COUNT_MAX}`" in TEXT
    assert f"text, {plan.NAME_SIZE_MAX} characters" in TEXT
    assert f"up to {plan.SMC_COUNT_MAX} cells" in TEXT
    assert f"1 to {plan.VCPU_COUNT_MAX} |" in TEXT
    assert f"up to {plan.SERVICE_COUNT_MAX} of {plan.UUID_WORD_COUNT} cells" in TEXT
    assert f"{partition_manifest.VERSION_1_0:#x} to {OWN_VERSION:#x} | required" in TEXT
