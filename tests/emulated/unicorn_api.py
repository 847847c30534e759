"""The part of Unicorn that tests use, typed: it has no annotations of its own."""

from __future__ import annotations

import importlib
from typing import Any, cast

_unicorn: Any = importlib.import_module("unicorn")
_arm64: Any = importlib.import_module("unicorn.arm64_const")

Error: type[Exception] = cast(type[Exception], _unicorn.UcError)
HOOK_INTR: int = _unicorn.UC_HOOK_INTR
HOOK_CODE: int = _unicorn.UC_HOOK_CODE
HOOK_INSN: int = _unicorn.UC_HOOK_INSN
HOOK_MEM_INVALID: int = _unicorn.UC_HOOK_MEM_INVALID
HOOK_TLB_FILL: int = _unicorn.UC_HOOK_TLB_FILL
TLB_VIRTUAL: int = _unicorn.UC_TLB_VIRTUAL
PROT_READ: int = _unicorn.UC_PROT_READ
PROT_WRITE: int = _unicorn.UC_PROT_WRITE
PROT_EXEC: int = _unicorn.UC_PROT_EXEC
PROT_ALL: int = _unicorn.UC_PROT_ALL
INS_MRS: int = _arm64.UC_ARM64_INS_MRS
INS_MSR: int = _arm64.UC_ARM64_INS_MSR
INS_SYS: int = _arm64.UC_ARM64_INS_SYS
XZR: int = _arm64.UC_ARM64_REG_XZR
X0: int = _arm64.UC_ARM64_REG_X0
SP: int = _arm64.UC_ARM64_REG_SP
LR: int = _arm64.UC_ARM64_REG_X30
PC: int = _arm64.UC_ARM64_REG_PC


def new_cpu() -> Any:
    """A little-endian AArch64 CPU with no memory and with every feature that Unicorn knows, LSE among them."""
    cpu = _unicorn.Uc(_unicorn.UC_ARCH_ARM64, _unicorn.UC_MODE_ARM)
    cpu.ctl_set_cpu_model(_arm64.UC_CPU_ARM64_MAX)
    return cpu


def flush_tlb(cpu: Any) -> None:
    """Forget all translations."""
    cpu.ctl(_unicorn.UC_CTL_TLB_FLUSH, _unicorn.UC_CTL_IO_WRITE)
