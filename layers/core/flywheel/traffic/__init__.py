"""Synthetic users against production: plan of a run, its workers, its report."""
