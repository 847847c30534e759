"""On which CPUs Linux is booted. TANTALUM_LINUX=all in the environment means on all that it has to run on."""

import os

MODELS = ("max", "neoverse-n1", "cortex-a57")
CPU_COUNTS = (1, 4, 8)
QUICK = (("max", 4), ("cortex-a57", 1))
ALL = tuple((model, cpu_count) for model in MODELS for cpu_count in CPU_COUNTS)
IS_ALL = os.environ.get("TANTALUM_LINUX") == "all"
MACHINES = ALL if IS_ALL else QUICK
REFERENCE_LEVELS = ("off", "on") if IS_ALL else ("off",)
"""Whether QEMU's CPUs have EL2 when Linux runs alone."""
