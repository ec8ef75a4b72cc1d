"""The rules, pure: no I/O, no environment, no clock, no logger."""
