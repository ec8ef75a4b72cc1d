"""Carrying out one shard: lines -> invocations, judgements, scores, records."""
