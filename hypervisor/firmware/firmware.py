"""What the firmware above offers, asked once by the boot CPU."""

from __future__ import annotations

from compiler.language import static, struct, truncate, u32
from hypervisor.arch.aarch64 import psci
from hypervisor.arch.aarch64.smc import smc_3
from hypervisor.firmware.functions import SmcccFunction

NOT_SUPPORTED = 0xFFFF_FFFF
SMCCC_1_1 = 0x1_0001
PSCI_1_0 = 0x1_0000


@struct
class Firmware:
    """Set before any guest runs."""

    has_psci: bool = False
    has_arch_features: bool = False
    """SMCCC 1.1 or later: ARCH_FEATURES tells of workarounds."""


FIRMWARE: Firmware = static(Firmware())


def probe() -> None:
    """Ask the firmware. One that has no PSCI 1.0 is not asked for more, since older ones need not answer."""
    version = psci.version()
    FIRMWARE.has_psci = version != NOT_SUPPORTED
    if version == NOT_SUPPORTED or version < PSCI_1_0:
        return
    smccc = truncate(u32, smc_3(SmcccFunction.VERSION.value, 0, 0, 0))
    FIRMWARE.has_arch_features = smccc & 1 << 31 == 0 and smccc >= SMCCC_1_1
