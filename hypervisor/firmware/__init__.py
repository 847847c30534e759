"""Calls that are not FF-A's: PSCI, SMCCC, paravirtual calls, and what goes on to the firmware."""
