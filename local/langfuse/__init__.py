"""A stand-in for Langfuse 4.16 (events_only mode): the part of its public API that flywheel uses, on SQLite."""
