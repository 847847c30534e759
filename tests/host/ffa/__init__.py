"""The FF-A call handlers, on the host."""
