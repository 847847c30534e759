"""Which partitions the image carries: `partitions.toml` as tables."""

from __future__ import annotations

import tomllib
from pathlib import Path

from compiler.language import Array, constant, u16

LIST_FILE = Path(__file__).parent / "partitions.toml"

_ROWS = tomllib.loads(LIST_FILE.read_text(encoding="utf-8"))["partition"]

PROGRAMS: list[str] = [row["program"] for row in _ROWS]
PARTITION_COUNT = len(_ROWS)
NAMES: Array[str] = constant(PROGRAMS)
IDS: Array[u16] = constant([u16(row["id"]) for row in _ROWS])
