"""The version of FF-A that the hypervisor and its partitions are written for."""

from __future__ import annotations

VERSION_1_2 = 0x1_0002
