"""Partitions, vCPUs, CPUs and locks; neither FF-A nor system registers."""
