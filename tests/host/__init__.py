"""Programs of the dialect on the host, under CPython and as native code."""
