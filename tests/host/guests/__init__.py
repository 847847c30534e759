"""Guests and their library, on the host above a hypervisor of a few lines."""
