"""Images on QEMU: the hypervisor with its partitions, and small images that fail on purpose."""
