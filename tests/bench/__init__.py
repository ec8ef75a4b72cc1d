"""Measurements: what the evaluate stage costs in wall time, calls and money, against the obvious alternatives."""
