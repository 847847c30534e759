"""Guests: programs that run above the hypervisor, for `./build.py run`, tests and measurements."""
