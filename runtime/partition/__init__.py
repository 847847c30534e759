"""The library that EL0 partitions link: start-up, FF-A calls, console."""
