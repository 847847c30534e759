"""Translation tables, exact maps of the hypervisor and of partitions, the page pool."""
