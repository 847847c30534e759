"""EL0 partitions: their programs, and the table of those that the image carries."""
