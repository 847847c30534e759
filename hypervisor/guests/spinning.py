"""What `slices.py` and `spinner.py` agree on."""

NOTIFICATION = 1
"""The bit that the primary may set."""
