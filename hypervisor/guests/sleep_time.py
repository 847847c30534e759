"""How long sleepers sleep."""

SLEEP_NANOSECONDS = 20_000_000
