"""Debian's arm64 Linux as a guest: where it comes from, what it runs, and the tests that boot it."""
