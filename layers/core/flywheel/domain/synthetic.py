"""How traffic of synthetic users is told from that of people: tags on its traces, prefixes of its users."""

# On every trace of a synthetic user. Who samples or computes quality leaves these traces out unless asked not to.
SYNTHETIC_TAG = "synthetic"
# `traffic:<run id>`: which run of synthetic users a trace belongs to.
RUN_TAG_PREFIX = "traffic:"
USER_PREFIX = "synthetic-"
