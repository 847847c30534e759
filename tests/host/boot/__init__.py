"""Tests of hypervisor/boot."""
