"""From the bytes that the loader hands over to a checked plan of partitions."""
