"""AArch64 at EL2: start-up, vectors, context switch, translation, PSCI."""
