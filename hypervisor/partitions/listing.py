"""Which partitions the image carries: `partitions.toml` as tables.

A partition's index is its place in the image, where partitions lie in the order of their names.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from compiler.language import Array, constant, u8, u16

LIST_FILE = Path(__file__).parent / "partitions.toml"

_ROWS: list[dict[str, str]] = tomllib.loads(LIST_FILE.read_text(encoding="utf-8"))["partition"]
_SORTED = sorted(_ROWS, key=lambda row: row["program"])

PARTITION_COUNT = len(_ROWS)
NAMES: Array[str] = constant([row["program"] for row in _SORTED])
IDS: Array[u16] = constant([u16(int(row["id"])) for row in _SORTED])
START_ORDER: Array[u8] = constant([u8(_SORTED.index(row)) for row in _ROWS])
"""Indices of the partitions in the order in which they are started."""
