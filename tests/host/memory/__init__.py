"""The memory management of the hypervisor, on the host."""
