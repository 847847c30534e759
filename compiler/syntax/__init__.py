"""Source text: diagnostics and how they are shown, and the subset of Python that the dialect accepts."""
