"""The versions of FF-A that the hypervisor speaks, as FFA_VERSION has them; partitions use any of them."""

from __future__ import annotations

VERSION_1_0 = 0x1_0000
VERSION_1_1 = 0x1_0001
VERSION_1_2 = 0x1_0002
VERSION_1_3 = 0x1_0003
OWN_VERSION = VERSION_1_3
