"""What depends on the instruction set."""
